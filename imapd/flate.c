/* SPDX-License-Identifier: ISC */
#include "flate.h"

enum {
	OUT_WINDOW = -13, /* negative: raw deflate */
	OUT_MEMORY = 5,
	OUT_LEVEL = 4,	 /* of text a third faster than 6, 3 % longer */
	IN_WINDOW = -15, /* the peer may use all there is */
	WINDOW_MAX = 32768,
	STEP = 16384,
};

void
flate_init(struct flate *f)
{
	*f = (struct flate){ 0 };
	buf_init(&f->window, WINDOW_MAX);
}

static void
close_out(struct flate *f)
{
	if (f->out_open)
		deflateEnd(&f->out);
	f->out_open = false;
}

static void
close_in(struct flate *f)
{
	if (f->in_open)
		inflateEnd(&f->in);
	f->in_open = false;
}

void
flate_fini(struct flate *f)
{
	close_out(f);
	close_in(f);
	buf_fini(&f->window);
}

/* --- sending ---------------------------------------------------------------
 */

static int
open_out(struct flate *f)
{
	if (f->out_open)
		return 0;
	f->out = (z_stream){ 0 };
	if (deflateInit2(&f->out, OUT_LEVEL, Z_DEFLATED, OUT_WINDOW, OUT_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -1;
	f->out_open = true;
	return 0;
}

int
flate_put(struct flate *f, struct str plain, struct buf *out)
{
	z_stream *z = &f->out;
	char *to;

	if (open_out(f) < 0)
		return -1;
	z->next_in = (Bytef *)plain.p;
	z->avail_in = (uInt)plain.n;
	do {
		to = buf_reserve(out, STEP);
		if (!to)
			return -1;
		z->next_out = (Bytef *)to;
		z->avail_out = STEP;
		(void)deflate(z, Z_SYNC_FLUSH);
		out->n += STEP - z->avail_out;
	} while (z->avail_out == 0);
	return 0;
}

/* --- receiving -------------------------------------------------------------
 */

static int
open_in(struct flate *f)
{
	if (f->in_open)
		return 0;
	f->in = (z_stream){ 0 };
	if (inflateInit2(&f->in, IN_WINDOW) != Z_OK)
		return -1;
	f->in_open = true;
	if (f->bits && inflatePrime(&f->in, (int)f->bits,
				    f->last >> (8 - f->bits)) != Z_OK)
		return -1;
	if (f->window.n && inflateSetDictionary(&f->in, (Bytef *)f->window.p,
						(uInt)f->window.n) != Z_OK)
		return -1;
	buf_shrink(&f->window, 0);
	f->bits = 0;
	return 0;
}

int
flate_get(struct flate *f, struct str packed, size_t *used, struct buf *out,
	  size_t max)
{
	z_stream *z = &f->in;
	char *to;
	int rc;

	*used = 0;
	if (packed.n == 0 && !f->more)
		return 0;
	if (f->ended || open_in(f) < 0)
		return -1;
	to = buf_reserve(out, max);
	if (!to)
		return -1;
	z->next_in = (Bytef *)packed.p;
	z->avail_in = (uInt)packed.n;
	z->next_out = (Bytef *)to;
	z->avail_out = (uInt)max;
	rc = inflate(z, Z_SYNC_FLUSH);
	/* Z_BUF_ERROR: there was no more after all. */
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return -1;
	*used = packed.n - z->avail_in;
	if (*used)
		f->last = (uint8_t)packed.p[*used - 1];
	out->n += max - z->avail_out;
	f->more = z->avail_out == 0;
	f->ended = rc == Z_STREAM_END;
	return 0;
}

/* --- rest ------------------------------------------------------------------
 */

/* Between two blocks, and all that was read is out.  zlib says so of the last
 * call (zlib.h, inflate(), Z_BLOCK): 128, + 64 in the last block, + bits. */
static bool
in_can_rest(const struct flate *f)
{
	return f->in_open && !f->more && !f->ended &&
	       (f->in.data_type & ~7) == 128;
}

void
flate_rest(struct flate *f)
{
	uInt n = 0;
	char *to;

	close_out(f);
	if (!in_can_rest(f) || inflateGetDictionary(&f->in, NULL, &n) != Z_OK)
		return;
	to = n ? buf_reserve(&f->window, n) : NULL;
	if (n && !to) {
		buf_reset(&f->window);
		return;
	}
	if (n)
		(void)inflateGetDictionary(&f->in, (Bytef *)to, &n);
	f->window.n = n;
	f->bits = (unsigned)f->in.data_type & 7;
	close_in(f);
}
