/* SPDX-License-Identifier: ISC */
#include "stuff.h"

void
stuff_init(struct stuff *s, bool limited, uint64_t lines)
{
	*s = (struct stuff){
		.limited = limited, .lines = lines, .bol = true, .ended = true
	};
}

/* Part of one line, its LF included if it is the end. */
static void
add_part(struct stuff *s, struct str part, struct buf *out)
{
	bool lf = part.p[part.n - 1] == '\n', empty;

	if (s->bol && part.p[0] == '.')
		(void)!buf_add_byte(out, '.');
	if (s->bol)
		s->first = part.p[0];
	(void)!buf_add_str(out, part);
	s->len += part.n;
	s->bol = s->ended = lf;
	if (!lf)
		return;
	empty = s->len == 1 || (s->len == 2 && s->first == '\r');
	s->len = 0;
	if (s->in_body && s->lines)
		s->lines--;
	if (!s->in_body && empty)
		s->in_body = true;
	s->full = s->limited && s->in_body && s->lines == 0;
}

int
stuff_add(struct stuff *s, struct str chunk, struct buf *out)
{
	ptrdiff_t lf;
	size_t n;

	while (chunk.n && !s->full) {
		lf = str_find(chunk, '\n');
		n = lf < 0 ? chunk.n : (size_t)lf + 1;
		add_part(s, str_head(chunk, n), out);
		chunk = str_from(chunk, n);
	}
	return buf_overflown(out) ? -1 : 0;
}

int
stuff_end(struct stuff *s, struct buf *out)
{
	return buf_add_c(out, s->ended ? ".\r\n" : "\r\n.\r\n");
}
