/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "fetch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Every section with up to three small numbers. */
static void
walk(const struct imap_shape *sh, bool rev2)
{
	uint32_t path[3];
	struct fetch_item it = { .path = path };
	struct section_place pl;
	unsigned i, text;

	for (i = 0; i < 4 * 4 * 4; i++) {
		path[0] = i % 4 + 1;
		path[1] = i / 4 % 4 + 1;
		path[2] = i / 16 + 1;
		for (text = SECTION_ALL; text <= SECTION_MIME; text++) {
			it.text = text;
			for (it.npath = 0; it.npath <= 3; it.npath++) {
				pl = imap_section(sh, &it, rev2);
				BUG_ON(pl.found && pl.raw > pl.raw_end);
			}
		}
	}
}

/* The blob's bytes are foreign. */
static void
read_blob(struct str blob)
{
	struct imap_shape sh;
	struct fetch_item it = { .text = SECTION_FIELDS };
	struct imap_part p;
	struct buf out;
	size_t i;

	if (!imap_shape_open(&sh, blob))
		return;
	buf_init(&out, 2 * blob.n);
	for (i = 0; i < 4; i++) {
		buf_reset(&out);
		imap_shape_put_body(&sh, &out, i & 1, i & 2);
		BUG_ON(buf_overflown(&out) || out.n > sh.body.n);
	}
	BUG_ON(!str_eq(buf_str(&out), sh.body));
	for (i = 0; i < sh.n; i++)
		imap_shape_part(&sh, i, &p);
	(void)imap_shape_size(&sh);
	buf_reset(&out);
	imap_put_fields(&out, sh.fields, &it);
	BUG_ON(out.n > 2 * sh.fields.n + 2);
	walk(&sh, false);
	walk(&sh, true);
	buf_fini(&out);
}

/* Balanced, and IMAP: so strings and literals are skipped. */
static void
check_text(struct str s)
{
	int depth = 0;
	size_t i, k, len;

	for (i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '(':
			depth++;
			break;
		case ')':
			BUG_ON(--depth < 0);
			break;
		case '"':
			for (i++; s.p[i] != '"'; i++)
				i += s.p[i] == '\\';
			break;
		case '{':
			for (len = 0, k = i + 1; s.p[k] != '}'; k++)
				len = len * 10 + (size_t)(s.p[k] - '0');
			i = k + 2 + len;
			break;
		default:
			break;
		}
		BUG_ON(i >= s.n);
	}
	BUG_ON(depth != 0);
}

/* What is kept answers as the header does. */
static void
check_fields(struct str fields, struct str header)
{
	struct str names[] = { STR("to"), STR("SUBJECT"), STR("Content-Type"),
			       STR("Priority") };
	struct fetch_item it = { .text = SECTION_FIELDS, .fields = names };
	struct buf ours, theirs;

	if (!fields.n)
		return;
	buf_init(&ours, 2 * MIME_HEADER_MAX);
	buf_init(&theirs, 2 * MIME_HEADER_MAX);
	for (; it.nfields <= sizeof(names) / sizeof(names[0]); it.nfields++) {
		BUG_ON(!imap_fields_are_kept(&it));
		imap_put_fields(&ours, fields, &it);
		imap_put_fields(&theirs, header, &it);
		BUG_ON(!str_eq(buf_str(&ours), buf_str(&theirs)));
	}
	buf_fini(&ours);
	buf_fini(&theirs);
}

/* As a message: its blob can be read, and says what the parser found. */
static void
build(struct str text)
{
	struct pool pool, scratch;
	struct mime_parser parser;
	struct imap_shape sh;
	struct mime_part *top;
	struct buf out, body;
	struct str header;
	unsigned i;

	pool_init(&pool, MIME_POOL_MAX);
	pool_init(&scratch, MIME_POOL_MAX);
	buf_init(&out, SHAPE_MAX);
	buf_init(&body, SHAPE_MAX);
	mime_init(&parser, &pool);
	mime_feed(&parser, text);
	top = mime_finish(&parser);
	mime_fini(&parser);
	BUG_ON(!top);
	header = str_head(text, (size_t)top->head_raw_end);
	imap_shape_build(&out, top, header, &scratch);
	BUG_ON(buf_overflown(&out) || !imap_shape_open(&sh, buf_str(&out)));
	BUG_ON(imap_shape_size(&sh) != top->head_size + top->body_size);
	check_text(sh.envelope);
	check_text(sh.body);
	for (i = 0; i < 4; i++) {
		buf_reset(&body);
		imap_shape_put_body(&sh, &body, i & 1, i & 2);
		check_text(buf_str(&body));
	}
	check_fields(sh.fields, header);
	walk(&sh, false);
	walk(&sh, true);
	buf_fini(&out);
	buf_fini(&body);
	pool_fini(&pool);
	pool_fini(&scratch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n);

	read_blob(in);
	build(in);
	return 0;
}
