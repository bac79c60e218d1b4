/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/unit.h"
#include "mail/mime.h"

/* type/subtype[header size,body raw..end,size,lines](children) */
static void
show(struct buf *b, const struct mime_part *p)
{
	const struct mime_part *c;

	buf_addf(b, "%.*s/%.*s[%u,%u..%u,%u,%u]", STR_FMT(p->type),
		 STR_FMT(p->subtype), (unsigned)p->head_size,
		 (unsigned)p->body_raw, (unsigned)p->body_raw_end,
		 (unsigned)p->body_size, (unsigned)p->body_lines);
	if (!p->child)
		return;
	buf_add_c(b, "(");
	for (c = p->child; c; c = c->next)
		show(b, c);
	buf_add_c(b, ")");
}

static void
parse(struct buf *b, struct str in, size_t step)
{
	struct mime_parser p;
	struct mime_part *top;
	struct pool pool;

	pool_init(&pool, MIME_POOL_MAX);
	mime_init(&p, &pool);
	for (; in.n; in = str_from(in, step))
		mime_feed(&p, str_head(in, step));
	top = mime_finish(&p);
	assert_non_null(top);
	buf_reset(b);
	show(b, top);
	mime_fini(&p);
	pool_fini(&pool);
}

#define MP "Content-Type: multipart/mixed; boundary=b\n\n"

static void
test_structures(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "empty", "", "text/plain[0,0..0,0,0]" },
		{ "no body", "A: b\n", "text/plain[6,5..5,0,0]" },
		{ "LF", "A: b\n\nx\ny\n", "text/plain[8,6..10,6,2]" },
		{ "CRLF", "A: b\r\n\r\nx\r\ny\r\n", "text/plain[8,8..14,6,2]" },
		{ "no last line end", "\nx", "text/plain[2,1..2,1,0]" },
		{ "two parts",
		  MP "pre\n--b\n\none\n--b\nX: y\n\ntwo\n--b--\nepi",
		  "multipart/mixed[45,43..79,45,9]("
		  "text/plain[2,52..55,3,0]text/plain[8,66..69,3,0])" },
		{ "never closed", MP "--b\n\none",
		  "multipart/mixed[45,43..51,10,2](text/plain[2,48..51,3,0])" },
		{ "empty part", MP "--b\n--b\n\n--b--",
		  "multipart/mixed[45,43..57,17,3](text/plain[0,47..47,0,0]"
		  "text/plain[2,52..52,0,0])" },
		{ "the beginning decides", /* RFC 2046 5.1.1 */
		  MP "--b\n\n--bb\n--b--\n",
		  "multipart/mixed[45,43..59,20,4](text/plain[2,48..48,0,0]"
		  "text/plain[0,53..53,0,0])" },
		{ "the longest name wins",
		  MP "--b\nContent-Type: multipart/mixed; boundary=bb\n\n"
		     "--bb\n\nx\n--bb--\n--b--\n",
		  "multipart/mixed[45,43..112,77,8](multipart/mixed"
		  "[46,91..106,19,4](text/plain[2,97..98,1,0]))" },
		{ "blanks behind a delimiter", MP "--b \t\n\nx\n--b--\n",
		  "multipart/mixed[45,43..58,19,4](text/plain[2,50..51,1,0])" },
		{ "message", "Content-Type: message/rfc822\n\nA: b\n\nx\n",
		  "message/rfc822[32,30..38,11,3](text/plain[8,36..38,3,1])" },
		{ "message/global", /* RFC 6532 3.7 */
		  "Content-Type: message/global\n"
		  "Content-Transfer-Encoding: 8bit\n\nA: b\n\nx\n",
		  "message/global[65,62..70,11,3](text/plain[8,68..70,3,1])" },
		{ "the line end behind message/global is the delimiter's",
		  MP "--b\nContent-Type: message/global\n\nA: b\n--b--\n",
		  "multipart/mixed[45,43..88,50,5](message/"
		  "global[32,77..81,4,0]"
		  "(text/plain[4,81..81,0,0]))" },
		{ "also behind another delimiter",
		  MP "--b\nContent-Type: message/global\n\n"
		     "Content-Type: multipart/mixed; boundary=c\n\n--c\n"
		     "--b--\n",
		  "multipart/mixed[45,43..130,94,7](message/"
		  "global[32,77..123,48,2]"
		  "(multipart/mixed[45,120..123,3,0](text/"
		  "plain[0,123..123,0,0])))" },
		{ "there is none",
		  MP "--b\nContent-Type: message/global\n--b--",
		  "multipart/mixed[45,43..81,40,2](message/"
		  "global[30,76..76,0,0]"
		  "(text/plain[0,76..76,0,0]))" },
		{ "message/global, encoded",
		  "Content-Type: message/global\n"
		  "Content-Transfer-Encoding: base64\n\nQUJD\n",
		  "message/global[67,64..69,6,1]" },
		{ "no boundary", "Content-Type: multipart/mixed\n\nx\n",
		  "text/plain[33,31..33,3,1]" }, /* RFC 2045 5.2 */
		{ "message cut off", "Content-Type: message/rfc822\n",
		  "message/rfc822[30,29..29,0,0](text/plain[0,29..29,0,0])" },
		{ "message cut off by a delimiter",
		  MP "--b\nContent-Type: message/rfc822\n\nA: b\n--b--\n",
		  "multipart/mixed[45,43..88,50,5](message/"
		  "rfc822[32,77..82,6,1]"
		  "(text/plain[6,82..82,0,0]))" },
		{ "digest", /* RFC 2046 5.1.5 */
		  "Content-Type: multipart/digest; boundary=b\n\n"
		  "--b\n\nA: b\n\nx\n--b--\n",
		  "multipart/digest[46,44..63,25,6](message/"
		  "rfc822[2,49..56,9,2]"
		  "(text/plain[8,55..56,1,0]))" },
		{ "inner ends with outer",
		  MP "--b\nContent-Type: multipart/mixed; boundary=c\n\n"
		     "--c\n\nx\n--b\n\ny\n--b--\n",
		  "multipart/mixed[45,43..110,77,10](multipart/mixed"
		  "[45,90..96,8,2](text/plain[2,95..96,1,0])"
		  "text/plain[2,102..103,1,0])" },
		{ "odd content type", "Content-Type: text\n\nx\n",
		  "text/plain[22,20..22,3,1]" },
	};
	struct buf b;
	size_t i, step;

	(void)state;
	buf_init(&b, 10000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (step = 1; step < 100; step += 7) {
			parse(&b, str_of(rows[i].in), step);
			if (strcmp(buf_cstr(&b), rows[i].want) != 0)
				print_error("%s, %zu at a time\n", rows[i].name,
					    step);
			assert_string_equal(buf_cstr(&b), rows[i].want);
		}
	}
	buf_fini(&b);
}

static void
test_fields(void **state)
{
	struct str in = STR("Subject: a\r\n b\r\nFrom: x@y\r\n"
			    "Subject: b\r\nFrom: z@y\r\n"
			    "Content-Type: text/html; charset=utf-8\r\n"
			    "Content-Type: image/png\r\n"
			    "Content-Disposition: attachment; filename=x\r\n"
			    "Content-Language: de, en\r\n"
			    "Content-ID: <1@2>\r\n"
			    "Content-Transfer-Encoding: BASE64\r\n\r\nbody");
	struct mime_parser p;
	struct mime_part *top;
	struct pool pool;

	(void)state;
	pool_init(&pool, MIME_POOL_MAX);
	mime_init(&p, &pool);
	mime_feed(&p, in);
	top = mime_finish(&p);
	assert_int_equal(top->head_raw_end, in.n - 4);
	assert_true(str_eq(top->env->subject, STR("b")));
	assert_true(str_eq(top->env->list[MIME_FROM]->value, STR("x@y")));
	assert_true(str_eq(top->env->list[MIME_FROM]->next->value, STR("z@y")));
	assert_null(top->env->list[MIME_TO]);
	assert_true(str_eq(top->disposition, STR("attachment")));
	assert_true(str_eq(top->languages->next->value, STR("en")));
	assert_true(str_eq(top->id, STR("<1@2>")));
	assert_true(str_eq(top->encoding, STR("BASE64")));
	mime_fini(&p);
	pool_fini(&pool);
}

/* Depth and number have limits; beyond them it is content. */
static void
test_limits(void **state)
{
	struct mime_part *top, *part;
	struct mime_parser p;
	struct pool pool;
	unsigned depth = 0, n = 0;
	char line[200];
	int i;

	(void)state;
	pool_init(&pool, MIME_POOL_MAX);
	mime_init(&p, &pool);
	for (i = 0; i < 5000; i++)
		mime_feed(&p, STR("Content-Type: message/rfc822\n\n"));
	top = mime_finish(&p);
	for (part = top; part; part = part->child)
		depth++;
	assert_int_equal(depth, MIME_DEPTH_MAX);
	mime_fini(&p);
	pool_fini(&pool);

	pool_init(&pool, MIME_POOL_MAX);
	mime_init(&p, &pool);
	mime_feed(&p, STR(MP));
	for (i = 0; i < 20000; i++)
		mime_feed(&p, STR("--b\nContent-Type: text/plain\n\nx\n"));
	top = mime_finish(&p);
	for (part = top->child; part; part = part->next)
		n++;
	assert_int_equal(n, MIME_PARTS_MAX - 1);
	mime_fini(&p);
	pool_fini(&pool);

	/* Many parameters, and more than the pool holds. */
	pool_init(&pool, 30000);
	mime_init(&p, &pool);
	mime_feed(&p, STR(MP));
	for (i = 0; i < 900; i++) {
		snprintf(line, sizeof(line),
			 "--b\nContent-Type: text/plain; name%d=%d; a=%0100d\n",
			 i, i, i);
		mime_feed(&p, str_of(line));
	}
	assert_non_null(mime_finish(&p));
	mime_fini(&p);
	pool_fini(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structures),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
