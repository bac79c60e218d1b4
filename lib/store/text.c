/* SPDX-License-Identifier: ISC */
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_err.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

#include "base/enc.h"
#include "mail/imf.h"
#include "mail/utf8.h"
#include "store/text.h"

enum { CHARSET_MAX = 60, WORD_MAX = 2000 };

/* --- charsets --------------------------------------------------------------
 */

static const uint16_t windows_1252[32] = {
	0x20ac, 0x81,	0x201a, 0x192,	0x201e, 0x2026, 0x2020, 0x2021,
	0x2c6,	0x2030, 0x160,	0x2039, 0x152,	0x8d,	0x17d,	0x8f,
	0x90,	0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x2dc,	0x2122, 0x161,	0x203a, 0x153,	0x9d,	0x17e,	0x178,
};

int32_t
text_next(struct str *s)
{
	int32_t c = utf8_next(s);

	if (c >= 0)
		return c;
	c = (unsigned char)s->p[0];
	*s = str_from(*s, 1);
	return c >= 0x80 && c < 0xa0 ? windows_1252[c - 0x80] : c;
}

static void
add_lenient(struct buf *out, struct str s)
{
	if (utf8_is_valid(s)) {
		buf_add_str(out, s);
		return;
	}
	while (s.n)
		utf8_add(out, (uint32_t)text_next(&s));
}

void *
text_converter(struct str charset)
{
	UErrorCode status = U_ZERO_ERROR;
	char name[CHARSET_MAX + 1];
	UConverter *cnv;
	ptrdiff_t star = str_find(charset, '*'); /* RFC 2231 5: language */
	size_t i;

	if (star >= 0)
		charset.n = (size_t)star;
	if (charset.n == 0 || !str_copy(name, sizeof(name), charset) ||
	    str_ieq(charset, STR("utf-8")) || str_ieq(charset, STR("utf8")) ||
	    str_ieq(charset, STR("us-ascii")))
		return NULL;
	for (i = 0; i < charset.n; i++) /* no options of ICU's */
		if (name[i] == ',' || name[i] == '/' || name[i] <= ' ')
			return NULL;
	/* What says Latin-1 often is windows-1252. */
	if (str_ieq(charset, STR("iso-8859-1")))
		memcpy(name, "windows-1252", 13);
	cnv = ucnv_open(name, &status);
	if (U_FAILURE(status))
		return NULL;
	ucnv_setToUCallBack(cnv, UCNV_TO_U_CALLBACK_SUBSTITUTE, NULL, NULL,
			    NULL, &status);
	return cnv;
}

void
text_converter_free(void *converter)
{
	if (converter)
		ucnv_close(converter);
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

static void
convert(struct buf *out, UConverter *cnv, struct str s)
{
	const char *from = s.n ? s.p : "", *end = from + s.n;
	UErrorCode status;
	UChar part[256] = { 0 };
	UChar *to;

	do {
		status = U_ZERO_ERROR;
		to = part;
		ucnv_toUnicode(cnv, &to, part + 256, &from, end, NULL, true,
			       &status);
		add_utf16(out, part, (int32_t)(to - part));
	} while (status == U_BUFFER_OVERFLOW_ERROR);
}

void
text_to_utf8(struct buf *out, struct str charset, struct str s)
{
	UConverter *cnv = text_converter(charset);

	if (!cnv) {
		add_lenient(out, s);
		return;
	}
	convert(out, cnv, s);
	text_converter_free(cnv);
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
static void
decode_b(struct buf *out, struct str s)
{
	uint32_t bits = 0;
	unsigned nbits = 0;
	size_t i;
	int v;

	for (i = 0; i < s.n; i++) {
		v = enc_base64_digit(s.p[i]);
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

struct word {
	struct str charset, text;
	char how; /* 'q', 'b' */
};

/* "=?charset?Q?text?=" at the start of s; its length, 0: none. */
static size_t
word_at(struct str s, struct word *w)
{
	struct str rest = str_from(s, 2);
	ptrdiff_t end;

	if (!str_starts(s, STR("=?")) || !str_cut(&rest, '?', &w->charset) ||
	    w->charset.n == 0 || w->charset.n > CHARSET_MAX || rest.n < 4 ||
	    rest.p[1] != '?')
		return 0;
	w->how = ascii_lower(rest.p[0]);
	rest = str_from(rest, 2);
	end = str_search(rest, STR("?="));
	if ((w->how != 'q' && w->how != 'b') || end < 0 || end > WORD_MAX)
		return 0;
	w->text = str_head(rest, (size_t)end);
	return (size_t)(rest.p - s.p) + (size_t)end + 2;
}

/* Bytes of neighbouring words in one charset are converted together: they may
 * have been cut inside a character, against RFC 2047 5. */
struct run {
	struct buf *out, bytes;
	struct str charset;
	bool open;
};

static void
end_run(struct run *r)
{
	if (r->open)
		text_to_utf8(r->out, r->charset, buf_str(&r->bytes));
	buf_reset(&r->bytes);
	r->open = false;
}

static void
add_word(struct run *r, const struct word *w)
{
	if (r->open && !str_ieq(r->charset, w->charset))
		end_run(r);
	r->charset = w->charset;
	r->open = true;
	if (w->how == 'q')
		decode_q(&r->bytes, w->text);
	else
		decode_b(&r->bytes, w->text);
}

static void
decode_words(struct buf *out, struct str s)
{
	struct run r = { .out = out };
	size_t plain = 0, i = 0, n;
	struct word w;
	struct str gap;

	buf_init(&r.bytes, s.n);
	while (i < s.n) {
		n = s.p[i] == '=' ? word_at(str_from(s, i), &w) : 0;
		if (n == 0) {
			i++;
			continue;
		}
		gap = str_mem(s.p + plain, i - plain);
		/* Blanks between two words are not shown (RFC 2047 6.2). */
		if (!r.open || str_trim(gap).n) {
			end_run(&r);
			add_lenient(out, gap);
		}
		add_word(&r, &w);
		i += n;
		plain = i;
	}
	end_run(&r);
	add_lenient(out, str_from(s, plain));
	buf_fini(&r.bytes);
}

/* It may have one. */
static bool
has_word(struct str s)
{
	const char *p = s.n ? s.p : "", *end = p + s.n;

	for (; (p = memchr(p, '=', (size_t)(end - p))); p++)
		if (p + 1 < end && p[1] == '?')
			return true;
	return false;
}

void
text_decode_header(struct buf *out, struct str value)
{
	struct buf flat;

	value = str_trim(value);
	if (str_find(value, '\n') < 0) {
		if (!has_word(value))
			add_lenient(out, value);
		else
			decode_words(out, value);
		return;
	}
	buf_init(&flat, value.n);
	imf_unfold(&flat, value);
	decode_words(out, buf_str(&flat));
	buf_fini(&flat);
}

/* --- comparing -------------------------------------------------------------
 */

static size_t
put_utf8(char *to, UChar32 c)
{
	size_t n = 0;

	U8_APPEND_UNSAFE(to, n, c);
	return n;
}

/* RFC 5051 2: the titlecase, decomposed, as long as there is one of either. */
size_t
text_fold_char(char to[TEXT_FOLDED_MAX], int32_t c)
{
	UErrorCode status = U_ZERO_ERROR;
	const UNormalizer2 *nfkd;
	UChar parts[32];
	int32_t i = 0, n;
	size_t out = 0;

	if (c < 0x80) {
		to[0] = ascii_upper((char)c);
		return 1;
	}
	c = u_totitle(c);
	nfkd = unorm2_getNFKDInstance(&status);
	n = unorm2_getDecomposition(nfkd, c, parts, 32, &status);
	if (U_FAILURE(status) || n < 0)
		return put_utf8(to, c);
	while (i < n) {
		U16_NEXT(parts, i, n, c);
		out += put_utf8(to + out, u_totitle(c));
	}
	return out;
}

/* Of ASCII; eight at a time. */
static void
upper(char *to, const char *p, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t v, small;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&v, p + i, 8);
		/* The upper bit of each byte from 'a' to 'z'. */
		small = (v + ones * (0x80 - 'a')) & ~(v + ones * (0x7f - 'z')) &
			(ones * 0x80);
		v -= small >> 2;
		memcpy(to + i, &v, 8);
	}
	for (; i < n; i++)
		to[i] = ascii_upper(p[i]);
}

void
text_fold(struct buf *out, struct str s)
{
	size_t n;
	char *to;

	while (s.n) {
		n = utf8_ascii(s);
		to = buf_reserve(out, n + TEXT_FOLDED_MAX);
		if (!to)
			return;
		upper(to, s.p, n);
		s = str_from(s, n);
		if (s.n)
			n += text_fold_char(to + n, text_next(&s));
		out->n += n;
	}
}

int
text_fold_needle(struct buf *out, struct str s)
{
	size_t before = out->n;

	if (s.n > TEXT_NEEDLE_MAX || !utf8_is_valid(s))
		return -1;
	text_fold(out, s);
	return out->n - before > TEXT_NEEDLE_MAX || buf_overflown(out) ? -1 : 0;
}
