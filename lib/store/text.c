/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_err.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

#include "base/enc.h"
#include "mail/imf.h"
#include "mail/utf8.h"
#include "store/text.h"

enum { CHARSET_MAX = 60, WORD_MAX = 2000 };

/* --- charsets --------------------------------------------------------------
 */

static UConverter *
open_charset(struct str charset)
{
	UErrorCode status = U_ZERO_ERROR;
	char name[CHARSET_MAX + 1];
	UConverter *cnv;
	ptrdiff_t star = str_find(charset, '*'); /* RFC 2231 5: language */
	size_t i;

	if (star >= 0)
		charset.n = (size_t)star;
	if (charset.n == 0 || !str_copy(name, sizeof(name), charset))
		return NULL;
	for (i = 0; i < charset.n; i++) /* no options of ICU's */
		if (name[i] == ',' || name[i] == '/' || name[i] <= ' ')
			return NULL;
	/* What says ASCII or Latin-1 often is windows-1252. */
	if (str_ieq(charset, STR("iso-8859-1")))
		memcpy(name, "windows-1252", 13);
	cnv = ucnv_open(name, &status);
	if (U_FAILURE(status))
		return NULL;
	ucnv_setToUCallBack(cnv, UCNV_TO_U_CALLBACK_SUBSTITUTE, NULL, NULL,
			    NULL, &status);
	return cnv;
}

static void
add_utf16(struct buf *out, const UChar *u, int32_t n)
{
	int32_t i = 0;
	UChar32 c;

	while (i < n) {
		U16_NEXT(u, i, n, c);
		if (U_IS_SURROGATE(c))
			c = 0xfffd;
		utf8_add(out, (uint32_t)c);
	}
}

int
text_to_utf8(struct buf *out, struct str charset, struct str s)
{
	UConverter *cnv = open_charset(charset);
	const char *from = s.n ? s.p : "", *end = from + s.n;
	UErrorCode status;
	UChar part[256] = { 0 };
	UChar *to;

	if (!cnv)
		return -1;
	do {
		status = U_ZERO_ERROR;
		to = part;
		ucnv_toUnicode(cnv, &to, part + 256, &from, end, NULL, true,
			       &status);
		add_utf16(out, part, (int32_t)(to - part));
	} while (status == U_BUFFER_OVERFLOW_ERROR);
	ucnv_close(cnv);
	return 0;
}

/* --- encoded words (RFC 2047) ----------------------------------------------
 */

static void
decode_q(struct buf *out, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '_')
			buf_add_byte(out, ' ');
		else if (s.p[i] != '=' || i + 2 >= s.n ||
			 enc_unhex(out, str_mem(s.p + i + 1, 2)) < 0)
			buf_add_byte(out, s.p[i]);
		else
			i += 2;
	}
}

/* Lenient: what is no digit is skipped. */
static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void
decode_b(struct buf *out, struct str s)
{
	uint32_t bits = 0;
	unsigned nbits = 0;
	size_t i;
	int v;

	for (i = 0; i < s.n; i++) {
		v = base64_value(s.p[i]);
		if (v < 0)
			continue;
		bits = bits << 6 | (uint32_t)v;
		nbits += 6;
		if (nbits >= 8) {
			nbits -= 8;
			buf_add_byte(out, (char)(bits >> nbits));
		}
	}
}

/* "=?charset?Q?text?=" at the start of s; its length, 0: none. */
static size_t
word_at(struct str s, struct str *charset, char *how, struct str *text)
{
	struct str rest = str_from(s, 2);
	ptrdiff_t end;

	if (!str_starts(s, STR("=?")) || !str_cut(&rest, '?', charset) ||
	    charset->n == 0 || charset->n > CHARSET_MAX || rest.n < 4 ||
	    rest.p[1] != '?')
		return 0;
	*how = ascii_lower(rest.p[0]);
	rest = str_from(rest, 2);
	end = str_search(rest, STR("?="));
	if ((*how != 'q' && *how != 'b') || end < 0 || end > WORD_MAX)
		return 0;
	*text = str_head(rest, (size_t)end);
	return (size_t)(rest.p - s.p) + (size_t)end + 2;
}

static void
decode_word(struct buf *out, struct str charset, char how, struct str text)
{
	struct buf bytes;

	buf_init(&bytes, WORD_MAX + 8);
	if (how == 'q')
		decode_q(&bytes, text);
	else
		decode_b(&bytes, text);
	if (text_to_utf8(out, charset, buf_str(&bytes)) < 0 &&
	    text_to_utf8(out, STR("windows-1252"), buf_str(&bytes)) < 0)
		buf_add_str(out, text);
	buf_fini(&bytes);
}

/* Bytes outside encoded words. */
static void
add_plain(struct buf *out, struct str s)
{
	if (utf8_is_valid(s))
		buf_add_str(out, s);
	else
		(void)!text_to_utf8(out, STR("windows-1252"), s);
}

static void
decode_words(struct buf *out, struct str s)
{
	struct str charset, text, gap;
	size_t plain = 0, i = 0, n;
	bool after_word = false;
	char how;

	while (i < s.n) {
		n = s.p[i] == '='
			    ? word_at(str_from(s, i), &charset, &how, &text)
			    : 0;
		if (n == 0) {
			i++;
			continue;
		}
		gap = str_mem(s.p + plain, i - plain);
		/* Blanks between two words are not shown (RFC 2047 6.2). */
		if (!after_word || str_trim(gap).n)
			add_plain(out, gap);
		decode_word(out, charset, how, text);
		after_word = true;
		i += n;
		plain = i;
	}
	add_plain(out, str_from(s, plain));
}

void
text_decode_header(struct buf *out, struct str value)
{
	struct buf flat;

	buf_init(&flat, value.n);
	imf_unfold(&flat, value);
	decode_words(out, buf_str(&flat));
	buf_fini(&flat);
}

/* --- search ----------------------------------------------------------------
 */

_Static_assert(sizeof(UChar) == sizeof(uint16_t), "UTF-16");

int
text_find_init(struct text_find *f, struct str needle)
{
	size_t n = 0;
	int32_t c;

	*f = (struct text_find){ 0 };
	if (!utf8_is_valid(needle) || needle.n > TEXT_NEEDLE_MAX)
		return -1;
	f->needle = calloc(needle.n + 1, sizeof(*f->needle));
	f->window = calloc(TEXT_WINDOW, sizeof(*f->window));
	if (!f->needle || !f->window) {
		text_find_fini(f);
		return -1;
	}
	while (needle.n) {
		c = utf8_next(&needle);
		c = u_foldCase(c, U_FOLD_CASE_DEFAULT);
		U16_APPEND_UNSAFE(f->needle, n, c);
	}
	f->needlen = n;
	text_find_reset(f);
	return 0;
}

void
text_find_fini(struct text_find *f)
{
	free(f->needle);
	free(f->window);
	f->needle = f->window = NULL;
}

void
text_find_reset(struct text_find *f)
{
	f->n = 0;
	f->high = 0;
	f->found = f->needlen == 0;
}

/* Look through the window and keep what could be the start of a match. */
static void
search_window(struct text_find *f)
{
	size_t keep = f->needlen ? f->needlen - 1 : 0;

	if (u_strFindFirst((const UChar *)f->window, (int32_t)f->n,
			   (const UChar *)f->needle, (int32_t)f->needlen))
		f->found = true;
	if (keep > f->n)
		keep = f->n;
	memmove(f->window, f->window + f->n - keep,
		keep * sizeof(f->window[0]));
	f->n = keep;
}

static void
add_char(struct text_find *f, UChar32 c)
{
	c = u_foldCase(c, U_FOLD_CASE_DEFAULT);
	if (f->n + 2 > TEXT_WINDOW)
		search_window(f);
	U16_APPEND_UNSAFE(f->window, f->n, c);
}

static void
find_utf16(struct text_find *f, const UChar *u, int32_t n)
{
	int32_t i;

	for (i = 0; i < n && !f->found; i++) {
		if (U16_IS_LEAD(u[i])) {
			f->high = u[i];
		} else if (U16_IS_TRAIL(u[i]) && f->high) {
			add_char(f, U16_GET_SUPPLEMENTARY(f->high, u[i]));
			f->high = 0;
		} else {
			add_char(f, u[i]);
			f->high = 0;
		}
	}
	if (!f->found)
		search_window(f);
}

bool
text_find_utf8(struct text_find *f, struct str s)
{
	int32_t c;

	while (s.n && !f->found) {
		c = utf8_next(&s);
		if (c < 0) {
			s = str_from(s, 1);
			c = 0xfffd;
		}
		add_char(f, c);
	}
	if (!f->found)
		search_window(f);
	return f->found;
}

/* --- bodies ----------------------------------------------------------------
 */

enum text_encoding
text_encoding_of(struct str name)
{
	if (str_ieq(name, STR("base64")))
		return TEXT_BASE64;
	if (str_ieq(name, STR("quoted-printable")))
		return TEXT_QP;
	return TEXT_PLAIN;
}

void
text_body_init(struct text_body *b, struct text_find *f, enum text_encoding e,
	       struct str charset)
{
	*b = (struct text_body){ .find = f, .encoding = e };
	text_find_reset(f);
	/* US-ASCII with the eighth bit set is mostly UTF-8 today. */
	if (charset.n && !str_ieq(charset, STR("us-ascii")))
		b->converter = open_charset(charset);
	if (!b->converter)
		b->converter = open_charset(STR("utf-8"));
}

void
text_body_fini(struct text_body *b)
{
	if (b->converter)
		ucnv_close(b->converter);
	b->converter = NULL;
}

static void
convert(struct text_body *b, const char *p, size_t n)
{
	const char *end = p + n;
	UErrorCode status;
	UChar part[1024] = { 0 };
	UChar *to;

	if (!b->converter)
		return;
	do {
		status = U_ZERO_ERROR;
		to = part;
		ucnv_toUnicode(b->converter, &to, part + 1024, &p, end, NULL,
			       false, &status);
		find_utf16(b->find, part, (int32_t)(to - part));
	} while (status == U_BUFFER_OVERFLOW_ERROR && !b->find->found);
}

/* Put one decoded byte into out, convert when it is full. */
struct sink {
	struct text_body *b;
	char out[2048];
	size_t n;
};

static void
put(struct sink *k, char c)
{
	k->out[k->n++] = c;
	if (k->n == sizeof(k->out)) {
		convert(k->b, k->out, k->n);
		k->n = 0;
	}
}

static void
feed_base64(struct text_body *b, struct sink *k, struct str s)
{
	size_t i;
	int v;

	for (i = 0; i < s.n; i++) {
		v = base64_value(s.p[i]);
		if (v < 0)
			continue;
		b->bits = b->bits << 6 | (uint32_t)v;
		b->nbits += 6;
		if (b->nbits >= 8) {
			b->nbits -= 8;
			put(k, (char)(b->bits >> b->nbits));
		}
	}
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
feed_qp(struct text_body *b, struct sink *k, struct str s)
{
	int high, low;
	size_t i;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (b->nheld == 0) {
			if (c == '=')
				b->held[b->nheld++] = c;
			else
				put(k, c);
			continue;
		}
		if (b->nheld == 1 && (c == '\r' || c == ' ' || c == '\t'))
			continue; /* a soft line break */
		if (b->nheld == 1 && c == '\n') {
			b->nheld = 0;
			continue;
		}
		if (b->nheld == 1 && hex_value(c) >= 0) {
			b->held[b->nheld++] = c;
			continue;
		}
		high = hex_value(b->held[1]);
		low = hex_value(c);
		if (b->nheld == 2 && high >= 0 && low >= 0) {
			put(k, (char)(high * 16 + low));
		} else { /* not an encoding: as it is */
			put(k, b->held[0]);
			if (b->nheld == 2)
				put(k, b->held[1]);
			put(k, c);
		}
		b->nheld = 0;
	}
}

bool
text_body_feed(struct text_body *b, struct str s)
{
	struct sink k;

	if (b->encoding == TEXT_PLAIN) {
		convert(b, s.p, s.n);
		return b->find->found;
	}
	k.b = b;
	k.n = 0;
	if (b->encoding == TEXT_BASE64)
		feed_base64(b, &k, s);
	else
		feed_qp(b, &k, s);
	convert(b, k.out, k.n);
	return b->find->found;
}
