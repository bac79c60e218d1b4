/* SPDX-License-Identifier: ISC */
/* The bytes between session and client, and COMPRESS (RFC 4978). */
#include <malloc.h>
#include <stdlib.h>

#include "base/log.h"
#include "commands.h"
#include "flate.h"

enum {
	PORTION = 16384,  /* of inflated input: a bomb goes off in these */
	REST_MS = 3000,	  /* after the last word of the session */
	KEEP_BYTES = 512, /* of buffers at rest */
};

struct imap_compress {
	struct flate f;
	struct buf out; /* what was said, not yet compressed */
	struct buf in;	/* what came, of it */
	size_t at;	/* is read */
	struct event *rest;
};

void
imap_compress_free(struct imap_session *s)
{
	struct imap_compress *z = s->compress;

	if (!z)
		return;
	flate_fini(&z->f);
	buf_fini(&z->out);
	buf_fini(&z->in);
	if (z->rest)
		event_free(z->rest);
	free(z);
	s->compress = NULL;
}

static void
on_rest(evutil_socket_t fd, short what, void *arg)
{
	struct imap_compress *z = arg;

	(void)fd;
	(void)what;
	flate_rest(&z->f);
	if (z->at == z->in.n) {
		z->at = 0;
		buf_shrink(&z->in, KEEP_BYTES);
	}
	if (z->out.n == 0)
		buf_shrink(&z->out, KEEP_BYTES);
	malloc_trim(0); /* to the kernel: what lies between others' memory */
}

/* --- output ----------------------------------------------------------------
 */

struct buf *
imap_out(struct imap_session *s)
{
	return s->compressed ? &s->compress->out : conn_out(s->conn);
}

size_t
imap_unsent(const struct imap_session *s)
{
	return conn_unsent(s->conn) + (s->compressed ? s->compress->out.n : 0);
}

bool
imap_full(const struct imap_session *s)
{
	return imap_unsent(s) >= IMAP_OUT_HIGH;
}

void
imap_flush(struct imap_session *s)
{
	static const struct timeval soon = { REST_MS / 1000, 0 };
	struct imap_compress *z = s->compress;
	struct buf *out;

	if (!s->compressed || z->out.n == 0)
		return;
	out = conn_out(s->conn);
	if (buf_overflown(&z->out) ||
	    flate_put(&z->f, buf_str(&z->out), out) < 0)
		out->overflown = true; /* the connection ends as stuck */
	buf_shrink(&z->out, PORTION);
	evtimer_add(z->rest, &soon);
}

/* --- input -----------------------------------------------------------------
 */

static void
inflate_portion(struct imap_session *s, struct imap_compress *z)
{
	size_t used;

	z->at = 0;
	buf_reset(&z->in);
	if (flate_get(&z->f, conn_input(s->conn), &used, &z->in, PORTION) < 0) {
		log_info("imap(%s): the input of %s is not compressed as it "
			 "should be",
			 s->user->name, s->client);
		imap_bye(s, "This is not DEFLATE");
		return;
	}
	conn_consume(s->conn, used);
}

struct str
imap_input(struct imap_session *s)
{
	struct imap_compress *z = s->compress;

	if (!s->compressed)
		return conn_input(s->conn);
	if (z->at == z->in.n && s->stage != STAGE_END)
		inflate_portion(s, z);
	return str_from(buf_str(&z->in), z->at);
}

void
imap_consume(struct imap_session *s, size_t n)
{
	if (s->compressed)
		s->compress->at += n;
	else
		conn_consume(s->conn, n);
}

bool
imap_has_input(const struct imap_session *s)
{
	const struct imap_compress *z = s->compress;

	return conn_input(s->conn).n ||
	       (s->compressed && (z->at < z->in.n || z->f.more));
}

/* --- the command -----------------------------------------------------------
 */

static bool
prepare(struct imap_session *s)
{
	struct imap_compress *z = calloc(1, sizeof(*z));

	if (!z)
		return false;
	s->compress = z;
	flate_init(&z->f);
	buf_init(&z->out, IMAP_OUT_LIMIT);
	buf_init(&z->in, PORTION);
	z->rest = evtimer_new(s->user->loop.base, on_rest, z);
	return z->rest != NULL;
}

void
imap_cmd_compress(struct imap_session *s, struct imap_in *in)
{
	struct str how;

	if (!imap_space(in) || !imap_atom(in, &how) || !imap_end(in)) {
		imap_reply_bad(s, in);
	} else if (!str_ieq(how, STR("DEFLATE"))) {
		imap_reply(s, "BAD COMPRESS: Only DEFLATE is known");
	} else if (s->compressed) {
		imap_reply(s, "NO [COMPRESSIONACTIVE] DEFLATE is active");
	} else if (!s->user->compress) {
		imap_reply(s, "NO [CANNOT] Compression is not offered");
	} else if (imap_has_input(s)) {
		/* RFC 4978 3: what follows is sent after the reply was seen.
		 * Whoever sent this has not. */
		imap_reply(s, "BAD COMPRESS: Wait for the reply");
	} else if (!prepare(s)) {
		imap_compress_free(s);
		imap_reply(s, "NO [UNAVAILABLE] Temporary problem");
	} else {
		imap_reply(s, "OK DEFLATE active");
	}
}

/* The tagged reply is the last that goes out as it is. */
void
imap_compress_begin(struct imap_session *s)
{
	if (s->compress)
		s->compressed = true;
}
