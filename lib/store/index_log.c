/* SPDX-License-Identifier: ISC */
#include "store/index_log.h"
#include "base/enc.h"
#include "store/maildir.h"

static const char header_magic[8] = "PHLOG01\n";
static const char record_magic[4] = "PHLR";

void
ilog_put_header(struct buf *out, const struct ilog_header *h)
{
	char p[ILOG_HEADER];

	memcpy(p, header_magic, 8);
	enc_put32(p + 8, h->uidvalidity);
	enc_put32(p + 12, h->uidnext);
	enc_put64(p + 16, h->modseq);
	enc_put64(p + 24, h->floor);
	enc_put64(p + 32, h->id);
	enc_put32(p + 40, enc_crc32c(0, p, 40));
	(void)!buf_add(out, p, sizeof(p));
}

bool
ilog_get_header(struct str in, struct ilog_header *h)
{
	if (in.n < ILOG_HEADER || memcmp(in.p, header_magic, 8) != 0 ||
	    enc_get32(in.p + 40) != enc_crc32c(0, in.p, 40))
		return false;
	h->uidvalidity = enc_get32(in.p + 8);
	h->uidnext = enc_get32(in.p + 12);
	h->modseq = enc_get64(in.p + 16);
	h->floor = enc_get64(in.p + 24);
	h->id = enc_get64(in.p + 32);
	return h->uidvalidity && h->uidnext && h->modseq &&
	       h->modseq <= INT64_MAX;
}

/* --- writing records ------------------------------------------------------ */

void
ilog_begin(struct buf *out)
{
	static const char head[ILOG_RECORD + ILOG_BODY];

	(void)!buf_add(out, head, sizeof(head));
}

void
ilog_end(struct buf *out, size_t at, const struct ilog_record *r)
{
	char *p = out->p + at;
	size_t n = out->n - at - ILOG_RECORD;
	uint32_t crc;

	if (buf_overflown(out))
		return;
	BUG_ON(n > ILOG_BODY_MAX);
	memcpy(p, record_magic, 4);
	enc_put32(p + 4, (uint32_t)n);
	enc_put64(p + 12, r->modseq);
	enc_put32(p + 20, r->uidnext);
	enc_put64(p + 24, r->durable);
	crc = enc_crc32c(0, p + 4, 4);
	enc_put32(p + 8, enc_crc32c(crc, p + ILOG_RECORD, n));
}

static void
put_bytes(struct buf *out, struct str s)
{
	BUG_ON(s.n > 255);
	(void)!buf_add_byte(out, (char)s.n);
	(void)!buf_add_str(out, s);
}

static void
put_message(struct buf *out, const struct ilog_entry *e)
{
	char p[ILOG_MESSAGE_MIN - 2];

	p[0] = ILOG_MESSAGE;
	enc_put32(p + 1, e->uid);
	enc_put64(p + 5, e->modseq);
	enc_put64(p + 13, e->flags);
	enc_put64(p + 21, e->disk);
	enc_put32(p + 29, e->set);
	enc_put64(p + 33, e->wsize);
	enc_put64(p + 41, (uint64_t)e->mtime);
	(void)!buf_add(out, p, sizeof(p));
	put_bytes(out, e->text);
}

void
ilog_put(struct buf *out, const struct ilog_entry *e)
{
	char p[40] = { (char)e->kind };
	size_t i;

	switch (e->kind) {
	case ILOG_MESSAGE:
		put_message(out, e);
		return;
	case ILOG_STATE:
		enc_put64(p + 1, e->flags);
		enc_put32(p + 9, e->set);
		(void)!buf_add(out, p, 17);
		return;
	case ILOG_NAMED:
		enc_put64(p + 1, e->disk);
		(void)!buf_add(out, p, 13);
		return;
	case ILOG_GONE:
		(void)!buf_add(out, p, 5);
		return;
	case ILOG_EXPUNGED:
		enc_put64(p + 1, e->modseq);
		(void)!buf_add(out, p, 13);
		return;
	case ILOG_KEYWORD:
		enc_put32(p + 1, e->number);
		(void)!buf_add(out, p, 5);
		put_bytes(out, e->text);
		return;
	case ILOG_SET:
		enc_put32(p + 1, e->number);
		(void)!buf_add(out, p, 9);
		return;
	case ILOG_RECENT:
		enc_put32(p + 1, e->uid);
		(void)!buf_add(out, p, 5);
		return;
	case ILOG_STAMP:
		for (i = 0; i < 4; i++)
			enc_put64(p + 1 + 8 * i, (uint64_t)e->stamp[i]);
		(void)!buf_add(out, p, 33);
		return;
	}
}

/* Where an entry with ranges or ids has their number; its last fixed field. */
static size_t
count_at(enum ilog_kind kind)
{
	switch (kind) {
	case ILOG_STATE:
		return 13;
	case ILOG_NAMED:
	case ILOG_EXPUNGED:
		return 9;
	case ILOG_GONE:
		return 1;
	case ILOG_SET:
		return 5;
	default:
		return 0;
	}
}

static void
count_one(struct buf *out, size_t at)
{
	char *p = out->p + at;

	p += count_at((enum ilog_kind)p[0]);
	enc_put32(p, enc_get32(p) + 1);
}

void
ilog_put_range(struct buf *out, size_t at, uint32_t lo, uint32_t hi)
{
	char p[8];

	enc_put32(p, lo);
	enc_put32(p + 4, hi);
	if (buf_add(out, p, 8) == 0)
		count_one(out, at);
}

void
ilog_extend_range(struct buf *out, uint32_t hi)
{
	if (!buf_overflown(out))
		enc_put32(out->p + out->n - 4, hi);
}

void
ilog_put_id(struct buf *out, size_t at, uint32_t id)
{
	char p[4];

	enc_put32(p, id);
	if (buf_add(out, p, 4) == 0)
		count_one(out, at);
}

/* --- reading entries ------------------------------------------------------ */

void
ilog_range(const struct ilog_entry *e, uint32_t i, uint32_t *lo, uint32_t *hi)
{
	*lo = enc_get32(e->v + 8 * (size_t)i);
	*hi = enc_get32(e->v + 8 * (size_t)i + 4);
}

uint32_t
ilog_id(const struct ilog_entry *e, uint32_t i)
{
	return enc_get32(e->v + 4 * (size_t)i);
}

/* Take u8 length and so many bytes off in, which has at least one. */
static bool
get_bytes(struct str *in, size_t at, struct str *out)
{
	size_t n;

	if (in->n <= at)
		return false;
	n = (size_t)(unsigned char)in->p[at];
	if (n == 0 || n > in->n - at - 1)
		return false;
	*out = str_mem(in->p + at + 1, n);
	*in = str_from(*in, at + 1 + n);
	return true;
}

static bool
get_message(struct str *in, struct ilog_entry *e)
{
	const char *p = in->p;

	if (in->n < ILOG_MESSAGE_MIN)
		return false;
	e->uid = enc_get32(p + 1);
	e->modseq = enc_get64(p + 5);
	e->flags = enc_get64(p + 13);
	e->disk = enc_get64(p + 21);
	e->set = enc_get32(p + 29);
	e->wsize = enc_get64(p + 33);
	e->mtime = (int64_t)enc_get64(p + 41);
	return e->uid != 0 && e->uid != UINT32_MAX && e->modseq <= INT64_MAX &&
	       get_bytes(in, 49, &e->text) && e->text.p[0] != '.' &&
	       maildir_is_plain(e->text);
}

static bool
ranges_are_good(const struct ilog_entry *e)
{
	uint32_t i, lo, hi;

	for (i = 0; i < e->n; i++) {
		ilog_range(e, i, &lo, &hi);
		if (lo == 0 || lo > hi || hi == UINT32_MAX)
			return false;
	}
	return true;
}

static bool
get_list(struct str *in, struct ilog_entry *e)
{
	size_t at = count_at(e->kind), each = e->kind == ILOG_SET ? 4 : 8;
	const char *p = in->p;

	if (in->n < at + 4)
		return false;
	if (e->kind == ILOG_STATE) {
		e->flags = enc_get64(p + 1);
		e->set = enc_get32(p + 9);
	} else if (e->kind == ILOG_NAMED) {
		e->disk = enc_get64(p + 1);
	} else if (e->kind == ILOG_EXPUNGED) {
		e->modseq = enc_get64(p + 1);
	} else if (e->kind == ILOG_SET) {
		e->number = enc_get32(p + 1);
	}
	e->n = enc_get32(p + at);
	if (e->n > (in->n - at - 4) / each)
		return false;
	e->v = p + at + 4;
	*in = str_from(*in, at + 4 + e->n * each);
	return e->kind == ILOG_SET || ranges_are_good(e);
}

bool
ilog_next(struct str *in, struct ilog_entry *e)
{
	size_t i;

	if (!in->n)
		return false;
	*e = (struct ilog_entry){ .kind = (enum ilog_kind)in->p[0] };
	switch (e->kind) {
	case ILOG_MESSAGE:
		return get_message(in, e);
	case ILOG_STATE:
	case ILOG_NAMED:
	case ILOG_GONE:
	case ILOG_EXPUNGED:
	case ILOG_SET:
		return get_list(in, e);
	case ILOG_KEYWORD:
		if (in->n < 6)
			return false;
		e->number = enc_get32(in->p + 1);
		return get_bytes(in, 5, &e->text);
	case ILOG_RECENT:
		if (in->n < 5)
			return false;
		e->uid = enc_get32(in->p + 1);
		*in = str_from(*in, 5);
		return true;
	case ILOG_STAMP:
		if (in->n < 33)
			return false;
		for (i = 0; i < 4; i++)
			e->stamp[i] = (int64_t)enc_get64(in->p + 1 + 8 * i);
		*in = str_from(*in, 33);
		return true;
	}
	return false;
}

/* --- reading records ------------------------------------------------------ */

/* Is there a whole record at the start of in? */
static bool
record_at(struct str in, struct ilog_record *r)
{
	const char *p = in.p;
	uint32_t n, crc;

	if (in.n < ILOG_RECORD + ILOG_BODY || memcmp(p, record_magic, 4) != 0)
		return false;
	n = enc_get32(p + 4);
	if (n < ILOG_BODY || n > ILOG_BODY_MAX || n > in.n - ILOG_RECORD)
		return false;
	crc = enc_crc32c(0, p + 4, 4);
	if (enc_get32(p + 8) != enc_crc32c(crc, p + ILOG_RECORD, n))
		return false;
	r->modseq = enc_get64(p + 12);
	r->uidnext = enc_get32(p + 20);
	r->durable = enc_get64(p + 24);
	r->entries = str_mem(p + ILOG_RECORD + ILOG_BODY, n - ILOG_BODY);
	return r->modseq <= INT64_MAX && r->uidnext != 0;
}

static bool
all_zero(struct str s)
{
	return s.n == 0 || (s.p[0] == 0 && memcmp(s.p, s.p + 1, s.n - 1) == 0);
}

/* Something at the start of in, offset at, is bad.  Was it promised? */
static enum ilog_result
look_behind(struct str in, uint64_t at, struct ilog_parsed *out)
{
	struct str magic = str_mem(record_magic, 4);
	enum ilog_result res = ILOG_TORN;
	struct ilog_record r;
	size_t tries = 0, n = in.n;
	ptrdiff_t i;

	while (n && in.p[n - 1] == 0)
		n--;
	out->uidnext += n / ILOG_MESSAGE_MIN + 1;
	for (in = str_from(in, 1); (i = str_search(in, magic)) >= 0;
	     in = str_from(in, (size_t)i + 1)) {
		/* A file made to waste time is as good as damaged. */
		if (++tries > 100000)
			return ILOG_DAMAGED;
		if (!record_at(str_from(in, (size_t)i), &r))
			continue;
		if (r.durable > at)
			res = ILOG_DAMAGED;
		if (r.uidnext > out->uidnext)
			out->uidnext = r.uidnext;
	}
	return res;
}

size_t
ilog_whole(struct str in)
{
	size_t n = 0;
	uint32_t body;

	while (in.n - n >= ILOG_RECORD &&
	       memcmp(in.p + n, record_magic, 4) == 0) {
		body = enc_get32(in.p + n + 4);
		if (body > ILOG_BODY_MAX || body > in.n - n - ILOG_RECORD)
			break;
		n += ILOG_RECORD + body;
	}
	return n;
}

enum ilog_result
ilog_parse(struct str in, uint64_t at, ilog_record_fn *fn, void *arg,
	   struct ilog_parsed *out)
{
	struct ilog_record r;
	size_t n;

	out->end = at;
	while (!all_zero(in)) {
		if (!record_at(in, &r) || r.durable > out->end)
			return look_behind(in, out->end, out);
		if (!fn(arg, &r)) {
			(void)look_behind(in, out->end, out);
			return ILOG_DAMAGED;
		}
		n = ILOG_RECORD + ILOG_BODY + r.entries.n;
		in = str_from(in, n);
		out->end += n;
		if (r.uidnext > out->uidnext)
			out->uidnext = r.uidnext;
		if (r.durable > out->durable)
			out->durable = r.durable;
	}
	return ILOG_OK;
}
