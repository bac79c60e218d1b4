/* SPDX-License-Identifier: ISC */
#include "net/line.h"

enum line_result
line_get(struct str in, size_t limit, struct str *line, size_t *used)
{
	struct str s = str_head(in, limit);
	ptrdiff_t lf = str_find(s, '\n');
	ptrdiff_t cr = str_find(lf < 0 ? s : str_head(s, (size_t)lf), '\r');

	*line = STR_NULL;
	*used = 0;
	if (cr >= 0 && (size_t)cr + 1 < s.n && s.p[cr + 1] != '\n') {
		*used = (size_t)cr + 1;
		return LINE_BARE;
	}
	if (lf < 0)
		return in.n >= limit ? LINE_TOO_LONG : LINE_MORE;
	*used = (size_t)lf + 1;
	if (cr < 0)
		return LINE_BARE;
	*line = str_head(s, (size_t)cr);
	return str_find(*line, '\0') >= 0 ? LINE_NUL : LINE_OK;
}
