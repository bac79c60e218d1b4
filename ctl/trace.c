/* SPDX-License-Identifier: ISC */
/*
 * posthouse trace: the story of a message from the log and the queue.  The log
 * is read several times: first for the ids that the question is about and
 * those that belong to them, then for what is said of these; so its length
 * does not matter.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "queue.h"
#include "trace_line.h"

enum {
	IDS_MAX = 50, /* then only the last ones */
	RCPTS_SHOWN = 1000,
	NOTES_MAX = 50,
	PASSES_MAX = 8,
	TLS_LINES = 256, /* of the last sessions */
	TLS_WORDS = 320,
	FILES_MAX = 16,
	MEMORY = 64 * 1024 * 1024,
};

struct rcpt {
	struct rcpt *next;
	struct str address, original;
	unsigned tries;
	/* of the last one */
	struct str time, status, dsn, relay, delay, delays, text, tls;
};

struct note {
	struct note *next;
	struct str time, text;
};

/* One message. */
struct story {
	struct str id;
	struct str time, client, login, tls, sender, size, message_id;
	struct str removed, report_of;
	struct rcpt *rcpts, **rcpts_end;
	unsigned nrcpts;
	struct note *notes, **notes_end;
	unsigned nnotes;
	/* of the queue */
	bool queued;
	uint8_t state;
	uint64_t next_try_us;
};

/* A log may have any number of them: no memory of its own is taken for one. */
struct tls_line {
	char peer[TLS_WORDS], text[TLS_WORDS];
};

struct trace {
	struct pool pool;
	struct str key;
	bool by_id;
	FILE *files[FILES_MAX];
	const char *names[FILES_MAX];
	size_t nfiles;
	struct story v[IDS_MAX];
	size_t n;
	bool more; /* there were others */
	struct tls_line tls[TLS_LINES];
	size_t ntls;
};

/* --- ids ------------------------------------------------------------------ */

static struct story *
find(struct trace *t, struct str id)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (str_eq(t->v[i].id, id))
			return &t->v[i];
	return NULL;
}

static void
add(struct trace *t, struct str id)
{
	struct story *s = &t->v[t->n];

	if (!id.n || find(t, id))
		return;
	if (t->n == IDS_MAX) {
		memmove(t->v, t->v + 1, (IDS_MAX - 1) * sizeof(t->v[0]));
		t->more = true;
		s = &t->v[--t->n];
	}
	*s = (struct story){ .id = pool_str(&t->pool, id) };
	if (s->id.p)
		t->n++;
}

static bool
is_about(const struct trace *t, const struct trace_line *l)
{
	static const char *const names[] = { "from", "to", "orig_to",
					     "message-id" };
	struct str v;
	size_t i;

	if (t->by_id)
		return str_eq(l->id, t->key);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (trace_value(l->text, names[i], &v) && str_ieq(v, t->key))
			return true;
	return false;
}

/* A message, its reports, and what it is a report of. */
static void
find_ids(struct trace *t, const struct trace_line *l)
{
	struct str child;

	if (!l->id.n)
		return;
	if (is_about(t, l))
		add(t, l->id);
	if (!trace_report(l->text, &child))
		return;
	if (find(t, l->id))
		add(t, child);
	else if (find(t, child))
		add(t, l->id);
}

/* --- what is said of them ------------------------------------------------- */

static void
keep(struct trace *t, struct str *to, struct str s)
{
	if (str_eq(*to, s))
		return; /* attempts are much alike */
	*to = pool_str(&t->pool, s);
	if (!to->p)
		*to = STR_NULL;
}

/* "Trusted TLS connection established from host[addr]: TLSv1.3 ..." */
static void
keep_tls(struct trace *t, struct str text)
{
	static const struct str mark = { " TLS connection established ", 28 };
	struct tls_line *l = &t->tls[t->ntls++ % TLS_LINES];
	ptrdiff_t at = str_search(text, mark);
	struct str rest = str_from(text, (size_t)at + mark.n), peer, way;

	*l = (struct tls_line){ 0 };
	if (!str_cut(&rest, ' ', &way) ||
	    (at = str_search(rest, STR(": "))) < 0)
		return;
	peer = str_head(rest, (size_t)at);
	(void)str_copy(l->peer, sizeof(l->peer), peer);
	(void)str_copy(l->text, sizeof(l->text),
		       str_from(rest, (size_t)at + 2));
}

static struct str
tls_of(const struct trace *t, struct str peer)
{
	size_t i, n = t->ntls < TLS_LINES ? t->ntls : TLS_LINES;
	const struct tls_line *l;

	for (i = 0; i < n; i++) {
		l = &t->tls[(t->ntls - 1 - i) % TLS_LINES];
		if (l->peer[0] && str_eq(str_of(l->peer), peer))
			return str_of(l->text);
	}
	return STR_NULL;
}

static void
keep_rcpt(struct trace *t, struct story *s, const struct trace_line *l,
	  struct str address)
{
	struct rcpt *r;
	struct str v;

	for (r = s->rcpts; r; r = r->next)
		if (str_eq(r->address, address))
			break;
	if (!r && s->nrcpts < RCPTS_SHOWN) {
		r = pool_alloc(&t->pool, sizeof(*r));
		if (!r)
			return;
		keep(t, &r->address, address);
		*(s->rcpts ? s->rcpts_end : &s->rcpts) = r;
		s->rcpts_end = &r->next;
	}
	s->nrcpts++;
	if (!r)
		return;
	r->tries++;
	keep(t, &r->time, l->time);
	keep(t, &r->text, trace_reason(l->text));
	if (trace_value(l->text, "orig_to", &v))
		keep(t, &r->original, v);
	if (trace_value(l->text, "status", &v))
		keep(t, &r->status, v);
	if (trace_value(l->text, "dsn", &v))
		keep(t, &r->dsn, v);
	if (trace_value(l->text, "delay", &v))
		keep(t, &r->delay, v);
	if (trace_value(l->text, "delays", &v))
		keep(t, &r->delays, v);
	if (trace_value(l->text, "relay", &v)) {
		keep(t, &r->relay, v);
		keep(t, &r->tls, tls_of(t, v));
	}
}

static void
keep_note(struct trace *t, struct story *s, const struct trace_line *l)
{
	struct note *n;

	if (s->nnotes++ >= NOTES_MAX)
		return;
	n = pool_alloc(&t->pool, sizeof(*n));
	if (!n)
		return;
	keep(t, &n->time, l->time);
	keep(t, &n->text, l->text);
	*(s->notes ? s->notes_end : &s->notes) = n;
	s->notes_end = &n->next;
}

static void
collect(struct trace *t, const struct trace_line *l)
{
	struct story *s, *child;
	struct str v;

	if (!l->id.n) {
		if (str_search(l->text, STR(" TLS connection established ")) >=
		    0)
			keep_tls(t, l->text);
		return;
	}
	s = find(t, l->id);
	if (!s)
		return;
	if (!s->time.n)
		keep(t, &s->time, l->time);
	if (trace_value(l->text, "client", &v)) {
		keep(t, &s->client, v);
		keep(t, &s->tls, tls_of(t, v));
		if (trace_value(l->text, "sasl_username", &v))
			keep(t, &s->login, v);
	} else if (trace_value(l->text, "to", &v)) {
		keep_rcpt(t, s, l, v);
	} else if (trace_value(l->text, "message-id", &v)) {
		keep(t, &s->message_id, v);
	} else if (trace_value(l->text, "from", &v) &&
		   str_starts(l->text, STR("from="))) {
		keep(t, &s->sender, v.n ? v : STR("<>"));
		if (trace_value(l->text, "size", &v))
			keep(t, &s->size, v);
	} else if (str_eq(l->text, STR("removed"))) {
		keep(t, &s->removed, l->time);
	} else {
		if (trace_report(l->text, &v) && (child = find(t, v)))
			child->report_of = s->id;
		keep_note(t, s, l);
	}
}

/* --- reading -------------------------------------------------------------- */

typedef void line_fn(struct trace *t, const struct trace_line *l);

static void
each_line(struct trace *t, line_fn *fn)
{
	struct trace_line l;
	char *line = NULL;
	size_t size = 0, i;
	struct buf mem;
	ssize_t n;

	buf_init(&mem, 8 * TRACE_LINE_MAX);
	for (i = 0; i < t->nfiles; i++) {
		rewind(t->files[i]);
		while ((n = getline(&line, &size, t->files[i])) > 0) {
			if (line[n - 1] == '\n')
				n--;
			if (trace_line_parse(str_mem(line, (size_t)n), &mem,
					     &l))
				fn(t, &l);
		}
	}
	free(line);
	buf_fini(&mem);
}

static void
find_all_ids(struct trace *t)
{
	size_t had;
	int i;

	if (t->by_id)
		add(t, t->key);
	for (i = 0; i < PASSES_MAX && !t->more; i++) {
		had = t->n;
		each_line(t, find_ids);
		/* Ids that came late have lines that were passed over. */
		if (t->n == had)
			break;
	}
}

/* Standard input is read once only. */
static FILE *
keep_stdin(void)
{
	FILE *f = tmpfile();
	char part[65536];
	size_t n;

	while (f && (n = fread(part, 1, sizeof(part), stdin)) > 0)
		if (fwrite(part, 1, n, f) != n) {
			(void)fclose(f);
			f = NULL;
		}
	return f;
}

static int
open_log(struct trace *t, const char *name, bool must)
{
	FILE *f;

	if (t->nfiles == FILES_MAX)
		return -1;
	f = strcmp(name, "-") == 0 ? keep_stdin() : fopen(name, "re");
	if (!f) {
		if (must || errno != ENOENT)
			ctl_error("trace", "%s: %s", name, strerror(errno));
		return -1;
	}
	t->names[t->nfiles] = name;
	t->files[t->nfiles++] = f;
	return 0;
}

/* What logrotate has put aside comes first. */
static void
open_with_older(struct trace *t, const char *path)
{
	struct str older = pool_strf(&t->pool, "%s.1", path);

	if (older.p)
		(void)!open_log(t, older.p, false);
	(void)!open_log(t, path, false);
}

static void
open_usual_logs(struct trace *t, struct ctl *c)
{
	struct str file = config_get(&c->conf, "maillog_file"), path;

	if (!file.n || str_eq(file, STR("-"))) {
		open_with_older(t, "/var/log/mail.log");
		open_with_older(t, "/var/log/maillog");
		return;
	}
	path = pool_strf(&t->pool, "%.*s/%.*s",
			 STR_FMT(config_get(&c->conf, "log_directory")),
			 STR_FMT(file));
	if (path.p)
		open_with_older(t, path.p);
}

/* --- the queue ------------------------------------------------------------ */

static void
on_row(void *arg, const struct msg_def *def, void *msg)
{
	const struct msg_queue_row *m = msg;
	struct trace *t = arg;
	struct story *s;

	if (def != &msg_queue_row_def || !(s = find(t, m->id)))
		return;
	s->queued = true;
	s->state = m->state;
	s->next_try_us = m->next_try_us;
}

/* -1: it cannot be asked now. */
static int
ask_queue(struct trace *t, struct ctl *c, struct err *err)
{
	struct msg_queue m = { .verb = QUEUE_LIST };
	const struct chan_row *row;
	struct msg_queue_id e;
	struct buf ids;
	int fd, rc = 0;
	size_t i;

	if (ctl_connect(c, SVC_QMGR, &fd, &row, err) < 0)
		return -1;
	buf_init(&ids, 8192);
	for (i = 0; i < t->n && rc == 0; i++) {
		e.id = t->v[i].id;
		rc = msg_list_add(&ids, &msg_queue_id_def, &e, err);
	}
	m.ids = msg_list_of(&ids, (uint32_t)t->n, &msg_queue_id_def);
	if (rc == 0)
		rc = ctl_call(fd, row, &msg_queue_def, &m, CTL_TIMEOUT_MS,
			      on_row, t, err);
	buf_fini(&ids);
	close(fd);
	return rc;
}

/* --- the story ------------------------------------------------------------ */

static void
print_origin(const struct story *s)
{
	if (s->report_of.n)
		(void)printf("  is a report about %.*s\n",
			     STR_FMT(s->report_of));
	if (s->client.n) {
		(void)printf("  came from %s", LOGQ(s->client));
		if (s->login.n)
			(void)printf(", logged in as %s", LOGQ(s->login));
		(void)printf(", %s\n", s->tls.n ? LOGQ(s->tls) : "without TLS");
	}
	if (s->sender.n)
		(void)printf("  from <%s>, %s bytes\n",
			     str_eq(s->sender, STR("<>")) ? ""
							  : LOGQ(s->sender),
			     s->size.n ? LOGQ(s->size) : "?");
	if (s->message_id.n)
		(void)printf("  Message-ID: <%s>\n", LOGQ(s->message_id));
}

static void
print_rcpt(const struct rcpt *r)
{
	(void)printf("  to <%s>", LOGQ(r->address));
	if (r->original.n)
		(void)printf(", for <%s>", LOGQ(r->original));
	(void)printf(": %s", r->status.n ? LOGQ(r->status) : "?");
	if (r->tries > 1)
		(void)printf(" (%u attempts)", r->tries);
	(void)printf(", %s\n    %s", LOGQ(r->time), LOGQ(r->dsn));
	(void)printf(" %s\n", LOGQ(r->text));
	(void)printf("    by %s", LOGQ(r->relay));
	if (r->tls.n)
		(void)printf(", %s", LOGQ(r->tls));
	(void)printf("; %s s (%s)\n", LOGQ(r->delay), LOGQ(r->delays));
}

static void
print_place(const struct story *s, bool asked)
{
	static const char *const states[] = { "", "being delivered", "deferred",
					      "on hold" };

	if (s->queued) {
		(void)printf("  is in the queue, %s", states[s->state & 3]);
		if (s->state == QUEUE_DEFERRED && s->next_try_us) {
			(void)fputs(", next try ", stdout);
			queue_print_time(s->next_try_us);
		}
		(void)putchar('\n');
	} else if (s->removed.n) {
		(void)printf("  left the queue: %s\n", LOGQ(s->removed));
	} else if (asked) {
		(void)puts("  is not in the queue");
	} else {
		(void)puts("  may be in the queue, which cannot be asked now");
	}
}

static void
print_story(const struct story *s, bool asked)
{
	const struct rcpt *r;
	const struct note *n;

	(void)printf("%.*s", STR_FMT(s->id));
	(void)printf("  %s\n", LOGQ(s->time));
	print_origin(s);
	for (r = s->rcpts; r; r = r->next)
		print_rcpt(r);
	for (n = s->notes; n; n = n->next) {
		(void)printf("  %s ", LOGQ(n->time));
		(void)printf("%s\n", LOGQ(n->text));
	}
	if (s->nnotes > NOTES_MAX)
		(void)printf("  ... and %u lines more\n",
			     s->nnotes - NOTES_MAX);
	print_place(s, asked);
}

/* Something is known of it. */
static bool
has_story(const struct story *s)
{
	return s->time.n || s->queued;
}

static int
tell(struct trace *t, struct ctl *c)
{
	bool asked, any = false;
	struct err err;
	size_t i;

	find_all_ids(t);
	each_line(t, collect);
	asked = t->n && ask_queue(t, c, &err) == 0;
	for (i = 0; i < t->n; i++) {
		if (!has_story(&t->v[i]))
			continue;
		if (any)
			(void)putchar('\n');
		any = true;
		print_story(&t->v[i], asked);
	}
	if (t->more)
		(void)printf("\n(the last %d messages of more)\n", IDS_MAX);
	if (any)
		return 0;
	ctl_error("trace", "%.*s: nothing in %s%s", STR_FMT(t->key),
		  t->nfiles ? t->names[t->nfiles - 1] : "any log",
		  asked ? " and the queue" : "");
	return 1;
}

/* An id, or an address or Message-ID with or without <>, as the log has it. */
static void
set_key(struct trace *t, const char *arg)
{
	t->key = str_of(arg);
	t->by_id = trace_is_id(t->key);
	if (str_starts(t->key, STR("<")) && str_ends(t->key, STR(">")))
		t->key = str_mem(arg + 1, t->key.n - 2);
	keep(t, &t->key, str_of(LOGQ(t->key)));
}

int
cmd_trace(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "log", required_argument, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	struct trace *t = calloc(1, sizeof(*t));
	bool named = false;
	int opt, rc = -1;

	if (!t)
		return EX_OSERR;
	pool_init(&t->pool, MEMORY);
	optind = 0;
	opterr = 0;
	while (rc < 0 &&
	       (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		named = true;
		if (opt != 'l')
			rc = ctl_usage("trace");
		else if (open_log(t, optarg, true) < 0)
			rc = EX_NOINPUT;
	}
	if (rc < 0 && (argc - optind != 1 || !argv[optind][0]))
		rc = ctl_usage("trace");
	if (rc < 0 && ctl_config(c) != 0 && !named)
		rc = EX_USAGE;
	if (rc < 0) {
		if (!named)
			open_usual_logs(t, c);
		set_key(t, argv[optind]);
		rc = tell(t, c);
	}
	while (t->nfiles)
		(void)fclose(t->files[--t->nfiles]);
	pool_fini(&t->pool);
	free(t);
	return rc;
}
