/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "mail/utf8.h"
#include "store/netname.h"

/* Of UTF-16 units; NFC makes at most three of one. */
enum { NAME_MAX_UNITS = 4096 };

static int
normalize(struct buf *out, struct str in, UChar *from, UChar *to)
{
	UErrorCode rc = U_ZERO_ERROR;
	const UNormalizer2 *nfc = unorm2_getNFCInstance(&rc);
	int32_t n = 0;
	char *p;

	u_strFromUTF8(from, NAME_MAX_UNITS, &n, in.p, (int32_t)in.n, &rc);
	n = unorm2_normalize(nfc, from, n, to, 3 * NAME_MAX_UNITS, &rc);
	if (U_FAILURE(rc))
		return -1;
	p = buf_reserve(out, 3 * (size_t)n + 1);
	if (!p)
		return -1;
	u_strToUTF8(p, 3 * n + 1, &n, to, n, &rc);
	if (U_FAILURE(rc))
		return -1;
	out->n += (size_t)n;
	return 0;
}

/* RFC 9755 3: no line separator, no paragraph separator, and no control, which
 * mutf7.h refuses. */
static bool
has_separator(struct str s)
{
	return str_search(s, STR("\xe2\x80\xa8")) >= 0 ||
	       str_search(s, STR("\xe2\x80\xa9")) >= 0;
}

int
netname_normalize(struct buf *out, struct str in)
{
	UChar *units;
	int rc;

	if (!utf8_is_valid(in) || has_separator(in) || in.n > NAME_MAX_UNITS)
		return -1;
	if (utf8_is_ascii(in))
		return buf_add_str(out, in);
	units = malloc(4 * NAME_MAX_UNITS * sizeof(*units));
	rc = units ? normalize(out, in, units, units + NAME_MAX_UNITS) : -1;
	free(units);
	return rc;
}
