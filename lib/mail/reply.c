/* SPDX-License-Identifier: ISC */
#include "mail/reply.h"

static int
add_line(struct buf *out, unsigned code, bool last, const char *dsn,
	 struct str line)
{
	char head[16], *to;
	size_t n = 0, d = dsn ? strnlen(dsn, 11) : 0, i;

	head[n++] = (char)('0' + code / 100 % 10);
	head[n++] = (char)('0' + code / 10 % 10);
	head[n++] = (char)('0' + code % 10);
	head[n++] = last ? ' ' : '-';
	if (d) {
		memcpy(head + n, dsn, d);
		n += d;
		head[n++] = ' ';
	}
	line = str_head(line, REPLY_LINE_MAX - 2 - n);
	to = buf_reserve(out, n + line.n + 2);
	if (!to)
		return -1;
	memcpy(to, head, n);
	for (i = 0; i < line.n; i++)
		to[n + i] =
			line.p[i] >= ' ' && line.p[i] <= '~' ? line.p[i] : '?';
	memcpy(to + n + line.n, "\r\n", 2);
	out->n += n + line.n + 2;
	return 0;
}

int
reply_format(struct buf *out, unsigned code, const char *dsn, struct str text)
{
	struct str line;

	while (str_cut(&text, '\n', &line))
		if (add_line(out, code, false, dsn, line) < 0)
			return -1;
	return add_line(out, code, true, dsn, text);
}
