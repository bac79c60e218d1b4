/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "search.h"

enum {
	PORTION = 16384, /* of a step */
	KEEP = 262144,	 /* of the file, in memory */
	TEXT_MAX = 4 * MIME_HEADER_MAX,
};

enum phase {
	PARSE,	/* reading all of the file once */
	HEADER, /* the message's */
	MIME,	/* a part's header */
	BODY,	/* a part's body */
	NEXT_PART,
};

struct search_body {
	enum phase phase;
	struct message_reader reader;
	struct pool pool;
	struct mime_parser parser;
	struct mime_part *part;
	struct buf start; /* of the file; all of it, if whole */
	bool whole;
	struct text_scan scan;
	struct text_needle **needles; /* those of TEXT first */
	size_t n, texts;
	struct buf text; /* of a header, decoded */
	size_t at;	 /* up to here it was looked through */
	struct text_body body;
	uint64_t raw; /* where the body goes on */
};

/* --- the file --------------------------------------------------------------
 */

/* What stands at raw, up to end: some of it in *out, from memory or by into.
 * 1; 0 at the end; -1 with err. */
static int
get(struct search_body *b, uint64_t raw, uint64_t end, char into[PORTION],
    struct str *out, struct err *err)
{
	uint64_t n = end > raw ? end - raw : 0;
	ssize_t got;

	if (n > PORTION)
		n = PORTION;
	if (raw + n <= b->start.n) {
		*out = str_mem(b->start.p + raw, (size_t)n);
		return n > 0;
	}
	if (n == 0 || b->whole)
		return 0;
	reader_range(&b->reader, raw, raw + n);
	got = reader_get_raw(&b->reader, into, (size_t)n, err);
	*out = str_mem(into, got > 0 ? (size_t)got : 0);
	return got > 0 ? 1 : (int)got;
}

/* 0, or -1 with err. */
static int
parse_portion(struct search_body *b, struct err *err)
{
	struct mime_part *top;
	char into[PORTION];
	struct str part;
	ssize_t n;

	n = reader_get_raw(&b->reader, into, sizeof(into), err);
	if (n < 0)
		return -1;
	if (n > 0) {
		part = str_mem(into, (size_t)n);
		mime_feed(&b->parser, part);
		if (part.n > KEEP - b->start.n) {
			part = str_head(part, KEEP - b->start.n);
			b->whole = false;
		}
		return buf_add_str(&b->start, part) < 0
			       ? err_set(err, ERR_TEMP, ENOMEM, "no memory")
			       : 0;
	}
	top = mime_finish(&b->parser);
	if (!top)
		return err_set(err, ERR_TEMP, ENOMEM, "no memory");
	b->part = top;
	b->phase = HEADER;
	return 0;
}

/* --- headers ---------------------------------------------------------------
 */

static void
decode_lines(struct buf *text, struct str lines)
{
	if (lines.n == 0)
		return;
	text_decode_header(text, lines);
	buf_add_byte(text, '\n');
}

/* Lines that are no fields are in the header, too (RFC 3501 6.4.4 TEXT). */
static void
decode_fields(struct search_body *b, struct str header)
{
	struct str rest = header;
	struct imf_field f;
	size_t i;

	buf_reset(&b->text);
	b->at = 0;
	while (imf_next(&rest, &f)) {
		decode_lines(&b->text,
			     str_head(header, (size_t)(f.whole.p - header.p)));
		decode_lines(&b->text, f.whole);
		header = rest;
	}
	decode_lines(&b->text, header);
	for (i = 0; i < b->text.n; i++)
		if (b->text.p[i] == '\t') /* as imap_keys_text() does */
			b->text.p[i] = ' ';
	text_scan_reset(&b->scan);
}

static int
decode_header(struct search_body *b, uint64_t raw, uint64_t end,
	      struct err *err)
{
	char into[PORTION];
	struct buf header;
	struct str part;
	int rc;

	buf_init(&header, MIME_HEADER_MAX);
	while ((rc = get(b, raw, end, into, &part, err)) > 0) {
		part = str_head(part, MIME_HEADER_MAX - header.n);
		if (part.n == 0 || buf_add_str(&header, part) < 0)
			break;
		raw += part.n;
	}
	decode_fields(b, buf_str(&header));
	buf_fini(&header);
	return rc < 0 ? -1 : 0;
}

/* Whole characters of the text. */
static void
scan_portion(struct search_body *b)
{
	struct str part = str_from(buf_str(&b->text), b->at);

	if (part.n > PORTION) {
		part.n = PORTION;
		while (part.n > 1 &&
		       ((unsigned char)part.p[part.n] & 0xc0) == 0x80)
			part.n--;
	}
	text_scan_utf8(&b->scan, part);
	b->at += part.n;
	if (b->at == b->text.n || !b->scan.left) {
		text_scan_end(&b->scan);
		b->at = b->text.n;
	}
}

/* --- parts -----------------------------------------------------------------
 */

/* A part whose body is text, also what should have had parts and has none. */
static bool
is_text(const struct mime_part *p)
{
	return !p->child && (p->multipart || str_ieq(p->type, STR("text")) ||
			     str_ieq(p->type, STR("message")));
}

static int
begin_part(struct search_body *b, struct err *err)
{
	const struct mime_part *p = b->part;

	b->phase = MIME;
	if (p->parent)
		return decode_header(b, p->head_raw, p->head_raw_end, err);
	buf_reset(&b->text);
	b->at = 0;
	return 0;
}

static void
begin_body(struct search_body *b)
{
	const struct mime_part *p = b->part;

	b->phase = NEXT_PART;
	if (!is_text(p))
		return;
	text_body_init(&b->body, &b->scan, transfer_of(p->encoding),
		       imf_param_get(p->params, STR("charset")));
	b->raw = p->body_raw;
	b->phase = BODY;
}

static int
body_portion(struct search_body *b, struct err *err)
{
	char into[PORTION];
	struct str part;
	int rc = get(b, b->raw, b->part->body_raw_end, into, &part, err);

	if (rc > 0) {
		b->raw += part.n;
		if (text_body_feed(&b->body, part))
			return 0;
	}
	text_body_fini(&b->body);
	b->phase = NEXT_PART;
	return rc < 0 ? -1 : 0;
}

/* In the order of the text; NULL behind the last. */
static struct mime_part *
next_part(struct mime_part *p)
{
	if (p->child)
		return p->child;
	while (p && !p->next)
		p = p->parent;
	return p ? p->next : NULL;
}

/* --- all -------------------------------------------------------------------
 */

/* The header of the message is for TEXT only, the rest is for all. */
static int
step_header(struct search_body *b, struct err *err)
{
	if (b->texts && b->at == 0) {
		b->scan.n = b->texts;
		if (decode_header(b, b->part->head_raw, b->part->head_raw_end,
				  err) < 0)
			return -1;
	}
	if (b->at < b->text.n) {
		scan_portion(b);
		return 0;
	}
	b->scan.n = b->n;
	text_scan_reset(&b->scan);
	return begin_part(b, err);
}

int
search_body_step(struct search_body *b, struct err *err)
{
	int rc = 0;

	switch (b->phase) {
	case PARSE:
		rc = parse_portion(b, err);
		break;
	case HEADER:
		rc = step_header(b, err);
		break;
	case MIME:
		if (b->at < b->text.n)
			scan_portion(b);
		else
			begin_body(b);
		break;
	case BODY:
		rc = body_portion(b, err);
		break;
	case NEXT_PART:
		b->part = next_part(b->part);
		if (!b->part || !b->scan.left)
			return 0;
		rc = begin_part(b, err);
		break;
	}
	return rc < 0 ? -1 : 1;
}

struct search_body *
search_body_open(struct mailbox *mb, uint32_t uid,
		 struct search_key *const *keys, size_t n, struct err *err)
{
	struct search_body *b = calloc(1, sizeof(*b));
	size_t i, bodies = n;

	if (!b || !(b->needles = calloc(n, sizeof(struct text_needle *))) ||
	    text_scan_init(&b->scan, b->needles, 0) < 0) {
		err_set(err, ERR_TEMP, ENOMEM, "no memory");
		goto fail;
	}
	if (mailbox_read(mb, uid, &b->reader, err) < 0)
		goto fail;
	for (i = 0; i < n; i++) {
		keys[i]->needle.found = false;
		b->needles[keys[i]->kind == SEARCH_TEXT ? b->texts++
							: --bodies] =
			&keys[i]->needle;
	}
	b->n = n;
	b->whole = true;
	pool_init(&b->pool, MIME_POOL_MAX);
	buf_init(&b->start, KEEP);
	buf_init(&b->text, TEXT_MAX);
	mime_init(&b->parser, &b->pool);
	reader_range(&b->reader, 0, UINT64_MAX);
	return b;
fail:
	if (b) {
		text_scan_fini(&b->scan);
		free(b->needles);
	}
	free(b);
	return NULL;
}

void
search_body_close(struct search_body *b)
{
	if (!b)
		return;
	if (b->phase == BODY)
		text_body_fini(&b->body);
	reader_close(&b->reader);
	mime_fini(&b->parser);
	pool_fini(&b->pool);
	buf_fini(&b->start);
	buf_fini(&b->text);
	text_scan_fini(&b->scan);
	free(b->needles);
	free(b);
}
