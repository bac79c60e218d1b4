/* SPDX-License-Identifier: ISC */
#include "mail/smtpdata.h"

enum state {
	AT_START,  /* after CR LF, or at the very beginning */
	AFTER_DOT, /* "." at the start of a line */
	DOT_CR,	   /* ". CR" at the start of a line */
	IN_LINE,
	AFTER_CR, /* a CR in or at the end of a line */
};

void
smtpdata_init(struct smtpdata *d, size_t line_max)
{
	*d = (struct smtpdata){ .state = AT_START, .line_max = line_max };
}

static void
line_grew(struct smtpdata *d, size_t n)
{
	d->line += n;
	if (d->line_max && d->line > d->line_max)
		d->faults |= SMTPDATA_LONG_LINE;
}

static void
line_ended(struct smtpdata *d)
{
	d->size += d->line + 2;
	d->line = 0;
	d->state = AT_START;
}

/* One octet where a boundary or a CR makes the state matter.  Returns the
 * number of octets written (0 or 1). */
static size_t
step(struct smtpdata *d, char c, char *out)
{
	switch ((enum state)d->state) {
	case AT_START:
		if (c == '.') {
			d->state = AFTER_DOT;
			return 0;
		}
		break;
	case AFTER_DOT:
		if (c == '\r') {
			d->state = DOT_CR;
			return 0;
		}
		break;
	case DOT_CR:
		if (c == '\n') {
			d->done = true;
			return 0;
		}
		d->faults |= SMTPDATA_BARE_CR;
		break;
	case AFTER_CR:
		if (c == '\n') {
			line_ended(d);
			*out = '\n';
			return 1;
		}
		d->faults |= SMTPDATA_BARE_CR;
		break;
	case IN_LINE:
		break;
	}
	if (c == '\r') {
		d->state = AFTER_CR;
		return 0;
	}
	if (c == '\n')
		d->faults |= SMTPDATA_BARE_LF;
	d->state = IN_LINE;
	line_grew(d, 1);
	*out = c;
	return 1;
}

/*
 * The octets from p that stay in one line, as far as this piece goes: copied
 * at once.  Whole lines with their CR LF are taken as well; stops where step()
 * is needed.  Returns the octets taken.
 */
static size_t
run(struct smtpdata *d, const char *p, size_t n, char *out, size_t *outn)
{
	const char *cr, *lf;
	size_t len;

	lf = memchr(p, '\n', n);
	len = lf ? (size_t)(lf - p) : n;
	cr = memchr(p, '\r', len);
	if (cr && cr + 1 != lf) {
		len = (size_t)(cr - p); /* bare, or at the end of the piece */
		lf = NULL;
	} else if (lf && !cr) {
		d->faults |= SMTPDATA_BARE_LF;
		len++; /* kept like any octet */
		lf = NULL;
	} else if (lf) {
		len--;
	}
	line_grew(d, len);
	memmove(out, p, len);
	d->state = IN_LINE;
	*outn = len;
	if (!lf)
		return len;
	out[len] = '\n';
	*outn = len + 1;
	line_ended(d);
	return len + 2;
}

size_t
smtpdata_scan(struct smtpdata *d, struct str in, char *out, size_t *outn)
{
	size_t i = 0, o = 0, n;
	char c;

	while (i < in.n && !d->done) {
		c = in.p[i];
		if ((d->state == AT_START && c != '.' && c != '\r') ||
		    (d->state == IN_LINE && c != '\r')) {
			i += run(d, in.p + i, in.n - i, out + o, &n);
			o += n;
		} else {
			o += step(d, c, out + o);
			i++;
		}
	}
	if (i && memchr(out, '\0', o))
		d->faults |= SMTPDATA_NUL;
	*outn = o;
	return i;
}
