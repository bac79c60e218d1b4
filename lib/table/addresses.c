/* SPDX-License-Identifier: ISC */
#include "table/addresses.h"

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Length of the quoted string, comment or domain literal that s begins with,
 * or of one (perhaps escaped) character.  An open one reaches to the end. */
static size_t
unit_len(struct str s)
{
	char open = s.p[0], close;
	unsigned depth = 1;
	size_t i;

	if (open == '\\')
		return s.n > 1 ? 2 : 1;
	if (open != '"' && open != '(' && open != '[')
		return 1;
	close = open == '(' ? ')' : open == '[' ? ']' : '"';
	for (i = 1; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == close && --depth == 0)
			return i + 1;
		else if (open == '(' && s.p[i] == '(')
			depth++;
	}
	return s.n;
}

/* Is the item one quoted string as a whole?  Then its content. */
static void
unquote_whole(struct buf *item)
{
	struct str s = buf_str(item);
	size_t i, o = 0;

	if (s.n < 2 || s.p[0] != '"' || unit_len(s) != s.n ||
	    s.p[s.n - 1] != '"')
		return;
	for (i = 1; i < s.n - 1; i++) {
		if (item->p[i] == '\\' && i + 1 < s.n - 1)
			i++;
		item->p[o++] = item->p[i];
	}
	item->n = o;
}

static enum dest_kind
kind_of(struct buf *item)
{
	struct str s;
	size_t i;

	unquote_whole(item);
	s = buf_str(item);
	if (s.n == 0 || buf_overflown(item))
		return DEST_BAD;
	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return DEST_BAD;
	if (s.p[0] == '|')
		return DEST_COMMAND;
	if (s.p[0] == '/')
		return DEST_FILE;
	if (str_istarts(s, STR(":include:")))
		return DEST_INCLUDE;
	if (s.p[0] == '\\') {
		buf_drop(item, 1);
		return item->n ? DEST_MAILBOX : DEST_BAD;
	}
	return DEST_ADDRESS;
}

/* Eat up to and with ">"; the address goes to item. */
static void
eat_route(struct str *rest, struct buf *item)
{
	struct str unit;

	buf_reset(item);
	while (rest->n && rest->p[0] != '>') {
		unit = str_head(*rest, unit_len(*rest));
		if (unit.p[0] != '(' && !is_blank(unit.p[0]))
			(void)!buf_add_str(item, unit);
		*rest = str_from(*rest, unit.n);
	}
	*rest = str_from(*rest, 1);
	/* What stands after ">" up to the comma is a comment at best. */
	while (rest->n && rest->p[0] != ',')
		*rest = str_from(*rest, unit_len(*rest));
}

/* Does "<" follow before the next comma?  Then these words are a name. */
static bool
is_name(struct str rest)
{
	while (rest.n && rest.p[0] != ',') {
		if (rest.p[0] == '<')
			return true;
		rest = str_from(rest, unit_len(rest));
	}
	return false;
}

bool
addresses_next(struct str *rest, struct buf *item, enum dest_kind *kind)
{
	struct str unit;

	buf_reset(item);
	while (rest->n &&
	       (is_blank(rest->p[0]) || rest->p[0] == ',' || rest->p[0] == '('))
		*rest = str_from(*rest, unit_len(*rest));
	if (rest->n == 0)
		return false;
	if (is_name(*rest)) {
		while (rest->p[0] != '<')
			*rest = str_from(*rest, unit_len(*rest));
		*rest = str_from(*rest, 1);
		eat_route(rest, item);
	} else {
		while (rest->n && rest->p[0] != ',' && !is_blank(rest->p[0]) &&
		       rest->p[0] != '(') {
			unit = str_head(*rest, unit_len(*rest));
			(void)!buf_add_str(item, unit);
			*rest = str_from(*rest, unit.n);
		}
	}
	*kind = kind_of(item);
	return true;
}
