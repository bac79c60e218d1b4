/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/enc.h"
#include "store/index_snapshot.h"

static const char head_magic[8] = "PHIDX02\n";

void
snapshot_fini(struct snapshot *sn)
{
	free(sn->b);
	free(sn->pages);
	*sn = (struct snapshot){ 0 };
}

/* --- a row of numbers, read and written in one order ---------------------- */

struct cursor {
	char *to;	  /* writing, or */
	const char *from; /* reading */
};

static void
u32(struct cursor *c, uint32_t *v)
{
	if (c->to) {
		enc_put32(c->to, *v);
		c->to += 4;
	} else {
		*v = enc_get32(c->from);
		c->from += 4;
	}
}

static void
u64(struct cursor *c, uint64_t *v)
{
	if (c->to) {
		enc_put64(c->to, *v);
		c->to += 8;
	} else {
		*v = enc_get64(c->from);
		c->from += 8;
	}
}

static void
i64(struct cursor *c, int64_t *v)
{
	uint64_t u = (uint64_t)*v;

	u64(c, &u);
	*v = (int64_t)u;
}

/* The fixed fields behind magic, CRC and length: SNAPSHOT_FIXED - 16 bytes. */
static void
fixed(struct cursor *c, struct snapshot *sn)
{
	uint64_t tail = enc_get64(sn->log_tail);
	struct index_totals *t = &sn->t;
	struct index_stamp *s = &sn->stamp;
	int i;

	u64(c, &sn->log_id);
	u64(c, &sn->log_end);
	u64(c, &sn->restated);
	u64(c, &tail);
	enc_put64(sn->log_tail, tail);
	for (i = 0; i < 2; i++) {
		u64(c, &sn->blob_id[i]);
		u64(c, &sn->blob_end[i]);
		u64(c, &sn->blob_n[i]);
	}
	u64(c, &sn->history_at);
	u32(c, &sn->history_n);
	u32(c, &sn->history_crc);
	u64(c, &sn->history_floor);
	u64(c, &sn->pages_at);
	u32(c, &t->uidvalidity);
	u32(c, &t->uidnext);
	u32(c, &t->recent_from);
	u32(c, &sn->nb);
	u64(c, &t->highestmodseq);
	u64(c, &t->messages);
	u64(c, &t->unseen);
	u64(c, &t->deleted);
	u64(c, &t->in_new);
	u64(c, &t->unnamed);
	i64(c, &s->new_mtime_ns);
	i64(c, &s->new_ctime_ns);
	i64(c, &s->cur_mtime_ns);
	i64(c, &s->cur_ctime_ns);
	u32(c, &sn->nkeywords);
	u32(c, &sn->nsets);
}

static void
table_row(struct cursor *c, struct snapshot_block *b)
{
	u64(c, &b->at);
	u64(c, &b->names_at);
	u32(c, &b->n);
	u32(c, &b->uid);
	u32(c, &b->last_uid);
	u32(c, &b->crc);
	u32(c, &b->names_n);
	u32(c, &b->names_crc);
}

static void
page_row(struct cursor *c, struct snapshot_page *p)
{
	u32(c, &p->hash);
	u32(c, &p->crc);
}

/* --- the head ------------------------------------------------------------- */

size_t
snapshot_head_length(const struct snapshot *sn, const struct keywords *kw)
{
	size_t n = SNAPSHOT_FIXED + (size_t)sn->nb * SNAPSHOT_TABLE +
		   snapshot_pages(sn) * SNAPSHOT_PAGE_ROW;
	uint32_t i;

	for (i = 0; i < kw->n; i++)
		n += 1 + strlen(kw->v[i]->name);
	for (i = 1; i < kw->nsets; i++)
		n += 4 + 4 * (size_t)kw->set[i]->n;
	return n;
}

static void
put_u32(struct buf *out, uint32_t v)
{
	char p[4];

	enc_put32(p, v);
	(void)!buf_add(out, p, 4);
}

void
snapshot_put_head(struct buf *out, const struct snapshot *sn,
		  const struct keywords *kw)
{
	struct snapshot copy = *sn;
	char p[SNAPSHOT_FIXED] = { 0 };
	struct cursor c = { .to = p + 16 };
	size_t at = out->n, page;
	uint32_t i, k;

	copy.nkeywords = kw->n;
	copy.nsets = kw->nsets - 1;
	memcpy(p, head_magic, 8);
	fixed(&c, &copy);
	(void)!buf_add(out, p, sizeof(p));
	for (i = 0; i < sn->nb; i++) {
		struct snapshot_block b = sn->b[i];

		c.to = p;
		table_row(&c, &b);
		(void)!buf_add(out, p, SNAPSHOT_TABLE);
	}
	for (page = 0; page < snapshot_pages(sn); page++) {
		c.to = p;
		page_row(&c, &sn->pages[page]);
		(void)!buf_add(out, p, SNAPSHOT_PAGE_ROW);
	}
	for (i = 0; i < kw->n; i++) {
		(void)!buf_add_byte(out, (char)strlen(kw->v[i]->name));
		(void)!buf_add_c(out, kw->v[i]->name);
	}
	for (i = 1; i < kw->nsets; i++) {
		put_u32(out, kw->set[i]->n);
		for (k = 0; k < kw->set[i]->n; k++)
			put_u32(out, kw->set[i]->ids[k]);
	}
	if (buf_overflown(out))
		return;
	enc_put32(out->p + at + 12, (uint32_t)(out->n - at));
	enc_put32(out->p + at + 8,
		  enc_crc32c(0, out->p + at + 12, out->n - at - 12));
}

size_t
snapshot_get_length(struct str in)
{
	uint32_t n;

	if (in.n < 16 || memcmp(in.p, head_magic, 8) != 0)
		return 0;
	n = enc_get32(in.p + 12);
	return n < SNAPSHOT_FIXED || n > SNAPSHOT_HEAD_MAX ? 0 : n;
}

static bool
row_is_good(const struct snapshot *sn, const struct snapshot_block *b,
	    uint32_t above)
{
	return b->n && b->n <= SNAPSHOT_BLOCK && b->uid > above &&
	       b->uid <= b->last_uid && b->n - 1 <= b->last_uid - b->uid &&
	       b->last_uid < sn->t.uidnext &&
	       b->names_n <= SNAPSHOT_BLOCK * 255;
}

static bool
get_table(struct str *in, struct snapshot *sn)
{
	uint64_t total = 0;
	struct cursor c;
	uint32_t i, last = 0;

	if (sn->nb > in->n / SNAPSHOT_TABLE)
		return false;
	sn->b = calloc(sn->nb + 1u, sizeof(*sn->b));
	if (!sn->b)
		return false;
	for (i = 0; i < sn->nb; i++) {
		c = (struct cursor){ .from = in->p };
		table_row(&c, &sn->b[i]);
		if (!row_is_good(sn, &sn->b[i], last))
			return false;
		last = sn->b[i].last_uid;
		total += sn->b[i].n;
		*in = str_from(*in, SNAPSHOT_TABLE);
	}
	return total == sn->t.messages;
}

static bool
get_pages(struct str *in, struct snapshot *sn)
{
	size_t n = snapshot_pages(sn), i;
	struct cursor c;

	if (n > in->n / SNAPSHOT_PAGE_ROW)
		return false;
	sn->pages = calloc(n + 1, sizeof(*sn->pages));
	if (!sn->pages)
		return false;
	for (i = 0; i < n; i++) {
		c = (struct cursor){ .from = in->p };
		page_row(&c, &sn->pages[i]);
		if (i && sn->pages[i].hash < sn->pages[i - 1].hash)
			return false;
		*in = str_from(*in, SNAPSHOT_PAGE_ROW);
	}
	return true;
}

static bool
get_keyword(struct str *in, struct keywords *kw)
{
	size_t n;

	if (!in->n)
		return false;
	n = (size_t)(unsigned char)in->p[0];
	if (n > in->n - 1 ||
	    keywords_add(kw, str_mem(in->p + 1, n)) == KEYWORD_NONE)
		return false;
	*in = str_from(*in, 1 + n);
	return true;
}

static bool
get_set(struct str *in, struct keywords *kw)
{
	uint32_t n, i, *ids;
	bool ok;

	if (in->n < 4)
		return false;
	n = enc_get32(in->p);
	if (n == 0 || n > (in->n - 4) / 4)
		return false;
	ids = reallocarray(NULL, n, sizeof(*ids));
	if (!ids)
		return false;
	for (i = 0; i < n; i++)
		ids[i] = enc_get32(in->p + 4 + 4 * (size_t)i);
	ok = keywords_add_set(kw, ids, n) != UINT32_MAX;
	free(ids);
	*in = str_from(*in, 4 + 4 * (size_t)n);
	return ok;
}

static bool
totals_are_good(const struct index_totals *t)
{
	return t->uidvalidity && t->uidnext && t->highestmodseq &&
	       t->highestmodseq <= INT64_MAX && t->unseen <= t->messages &&
	       t->deleted <= t->messages && t->in_new <= t->messages &&
	       t->unnamed <= t->messages;
}

bool
snapshot_get_head(struct str in, struct snapshot *sn, struct keywords *kw)
{
	struct cursor c = { .from = in.p + 16 };
	uint32_t i;
	bool ok;

	*sn = (struct snapshot){ 0 };
	if (!in.n || snapshot_get_length(in) != in.n ||
	    enc_get32(in.p + 8) != enc_crc32c(0, in.p + 12, in.n - 12))
		return false;
	fixed(&c, sn);
	in = str_from(in, SNAPSHOT_FIXED);
	ok = totals_are_good(&sn->t) && sn->history_n <= 2 * HISTORY_MAX &&
	     get_table(&in, sn) && get_pages(&in, sn);
	for (i = 0; ok && i < sn->nkeywords; i++)
		ok = get_keyword(&in, kw);
	for (i = 0; ok && i < sn->nsets; i++)
		ok = get_set(&in, kw);
	if (!ok || in.n) {
		snapshot_fini(sn);
		return false;
	}
	return true;
}

/* --- messages ------------------------------------------------------------- */

void
snapshot_put_message(struct buf *out, const struct message *m, uint16_t name)
{
	char p[SNAPSHOT_MESSAGE];

	enc_put32(p, m->uid);
	enc_put32(p + 4, m->keywords);
	enc_put64(p + 8, m->flags);
	enc_put64(p + 16, m->modseq);
	enc_put64(p + 24, m->disk);
	enc_put64(p + 32, m->wsize);
	enc_put64(p + 40, (uint64_t)m->mtime);
	enc_put64(p + 48, m->blob[0]);
	enc_put64(p + 56, m->blob[1]);
	enc_put32(p + 64, m->hash);
	enc_put16(p + 68, name);
	p[70] = (char)m->basen;
	p[71] = (char)m->lacks;
	(void)!buf_add(out, p, sizeof(p));
}

static void
get_message(const char *p, struct message *m)
{
	*m = (struct message){
		.uid = enc_get32(p),
		.keywords = enc_get32(p + 4),
		.flags = enc_get64(p + 8),
		.modseq = enc_get64(p + 16),
		.disk = enc_get64(p + 24),
		.wsize = enc_get64(p + 32),
		.mtime = (int64_t)enc_get64(p + 40),
		.blob = { enc_get64(p + 48), enc_get64(p + 56) },
		.hash = enc_get32(p + 64),
		.name = enc_get16(p + 68),
		.basen = (uint8_t)p[70],
		.lacks = (uint8_t)p[71],
	};
}

bool
snapshot_get_block(struct str in, const struct snapshot_block *b,
		   uint32_t nsets, struct message *out)
{
	uint32_t i, last = b->uid - 1;
	struct message *m = out;

	if (in.n != (size_t)b->n * SNAPSHOT_MESSAGE ||
	    b->crc != enc_crc32c(0, in.p, in.n))
		return false;
	for (i = 0; i < b->n; i++, m++) {
		get_message(in.p + (size_t)i * SNAPSHOT_MESSAGE, m);
		if (m->uid <= last || m->keywords >= nsets ||
		    m->modseq > INT64_MAX || m->lacks > 2 ||
		    m->name + m->basen > b->names_n)
			return false;
		last = m->uid;
	}
	return out->uid == b->uid && last == b->last_uid;
}

bool
snapshot_check_names(struct str in, const struct snapshot_block *b)
{
	return in.n == b->names_n &&
	       b->names_crc == enc_crc32c(0, in.p, in.n) &&
	       maildir_is_plain(in);
}

/* --- hashes --------------------------------------------------------------- */

void
snapshot_put_hash(struct buf *out, uint64_t v)
{
	char p[SNAPSHOT_HASH];

	enc_put64(p, v);
	(void)!buf_add(out, p, sizeof(p));
}

size_t
snapshot_page_of(const struct snapshot *sn, uint32_t hash)
{
	size_t lo = 0, hi = snapshot_pages(sn), mid;

	/* It may be the last ones of a page, too. */
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (sn->pages[mid].hash < hash)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

size_t
snapshot_page_length(const struct snapshot *sn, size_t page)
{
	uint64_t n = sn->t.messages - (uint64_t)page * SNAPSHOT_PAGE;

	return (n < SNAPSHOT_PAGE ? (size_t)n : SNAPSHOT_PAGE) * SNAPSHOT_HASH;
}

bool
snapshot_check_page(struct str in, const struct snapshot *sn, size_t page)
{
	return in.n == snapshot_page_length(sn, page) &&
	       sn->pages[page].crc == enc_crc32c(0, in.p, in.n);
}

/* --- history -------------------------------------------------------------- */

void
snapshot_put_history(struct buf *out, const struct expunged *v)
{
	char p[SNAPSHOT_EXPUNGED];

	enc_put64(p, v->modseq);
	enc_put32(p + 8, v->lo);
	enc_put32(p + 12, v->hi);
	(void)!buf_add(out, p, sizeof(p));
}

bool
snapshot_get_history(struct str in, const struct snapshot *sn,
		     struct history *out)
{
	uint64_t modseq, last = 0;
	uint32_t lo, hi;

	if (in.n != (size_t)sn->history_n * SNAPSHOT_EXPUNGED ||
	    sn->history_crc != enc_crc32c(0, in.p, in.n))
		return false;
	for (; in.n; in = str_from(in, SNAPSHOT_EXPUNGED)) {
		modseq = enc_get64(in.p);
		lo = enc_get32(in.p + 8);
		hi = enc_get32(in.p + 12);
		if (modseq < last || lo == 0 || lo > hi || hi == UINT32_MAX)
			return false;
		history_add(out, modseq, lo, hi);
		last = modseq;
	}
	return true;
}
