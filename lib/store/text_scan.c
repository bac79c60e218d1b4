/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/utf16.h>

#include "mail/utf8.h"
#include "store/text.h"

enum { WINDOW = 8192 };

/* --- the window ------------------------------------------------------------
 */

int
text_scan_init(struct text_scan *f, struct text_needle **needles, size_t n)
{
	*f = (struct text_scan){ .needles = needles, .n = n };
	f->size = WINDOW + TEXT_NEEDLE_MAX;
	f->window = malloc(f->size);
	if (!f->window)
		return -1;
	text_scan_reset(f);
	return 0;
}

void
text_scan_fini(struct text_scan *f)
{
	free(f->window);
	f->window = NULL;
}

void
text_scan_reset(struct text_scan *f)
{
	struct text_needle *k;
	size_t i;

	f->windown = 0;
	f->left = f->keep = 0;
	for (i = 0; i < f->n; i++) {
		k = f->needles[i];
		k->found |= k->folded.n == 0;
		if (k->found)
			continue;
		f->left++;
		if (k->folded.n - 1 > f->keep)
			f->keep = k->folded.n - 1;
	}
}

/* Look through the window and keep what could be the start of a match. */
static void
search_window(struct text_scan *f)
{
	struct str text = str_mem(f->window, f->windown);
	struct text_needle *k;
	size_t i, keep = f->keep;

	for (i = 0; i < f->n && f->left; i++) {
		k = f->needles[i];
		if (k->found || str_search(text, k->folded) < 0)
			continue;
		k->found = true;
		f->left--;
	}
	if (keep > f->windown)
		keep = f->windown;
	memmove(f->window, f->window + f->windown - keep, keep);
	f->windown = keep;
}

static void
need_room(struct text_scan *f)
{
	if (f->size - f->windown < TEXT_FOLDED_MAX)
		search_window(f);
}

static void
add_char(struct text_scan *f, int32_t c)
{
	need_room(f);
	f->windown += text_fold_char(f->window + f->windown, c);
}

/* As many as are there before another character; cut off *s. */
static void
add_ascii(struct text_scan *f, struct str *s)
{
	size_t n, i;
	char *to;

	need_room(f);
	n = f->size - f->windown;
	if (n > s->n)
		n = s->n;
	to = f->window + f->windown;
	for (i = 0; i < n && (unsigned char)s->p[i] < 0x80; i++)
		to[i] = ascii_upper(s->p[i]);
	f->windown += i;
	*s = str_from(*s, i);
}

void
text_scan_utf8(struct text_scan *f, struct str s)
{
	while (s.n && f->left) {
		add_ascii(f, &s);
		if (s.n && (unsigned char)s.p[0] >= 0x80)
			add_char(f, text_next(&s));
	}
}

void
text_scan_end(struct text_scan *f)
{
	if (f->left)
		search_window(f);
	f->windown = 0;
}

/* --- charsets --------------------------------------------------------------
 */

/* Could s be the start of a character that goes on? */
static bool
is_cut(struct str s)
{
	unsigned char lead = s.n ? (unsigned char)s.p[0] : 0;
	size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2, i;

	if (s.n == 0 || lead < 0xc2 || lead > 0xf4 || s.n >= whole)
		return false;
	for (i = 1; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* The tail has a byte more: what of it can be said now? */
static void
settle_tail(struct text_body *b)
{
	struct str t = str_mem(b->tail, b->ntail);

	while (t.n && !is_cut(t))
		add_char(b->scan, text_next(&t));
	memmove(b->tail, t.p, t.n);
	b->ntail = (unsigned)t.n;
}

static void
feed_utf8(struct text_body *b, struct str s)
{
	for (; b->ntail && s.n; s = str_from(s, 1)) {
		b->tail[b->ntail++] = s.p[0];
		settle_tail(b);
	}
	while (s.n && b->scan->left) {
		add_ascii(b->scan, &s);
		if (s.n == 0 || (unsigned char)s.p[0] < 0x80)
			continue;
		if (s.n < 4 && is_cut(s)) {
			memcpy(b->tail, s.p, s.n);
			b->ntail = (unsigned)s.n;
			return;
		}
		add_char(b->scan, text_next(&s));
	}
}

static void
feed_utf16(struct text_body *b, const UChar *u, int32_t n)
{
	int32_t i;

	for (i = 0; i < n; i++) {
		if (U16_IS_LEAD(u[i])) {
			b->high = u[i];
		} else if (U16_IS_TRAIL(u[i])) {
			add_char(b->scan,
				 b->high ? U16_GET_SUPPLEMENTARY(b->high, u[i])
					 : 0xfffd);
			b->high = 0;
		} else {
			add_char(b->scan, u[i]);
			b->high = 0;
		}
	}
}

static void
convert(struct text_body *b, struct str s)
{
	const char *p = s.p, *end = s.p + s.n;
	UErrorCode status;
	UChar part[1024] = { 0 };
	UChar *to;

	if (s.n == 0)
		return;
	if (!b->converter) {
		feed_utf8(b, s);
		return;
	}
	do {
		status = U_ZERO_ERROR;
		to = part;
		ucnv_toUnicode(b->converter, &to, part + 1024, &p, end, NULL,
			       false, &status);
		feed_utf16(b, part, (int32_t)(to - part));
	} while (status == U_BUFFER_OVERFLOW_ERROR && b->scan->left);
}

/* --- transfer encodings ----------------------------------------------------
 */

void
text_body_init(struct text_body *b, struct text_scan *f, enum transfer e,
	       struct str charset)
{
	*b = (struct text_body){ .scan = f };
	transfer_init(&b->decoder, e);
	text_scan_reset(f);
	b->converter = text_converter(charset);
}

bool
text_body_feed(struct text_body *b, struct str s)
{
	char out[2048];

	if (b->decoder.encoding == TRANSFER_IDENTITY) {
		convert(b, s);
		return b->scan->left > 0;
	}
	while (s.n && b->scan->left) {
		size_t n = transfer_decode(&b->decoder, &s, false, out,
					   sizeof(out));

		convert(b, str_mem(out, n));
	}
	return b->scan->left > 0;
}

void
text_body_fini(struct text_body *b)
{
	struct str tail = STR("");
	char out[TRANSFER_ROOM];
	size_t n = transfer_decode(&b->decoder, &tail, true, out, sizeof(out));

	convert(b, str_mem(out, n));
	for (tail = str_mem(b->tail, b->ntail); tail.n;)
		add_char(b->scan, text_next(&tail));
	text_scan_end(b->scan);
	text_converter_free(b->converter);
	b->converter = NULL;
}
