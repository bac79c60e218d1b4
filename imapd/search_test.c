/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "search.h"

/* The tree in words, in the order in which it is asked. */
static void
put(struct buf *b, const struct search_key *k)
{
	static const char *const names[] = {
		[SEARCH_ALL] = "all",	    [SEARCH_FLAG] = "flag",
		[SEARCH_KEYWORD] = "key",   [SEARCH_RECENT] = "recent",
		[SEARCH_SEQ] = "seq",	    [SEARCH_UID] = "uid",
		[SEARCH_MODSEQ] = "mod",    [SEARCH_LARGER] = "larger",
		[SEARCH_SMALLER] = "small", [SEARCH_BEFORE] = "before",
		[SEARCH_ON] = "on",	    [SEARCH_SINCE] = "since",
		[SEARCH_OLDER] = "older",   [SEARCH_YOUNGER] = "younger",
		[SEARCH_SENTBEFORE] = "sb", [SEARCH_SENTON] = "so",
		[SEARCH_SENTSINCE] = "ss",  [SEARCH_HEADER] = "header",
		[SEARCH_BODY] = "body",	    [SEARCH_TEXT] = "text",
		[SEARCH_NOT] = "not",	    [SEARCH_OR] = "or",
		[SEARCH_AND] = "and",
	};
	const struct search_key *c;

	buf_addf(b, "%s%s", k->unset ? "!" : "", names[k->kind]);
	if (k->needle.folded.p)
		buf_addf(b, "=%.*s", STR_FMT(k->needle.folded));
	if (!k->a)
		return;
	for (c = k->a; c; c = c->next) {
		buf_add_byte(b, c == k->a ? '(' : ' ');
		put(b, c);
	}
	if (k->b) {
		buf_add_byte(b, ' ');
		put(b, k->b);
	}
	buf_add_byte(b, ')');
}

static void
test_programs(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ " ALL", "and(all)" },
		{ " text a SEEN", "and(flag text=A)" },
		{ " BODY a SUBJECT b LARGER 5 UNSEEN 1:5",
		  "and(!flag seq larger header=B body=A)" },
		{ " HEADER X-Foo a HEADER subject b",
		  "and(header=B header=A)" },
		{ " OR BODY a SEEN", "and(or(flag body=A))" },
		{ " NOT (BODY a) NEW",
		  "and(and(recent !flag) not(and(body=A)))" },
		{ " $ UID 5:*", "and(seq uid)" },
		{ " KEYWORD x UNKEYWORD y", "and(key !key)" },
		{ " CHARSET iso-8859-1 TEXT {1}\r\n\xfc", "and(text=U\u0308)" },
		{ " CHARSET utf-7 TEXT \"+APw-\"", "and(text=U\u0308)" },
		{ " CHARSET UTF-8 TEXT \"\xc3\xbc\"", "and(text=U\u0308)" },
		{ " SINCE 1-Jan-2000 OLDER 5 YOUNGER 7",
		  "and(since older younger)" },
		{ " MODSEQ 5", "and(mod)" },
		{ " LARGER 5000000000 SMALLER 9223372036854775807",
		  "and(larger small)" },
		{ " MODSEQ \"/flags/a\" priv 0", "and(mod)" },
		{ " TEXT \"\xff\"", NULL },
		{ " CHARSET nope ALL", NULL },
		{ " CHARSET UTF-8", NULL },
		{ "", NULL },
		{ " ", NULL },
		{ " ALL ", NULL },
		{ " ()", NULL },
		{ " OR ALL", NULL },
		{ " YOUNGER 0", NULL },
		{ " YOUNGER 4294967296", NULL },
		{ " LARGER 9223372036854775808", NULL },
		{ " MODSEQ \"/flags/a\" all", NULL },
		{ " UID ALL", NULL },
		{ " KEYWORD (a)", NULL },
	};
	struct search sr;
	struct pool pool;
	struct imap_in in;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 10000);
	pool_init(&pool, 1000000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = (struct imap_in){ .p = rows[i].in,
				       .end = rows[i].in + strlen(rows[i].in),
				       .pool = &pool };
		sr = (struct search){ 0 };
		buf_reset(&b);
		if (imap_search_parse(&in, &sr)) {
			assert_non_null(rows[i].want);
			put(&b, sr.top);
			assert_string_equal(buf_cstr(&b), rows[i].want);
		} else if (rows[i].want) {
			fail_msg("%s: %s", rows[i].in, in.error);
		}
		pool_fini(&pool);
	}
	buf_fini(&b);
}

/* RFC 4731 3.1 */
static void
test_return(void **state)
{
	static const struct {
		const char *in;
		unsigned want; /* 0: refused */
		bool extended;
	} rows[] = {
		{ " ALL", RETURN_ALL, false },
		{ " RETURN () ALL", RETURN_ALL, true },
		{ " return (min Max) ALL", RETURN_MIN | RETURN_MAX, true },
		{ " RETURN (COUNT SAVE ALL) ALL",
		  RETURN_COUNT | RETURN_SAVE | RETURN_ALL, true },
		{ " RETURN (ALL ALL) 1", RETURN_ALL, true },
		{ " RETURN", 0, false },
		{ " RETURN (", 0, false },
		{ " RETURN (MIN,MAX) ALL", 0, false },
		{ " RETURN (MINX) ALL", 0, false },
		{ "", 0, false },
	};
	struct search sr;
	struct pool pool;
	struct imap_in in;
	size_t i;

	(void)state;
	pool_init(&pool, 1000000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = (struct imap_in){ .p = rows[i].in,
				       .end = rows[i].in + strlen(rows[i].in),
				       .pool = &pool };
		if (!imap_search_return(&in, &sr)) {
			assert_int_equal(rows[i].want, 0);
			continue;
		}
		assert_int_equal(sr.ret, rows[i].want);
		assert_int_equal(sr.extended, rows[i].extended);
		assert_true(imap_search_parse(&in, &sr));
	}
	pool_fini(&pool);
}

/* As deep as there may be keys, no deeper. */
static void
test_depth(void **state)
{
	static const char *const deep[] = { "NOT ", "OR 1 ", "(" };
	struct search sr;
	struct pool pool;
	struct imap_in in;
	struct buf b;
	size_t i, k;

	(void)state;
	buf_init(&b, 100000);
	pool_init(&pool, 4000000);
	for (i = 0; i < 3; i++) {
		buf_reset(&b);
		buf_add_byte(&b, ' ');
		for (k = 0; k < 100000 / 6; k++)
			buf_add_c(&b, deep[i]);
		in = (struct imap_in){ .p = b.p,
				       .end = b.p + b.n,
				       .pool = &pool };
		sr = (struct search){ 0 };
		assert_false(imap_search_parse(&in, &sr));
		assert_int_equal(sr.keys, IMAP_SEARCH_KEYS_MAX);
		pool_fini(&pool);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_return),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
