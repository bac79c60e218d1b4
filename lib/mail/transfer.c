/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/enc.h"
#include "mail/transfer.h"

enum transfer
transfer_of(struct str name)
{
	static const struct {
		struct str name;
		enum transfer encoding;
	} rows[] = {
		{ STR(""), TRANSFER_IDENTITY },
		{ STR("7bit"), TRANSFER_IDENTITY },
		{ STR("8bit"), TRANSFER_IDENTITY },
		{ STR("binary"), TRANSFER_IDENTITY },
		{ STR("base64"), TRANSFER_BASE64 },
		{ STR("quoted-printable"), TRANSFER_QP },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_ieq(name, rows[i].name))
			return rows[i].encoding;
	return TRANSFER_UNKNOWN;
}

void
transfer_init(struct transfer_decoder *d, enum transfer encoding)
{
	if (encoding == TRANSFER_UNKNOWN)
		encoding = TRANSFER_IDENTITY;
	*d = (struct transfer_decoder){ .encoding = encoding };
}

static size_t
base64(struct transfer_decoder *d, char c, char *out)
{
	int v = enc_base64_digit(c);

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

/* What may stand at the end of a line and not be meant. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* What was held is text after all. */
static size_t
let_go(struct transfer_decoder *d, char *out)
{
	size_t n = d->nheld;

	memcpy(out, d->held, n);
	d->nheld = 0;
	return n;
}

static size_t
qp_escape(struct transfer_decoder *d, char c, char *out)
{
	int high = d->nheld > 1 ? enc_hex_digit(d->held[1]) : -1;
	int low = enc_hex_digit(c);
	size_t n;

	if (d->nheld == 2 && high >= 0 && low >= 0) {
		*out = (char)(high << 4 | low);
		d->nheld = 0;
		return 1;
	}
	if (c == '\n' && high < 0) { /* a soft line break, with its blanks */
		d->nheld = 0;
		return 0;
	}
	if (d->nheld < sizeof(d->held) &&
	    ((d->nheld == 1 && low >= 0) || (high < 0 && is_blank(c)))) {
		d->held[d->nheld++] = c;
		return 0;
	}
	n = let_go(d, out);
	if (c == '=' || is_blank(c))
		d->held[d->nheld++] = c;
	else
		out[n++] = c;
	return n;
}

static size_t
qp(struct transfer_decoder *d, char c, char *out)
{
	bool cr;
	size_t n;

	if (d->nheld && d->held[0] == '=')
		return qp_escape(d, c, out);
	if (c == '\n' && d->nheld) { /* blanks there mean nothing: 6.7 (3) */
		cr = d->held[d->nheld - 1] == '\r';
		d->nheld = 0;
		if (cr)
			*out = '\r';
		out[cr] = c;
		return cr + 1U;
	}
	if (is_blank(c) && d->nheld < sizeof(d->held)) {
		d->held[d->nheld++] = c;
		return 0;
	}
	n = d->nheld ? let_go(d, out) : 0;
	if (c == '=' || is_blank(c))
		d->held[d->nheld++] = c;
	else
		out[n++] = c;
	return n;
}

size_t
transfer_decode(struct transfer_decoder *d, struct str *in, bool last,
		char *out, size_t room)
{
	bool is_qp = d->encoding == TRANSFER_QP;
	size_t i, n = 0;

	if (d->encoding == TRANSFER_IDENTITY) {
		n = room < in->n ? room : in->n;
		if (n)
			memcpy(out, in->p, n);
		*in = str_from(*in, n);
		return n;
	}
	for (i = 0; i < in->n && room - n >= TRANSFER_ROOM; i++)
		n += is_qp ? qp(d, in->p[i], out + n)
			   : base64(d, in->p[i], out + n);
	*in = str_from(*in, i);
	if (is_qp && last && in->n == 0 && room - n >= TRANSFER_ROOM &&
	    !(d->nheld == 1 && d->held[0] == '='))
		n += let_go(d, out + n);
	return n;
}
