/* SPDX-License-Identifier: ISC */
#include "stuff.h"

void
stuff_init(struct stuff *s, bool limited, uint64_t lines)
{
	*s = (struct stuff){ .limited = limited, .lines = lines };
}

/* A line has ended. */
static void
count_line(struct stuff *s)
{
	if (s->in_body && s->lines)
		s->lines--;
	if (s->blank)
		s->in_body = true;
	s->full = s->limited && s->in_body && s->lines == 0;
}

int
stuff_add(struct stuff *s, struct str chunk, struct buf *out)
{
	const char *p = chunk.p, *end = p + chunk.n, *lf;
	char *o;
	size_t n;

	if (chunk.n == 0 || s->full)
		return 0;
	/* Each LF may become CR LF, each line get a dot. */
	o = buf_reserve(out, 2 * chunk.n + 2);
	if (!o)
		return -1;
	while (p < end && !s->full) {
		lf = memchr(p, '\n', (size_t)(end - p));
		n = (size_t)((lf ? lf : end) - p);
		if (!s->mid_line) {
			s->blank = true;
			if (n && *p == '.')
				*o++ = '.';
		}
		if (n) {
			memcpy(o, p, n);
			o += n;
			s->blank = s->blank && !s->mid_line && n == 1 &&
				   *p == '\r';
			s->cr = p[n - 1] == '\r';
		}
		s->mid_line = !lf && (n || s->mid_line);
		p += n;
		if (!lf)
			break;
		p++;
		if (!s->cr)
			*o++ = '\r';
		*o++ = '\n';
		s->cr = false;
		count_line(s);
	}
	out->n = (size_t)(o - out->p);
	return 0;
}

unsigned
stuff_lacks(const struct stuff *s)
{
	return !s->mid_line ? 0 : s->cr ? 1 : 2;
}

int
stuff_end(struct stuff *s, struct buf *out)
{
	return buf_add_c(out, &"\r\n.\r\n"[2 - stuff_lacks(s)]);
}
