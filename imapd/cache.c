/* SPDX-License-Identifier: ISC */
/* The message that FETCH is at: parsed, opened, read. */
#include <errno.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "fetch.h"
#include "keys.h"
#include "session.h"

enum {
	PORTION = 131072,    /* most messages are read in one */
	PORTIONS_A_STEP = 8, /* parsed or measured at once */
};

/* --- which message ---------------------------------------------------------
 */

static void
forget(struct imap_cache *c)
{
	if (c->open)
		reader_close(&c->reader);
	if (c->parsing)
		mime_fini(&c->parser);
	c->open = c->parsing = c->has_shape = false;
	c->uid = 0;
	c->section = c->measured = c->measuring = 0;
}

void
imap_cache_clear(struct imap_session *s)
{
	struct imap_cache *c = s->cache;

	if (!c)
		return;
	forget(c);
	pool_fini(&c->pool);
	pool_fini(&c->scratch);
	buf_fini(&c->bytes);
	buf_fini(&c->text);
	buf_fini(&c->keys);
	free(c->portion);
	free(c);
	s->cache = NULL;
}

/* The cache for this message; NULL with err. */
static struct imap_cache *
cache_for(struct imap_session *s, uint32_t uid, struct err *err)
{
	struct imap_cache *c = s->cache;

	if (c && c->uid == uid)
		return c;
	if (c) {
		forget(c);
		c->uid = uid;
		return c;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	c->uid = uid;
	pool_init(&c->pool, MIME_POOL_MAX);
	pool_init(&c->scratch, MIME_POOL_MAX);
	buf_init(&c->bytes, SHAPE_MAX);
	buf_init(&c->text, MIME_HEADER_MAX);
	buf_init(&c->keys, KEYS_MAX);
	s->cache = c;
	return c;
}

int
imap_cache_open(struct imap_session *s, uint32_t uid, struct err *err)
{
	struct imap_cache *c = cache_for(s, uid, err);

	if (!c)
		return -1;
	if (!c->open && mailbox_read(s->view.mb, uid, &c->reader, err) < 0)
		return -1;
	c->open = true;
	return 1;
}

/* --- parsing ---------------------------------------------------------------
 */

/* The header of the message into c->text: from this, its beginning, or from
 * the file. */
static int
take_header(struct imap_cache *c, struct str begin, uint64_t end,
	    struct err *err)
{
	ssize_t n;
	char *to;

	buf_reset(&c->text);
	if (end > MIME_HEADER_MAX)
		end = MIME_HEADER_MAX;
	if (end <= begin.n) {
		buf_add_str(&c->text, str_head(begin, (size_t)end));
		return 0;
	}
	while (c->text.n < end) {
		to = buf_reserve(&c->text, (size_t)end - c->text.n);
		n = to ? fsx_pread(c->reader.fd, to, (size_t)end - c->text.n,
				   (off_t)c->text.n)
		       : 0;
		if (n < 0)
			return err_sys(err, errno, "read");
		if (n == 0)
			break;
		c->text.n += (size_t)n;
	}
	return 0;
}

/* The parser has seen all: what is wanted of it, for now and for later. */
static int
finish_parsing(struct imap_session *s, struct imap_cache *c, struct str begin,
	       struct err *err)
{
	struct mime_part *top = mime_finish(&c->parser);
	struct mailbox *mb = s->view.mb;

	c->parsing = false;
	mime_fini(&c->parser);
	if (!top)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (take_header(c, begin, top->head_raw_end, err) < 0)
		return -1;
	buf_reset(&c->bytes);
	imap_shape_build(&c->bytes, top, buf_str(&c->text), &c->scratch);
	if (buf_overflown(&c->bytes) ||
	    !imap_shape_open(&c->shape, buf_str(&c->bytes)))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	c->has_shape = true;
	pool_reset(&c->pool);
	mailbox_note_wsize(mb, c->uid, imap_shape_size(&c->shape));
	buf_reset(&c->keys);
	imap_keys_build(&c->keys, buf_str(&c->text));
	if (c->bytes.n <= BLOB_MAX)
		mailbox_blob_put(mb, c->uid, BLOB_SEND, buf_str(&c->bytes));
	if (!buf_overflown(&c->keys))
		mailbox_blob_put(mb, c->uid, BLOB_KEYS, buf_str(&c->keys));
	return 1;
}

static int
parse(struct imap_session *s, struct imap_cache *c, struct err *err)
{
	struct str begin = STR("");
	ssize_t n = PORTION;
	int i;

	if (!c->portion && !(c->portion = malloc(PORTION)))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (!c->parsing) {
		pool_reset(&c->pool);
		mime_init(&c->parser, &c->pool);
		c->parsing = true;
		c->parsed = 0;
	}
	for (i = 0; i < PORTIONS_A_STEP && n == PORTION; i++) {
		n = fsx_pread(c->reader.fd, c->portion, PORTION,
			      (off_t)c->parsed);
		if (n < 0)
			return err_sys(err, errno, "read");
		if (c->parsed == 0)
			begin = str_mem(c->portion, (size_t)n);
		else
			begin = STR("");
		mime_feed(&c->parser, str_mem(c->portion, (size_t)n));
		c->parsed += (uint64_t)n;
	}
	return n == PORTION ? 0 : finish_parsing(s, c, begin, err);
}

/* From the index, if it was put there; copied, for other sessions may look
 * there, too. */
static bool
shape_is_kept(struct imap_session *s, struct imap_cache *c)
{
	const struct message *m = mailbox_find(s->view.mb, c->uid);
	struct str blob;

	if (!m || !mailbox_blob(s->view.mb, m, BLOB_SEND, &blob))
		return false;
	buf_reset(&c->bytes);
	return buf_add_str(&c->bytes, blob) == 0 &&
	       imap_shape_open(&c->shape, buf_str(&c->bytes));
}

int
imap_cache_shape(struct imap_session *s, uint32_t uid, struct err *err)
{
	struct imap_cache *c = cache_for(s, uid, err);
	int rc;

	if (!c)
		return -1;
	if (c->has_shape)
		return 1;
	if (!c->parsing && shape_is_kept(s, c)) {
		c->has_shape = true;
		return 1;
	}
	if (imap_cache_open(s, uid, err) < 0)
		return -1;
	rc = parse(s, c, err);
	if (rc < 0)
		forget(c);
	return rc;
}

/* --- streams ---------------------------------------------------------------
 */

static uint64_t
name_of(const struct section_place *pl, bool decoded)
{
	return pl->raw * 2 + 1 + decoded;
}

static void
begin_stream(struct imap_cache *c, const struct section_place *pl, bool decoded)
{
	reader_range(&c->reader, pl->raw, pl->raw_end);
	/* A literal8 may hold those of a part that is not encoded. */
	c->reader.gives_nul = decoded && pl->encoding == TRANSFER_IDENTITY;
	reader_tell(&c->reader, &c->pos);
	c->section = name_of(pl, decoded);
	c->offset = 0;
	c->raw_rest = c->plain_rest = STR("");
	c->at_end = false;
	if (decoded)
		transfer_init(&c->decoder, pl->encoding);
}

/* More that is decoded; false: the end, or -1 in *got. */
static bool
decode_more(struct imap_cache *c, ssize_t *got, struct err *err)
{
	size_t n = 0;

	*got = 0;
	while (n == 0 && !c->at_end) {
		if (c->raw_rest.n == 0) {
			*got = reader_get(&c->reader, c->raw, sizeof(c->raw),
					  err);
			if (*got < 0)
				return false;
			c->raw_rest = str_mem(c->raw, (size_t)*got);
			c->at_end = *got == 0;
		}
		n = transfer_decode(&c->decoder, &c->raw_rest, c->at_end,
				    c->plain, sizeof(c->plain));
	}
	c->plain_rest = str_mem(c->plain, n);
	return n > 0;
}

static ssize_t
stream_decoded(struct imap_cache *c, char *to, size_t n, struct err *err)
{
	size_t out = 0, part;
	ssize_t got;

	while (out < n) {
		if (c->plain_rest.n == 0 && !decode_more(c, &got, err)) {
			if (got < 0)
				return -1;
			break;
		}
		part = c->plain_rest.n < n - out ? c->plain_rest.n : n - out;
		memcpy(to + out, c->plain_rest.p, part);
		c->plain_rest = str_from(c->plain_rest, part);
		out += part;
	}
	return (ssize_t)out;
}

ssize_t
imap_cache_stream(struct imap_cache *c, char *to, size_t n, struct err *err)
{
	bool decoded = (c->section & 1) == 0;
	ssize_t got = decoded ? stream_decoded(c, to, n, err)
			      : reader_get(&c->reader, to, n, err);

	if (got > 0)
		c->offset += (uint64_t)got;
	if (!decoded)
		reader_tell(&c->reader, &c->pos);
	return got;
}

int
imap_cache_measure(struct imap_cache *c, const struct section_place *pl,
		   struct err *err)
{
	uint64_t name = name_of(pl, true);
	char part[16384];
	ssize_t n;
	int i;

	if (c->measured == name)
		return 1;
	if (c->measuring != name || c->section != name) {
		begin_stream(c, pl, true);
		c->measuring = name;
		c->has_nul = false;
		c->size = 0;
	}
	for (i = 0; i < PORTIONS_A_STEP * (PORTION / 16384); i++) {
		n = imap_cache_stream(c, part, sizeof(part), err);
		if (n < 0)
			return -1;
		if (n > 0 && memchr(part, '\0', (size_t)n))
			c->has_nul = true;
		if (n < (ssize_t)sizeof(part)) {
			c->measured = name;
			c->measuring = 0;
			c->size = c->offset;
			c->section = 0;
			return 1;
		}
	}
	return 0;
}

int
imap_cache_seek(struct imap_cache *c, const struct section_place *pl,
		bool decoded, uint64_t skip, struct err *err)
{
	char part[8192];
	size_t want;
	ssize_t n;
	int i;

	if (c->section != name_of(pl, decoded) || c->offset > skip)
		begin_stream(c, pl, decoded);
	else if (!decoded)
		reader_seek(&c->reader, &c->pos, pl->raw_end);
	for (i = 0; i < 256; i++) {
		want = sizeof(part);
		if (skip - c->offset < want)
			want = (size_t)(skip - c->offset);
		if (want == 0)
			return 1;
		n = imap_cache_stream(c, part, want, err);
		if (n <= 0)
			return n < 0 ? -1 : 1; /* shorter than it was */
	}
	return 0;
}
