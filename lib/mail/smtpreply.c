/* SPDX-License-Identifier: ISC */
#include "mail/smtpreply.h"
#include "mail/utf8.h"

enum { CODE_LEN = 3 };

void
smtpreply_init(struct smtpreply *r)
{
	*r = (struct smtpreply){ 0 };
	buf_init(&r->text, SMTPREPLY_TEXT_MAX);
	buf_init(&r->line, SMTPREPLY_LINE_MAX);
}

void
smtpreply_fini(struct smtpreply *r)
{
	buf_fini(&r->text);
	buf_fini(&r->line);
}

void
smtpreply_reset(struct smtpreply *r)
{
	struct buf text = r->text, line = r->line;

	buf_shrink(&text, 1024);
	buf_shrink(&line, 1024);
	*r = (struct smtpreply){ .text = text, .line = line };
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "c.sss.ddd" followed by a blank or the end, and c is the code's class
 * (RFC 2034 4). */
static void
take_dsn(struct smtpreply *r, struct str s)
{
	size_t i, digits = 0, dots = 0;

	for (i = 0; i < s.n && s.p[i] != ' '; i++) {
		if (s.p[i] == '.' && digits && dots < 2) {
			dots++;
			digits = 0;
		} else if (!is_digit(s.p[i]) ||
			   ++digits > (dots ? CODE_LEN : 1)) {
			return;
		}
	}
	if (dots == 2 && digits && s.p[0] == (char)('0' + r->code / 100) &&
	    r->code / 100 != 3)
		(void)!str_copy(r->dsn, sizeof(r->dsn), str_head(s, i));
}

static void
make_printable(struct str s, char *p)
{
	bool ascii_only = !utf8_is_valid(s);
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (p[i] == '\t')
			p[i] = ' ';
		else if (p[i] == '\xc2' && i + 1 < s.n &&
			 (p[i + 1] & 0xe0) == 0x80) /* C1 */
			p[i] = p[i + 1] = '?';
		else if ((unsigned char)p[i] < ' ' || p[i] == 0x7f ||
			 (ascii_only && (unsigned char)p[i] > 0x7f))
			p[i] = '?';
	}
}

static enum smtpreply_result
broken(struct smtpreply *r, const char *why)
{
	r->fault = why;
	return SMTPREPLY_BROKEN;
}

static enum smtpreply_result
end_line(struct smtpreply *r)
{
	struct str l = buf_str(&r->line);
	unsigned code;
	bool last;

	if (l.n && l.p[l.n - 1] == '\r')
		l.n--;
	if (l.n < CODE_LEN || l.p[0] < '2' || l.p[0] > '5' ||
	    !is_digit(l.p[1]) || !is_digit(l.p[2]))
		return broken(r, "a line without a reply code");
	if (l.n > CODE_LEN && l.p[CODE_LEN] != ' ' && l.p[CODE_LEN] != '-')
		return broken(r, "no blank after the reply code");
	code = (unsigned)(l.p[0] - '0') * 100 + (unsigned)(l.p[1] - '0') * 10 +
	       (unsigned)(l.p[2] - '0');
	if (r->lines && code != r->code) /* RFC 5321 4.2.1 */
		return broken(r, "lines with different reply codes");
	if (++r->lines > SMTPREPLY_LINES_MAX)
		return broken(r, "a reply of too many lines");
	r->code = code;
	last = l.n == CODE_LEN || l.p[CODE_LEN] == ' ';
	make_printable(l, r->line.p);
	if (!r->dsn[0])
		take_dsn(r, str_from(l, CODE_LEN + 1));
	if (r->text.limit - r->text.n > l.n && !r->text.overflown) {
		if (r->text.n)
			(void)!buf_add_byte(&r->text, '\n');
		(void)!buf_add_str(&r->text, l);
	} else {
		r->cut = true;
	}
	buf_reset(&r->line);
	return last ? SMTPREPLY_DONE : SMTPREPLY_MORE;
}

/* Keep what there is room for. */
static void
add_to_line(struct smtpreply *r, struct str s)
{
	struct str kept = str_head(s, r->line.limit - r->line.n);

	if (buf_add_str(&r->line, kept) < 0 || kept.n < s.n)
		r->cut = true;
}

size_t
smtpreply_feed(struct smtpreply *r, struct str in,
	       enum smtpreply_result *result)
{
	size_t taken = 0;
	struct str rest;
	ptrdiff_t lf;

	*result = r->fault ? SMTPREPLY_BROKEN : SMTPREPLY_MORE;
	while (*result == SMTPREPLY_MORE && taken < in.n) {
		rest = str_from(in, taken);
		lf = str_find(rest, '\n');
		if (lf >= 0)
			rest.n = (size_t)lf;
		taken += rest.n + (lf >= 0);
		r->octets += rest.n + (lf >= 0);
		if (r->octets > SMTPREPLY_OCTETS_MAX) {
			*result = broken(r, "a reply without end");
			break;
		}
		add_to_line(r, rest);
		if (lf >= 0)
			*result = end_line(r);
	}
	return taken;
}

bool
smtpreply_line(struct str *text, struct str *line)
{
	if (!text->n)
		return false;
	if (!str_cut(text, '\n', line)) {
		*line = *text;
		*text = STR_NULL;
	}
	*line = str_from(*line, CODE_LEN + 1);
	return true;
}
