/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "table/spec.h"

static bool
is_sep(char c)
{
	return c == ',' || c == ' ' || (c >= '\t' && c <= '\r');
}

bool
table_spec_next(struct str *list, struct str *item)
{
	size_t i, depth = 0;

	while (list->n && is_sep(list->p[0]))
		*list = str_from(*list, 1);
	for (i = 0; i < list->n; i++) {
		if (list->p[i] == '{')
			depth++;
		else if (list->p[i] == '}' && depth)
			depth--;
		else if (!depth && is_sep(list->p[i]))
			break;
	}
	*item = str_head(*list, i);
	*list = str_from(*list, i);
	return item->n != 0;
}

bool
table_spec_split(struct str spec, struct str *type, struct str *name)
{
	*name = spec;
	if (!str_cut(name, ':', type))
		return false;
	if (str_eq(*type, STR("proxy")) && !str_cut(name, ':', type))
		return false;
	return type->n && name->n;
}

static int
bad_inline(struct err *err, struct str what, const char *why)
{
	return err_set(err, ERR_PERM, EINVAL,
		       "inline table: \"%.*s\": %s, want {key=value, "
		       "{key = text with blanks}}",
		       STR_FMT(str_head(what, 100)), why);
}

bool
table_braces(struct str s, struct str *inside)
{
	size_t i, depth = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '{')
			depth++;
		else if (s.p[i] == '}' && depth)
			depth--;
		if (depth == 0)
			break;
	}
	if (s.n < 2 || i != s.n - 1)
		return false;
	*inside = str_trim(str_mem(s.p + 1, s.n - 2));
	return true;
}

int
table_inline_open(struct str name, struct str *rest, struct err *err)
{
	struct str look, item;

	if (!table_braces(name, rest))
		return bad_inline(err, name, "no {...}");
	look = *rest;
	if (!table_spec_next(&look, &item))
		return bad_inline(err, name, "empty");
	return 0;
}

int
table_inline_next(struct str *rest, struct str *key, struct str *value,
		  struct err *err)
{
	struct str item;

	if (!table_spec_next(rest, &item))
		return 0;
	*value = item;
	if (item.p[0] == '{' && !table_braces(item, value))
		return bad_inline(err, item, "braces do not match");
	if (!str_cut(value, '=', key))
		return bad_inline(err, item, "no \"=\"");
	*key = str_trim(*key);
	*value = str_trim(*value);
	if (key->n == 0)
		return bad_inline(err, item, "no key");
	return 1;
}
