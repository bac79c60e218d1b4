/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "mail/imf.h"

static void
test_fields(void **state)
{
	struct str rest = STR("Subject: one\n two\r\nbad line\r\n"
			      "X : y\nFrom:a\n\nBody: no\n");
	struct imf_field f;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_true(imf_next(&rest, &f));
	assert_true(str_eq(f.name, STR("Subject")));
	imf_unfold(&b, f.value);
	assert_string_equal(buf_cstr(&b), "one two");
	assert_true(imf_next(&rest, &f));
	assert_true(str_eq(f.name, STR("X")));
	assert_true(imf_next(&rest, &f));
	assert_true(str_eq(f.whole, STR("From:a\n")));
	assert_false(imf_next(&rest, &f));
	buf_fini(&b);
}

/* name <route:mailbox@host>, groups as [ ], "~" for no name */
static void
show(struct buf *b, struct pool *pool, const char *in)
{
	struct imf_addr *v;
	size_t i, n = imf_addresses(pool, str_of(in), &v);

	buf_reset(b);
	for (i = 0; i < n; i++) {
		if (!v[i].mailbox.p)
			buf_add_c(b, "]");
		else if (!v[i].host.p)
			buf_addf(b, "%.*s[", STR_FMT(v[i].mailbox));
		else
			buf_addf(b, "%.*s<%.*s|%.*s@%.*s>",
				 STR_FMT(v[i].name.p ? v[i].name : STR("~")),
				 STR_FMT(v[i].route), STR_FMT(v[i].mailbox),
				 STR_FMT(v[i].host));
	}
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		/* RFC 5322 A.1 and the odd ones of real mail */
		{ "a@b", "~<|a@b>" },
		{ "John Doe <jdoe@x.test>", "John Doe<|jdoe@x.test>" },
		{ "\"Joe Q. Public\" <a@b.c>", "Joe Q. Public<|a@b.c>" },
		{ "Mary <m@x>, j@y, Who? <one@z>",
		  "Mary<|m@x>~<|j@y>Who?<|one@z>" },
		{ "A Group:Ed <e@x>,joe@y;", "A Group[Ed<|e@x>~<|joe@y>]" },
		{ "Undisclosed recipients:;", "Undisclosed recipients[]" },
		{ "Pete(A nice \\) chap) <pete(his)@silly.test>",
		  "Pete<|pete@silly.test>" },
		{ "jdoe@x.test (John (J) Doe)", "John (J) Doe<|jdoe@x.test>" },
		{ "Joe Q. Public <j@x>", "Joe Q. Public<|j@x>" },
		{ "<@a.x,@b.x:c@d>", "~<@a.x,@b.x|c@d>" },
		{ "a . b @ c . d", "~<|a.b@c.d>" },
		{ "\"a b\"@c", "~<|a b@c>" },
		{ "root", "~<|root@>" },
		{ "a@[127.0.0.1]", "~<|a@[127.0.0.1]>" },
		{ "", "" },
		{ ",,,", "" },
		{ "=?utf-8?q?x?= <a@b>", "=?utf-8?q?x?=<|a@b>" },
		{ "<>", "~<|@>" },
		{ "a@b c@d, e@f", "~<|a@b>~<|e@f>" },
		{ "a b c@d, e@f", "a b c<|@>~<|e@f>" },
		{ "a@b; c@d", "~<|a@b>~<|c@d>" },
		{ "A <a@b, C <c@d", "A<|a@b>C<|c@d>" },
		{ "<@a:b@c>, <@d e>, <f@g@h>", "~<@a|b@c>~<|@d>~<|f@g>" },
		{ "(not a name) a@b (its (name))", "its (name)<|a@b>" },
		{ "A  B . C. <a@b>", "A B . C.<|a@b>" },
		{ "\"A\"\"B\\\"\"C <a@b>", "A B\" C<|a@b>" },
		{ "g: a@b; h: c@d;, e", "g[~<|a@b>]h[~<|c@d>]~<|e@>" },
		{ "g: h: a@b;", "g[~<|h@>]" },
		{ "\"not closed <a@b>", "~<|not closed <a@b>@>" },
		{ "a@[ 127.0.0 .1 ]", "~<|a@[127.0.0.1]>" },
		{ "x: a@b", "x[~<|a@b>]" },
	};
	struct pool pool;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pool_init(&pool, 100000);
		show(&b, &pool, rows[i].in);
		if (strcmp(buf_cstr(&b), rows[i].want) != 0)
			print_error("%s:\n", rows[i].in);
		assert_string_equal(buf_cstr(&b), rows[i].want);
		pool_fini(&pool);
	}
	buf_fini(&b);
}

static void
test_content(void **state)
{
	struct str type, sub;
	struct imf_param *p;
	struct pool pool;

	(void)state;
	pool_init(&pool, 10000);
	assert_true(imf_content(
		&pool,
		STR(" Text/HTML; charset=\"iso-8859-1\" (x); ;\n\tname=a/b;y"),
		&type, &sub, &p));
	assert_true(str_eq(type, STR("Text")));
	assert_true(str_eq(sub, STR("HTML")));
	assert_true(
		str_eq(imf_param_get(p, STR("CHARSET")), STR("iso-8859-1")));
	assert_true(str_eq(imf_param_get(p, STR("name")), STR("a/b")));
	assert_null(imf_param_get(p, STR("y")).p);
	assert_true(imf_content(&pool, STR("attachment;filename=\"a\\\"b\""),
				&type, NULL, &p));
	assert_true(str_eq(imf_param_get(p, STR("filename")), STR("a\"b")));
	assert_false(imf_content(&pool, STR("text"), &type, &sub, &p));
	assert_false(imf_content(&pool, STR("a/b c=d"), &type, &sub, &p));
	assert_false(imf_content(&pool, STR("a/b, c/d"), &type, &sub, &p));
	assert_false(imf_content(&pool, STR("; a=b"), &type, &sub, &p));
	pool_fini(&pool);
}

/* RFC 2231 3, 4.1, 6 */
static void
test_continuations(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "a*0=b; a*1=\" c\"", "a=b c " },
		{ "a*1=c; x=y; A*0=b", "x=y A=bc " },
		{ "a*0*=utf-8''%c3; a*1=\"b c\"; a*2*=%41",
		  "a*=utf-8''%c3b%20c%41 " },
		{ "a*=utf-8'de'b", "a*=utf-8'de'b " },
		{ "a*0=b; a*2=c", "a*0=b a*2=c " },
		{ "a*x=b; a**=c", "a*x=b a**=c " },
		{ "a*0=b; a*0=c", "a*0=b a*0=c " },
		{ "b*0=1; a*0=2; a=3", "a=3 a=2 b=1 " },
		{ "a*99999999999999999999=b", "a*99999999999999999999=b " },
	};
	struct imf_param *p;
	struct pool pool;
	struct str type;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pool_init(&pool, 100000);
		buf_reset(&b);
		buf_addf(&b, "x; %s", rows[i].in);
		assert_true(imf_content(&pool, buf_str(&b), &type, NULL, &p));
		buf_reset(&b);
		for (; p; p = p->next)
			buf_addf(&b, "%.*s=%.*s ", STR_FMT(p->name),
				 STR_FMT(p->value));
		assert_string_equal(buf_cstr(&b), rows[i].want);
		pool_fini(&pool);
	}
	buf_fini(&b);
}

static void
test_dates(void **state)
{
	static const struct {
		const char *in;
		int64_t day, moment;
	} rows[] = {
		{ "Thu, 1 Jan 1970 00:00:00 +0000", 0, 0 },
		{ "1 Jan 70 01:00 +0100", 0, 0 },
		{ "Mon,  7 Feb 1994 21:52:25 -0800 (PST)", 8803, 760686745 },
		{ "Fri, 29 Feb 2000 12:00:00 GMT", 11016, 951825600 },
		{ "5 Mar 2001 10:00:00 EST", 11386, 983804400 },
		{ "nonsense", 0, -1 },
		{ "Mon, 32 Feb 1994 00:00:00 +0000", 0, -1 },
		{ "", 0, -1 },
	};
	int64_t day, moment;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = imf_date(str_of(rows[i].in), &day, &moment);

		if (rows[i].moment < 0) {
			assert_int_equal(rc, -1);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(day, rows[i].day);
		assert_int_equal(moment, rows[i].moment);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_continuations),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
