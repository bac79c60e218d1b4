/* SPDX-License-Identifier: ISC */
#include "shape.h"
#include "base/enc.h"
#include "shape_int.h"

static bool
part_is_good(const struct imap_part *p, size_t i, size_t n)
{
	return p->end > i && p->end <= n && p->kind < PART_KINDS &&
	       p->encoding < TRANSFERS && p->head_raw <= p->body_raw &&
	       p->body_raw <= p->body_end && p->body_end <= INT64_MAX &&
	       p->head_size <= INT64_MAX / 2 && p->body_size <= INT64_MAX / 2;
}

struct cut {
	uint32_t start, end;
	bool rev2;
};

static struct cut
cut_at(const struct imap_shape *sh, size_t i)
{
	const char *at = sh->cuts + i * SHAPE_CUT;
	uint32_t end = enc_get32(at + 4);

	return (struct cut){ .start = enc_get32(at),
			     .end = end & ~CUT_REV2,
			     .rev2 = end & CUT_REV2 };
}

bool
imap_shape_open(struct imap_shape *sh, struct str blob)
{
	uint64_t n, ncuts, envelope, body, fields, at = 0;
	struct imap_part p;
	struct cut c;
	size_t i;

	if (blob.n < SHAPE_HEAD || enc_get32(blob.p) != SHAPE_VERSION)
		return false;
	n = enc_get32(blob.p + 4);
	ncuts = enc_get32(blob.p + 8);
	envelope = enc_get32(blob.p + 12);
	body = enc_get32(blob.p + 16);
	fields = enc_get32(blob.p + 20);
	if (n == 0 || SHAPE_HEAD + n * SHAPE_PART + ncuts * SHAPE_CUT +
				      envelope + body + fields !=
			      blob.n)
		return false;
	sh->n = (size_t)n;
	sh->ncuts = (size_t)ncuts;
	sh->parts = blob.p + SHAPE_HEAD;
	sh->cuts = sh->parts + sh->n * SHAPE_PART;
	sh->envelope =
		str_mem(sh->cuts + sh->ncuts * SHAPE_CUT, (size_t)envelope);
	sh->body = str_mem(sh->envelope.p + envelope, (size_t)body);
	sh->fields = str_mem(sh->body.p + body, (size_t)fields);
	for (i = 0; i < sh->n; i++) {
		imap_shape_part(sh, i, &p);
		if (!part_is_good(&p, i, sh->n))
			return false;
	}
	for (i = 0; i < sh->ncuts; i++, at = c.start) {
		c = cut_at(sh, i);
		if (c.start < at || c.end < c.start || c.end > body)
			return false;
	}
	return true;
}

void
imap_shape_part(const struct imap_shape *sh, size_t i, struct imap_part *p)
{
	const char *at = sh->parts + i * SHAPE_PART;

	p->end = enc_get32(at);
	p->kind = (unsigned char)at[4];
	p->encoding = (unsigned char)at[5];
	p->head_raw = enc_get64(at + 8);
	p->body_raw = enc_get64(at + 16);
	p->body_end = enc_get64(at + 24);
	p->head_size = enc_get64(at + 32);
	p->body_size = enc_get64(at + 40);
}

uint64_t
imap_shape_size(const struct imap_shape *sh)
{
	struct imap_part p;

	imap_shape_part(sh, 0, &p);
	return p.head_size + p.body_size;
}

void
imap_shape_put_body(const struct imap_shape *sh, struct buf *out,
		    bool extension, bool rev2)
{
	size_t i, at = 0;
	struct cut c;

	for (i = 0; i < sh->ncuts; i++) {
		c = cut_at(sh, i);
		/* Within another one, or wanted. */
		if (c.start < at || (c.rev2 ? rev2 : extension))
			continue;
		buf_add(out, sh->body.p + at, c.start - at);
		at = c.end;
	}
	buf_add_str(out, str_from(sh->body, at));
}
