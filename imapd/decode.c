/* SPDX-License-Identifier: ISC */
#include "decode.h"

#include "store/text.h"

void
imap_decode_init(struct imap_decoder *d, enum imap_encoding encoding)
{
	*d = (struct imap_decoder){ .encoding = encoding };
}

static size_t
base64(struct imap_decoder *d, char c, char *out)
{
	int v = text_base64_value(c);

	d->ended |= c == '=';
	if (v < 0 || d->ended)
		return 0;
	d->bits = d->bits << 6 | (uint32_t)v;
	d->nbits += 6;
	if (d->nbits < 8)
		return 0;
	d->nbits -= 8;
	*out = (char)(d->bits >> d->nbits);
	return 1;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What was held is text after all. */
static size_t
let_go(struct imap_decoder *d, char *out)
{
	size_t n = d->nheld;

	memcpy(out, d->held, n);
	d->nheld = 0;
	return n;
}

static size_t
qp(struct imap_decoder *d, char c, char *out)
{
	bool escape = d->nheld && d->held[0] == '=';
	size_t n = 0;

	if (escape && d->nheld == 2 && hex_value(c) >= 0 &&
	    hex_value(d->held[1]) >= 0) {
		*out = (char)(hex_value(d->held[1]) * 16 + hex_value(c));
		d->nheld = 0;
		return 1;
	}
	if (escape && c == '\n') { /* a soft line break, with its blanks */
		d->nheld = 0;
		return 0;
	}
	if (escape && ((d->nheld == 1 && hex_value(c) >= 0) ||
		       ((d->nheld == 1 || hex_value(d->held[1]) < 0) &&
			strchr(" \t\r", c) && c))) {
		if (d->nheld < sizeof(d->held))
			d->held[d->nheld++] = c;
		return 0;
	}
	if (c == '\n' && d->nheld) { /* blanks there mean nothing: 6.7 (3) */
		n = d->held[d->nheld - 1] == '\r';
		d->nheld = 0;
		if (n)
			*out = '\r';
		out[n] = c;
		return n + 1;
	}
	if (!escape && c && strchr(" \t\r", c) && d->nheld < sizeof(d->held)) {
		d->held[d->nheld++] = c;
		return 0;
	}
	n = let_go(d, out);
	if (c == '=' || (c && strchr(" \t\r", c)))
		d->held[d->nheld++] = c;
	else
		out[n++] = c;
	return n;
}

size_t
imap_decode(struct imap_decoder *d, struct str *in, bool last, char *out,
	    size_t room)
{
	size_t i, n = 0;

	if (d->encoding == ENCODING_NONE) {
		n = room < in->n ? room : in->n;
		if (n)
			memcpy(out, in->p, n);
		*in = str_from(*in, n);
		return n;
	}
	for (i = 0; i < in->n && room - n >= DECODE_ROOM; i++) {
		if (d->encoding == ENCODING_QP)
			n += qp(d, in->p[i], out + n);
		else
			n += base64(d, in->p[i], out + n);
	}
	*in = str_from(*in, i);
	if (last && in->n == 0 && d->encoding == ENCODING_QP &&
	    room - n >= DECODE_ROOM &&
	    !(d->nheld && d->held[0] == '=' && d->nheld == 1))
		n += let_go(d, out + n);
	return n;
}
