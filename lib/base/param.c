/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/param.h"

enum { PARAMS_MAX = 1024 * 1024 };

static int
unit_of(const struct param *p, char c, int64_t *factor)
{
	static const struct {
		enum param_kind kind;
		char c;
		int64_t factor;
	} units[] = {
		{ PARAM_BYTES, 'k', 1024 },
		{ PARAM_BYTES, 'm', 1024 * 1024 },
		{ PARAM_BYTES, 'g', 1024 * 1024 * 1024 },
		{ PARAM_TIME, 's', 1 },
		{ PARAM_TIME, 'm', 60 },
		{ PARAM_TIME, 'h', 3600 },
		{ PARAM_TIME, 'd', 86400 },
		{ PARAM_TIME, 'w', 604800 },
	};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].kind == p->kind && units[i].c == ascii_lower(c)) {
			*factor = units[i].factor;
			return 0;
		}
	return -1;
}

static int
parse_number(const struct param *p, struct str value, int64_t *out)
{
	bool negative = value.n && value.p[0] == '-';
	int64_t factor = 1, v;
	uint64_t u;

	if (negative)
		value = str_from(value, 1);
	if (value.n && unit_of(p, value.p[value.n - 1], &factor) == 0)
		value.n--;
	if (str_u64(value, INT64_MAX, &u) < 0 ||
	    __builtin_mul_overflow((int64_t)u, factor, &v))
		return -1;
	*out = negative ? -v : v;
	return 0;
}

static int
check_number(const struct param *p, struct str value, struct err *err)
{
	int64_t v;

	if (parse_number(p, value, &v) < 0)
		return err_set(
			err, ERR_PERM, EINVAL, "%s: \"%.*s\" is not a number%s",
			p->name, STR_FMT(value),
			p->kind == PARAM_TIME	 ? " with unit s, m, h, d or w"
			: p->kind == PARAM_BYTES ? " of bytes (k, m, g allowed)"
						 : "");
	if (v < p->min || v > p->max)
		return err_set(err, ERR_PERM, ERANGE,
			       "%s: %.*s is out of bounds, want %lld to %lld",
			       p->name, STR_FMT(value), (long long)p->min,
			       (long long)p->max);
	return 0;
}

static bool
is_choice(struct str choices, struct str value)
{
	struct str word;

	while (str_token(&choices, "|", &word))
		if (str_eq(word, value))
			return true;
	return false;
}

static int
check_enum(const struct param *p, struct str value, struct err *err)
{
	struct str later = str_of(p->later ? p->later : "");

	if ((!value.n && p->choices[0] == '|') ||
	    is_choice(str_of(p->choices), value))
		return 0;
	if (is_choice(later, value))
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: \"%.*s\" is not available yet, want one "
			       "of %s",
			       p->name, STR_FMT(value), p->choices);
	return err_set(err, ERR_PERM, EINVAL, "%s: \"%.*s\": want one of %s",
		       p->name, STR_FMT(value), p->choices);
}

static int
check_kind(const struct param *p, struct str value, struct err *err)
{
	size_t i;

	for (i = 0; i < value.n; i++)
		if (value.p[i] == '\n' || value.p[i] == '\r' || !value.p[i])
			return err_set(err, ERR_PERM, EINVAL,
				       "%s: the value has a control character",
				       p->name);
	switch (p->kind) {
	case PARAM_BOOL:
		if (str_eq(value, STR("yes")) || str_eq(value, STR("no")))
			return 0;
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: \"%.*s\": want yes or no", p->name,
			       STR_FMT(value));
	case PARAM_INT:
	case PARAM_BYTES:
	case PARAM_TIME:
		return check_number(p, value, err);
	case PARAM_ENUM:
		return check_enum(p, value, err);
	default:
		return 0;
	}
}

int
param_check(const struct param *p, struct str value, struct err *err)
{
	if (check_kind(p, value, err) < 0)
		return -1;
	if (p->check && p->check(value, err) < 0)
		return err_prefix(err, "%s", p->name);
	return 0;
}

int64_t
param_number(const struct param *p, struct str value)
{
	int64_t v = 0;

	if (p->kind == PARAM_BOOL)
		return str_eq(value, STR("yes"));
	BUG_ON(parse_number(p, value, &v) < 0);
	return v;
}

int
params_put(struct buf *out, const struct param *row, struct str value)
{
	switch (row->kind) {
	case PARAM_BOOL:
	case PARAM_INT:
	case PARAM_BYTES:
	case PARAM_TIME:
		return buf_addf(out, "%s = %lld\n", row->name,
				(long long)param_number(row, value));
	default:
		return buf_addf(out, "%s = %.*s\n", row->name, STR_FMT(value));
	}
}

struct value {
	struct str name, text;
};

int
params_load(struct params *p, struct str text, struct err *err)
{
	struct str line, name;
	struct value *v;

	*p = (struct params){ 0 };
	pool_init(&p->pool, 4 * PARAMS_MAX);
	while (str_cut(&text, '\n', &line)) {
		v = pool_alloc(&p->pool, sizeof(*v));
		if (!v || !str_cut(&line, '=', &name))
			goto bad;
		v->name = pool_str(&p->pool, str_trim(name));
		v->text = pool_str(&p->pool, str_trim(line));
		if (!v->name.p || !v->text.p ||
		    map_put(&p->by_name, v->name, v) < 0)
			goto bad;
	}
	if (text.n == 0)
		return 0;
bad:
	params_fini(p);
	return err_set(err, ERR_PERM, EINVAL, "bad parameters from master");
}

int
params_load_fd(struct params *p, int fd, struct err *err)
{
	struct stat st;
	struct buf b;
	ssize_t n = -1;
	char *to;
	int rc;

	buf_init(&b, PARAMS_MAX);
	if (fstat(fd, &st) == 0 && st.st_size >= 0 &&
	    (to = buf_reserve(&b, (size_t)st.st_size + 1)))
		n = pread(fd, to, (size_t)st.st_size, 0);
	if (n < 0) {
		buf_fini(&b);
		return err_sys(err, errno, "reading parameters");
	}
	b.n = (size_t)n;
	rc = params_load(p, buf_str(&b), err);
	buf_fini(&b);
	return rc;
}

void
params_fini(struct params *p)
{
	map_fini(&p->by_name);
	pool_fini(&p->pool);
}

bool
params_has(const struct params *p, const char *name)
{
	return map_get(&p->by_name, str_of(name)) != NULL;
}

bool
params_next(const struct params *p, size_t *i, struct str *name,
	    struct str *text)
{
	const struct value *v = map_next(&p->by_name, i);

	if (!v)
		return false;
	*name = v->name;
	*text = v->text;
	return true;
}

struct str
params_str(const struct params *p, const char *name)
{
	struct value *v = map_get(&p->by_name, str_of(name));

	if (!v)
		BUG("parameter %s was not sent to this process", name);
	return v->text;
}

int64_t
params_num(const struct params *p, const char *name)
{
	static const struct param plain = { .kind = PARAM_INT };
	int64_t n = 0;

	if (parse_number(&plain, params_str(p, name), &n) < 0)
		BUG("parameter %s is not a number", name);
	return n;
}

bool
params_bool(const struct params *p, const char *name)
{
	return params_num(p, name) != 0;
}
