/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "fetch.h"

/* A letter with a message/global, as an internationalized bounce has it. */
#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define PART(h, body) "--b\r\n" h "\r\n" body "\r\n"
#define TEXT PART("", "one")
#define GLOBAL(encoding, body) \
	PART("Content-Type: message/global\r\n" encoding, body)
#define INNER                                                                \
	"Subject: \xc3\xa4\r\nContent-Type: multipart/mixed; boundary=c\r\n" \
	"\r\n--c\r\n\r\ntwo\r\n--c\r\nContent-Type: image/png\r\n"           \
	"Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--c--"
#define END "--b--\r\n"

struct shaped {
	struct buf blob;
	struct imap_shape shape;
	struct str text;
};

static void
build(struct shaped *s, const char *text)
{
	struct pool pool, scratch;
	struct mime_parser parser;
	struct mime_part *top;

	s->text = str_of(text);
	buf_init(&s->blob, SHAPE_MAX);
	pool_init(&pool, MIME_POOL_MAX);
	pool_init(&scratch, MIME_POOL_MAX);
	mime_init(&parser, &pool);
	mime_feed(&parser, s->text);
	top = mime_finish(&parser);
	assert_non_null(top);
	imap_shape_build(&s->blob, top,
			 str_head(s->text, (size_t)top->head_raw_end),
			 &scratch);
	assert_true(imap_shape_open(&s->shape, buf_str(&s->blob)));
	mime_fini(&parser);
	pool_fini(&pool);
	pool_fini(&scratch);
}

#define PLAIN "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
#define NO_EXT " NIL NIL NIL NIL"
#define NO_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

static void
test_body(void **state)
{
	static const struct {
		const char *name, *text;
		const char *body[2], *structure[2]; /* [rev2] */
	} rows[] = {
		{ "text",
		  "\r\nx",
		  { PLAIN "1 0)", PLAIN "1 0)" },
		  { PLAIN "1 0" NO_EXT ")", PLAIN "1 0" NO_EXT ")" } },
		{ "message/rfc822 is one for all",
		  "Content-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nx",
		  { "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL "
		    "\"a\" NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "1 0) 2)",
		    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL "
		    "\"a\" NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "1 0) 2)" },
		  { NULL, NULL } },
		{ "RFC 9051 7.5.2: message/global is one for IMAP4rev2",
		  "Content-Type: message/global\r\n\r\nSubject: a\r\n\r\nx",
		  { "(\"message\" \"global\" NIL NIL NIL \"7bit\" 15)",
		    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 15 (NIL "
		    "\"a\" NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "1 0) 2)" },
		  { "(\"message\" \"global\" NIL NIL NIL \"7bit\" 15" NO_EXT
		    ")",
		    "(\"message\" \"global\" NIL NIL NIL \"7bit\" 15 (NIL "
		    "\"a\" NIL NIL NIL NIL NIL NIL NIL NIL) " PLAIN "1 0" NO_EXT
		    ") 2" NO_EXT ")" } },
		{ "one in the other",
		  "Content-Type: message/global\r\n\r\n"
		  "Content-Type: MESSAGE/GLOBAL\r\n\r\nSubject: a\r\n\r\nx",
		  { "(\"message\" \"global\" NIL NIL NIL \"7bit\" 47)",
		    "(\"message\" \"global\" NIL NIL NIL \"7bit\" "
		    "47 " NO_ENVELOPE " (\"MESSAGE\" \"GLOBAL\" NIL NIL NIL "
		    "\"7bit\" 15 (NIL \"a\" NIL NIL NIL NIL NIL NIL NIL "
		    "NIL) " PLAIN "1 0) 2) 4)" },
		  { "(\"message\" \"global\" NIL NIL NIL \"7bit\" 47" NO_EXT
		    ")",
		    NULL } },
		{ "RFC 6532 3.7: encoded, there is nothing to be seen in it",
		  "Content-Type: message/global\r\n"
		  "Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n",
		  { "(\"message\" \"global\" NIL NIL NIL \"base64\" 6)",
		    "(\"message\" \"global\" NIL NIL NIL \"base64\" "
		    "6 " NO_ENVELOPE " " PLAIN "0 0) 1)" },
		  { "(\"message\" \"global\" NIL NIL NIL \"base64\" 6" NO_EXT
		    ")",
		    "(\"message\" \"global\" NIL NIL NIL \"base64\" "
		    "6 " NO_ENVELOPE " " PLAIN "0 0" NO_EXT ") 1" NO_EXT
		    ")" } },
		{ "a multipart with nothing in it",
		  MIXED "x",
		  { "(" PLAIN "0 0) \"mixed\")", "(" PLAIN "0 0) \"mixed\")" },
		  { "(" PLAIN "0 0" NO_EXT
		    ") \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)",
		    NULL } },
	};
	struct shaped s;
	struct buf b;
	size_t i;
	int rev2;

	(void)state;
	buf_init(&b, SHAPE_MAX);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build(&s, rows[i].text);
		for (rev2 = 0; rev2 < 2; rev2++) {
			buf_reset(&b);
			imap_shape_put_body(&s.shape, &b, false, rev2);
			if (strcmp(buf_cstr(&b), rows[i].body[rev2]) != 0)
				print_error("%s\n", rows[i].name);
			assert_string_equal(buf_cstr(&b), rows[i].body[rev2]);
			if (!rows[i].structure[rev2])
				continue;
			buf_reset(&b);
			imap_shape_put_body(&s.shape, &b, true, rev2);
			assert_string_equal(buf_cstr(&b),
					    rows[i].structure[rev2]);
		}
		buf_fini(&s.blob);
	}
	buf_fini(&b);
}

/* RFC 9051 6.4.5.1 */
static void
test_sections(void **state)
{
	static const struct {
		const char *text;
		uint32_t path[3];
		size_t npath;
		enum section_text part;
		const char *want[2]; /* [rev2]; NULL: there is none */
		enum transfer encoding[2];
	} rows[] = {
		{ .path = { 1 }, .npath = 1, .want = { "one", "one" } },
		{ .path = { 2 }, .npath = 1, .want = { INNER, INNER } },
		{ .path = { 2 },
		  .npath = 1,
		  .part = SECTION_MIME,
		  .want = { "Content-Type: message/global\r\n\r\n",
			    "Content-Type: message/global\r\n\r\n" } },
		{ .path = { 2 },
		  .npath = 1,
		  .part = SECTION_HEADER,
		  .want = { NULL, "Subject: \xc3\xa4\r\nContent-Type: "
				  "multipart/mixed; boundary=c\r\n\r\n" } },
		{ .path = { 2, 1 }, .npath = 2, .want = { NULL, "two" } },
		{ .path = { 2, 2 },
		  .npath = 2,
		  .want = { NULL, "QUJD" },
		  .encoding = { 0, TRANSFER_BASE64 } },
		{ .path = { 2, 2 },
		  .npath = 2,
		  .part = SECTION_MIME,
		  .want = { NULL,
			    "Content-Type: image/png\r\n"
			    "Content-Transfer-Encoding: base64\r\n\r\n" } },
		{ .path = { 2, 3 }, .npath = 2, .want = { NULL, NULL } },
		{ .path = { 2, 1, 1 }, .npath = 3, .want = { NULL, NULL } },
		{ .path = { 3 },
		  .npath = 1,
		  .want = { "QUJD\r\n", "QUJD\r\n" },
		  .encoding = { TRANSFER_BASE64, TRANSFER_BASE64 } },
		{ .path = { 3, 1 }, .npath = 2, .want = { NULL, NULL } },
		{ .path = { 3 },
		  .npath = 1,
		  .part = SECTION_TEXT,
		  .want = { NULL, NULL } },
	};
	struct section_place pl;
	struct fetch_item it;
	struct shaped s;
	struct str got;
	size_t i;
	int rev2;

	(void)state;
	build(&s, MIXED TEXT GLOBAL("", INNER)
			  GLOBAL("Content-Transfer-Encoding: base64\r\n",
				 "QUJD\r\n") END);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (rev2 = 0; rev2 < 2; rev2++) {
			it = (struct fetch_item){ .npath = rows[i].npath,
						  .text = rows[i].part };
			it.path = (uint32_t *)rows[i].path;
			pl = imap_section(&s.shape, &it, rev2);
			assert_int_equal(pl.found, !!rows[i].want[rev2]);
			if (!pl.found)
				continue;
			got = str_head(str_from(s.text, (size_t)pl.raw),
				       (size_t)(pl.raw_end - pl.raw));
			assert_true(str_eq(got, str_of(rows[i].want[rev2])));
			assert_int_equal(pl.size, got.n);
			assert_int_equal(pl.encoding, rows[i].encoding[rev2]);
		}
	}
	buf_fini(&s.blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
