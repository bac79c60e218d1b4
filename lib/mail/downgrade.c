/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mail/downgrade.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/transfer.h"

enum {
	CHUNK = 8192,
	QP_LINE = 75, /* and the "=" of a soft break: RFC 2045 6.7 (5) */
	STEPS_MAX = 4 * MIME_PARTS_MAX + 4,
	HEADER_MAX = 262144, /* of a part whose header is changed */
};

/* The text in pieces, each with what is to be done to it. */
enum how {
	COPY,
	MASK,	   /* bytes that nobody could decode: preambles, base64 */
	QUOTE,	   /* the body of a leaf, into quoted-printable */
	SAY_QUOTE, /* a header, which then says so */
	SAY_7BIT,  /* a header of a part that holds such parts */
};

struct step {
	uint64_t from, to;
	enum how how;
	bool top; /* the message's own header */
};

struct downgrade {
	downgrade_read_fn *read;
	void *arg;
	struct step steps[STEPS_MAX];
	size_t n, cur;
	uint64_t at;	   /* in the text */
	struct buf header; /* rewritten, on its way out */
	size_t header_at;
	unsigned column; /* of the line of quoted-printable */
	char blank;	 /* one that may be the last of its line; 0: none */
};

/* --- finding out what is to be done --------------------------------------- */

static int
no_read(struct err *err)
{
	return err_set(err, ERR_TEMP, EIO, "the text cannot be read");
}

/* 1: some byte of the range has its eighth bit; -1: it cannot be read. */
static int
has_8bit(const struct downgrade *d, uint64_t from, uint64_t to)
{
	char chunk[CHUNK];
	ssize_t n, i;

	while (from < to) {
		n = d->read(d->arg, from, chunk,
			    to - from < CHUNK ? (size_t)(to - from) : CHUNK);
		if (n <= 0)
			return -1;
		for (i = 0; i < n; i++)
			if (chunk[i] & 0x80)
				return 1;
		from += (uint64_t)n;
	}
	return 0;
}

/* What stands before from is done as the text between the parts is. */
static int
add(struct downgrade *d, uint64_t from, uint64_t to, enum how how,
    struct err *err)
{
	uint64_t last = d->n ? d->steps[d->n - 1].to : 0;

	if (d->n + 2 > STEPS_MAX)
		return err_set(err, ERR_PERM, 0, "too many MIME parts");
	if ((how == SAY_QUOTE || how == SAY_7BIT) && to - from > HEADER_MAX)
		return err_set(err, ERR_PERM, 0, "a header is too large");
	if (last < from)
		d->steps[d->n++] = (struct step){ last, from, MASK, false };
	if (from < to || how == SAY_QUOTE)
		d->steps[d->n++] = (struct step){ from, to, how, false };
	return 0;
}

static bool
is_identity(const struct mime_part *p)
{
	return transfer_of(str_trim(p->encoding)) == TRANSFER_IDENTITY;
}

/* What has no parts here: message/global, too, whose fields are 8-bit; it may
 * be encoded (RFC 6532 3.7). */
static bool
is_leaf(const struct mime_part *p)
{
	return !p->child || p->global;
}

/* Types that no encoding may be applied to (RFC 2045 6.4). */
static bool
is_composite(const struct mime_part *p)
{
	return str_ieq(p->type, STR("multipart")) ||
	       (str_ieq(p->type, STR("message")) &&
		(str_ieq(p->subtype, STR("rfc822")) ||
		 str_ieq(p->subtype, STR("partial")) ||
		 str_ieq(p->subtype, STR("external-body"))));
}

static int
plan_leaf(struct downgrade *d, const struct mime_part *p, struct err *err)
{
	int dirty = has_8bit(d, p->body_raw, p->body_raw_end);
	bool quote = dirty > 0 && is_identity(p);

	if (dirty < 0)
		return no_read(err);
	if (quote && is_composite(p))
		return err_set(err, ERR_PERM, 0,
			       "a part of type %.*s/%.*s has 8-bit data",
			       STR_FMT(str_head(p->type, 40)),
			       STR_FMT(str_head(p->subtype, 40)));
	if (add(d, p->head_raw, p->head_raw_end, quote ? SAY_QUOTE : COPY,
		err) < 0)
		return -1;
	return add(d, p->body_raw, p->body_raw_end,
		   quote   ? QUOTE
		   : dirty ? MASK
			   : COPY,
		   err);
}

/* The parts in the order of the text; the depth is bounded by the parser. */
static int
plan(struct downgrade *d, const struct mime_part *top, struct err *err)
{
	const struct mime_part *p = top;

	while (p) {
		if (is_leaf(p)) {
			if (plan_leaf(d, p, err) < 0)
				return -1;
		} else if (add(d, p->head_raw, p->head_raw_end,
			       is_identity(p) && p->encoding.n ? SAY_7BIT
							       : COPY,
			       err) < 0) {
			return -1;
		}
		if (!is_leaf(p)) {
			p = p->child;
			continue;
		}
		while (p && !p->next)
			p = p->parent;
		p = p ? p->next : NULL;
	}
	return 0;
}

/* Are there any such bytes outside of header fields? */
static bool
is_needed(const struct downgrade *d, bool *masked)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->steps[i].how == QUOTE)
			return true;
	for (i = 0; i < d->n; i++)
		if (d->steps[i].how == MASK &&
		    has_8bit(d, d->steps[i].from, d->steps[i].to) > 0)
			*masked = true;
	return *masked;
}

static int
read_structure(struct downgrade *d, struct err *err)
{
	struct mime_parser parser;
	struct mime_part *top;
	struct pool pool;
	char chunk[CHUNK];
	uint64_t at = 0;
	bool dirty = false;
	ssize_t n, i;
	int rc = 0;

	pool_init(&pool, MIME_POOL_MAX);
	mime_init(&parser, &pool);
	while ((n = d->read(d->arg, at, chunk, sizeof(chunk))) > 0) {
		for (i = 0; i < n && !dirty; i++)
			dirty = chunk[i] & 0x80;
		mime_feed(&parser, str_mem(chunk, (size_t)n));
		at += (uint64_t)n;
	}
	top = mime_finish(&parser);
	if (n < 0)
		rc = no_read(err);
	else if (!top)
		rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else if (dirty)
		rc = plan(d, top, err);
	if (rc == 0 && d->n) {
		d->steps[0].top = true;
		rc = add(d, at, at, COPY, err);
	}
	mime_fini(&parser);
	pool_fini(&pool);
	return rc;
}

int
downgrade_new(struct downgrade **dp, downgrade_read_fn *read, void *arg,
	      struct err *err)
{
	struct downgrade *d = calloc(1, sizeof(*d));
	bool masked = false;
	int rc;

	*dp = NULL;
	if (!d)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->read = read;
	d->arg = arg;
	buf_init(&d->header, 2 * HEADER_MAX);
	rc = read_structure(d, err);
	if (rc == 0 && is_needed(d, &masked))
		*dp = d;
	else
		downgrade_free(d);
	return rc;
}

void
downgrade_free(struct downgrade *d)
{
	if (!d)
		return;
	buf_fini(&d->header);
	free(d);
}

/* --- quoted-printable ------------------------------------------------------
 */

static void
put(struct downgrade *d, struct buf *out, char c, bool quote)
{
	if (d->column + (quote ? 3 : 1) > QP_LINE) {
		(void)buf_add(out, "=\n", 2);
		d->column = 0;
		/* What begins a line now did not before: it must not look like
		 * a delimiter. */
		quote |= c == '-';
	}
	if (quote) {
		(void)buf_addf(out, "=%02X", (unsigned char)c);
		d->column += 3;
	} else {
		(void)buf_add_byte(out, c);
		d->column++;
	}
}

static void
put_blank(struct downgrade *d, struct buf *out, bool last)
{
	char c = d->blank;

	d->blank = 0;
	if (c)
		put(d, out, c, last);
}

static void
quote(struct downgrade *d, struct buf *out, const char *s, size_t n)
{
	for (; n; s++, n--) {
		if (*s == '\n') {
			put_blank(d, out, true);
			(void)buf_add_byte(out, '\n');
			d->column = 0;
			continue;
		}
		put_blank(d, out, false);
		if (*s == ' ' || *s == '\t')
			d->blank = *s;
		else
			put(d, out, *s,
			    *s <= ' ' || *s == '=' || *s == 127 || *s & 0x80);
	}
}

static void
mask(struct buf *out, const char *s, size_t n)
{
	for (; n; s++, n--)
		(void)buf_add_byte(out, *s & 0x80 ? '?' : *s);
}

/* --- the new text --------------------------------------------------------- */

/* The fields with another Content-Transfer-Encoding, then what follows. */
static void
rewrite(struct buf *out, struct str header, const struct step *s)
{
	struct header_field f;
	struct str rest = header;
	bool has_version = false, has_type = false;

	while (header_next(&rest, &f)) {
		has_version |= str_ieq(f.name, STR("MIME-Version"));
		has_type |= str_ieq(f.name, STR("Content-Type"));
		if (!str_ieq(f.name, STR("Content-Transfer-Encoding")))
			(void)buf_add_str(out, f.whole);
	}
	if (s->top && !has_version)
		(void)buf_add_c(out, "MIME-Version: 1.0\n");
	if (s->top && !has_type)
		(void)buf_add_c(out, "Content-Type: text/plain; "
				     "charset=unknown-8bit\n");
	(void)buf_addf(out, "Content-Transfer-Encoding: %s\n",
		       s->how == SAY_QUOTE ? "quoted-printable" : "7bit");
	(void)buf_add_str(out, rest);
	if (rest.n == 0) /* the end of the header has to be said now */
		(void)buf_add_byte(out, '\n');
}

static int
make_header(struct downgrade *d, const struct step *s, struct err *err)
{
	uint64_t n = s->to - s->from, got = 0;
	char *text = n <= HEADER_MAX ? malloc((size_t)n + 1) : NULL;
	ssize_t rc = 1;

	while (text && rc > 0 && got < n) {
		rc = d->read(d->arg, s->from + got, text + got,
			     (size_t)(n - got));
		got += rc > 0 ? (uint64_t)rc : 0;
	}
	if (text && got == n)
		rewrite(&d->header, str_mem(text, (size_t)n), s);
	free(text);
	if (got < n || buf_overflown(&d->header))
		return no_read(err);
	d->at = s->to;
	return 0;
}

static void
end_step(struct downgrade *d, struct buf *out)
{
	put_blank(d, out, true);
	d->column = 0;
	d->cur++;
	if (d->cur < d->n)
		d->at = d->steps[d->cur].from;
}

/* A piece of a header that was made; true: all of it is out. */
static bool
send_header(struct downgrade *d, struct buf *out, size_t max)
{
	struct str left = str_from(buf_str(&d->header), d->header_at);
	struct str now = str_head(left, max);

	(void)buf_add_str(out, now);
	d->header_at += now.n;
	if (now.n < left.n)
		return false;
	buf_reset(&d->header);
	d->header_at = 0;
	return true;
}

static int
do_step(struct downgrade *d, struct buf *out, size_t max, struct err *err)
{
	const struct step *s = &d->steps[d->cur];
	char chunk[CHUNK];
	size_t want = max < CHUNK ? max : CHUNK;
	ssize_t n;

	if (s->how == SAY_QUOTE || s->how == SAY_7BIT) {
		if (d->header.n == 0 && make_header(d, s, err) < 0)
			return -1;
		if (send_header(d, out, max))
			end_step(d, out);
		return 0;
	}
	if (s->how == QUOTE)
		want /= 4; /* each byte three, and the soft breaks */
	if (want > s->to - d->at)
		want = (size_t)(s->to - d->at);
	n = want ? d->read(d->arg, d->at, chunk, want) : 0;
	if (n < 0 || (n == 0 && want))
		return no_read(err);
	d->at += (uint64_t)n;
	if (s->how == QUOTE)
		quote(d, out, chunk, (size_t)n);
	else if (s->how == MASK)
		mask(out, chunk, (size_t)n);
	else
		(void)buf_add(out, chunk, (size_t)n);
	if (d->at == s->to)
		end_step(d, out);
	return 0;
}

int
downgrade_next(struct downgrade *d, struct buf *out, size_t max,
	       struct err *err)
{
	size_t end = out->n + max;

	while (d->cur < d->n && out->n + 256 < end)
		if (do_step(d, out, end - out->n, err) < 0)
			return -1;
	if (buf_overflown(out))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return d->cur < d->n;
}
