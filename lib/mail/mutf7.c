/* SPDX-License-Identifier: ISC */
#include "mail/mutf7.h"
#include "mail/utf8.h"

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
digit_value(char c)
{
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* UTF-16 units to UTF-8, one at a time; a high surrogate waits in *high. */
static int
add_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	if (unit >= 0xdc00 && unit < 0xe000) {
		if (!*high)
			return -1;
		unit = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
		*high = 0;
		return utf8_add(out, unit);
	}
	if (*high)
		return -1;
	if (unit >= 0xd800 && unit < 0xdc00) {
		*high = unit;
		return 0;
	}
	/* What can stand for itself must; controls are no part of a name. */
	if (unit < 0x7f || (unit >= 0x7f && unit < 0xa0))
		return -1;
	return utf8_add(out, unit);
}

/* The part between "&" and "-". */
static int
decode_shift(struct buf *out, struct str in)
{
	uint32_t bits = 0, high = 0;
	unsigned nbits = 0;
	size_t i;
	int v;

	for (i = 0; i < in.n; i++) {
		v = digit_value(in.p[i]);
		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		nbits += 6;
		if (nbits >= 16) {
			nbits -= 16;
			if (add_unit(out, bits >> nbits & 0xffff, &high) < 0)
				return -1;
		}
	}
	if (high || nbits >= 6 || (bits & ((1u << nbits) - 1)))
		return -1;
	return 0;
}

static int
decode(struct buf *out, struct str in)
{
	bool shifted = false; /* just after "&...-" */
	ptrdiff_t end;

	while (in.n) {
		if ((unsigned char)in.p[0] < 0x20 ||
		    (unsigned char)in.p[0] > 0x7e)
			return -1;
		if (in.p[0] != '&') {
			if (buf_add_byte(out, in.p[0]) < 0)
				return -1;
			in = str_from(in, 1);
			shifted = false;
			continue;
		}
		end = str_find(in, '-');
		if (end < 0)
			return -1;
		if (end == 1) {
			if (buf_add_byte(out, '&') < 0)
				return -1;
			shifted = false;
		} else {
			/* Two in a row would be a second spelling. */
			if (shifted ||
			    decode_shift(out, str_mem(in.p + 1,
						      (size_t)end - 1)) < 0)
				return -1;
			shifted = true;
		}
		in = str_from(in, (size_t)end + 1);
	}
	return 0;
}

int
mutf7_decode(struct buf *out, struct str in)
{
	size_t start = out->n;

	if (decode(out, in) < 0) {
		out->n = start;
		return -1;
	}
	return 0;
}

struct shift {
	struct buf *out;
	uint32_t bits;
	unsigned nbits;
	bool on;
};

static void
put_unit(struct shift *s, uint32_t unit)
{
	if (!s->on)
		buf_add_byte(s->out, '&');
	s->on = true;
	s->bits = s->bits << 16 | unit;
	s->nbits += 16;
	while (s->nbits >= 6) {
		s->nbits -= 6;
		buf_add_byte(s->out, digits[s->bits >> s->nbits & 63]);
	}
}

static void
end_shift(struct shift *s)
{
	if (!s->on)
		return;
	if (s->nbits)
		buf_add_byte(s->out, digits[s->bits << (6 - s->nbits) & 63]);
	buf_add_byte(s->out, '-');
	s->on = false;
	s->nbits = 0;
	s->bits = 0;
}

int
mutf7_encode(struct buf *out, struct str in)
{
	struct shift s = { .out = out };
	size_t start = out->n;
	int32_t c;

	while (in.n) {
		c = utf8_next(&in);
		if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			out->n = start;
			return -1;
		}
		if (c < 0x7f) {
			end_shift(&s);
			buf_add_byte(out, (char)c);
			if (c == '&')
				buf_add_byte(out, '-');
		} else if (c >= 0x10000) {
			put_unit(&s, 0xd800 + ((uint32_t)(c - 0x10000) >> 10));
			put_unit(&s, 0xdc00 + ((uint32_t)c & 0x3ff));
		} else {
			put_unit(&s, (uint32_t)c);
		}
	}
	end_shift(&s);
	if (buf_overflown(out)) {
		out->n = start;
		return -1;
	}
	return 0;
}

bool
mutf7_is_valid(struct str in)
{
	struct buf b;
	bool ok;

	buf_init(&b, in.n * 3 + 8);
	ok = mutf7_decode(&b, in) == 0;
	buf_fini(&b);
	return ok;
}
