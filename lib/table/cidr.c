/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"
#include "table/cidr.h"
#include "table/text.h"

enum rule_kind { RULE_MATCH, RULE_IF, RULE_ENDIF };

struct rule {
	enum rule_kind kind;
	bool negated;
	struct addr_net net;
	struct str value;
	size_t end; /* RULE_IF: its endif; before that: the if around it */
};

struct cidr {
	struct rule *v;
	size_t n, size;
	struct pool pool;
};

enum { NO_RULE = 0 }; /* indices are counted from 1 */

void
cidr_free(struct cidr *c)
{
	if (!c)
		return;
	pool_fini(&c->pool);
	free(c->v);
	free(c);
}

/* "[::1/128]", "[::1]/128" and "::1/128" are the same to Postfix. */
static int
parse_net(struct str s, struct rule *r, struct err *err)
{
	char text[ADDR_TEXT_MAX * 2];
	ptrdiff_t close;
	struct str after;

	while (s.n && s.p[0] == '!') {
		r->negated = !r->negated;
		s = str_from(s, 1);
	}
	if (s.n == 0)
		return err_set(err, ERR_PERM, EINVAL, "no address pattern");
	if (s.p[0] == '[') {
		close = str_find(s, ']');
		after = str_from(s, (size_t)close + 1);
		if (close < 0)
			return err_set(err, ERR_PERM, EINVAL,
				       "missing ']' after \"%.*s\"",
				       STR_FMT(str_head(s, 60)));
		if ((after.n && after.p[0] != '/') || s.n >= sizeof(text))
			return err_set(err, ERR_PERM, EINVAL,
				       "garbage after \"%.*s\"",
				       STR_FMT(str_head(s, 60)));
		snprintf(text, sizeof(text), "%.*s%.*s", (int)close - 1,
			 s.p + 1, STR_FMT(after));
		s = str_of(text);
	}
	return addr_net_parse(s, &r->net, err);
}

static int
parse_rule(struct cidr *c, struct str line, struct rule *r, struct err *err)
{
	struct str word, rest = line;

	if (!str_token(&rest, " \t\r\v\f", &word))
		return err_set(err, ERR_PERM, EINVAL, "no address pattern");
	rest = str_trim(rest);
	if (str_ieq(word, STR("endif"))) {
		r->kind = RULE_ENDIF;
		return 0;
	}
	if (str_ieq(word, STR("if"))) {
		r->kind = RULE_IF;
		return parse_net(rest, r, err);
	}
	if (rest.n == 0)
		return err_set(err, ERR_PERM, EINVAL, "no lookup result");
	if (parse_net(word, r, err) < 0)
		return -1;
	r->value = pool_str(&c->pool, rest);
	return r->value.p ? 0 : err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

static int
push(struct cidr *c, const struct rule *r)
{
	size_t size = c->size ? c->size * 2 : 16;
	struct rule *v = c->v;

	if (c->n == c->size) {
		v = reallocarray(c->v, size, sizeof(*v));
		if (!v)
			return -1;
		c->v = v;
		c->size = size;
	}
	v[c->n++] = *r;
	return 0;
}

/* Tie if and endif together; *open is the innermost if not closed yet. */
static int
nest(struct cidr *c, struct rule *r, size_t *open, struct err *err)
{
	size_t outer;

	if (r->kind == RULE_IF) {
		r->end = *open;
		*open = c->n + 1;
	} else if (r->kind == RULE_ENDIF) {
		if (*open == NO_RULE)
			return err_set(err, ERR_PERM, EINVAL,
				       "endif without if");
		outer = c->v[*open - 1].end;
		c->v[*open - 1].end = c->n + 1;
		*open = outer;
	}
	return 0;
}

struct cidr *
cidr_parse(struct str text, text_warn_fn *warn, void *arg)
{
	struct cidr *c = calloc(1, sizeof(*c));
	struct text_walk w;
	size_t open = NO_RULE, outer;
	struct str line;
	struct err err;
	int rc;

	if (!c)
		return NULL;
	pool_init(&c->pool, SIZE_MAX);
	text_init(&w, text);
	while ((rc = text_line(&w, &line, &err)) != 0) {
		struct rule r = { .kind = RULE_MATCH };

		if (rc < 0 || parse_rule(c, line, &r, &err) < 0 ||
		    nest(c, &r, &open, &err) < 0) {
			if (warn)
				warn(arg, w.line, err.text);
			continue;
		}
		if (push(c, &r) < 0) {
			cidr_free(c);
			c = NULL;
			break;
		}
	}
	/* An if that nobody closed reaches to the end. */
	for (; c && open != NO_RULE; open = outer) {
		outer = c->v[open - 1].end;
		c->v[open - 1].end = c->n;
		if (warn)
			warn(arg, w.line, "if without endif");
	}
	text_fini(&w);
	return c;
}

bool
cidr_find(const struct cidr *c, const struct addr *a, struct str *value)
{
	struct addr b = *a;
	size_t i;

	addr_unmap(&b);
	for (i = 0; i < c->n; i++) {
		const struct rule *r = &c->v[i];
		bool hit;

		if (r->kind == RULE_ENDIF)
			continue;
		/* A rule for the other family does not match, "!" or not. */
		hit = r->net.base.sa.sa_family == b.sa.sa_family &&
		      addr_net_has(&r->net, &b) != r->negated;
		if (r->kind == RULE_IF && !hit) {
			i = r->end - 1;
		} else if (r->kind == RULE_MATCH && hit) {
			*value = r->value;
			return true;
		}
	}
	return false;
}
