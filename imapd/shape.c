/* SPDX-License-Identifier: ISC */
#include "shape.h"
#include "base/enc.h"
#include "shape_int.h"

static bool
part_is_good(const struct imap_part *p, size_t i, size_t n)
{
	return p->end > i && p->end <= n && p->kind < PART_KINDS &&
	       p->encoding < ENCODINGS && p->head_raw <= p->body_raw &&
	       p->body_raw <= p->body_end && p->body_end <= INT64_MAX &&
	       p->head_size <= INT64_MAX / 2 && p->body_size <= INT64_MAX / 2;
}

bool
imap_shape_open(struct imap_shape *sh, struct str blob)
{
	uint64_t n, ncuts, envelope, body, fields, at = 0, start, end;
	struct imap_part p;
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
	for (i = 0; i < sh->ncuts; i++, at = end) {
		start = enc_get32(sh->cuts + i * SHAPE_CUT);
		end = enc_get32(sh->cuts + i * SHAPE_CUT + 4);
		if (start < at || end < start || end > body)
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
imap_shape_put_body(const struct imap_shape *sh, struct buf *out)
{
	size_t i, at = 0, start;

	for (i = 0; i < sh->ncuts; i++) {
		start = enc_get32(sh->cuts + i * SHAPE_CUT);
		buf_add(out, sh->body.p + at, start - at);
		at = enc_get32(sh->cuts + i * SHAPE_CUT + 4);
	}
	buf_add_str(out, str_from(sh->body, at));
}
