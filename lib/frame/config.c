/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "frame/config.h"
#include "frame/transports.h"

enum {
	CONFIG_POOL_MAX = 16 * 1024 * 1024,
	PROBLEMS_MAX = 64,
	READ_SIZE = 16384
};

/* Names that Postfix replaced long ago, or that a listener replaces here: to
 * pass over them in silence could leave a door open. */
static const struct {
	const char *name, *by;
} replaced[] = {
	{ "disable_dns_lookups", "smtp_dns_support_level = disabled" },
	{ "fallback_relay", "smtp_fallback_relay" },
	{ "lmtp_enforce_tls", "lmtp_tls_security_level" },
	{ "lmtp_use_tls", "lmtp_tls_security_level" },
	{ "smtp_enforce_tls", "smtp_tls_security_level = verify" },
	{ "smtp_tls_cipherlist", "smtp_tls_ciphers" },
	{ "smtp_tls_enforce_peername", "smtp_tls_security_level = verify" },
	{ "smtp_tls_per_site", "smtp_tls_policy_maps" },
	{ "smtp_tls_trust_anchor_file", "smtp_tls_CAfile" },
	{ "smtp_use_tls", "smtp_tls_security_level = may" },
	{ "smtpd_enforce_tls", "smtpd_tls_security_level = encrypt" },
	{ "smtpd_use_tls", "smtpd_tls_security_level = may" },
	{ "smtpd_tls_cipherlist", "smtpd_tls_ciphers" },
	{ "smtpd_tls_wrappermode", "listen_submissions" },
};

struct problem {
	unsigned line, order;
	bool warning;
	struct str text;
};

enum { NEW, BUSY, DONE, FAILED };

struct reader {
	struct config *c;
	const struct param *const *sets;
	struct problem problems[PROBLEMS_MAX];
	unsigned nproblems, errors, dropped;
	struct config_value *stack[CONFIG_DEPTH_MAX]; /* being evaluated */
	unsigned depth;
	struct str missing;		       /* the last name nobody knew */
	const struct config_value *transports; /* while its rows are made */
	bool clash;
};

/* --- problems ------------------------------------------------------------- */

static void
on_problem(void *arg, unsigned line, bool warning, const char *text)
{
	struct reader *r = arg;
	struct problem *p = &r->problems[r->nproblems];

	r->errors += !warning;
	if (r->nproblems == PROBLEMS_MAX || r->errors > CONFIG_ERRORS_MAX) {
		r->dropped++;
		return;
	}
	p->line = line;
	p->warning = warning;
	p->order = r->nproblems;
	p->text = pool_str(&r->c->pool, str_of(text));
	r->nproblems++;
}

static void problem(struct reader *r, unsigned line, bool warning,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
problem(struct reader *r, unsigned line, bool warning, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	on_problem(r, line, warning, text);
}

static int
by_line(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static void
print_problems(struct reader *r, struct buf *messages)
{
	const struct problem *p = r->problems;
	const char *path = r->c->path.p;

	qsort(r->problems, r->nproblems, sizeof(*p), by_line);
	for (; p < r->problems + r->nproblems; p++) {
		(void)buf_add_c(messages, path);
		if (p->line)
			(void)buf_addf(messages, ":%u", p->line);
		(void)buf_addf(messages, ": %s%.*s\n",
			       p->warning ? "warning: " : "", STR_FMT(p->text));
	}
	if (r->dropped)
		(void)buf_addf(messages, "%s: %u more not shown\n", path,
			       r->dropped);
}

/* --- names ---------------------------------------------------------------- */

static struct config_value *
add_name(struct reader *r, struct str name)
{
	struct config_value *v = pool_alloc(&r->c->pool, sizeof(*v));

	if (!v)
		return NULL;
	v->name = name;
	v->raw = v->text = STR("");
	if (map_put(&r->c->by_name, name, v) < 0)
		return NULL;
	return v;
}

static int
add_row(struct reader *r, const struct param *row)
{
	struct config_value *v = add_name(r, str_of(row->name));

	if (!v)
		return -1;
	v->row = row;
	v->raw = str_of(row->def);
	return 0;
}

/* What is written down already stays as it is. */
static int
add_derived(void *arg, const struct param *row)
{
	struct reader *r = arg;

	return map_get(&r->c->by_name, str_of(row->name)) ? 0 : add_row(r, row);
}

static int
add_rows(struct reader *r)
{
	const struct param *const *set, *row;
	struct config_value *v;

	for (set = r->sets; *set; set++)
		for (row = *set; row->name; row++) {
			if (map_get(&r->c->by_name, str_of(row->name)))
				BUG("parameter %s has two rows", row->name);
			if (add_row(r, row) < 0)
				return -1;
		}
	if (transport_rows(r->sets, STR("smtp"), NULL, &r->c->pool, add_derived,
			   r) < 0 ||
	    transport_rows(r->sets, STR("lmtp"), "smtp_", &r->c->pool,
			   add_derived, r) < 0 ||
	    transport_rows(r->sets, STR("relay"), "smtp_", &r->c->pool,
			   add_derived, r) < 0)
		return -1;
	v = add_name(r, STR("config_directory"));
	if (!v)
		return -1;
	v->text = r->c->dir;
	v->state = DONE;
	v->used = true;
	return 0;
}

static bool
is_without_effect(struct str name)
{
	const char *const *p;

	for (p = config_without_effect; *p; p++)
		if (str_eq(str_of(*p), name))
			return true;
	return false;
}

static int
add_lines(struct reader *r, const struct maincf *lines)
{
	size_t i;

	for (i = 0; i < lines->n; i++) {
		const struct maincf_line *l = &lines->v[i];
		struct config_value *v = map_get(&r->c->by_name, l->name);

		if (!v)
			v = add_name(r, l->name);
		if (!v)
			return -1;
		if (v->state == DONE) {
			problem(r, l->number, true,
				"%.*s has no effect here, it is the directory "
				"of this file",
				STR_FMT(l->name));
			continue;
		}
		if (v->line)
			problem(r, l->number, true,
				"%.*s is set again: its value in line %u is "
				"not used",
				STR_FMT(l->name), v->line);
		v->raw = l->value;
		v->line = l->number;
	}
	return 0;
}

static void
mark_used(struct reader *r)
{
	struct config_value *v, *to;
	struct str raw, name;
	size_t i = 0;

	while ((v = map_next(&r->c->by_name, &i)))
		for (raw = v->raw; maincf_reference(&raw, &name);)
			if ((to = map_get(&r->c->by_name, name)) && to != v)
				to->used = true;
}

static bool
is_replaced(struct reader *r, const struct config_value *v)
{
	size_t i;

	for (i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++) {
		if (!str_eq(str_of(replaced[i].name), v->name))
			continue;
		problem(r, v->line, true, "%s has no effect here, see %s",
			replaced[i].name, replaced[i].by);
		return true;
	}
	return false;
}

static void
refuse_unknown(struct reader *r)
{
	struct config_value *v;
	const char *near;
	size_t i;

	for (i = 0; i < r->c->n; i++) {
		v = r->c->v[i];
		if (v->row || v->used || is_without_effect(v->name) ||
		    is_replaced(r, v))
			continue;
		near = config_nearest(r->c, v->name);
		if (near)
			problem(r, v->line, false,
				"unknown parameter \"%.*s\", did you mean %s?",
				STR_FMT(v->name), near);
		else
			problem(r, v->line, false,
				"unknown parameter \"%.*s\", and no other "
				"value refers to $%.*s",
				STR_FMT(v->name), STR_FMT(v->name));
	}
}

static int
by_name(const void *a, const void *b)
{
	return str_cmp((*(struct config_value *const *)a)->name,
		       (*(struct config_value *const *)b)->name);
}

static int
sort_names(struct config *c)
{
	struct config_value *v;
	size_t i = 0;

	c->v = pool_alloc(&c->pool,
			  (c->by_name.n + 1) * sizeof(struct config_value *));
	if (!c->v)
		return -1;
	while ((v = map_next(&c->by_name, &i)))
		c->v[c->n++] = v;
	qsort(c->v, c->n, sizeof(struct config_value *), by_name);
	return 0;
}

/* --- values --------------------------------------------------------------- */

static int evaluate(struct reader *r, struct config_value *v);

static int
look_up(void *arg, struct str name, struct str *value)
{
	struct reader *r = arg;
	struct config_value *v = map_get(&r->c->by_name, name);

	if (!v) {
		r->missing = name;
		return 0;
	}
	if (evaluate(r, v) < 0)
		return -1;
	*value = v->text;
	return 1;
}

/* v is on the stack already: "a -> b -> a". */
static void
report_loop(struct reader *r, const struct config_value *v)
{
	unsigned i = 0, line = v->line;
	struct buf b;

	buf_init(&b, 600);
	while (r->stack[i] != v)
		i++;
	for (; i < r->depth; i++) {
		(void)buf_addf(&b, "%.*s -> ", STR_FMT(r->stack[i]->name));
		if (!line) /* v stands at its default */
			line = r->stack[i]->line;
	}
	(void)buf_add_str(&b, v->name);
	problem(r, line, false,
		"values refer to each other: %s; one of them must not",
		buf_cstr(&b));
	buf_fini(&b);
}

/* What gethostname() says, if it can be a name in mail. */
static bool
host_name(char name[256])
{
	size_t i;

	if (gethostname(name, 256) < 0)
		return false;
	name[255] = '\0';
	for (i = 0; name[i]; i++)
		if (name[i] != '.' &&
		    (name[i] == '_' || !maincf_name_byte(name[i])))
			return false;
	return i > 0;
}

/* The two defaults that are not constant. */
static int
find_default(struct reader *r, struct config_value *v)
{
	struct config_value *domain, *host;
	char name[256];

	if (v->line || !v->row)
		return 0;
	if (str_eq(v->name, STR("myhostname"))) {
		domain = map_get(&r->c->by_name, STR("mydomain"));
		if (!host_name(name))
			(void)snprintf(name, sizeof(name), "localhost");
		if (strchr(name, '.'))
			v->raw = pool_str(&r->c->pool, str_of(name));
		else
			v->raw = pool_strf(&r->c->pool, "%s.%s", name,
					   domain && domain->line
						   ? "$mydomain"
						   : "localdomain");
	} else if (str_eq(v->name, STR("mydomain"))) {
		host = map_get(&r->c->by_name, STR("myhostname"));
		if (!host)
			return 0;
		if (evaluate(r, host) < 0)
			return -1;
		v->raw = host->text;
		if (!str_cut(&v->raw, '.', &(struct str){ 0 }))
			v->raw = STR("localdomain");
	}
	return v->raw.p ? 0 : -1;
}

/* RFC 5321 2.3.5: a fully qualified name of letters, digits and hyphens. */
static int
check_host(const struct config_value *v, struct err *err)
{
	struct str rest = v->text, label;
	size_t i;

	if (!v->row || (!str_eq(v->name, STR("myhostname")) &&
			!str_eq(v->name, STR("mydomain"))))
		return 0;
	if (rest.n == 0 || rest.n > 253)
		goto bad;
	do {
		if (!str_cut(&rest, '.', &label)) {
			label = rest;
			rest = STR("");
		} else if (rest.n == 0) {
			goto bad;
		}
		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			goto bad;
		for (i = 0; i < label.n; i++)
			if (!maincf_name_byte(label.p[i]) || label.p[i] == '_')
				goto bad;
	} while (rest.n);
	return 0;
bad:
	return err_set(err, ERR_PERM, EINVAL,
		       "%.*s: \"%.*s\" is no host name, want one as "
		       "mail.example.com",
		       STR_FMT(v->name), STR_FMT(v->text));
}

static int
expand_and_check(struct reader *r, struct config_value *v, struct err *err)
{
	struct buf b;
	int rc;

	err_set(err, ERR_PERM, 0, "%s", "");
	if (find_default(r, v) < 0)
		return -1;
	buf_init(&b, MAINCF_VALUE_MAX);
	rc = maincf_expand(v->raw, look_up, r, &b, err);
	if (rc == 0) {
		struct str text = buf_str(&b);

		v->text = pool_str(&r->c->pool, str_trim(text));
		if (!v->text.p)
			rc = err_set(err, ERR_TEMP, ENOMEM,
				     "the values need too much memory");
	} else if (err->text[0]) {
		err_prefix(err, "%.*s", STR_FMT(v->name));
	}
	buf_fini(&b);
	if (rc == 0)
		rc = check_host(v, err);
	if (rc == 0 && v->row)
		rc = config_check(v->row, v->text, r->c->dir.p, &r->c->pool,
				  &v->text, err);
	return rc;
}

/* An empty text: where the fault is, it was reported. */
static void
report_value(struct reader *r, const struct config_value *v,
	     const struct err *err)
{
	const char *near = NULL;

	if (err->code == ENOENT)
		near = config_nearest(r->c, r->missing);
	if (err->text[0])
		problem(r, v->line, false, "%s%s%s%s", err->text,
			near ? ", did you mean $" : "", near ? near : "",
			near ? "?" : "");
}

/* 0: v->text is final.  -1: reported, here or where the fault is. */
static int
evaluate(struct reader *r, struct config_value *v)
{
	struct err err;

	if (v->state == DONE)
		return 0;
	if (v->state == BUSY) {
		report_loop(r, v);
		return -1;
	}
	if (v->state == FAILED)
		return -1;
	if (r->depth == CONFIG_DEPTH_MAX) {
		problem(r, v->line, false,
			"%.*s: more than %d values that refer to each other",
			STR_FMT(v->name), CONFIG_DEPTH_MAX);
		v->state = FAILED;
		return -1;
	}
	v->state = BUSY;
	r->stack[r->depth++] = v;
	v->state = expand_and_check(r, v, &err) < 0 ? FAILED : DONE;
	r->depth--;
	if (v->state == FAILED) {
		report_value(r, v, &err);
		v->text = STR("");
	}
	return v->state == DONE ? 0 : -1;
}

/* Faulty values stand at their defaults from here on: nobody but ctl's search
 * for the control socket looks at them. */
static void
fall_back(struct reader *r)
{
	unsigned errors = r->errors, shown = r->nproblems, dropped = r->dropped;
	size_t i;

	for (i = 0; i < r->c->n; i++) {
		struct config_value *v = r->c->v[i];

		if (v->row && v->state == FAILED) {
			v->raw = str_of(v->row->def);
			v->line = 0;
			v->state = NEW;
		}
	}
	for (i = 0; i < r->c->n; i++)
		(void)evaluate(r, r->c->v[i]);
	r->errors = errors;
	r->nproblems = shown;
	r->dropped = dropped;
}

/* --- $transports ---------------------------------------------------------- */

/* The file may have set the name already, then without a row. */
static int
add_own(void *arg, const struct param *row)
{
	struct reader *r = arg;
	struct config_value *v = map_get(&r->c->by_name, str_of(row->name));

	if (!v)
		return add_row(r, row);
	if (!v->row)
		v->row = row;
	else if (!r->clash)
		problem(r, r->transports->line, false,
			"transports: there is a parameter %s already, want "
			"another name",
			row->name);
	r->clash = r->clash || v->row != row;
	return 0;
}

/* NAME_transport says which rows there are, and so is evaluated first. */
static int
add_transport(struct reader *r, struct str name)
{
	struct pool *pool = &r->c->pool;
	struct param *row = pool_alloc(pool, sizeof(*row));
	struct str own = pool_strf(pool, "%.*s_transport", STR_FMT(name));
	const char *base = "smtp_";
	struct config_value *v;

	if (!row || !own.p)
		return -1;
	*row = (struct param){
		.name = own.p,
		.kind = PARAM_ENUM,
		.def = "smtp",
		.choices = "smtp|lmtp|relay",
		.users = SVC_BIT(SVC_SMTP),
		.text = "What this one of $transports is based on.",
	};
	r->clash = false;
	if (add_own(r, row) < 0)
		return -1;
	if (r->clash)
		return 0;
	v = map_get(&r->c->by_name, own);
	if (evaluate(r, v) == 0 && str_eq(v->text, STR("lmtp")))
		base = "lmtp_";
	else if (str_eq(v->text, STR("relay")))
		base = "relay_";
	return transport_rows(r->sets, name, base, pool, add_own, r);
}

static int
add_transports(struct reader *r)
{
	struct config_value *v = map_get(&r->c->by_name, STR("transports"));
	struct str rest, name;
	struct err err;
	unsigned n = 0;

	if (!v || !v->row || evaluate(r, v) < 0)
		return 0;
	r->transports = v;
	for (rest = v->text; str_token(&rest, ", \t", &name);) {
		if (transport_check_name(name, &err) < 0)
			problem(r, v->line, false, "transports: %s", err.text);
		else if (++n > TRANSPORTS_MAX)
			problem(r, v->line, false,
				"transports: more than %d names",
				TRANSPORTS_MAX);
		else if (add_transport(r, name) < 0)
			return -1;
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------ */

/* Two services on one address: with SO_REUSEPORT the kernel would let both, and
 * give each some of the clients. */
static void
check_listeners(struct reader *r)
{
	struct {
		struct str item;
		const struct config_value *by;
	} seen[64];
	struct str rest, item;
	size_t i, k, n = 0;

	for (i = 0; i < r->c->n; i++) {
		const struct config_value *v = r->c->v[i];

		if (!v->row || v->row->kind != PARAM_LISTEN)
			continue;
		for (rest = v->text; str_token(&rest, ", \t", &item);) {
			for (k = 0; k < n; k++)
				if (str_ieq(seen[k].item, item))
					problem(r, v->line, false,
						"%.*s: %.*s is in %.*s "
						"already, want another port",
						STR_FMT(v->name), STR_FMT(item),
						STR_FMT(seen[k].by->name));
			if (n == sizeof(seen) / sizeof(seen[0]))
				return;
			seen[n].item = item;
			seen[n++].by = v;
		}
	}
}

static int
read_text(struct reader *r, struct str text, struct err *err)
{
	struct config *c = r->c;
	struct maincf lines;
	size_t i;

	if (add_rows(r) < 0)
		goto memory;
	maincf_parse(text, &c->pool, &lines, on_problem, r);
	if (add_lines(r, &lines) < 0 || add_transports(r) < 0 ||
	    sort_names(c) < 0)
		goto memory;
	mark_used(r);
	refuse_unknown(r);
	for (i = 0; i < c->n; i++)
		(void)evaluate(r, c->v[i]);
	check_listeners(r);
	config_check_sockets(c, on_problem, r);
	if (r->errors == 0)
		return 0;
	fall_back(r);
	return err_set(err, ERR_PERM, EINVAL, "%u error%s in %s", r->errors,
		       r->errors == 1 ? "" : "s", c->path.p);
memory:
	r->errors++;
	return err_set(err, ERR_TEMP, ENOMEM, "%s: too much memory", c->path.p);
}

static int
begin(struct reader *r, struct config *c, const struct param *const *sets,
      const char *dir, struct err *err)
{
	*c = (struct config){ 0 };
	*r = (struct reader){ .c = c, .sets = sets };
	pool_init(&c->pool, CONFIG_POOL_MAX);
	c->dir = pool_str(&c->pool, str_of(dir));
	c->path = pool_strf(&c->pool, "%s/main.cf", dir);
	if (!c->dir.p || !c->path.p)
		return err_set(err, ERR_TEMP, ENOMEM, "no memory");
	return 0;
}

int
config_load_text(struct config *c, const struct param *const *sets,
		 const char *dir, struct str text, struct buf *messages,
		 struct err *err)
{
	struct reader r;
	int rc = begin(&r, c, sets, dir, err);

	if (rc == 0)
		rc = read_text(&r, text, err);
	if (rc == 0 || r.nproblems)
		print_problems(&r, messages);
	return rc;
}

void
config_fini(struct config *c)
{
	map_fini(&c->by_name);
	pool_fini(&c->pool);
	*c = (struct config){ 0 };
}

const struct config_value *
config_find(const struct config *c, struct str name)
{
	return map_get(&c->by_name, name);
}

static const struct config_value *
parameter(const struct config *c, const char *name)
{
	const struct config_value *v = config_find(c, str_of(name));

	if (!v || !v->row)
		BUG("there is no parameter %s", name);
	return v;
}

struct str
config_get(const struct config *c, const char *name)
{
	return parameter(c, name)->text;
}

int64_t
config_number(const struct config *c, const char *name)
{
	const struct config_value *v = parameter(c, name);

	return param_number(v->row, v->text);
}

int
config_params_for(const struct config *c, enum service_id service,
		  struct buf *out)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct config_value *v = c->v[i];

		if (v->row && v->row->users & SVC_BIT(service) &&
		    params_put(out, v->row, v->text) < 0)
			return -1;
	}
	return 0;
}

int
config_tables_for(const struct config *c, enum service_id service,
		  struct buf *out)
{
	struct str rest, item, file;
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct config_value *v = c->v[i];

		if (!v->row || !(v->row->users & SVC_BIT(service)) ||
		    (v->row->kind != PARAM_MAPS && v->row->kind != PARAM_LIST))
			continue;
		rest = v->text;
		while (maincf_map_item(&rest, &item))
			if (config_table_file(item, &file) &&
			    (buf_add_str(out, file) < 0 ||
			     buf_add_byte(out, '\n') < 0))
				return -1;
	}
	return 0;
}
