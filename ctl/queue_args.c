/* SPDX-License-Identifier: ISC */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "mail/path.h"
#include "queue.h"
#include "trace_line.h"

enum { LIST_MAX = 60000 };

static int
wrong(struct err *err, const char *what, const char *value)
{
	return err_set(err, ERR_PERM, 0, "%s: \"%.200s\"", what, value);
}

static int
number(struct str s, const char *units, const uint64_t *factors, uint64_t *out)
{
	uint64_t n, factor = 1;
	const char *unit = NULL;

	if (s.n && (unit = strchr(units, s.p[s.n - 1])) && *unit) {
		factor = factors[unit - units];
		s.n--;
	}
	if (str_u64(s, UINT32_MAX, &n) < 0)
		return -1;
	*out = n * factor;
	return 0;
}

int
queue_time(struct str s, uint64_t *us)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400, 604800 };
	uint64_t seconds;

	if (number(s, "smhdw", factors, &seconds) < 0)
		return -1;
	*us = seconds * 1000000;
	return 0;
}

int
queue_size(struct str s, uint64_t *bytes)
{
	static const uint64_t factors[] = { 1 << 10, 1 << 20, 1 << 30 };

	return number(s, "kmg", factors, bytes);
}

void
queue_args_init(struct queue_args *a)
{
	*a = (struct queue_args){ 0 };
	buf_init(&a->ids, LIST_MAX);
	buf_init(&a->add, LIST_MAX);
	buf_init(&a->drop, LIST_MAX);
}

void
queue_args_fini(struct queue_args *a)
{
	buf_fini(&a->ids);
	buf_fini(&a->add);
	buf_fini(&a->drop);
}

/* --- messages ------------------------------------------------------------- */

static int
add_id(struct queue_args *a, const char *id, struct err *err)
{
	const struct msg_queue_id e = { .id = str_of(id) };

	if (!trace_is_id(e.id))
		return wrong(err, "no queue id", id);
	if (a->m.ids.count == QUEUE_IDS_MAX ||
	    msg_list_add(&a->ids, &msg_queue_id_def, &e, NULL) < 0)
		return err_set(err, ERR_PERM, 0,
			       "more than %d messages named at a time",
			       QUEUE_IDS_MAX);
	a->m.ids = msg_list_of(&a->ids, a->m.ids.count + 1, &msg_queue_id_def);
	return 0;
}

/* "-": ids on standard input, separated by white space. */
static int
read_ids(struct queue_args *a, struct err *err)
{
	char id[64];

	while (scanf("%63s", id) == 1)
		if (add_id(a, id, err) < 0)
			return -1;
	if (ferror(stdin))
		return err_set(err, ERR_TEMP, 0, "standard input");
	/* None is not all of them. */
	return a->m.ids.count
		       ? 0
		       : err_set(err, ERR_PERM, 0, "no ID on standard input");
}

/* An id alone goes into m.id; "ALL" as well. */
static int
set_names(struct queue_args *a, int n, char **names, struct err *err)
{
	int i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], "ALL") == 0 && n == 1)
			a->m.id = STR("ALL");
		else if (strcmp(names[i], "-") == 0
				 ? read_ids(a, err) < 0
				 : add_id(a, names[i], err) < 0)
			return -1;
	if (n == 1 && a->m.ids.count == 1 && strcmp(names[0], "-") != 0) {
		a->m.id = str_of(names[0]);
		a->m.ids = (struct msg_list){ 0 };
	}
	return 0;
}

static int
set_states(struct msg_queue *m, const char *arg, struct err *err)
{
	static const struct {
		const char *name;
		enum queue_state state;
	} states[] = {
		{ "active", QUEUE_ACTIVE },
		{ "deferred", QUEUE_DEFERRED },
		{ "held", QUEUE_HELD },
		{ "hold", QUEUE_HELD },
	};
	struct str list = str_of(arg), one;
	size_t i;

	while (str_token(&list, ",", &one)) {
		for (i = 0; i < sizeof(states) / sizeof(states[0]); i++)
			if (str_eq(one, str_of(states[i].name)))
				break;
		if (i == sizeof(states) / sizeof(states[0]))
			return wrong(err,
				     "--state wants active, deferred or held",
				     arg);
		m->states |= (uint8_t)(1 << states[i].state);
	}
	/* None is not any of them. */
	return m->states ? 0
			 : wrong(err, "--state wants active, deferred or held",
				 arg);
}

static int
set_age(uint64_t *out, const char *arg, struct err *err)
{
	uint64_t us, now = clock_wall_us();

	if (queue_time(str_of(arg), &us) < 0)
		return wrong(err, "no time like 30m, 2h or 7d", arg);
	*out = us < now ? now - us : 1;
	return 0;
}

static int
set_pattern(struct str *out, const char *arg, size_t max, struct err *err)
{
	if (!*arg)
		return wrong(err,
			     "an empty pattern (the null sender is \"<>\")",
			     arg);
	if (strlen(arg) > max || strpbrk(arg, "\r\n"))
		return wrong(err, "no address, domain or site", arg);
	*out = str_of(arg);
	return 0;
}

static int
set_test(struct queue_args *a, int opt, const char *arg, struct err *err)
{
	struct msg_queue *m = &a->m;
	uint64_t *size = opt == 'L' ? &m->larger : &m->smaller;

	a->selects = true;
	switch (opt) {
	case 's':
		return set_pattern(&m->site, arg, WHERE_MAX, err);
	case 'f':
		return set_pattern(&m->sender, arg, ADDRESS_MAX, err);
	case 't':
		return set_pattern(&m->rcpt, arg, ADDRESS_MAX, err);
	case 'o':
		return set_age(&m->older_us, arg, err);
	case 'y':
		return set_age(&m->younger_us, arg, err);
	case 'L':
	case 'S':
		/* Nothing is smaller than 0; to qmgr it means any. */
		if (queue_size(str_of(arg), size) < 0 ||
		    (opt == 'S' && *size == 0))
			return wrong(err, "no size like 512, 10k or 2m", arg);
		return 0;
	default:
		return set_states(m, arg, err);
	}
}

static int
bad_option(struct err *err, char **argv)
{
	return wrong(err, "unknown option, or one without its value",
		     argv[optind - 1]);
}

/* What may be left out, and what it means then. */
static int
check_names(struct queue_args *a, enum queue_verb verb, struct err *err)
{
	bool named = a->m.id.n || a->m.ids.count;

	if (verb == QUEUE_SHOW) {
		if (!a->m.id.n || str_eq(a->m.id, STR("ALL")))
			return err_set(err, ERR_PERM, 0, "give one ID");
		return 0;
	}
	if (named)
		return 0;
	/* All of a queue is named in so many letters, but for a list or a
	 * flush. */
	if (!a->selects && verb != QUEUE_LIST && verb != QUEUE_FLUSH)
		return err_set(err, ERR_PERM, 0,
			       "give an ID, a selection or ALL");
	a->m.id = STR("ALL");
	return 0;
}

int
queue_args_parse(struct queue_args *a, enum queue_verb verb, int argc,
		 char **argv, struct err *err)
{
	static const struct option options[] = {
		{ "site", required_argument, NULL, 's' },
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "older", required_argument, NULL, 'o' },
		{ "younger", required_argument, NULL, 'y' },
		{ "larger", required_argument, NULL, 'L' },
		{ "smaller", required_argument, NULL, 'S' },
		{ "state", required_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "body", no_argument, NULL, 'b' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	a->m.verb = (uint8_t)verb;
	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "bj", options, NULL)) != -1) {
		if (opt == '?')
			return bad_option(err, argv);
		if (opt == 'j' && verb == QUEUE_LIST)
			a->json = true;
		else if (opt == 'b' && verb == QUEUE_SHOW)
			a->body = true;
		else if (opt == 'j' || opt == 'b' || verb == QUEUE_SHOW)
			return err_set(err, ERR_PERM, 0,
				       "-%c is not for this command", opt);
		else if (set_test(a, opt, optarg, err) < 0)
			return -1;
	}
	if (set_names(a, argc - optind, argv + optind, err) < 0)
		return -1;
	return check_names(a, verb, err);
}

/* --- change --------------------------------------------------------------- */

/* An address with or without <>; "" and "<>" only if null_ok. */
static int
parse_address(struct path *p, const char *arg, bool null_ok, struct err *err)
{
	struct str in = str_of(arg);
	unsigned flags = PATH_UTF8 | (null_ok ? PATH_NULL_OK : 0);

	if (null_ok && (!in.n || str_eq(in, STR("<>")))) {
		*p = (struct path){ 0 };
		return 0;
	}
	if (path_parse(&in, flags, p, NULL) != PATH_OK || in.n || !p->n)
		return wrong(err, "no address", arg);
	return 0;
}

static int
add_address(struct buf *b, struct msg_list *l, const char *arg, struct err *err)
{
	struct msg_rcpt_in e = { 0 };
	struct path p;

	if (parse_address(&p, arg, false, err) < 0)
		return -1;
	e.address = path_str(&p);
	if (l->count == QUEUE_ADDRS_MAX ||
	    msg_list_add(b, &msg_rcpt_in_def, &e, NULL) < 0)
		return err_set(err, ERR_PERM, 0, "too many addresses");
	*l = msg_list_of(b, l->count + 1, &msg_rcpt_in_def);
	return 0;
}

static int
set_sender(struct queue_args *a, const char *arg, struct err *err)
{
	if (parse_address(&a->sender, arg, true, err) < 0)
		return -1;
	a->c.what |= CHANGE_SENDER;
	a->c.sender = path_str(&a->sender);
	return 0;
}

/* "smtp:example.com", "lmtp:unix:/run/x" */
static int
set_route(struct queue_args *a, const char *arg, struct err *err)
{
	struct str where = str_of(arg), transport;

	if (!str_cut(&where, ':', &transport) || !transport.n || !where.n ||
	    transport.n > TRANSPORT_MAX || where.n > WHERE_MAX ||
	    strpbrk(arg, " \t\r\n"))
		return wrong(err, "no TRANSPORT:NEXTHOP", arg);
	a->c.what |= CHANGE_ROUTE;
	a->c.transport = transport;
	a->c.where = where;
	return 0;
}

int
queue_args_change(struct queue_args *a, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "add-rcpt", required_argument, NULL, 'a' },
		{ "delete-rcpt", required_argument, NULL, 'd' },
		{ "route", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	struct queue_args named;
	int opt, rc = 0;

	optind = 0;
	opterr = 0;
	while (rc == 0 &&
	       (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'f':
			rc = set_sender(a, optarg, err);
			break;
		case 't':
			a->c.what |= CHANGE_DROP_ALL;
			/* fall through */
		case 'a':
			rc = add_address(&a->add, &a->c.add, optarg, err);
			break;
		case 'd':
			rc = add_address(&a->drop, &a->c.drop, optarg, err);
			break;
		case 'r':
			rc = set_route(a, optarg, err);
			break;
		default:
			return bad_option(err, argv);
		}
	}
	if (rc < 0)
		return -1;
	if (argc - optind != 1)
		return err_set(err, ERR_PERM, 0, "give one ID");
	queue_args_init(&named);
	rc = add_id(&named, argv[optind], err);
	queue_args_fini(&named);
	if (rc == 0 && !a->c.what && !a->c.add.count && !a->c.drop.count)
		rc = err_set(err, ERR_PERM, 0, "say what to change");
	a->c.id = str_of(argv[optind]);
	return rc;
}

/* --- import --------------------------------------------------------------- */

int
queue_args_import(struct queue_args *a, int argc, char **argv, struct err *err)
{
	static const struct option options[] = {
		{ "hold", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'h')
			return bad_option(err, argv);
		a->hold = true;
	}
	if (argc - optind > 1)
		return err_set(err, ERR_PERM, 0, "one file at a time");
	if (argc - optind == 1 && strcmp(argv[optind], "-") != 0)
		a->file = argv[optind];
	return 0;
}
