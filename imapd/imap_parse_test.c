/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "match.h"
#include "session.h"

static struct imap_in
input(const char *text, struct pool *pool)
{
	return (struct imap_in){ .p = text,
				 .end = text + strlen(text),
				 .pool = pool };
}

/* RFC 3501 9: sequence-set; resolved against 10 messages */
static void
test_sets(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "1", "1" },	       { "*", "10" },
		{ "3:1", "1:3" },      { "*:8", "8:10" },
		{ "12:*", "10:12" },   { "5,1:2,3,2:4", "1:4,5" },
		{ "1,1,1", "1" },      { "1:*,4", "1:10" },
		{ "0", "-" },	       { "1:", "-" },
		{ ",1", "-" },	       { "a", "-" },
		{ "4294967296", "-" }, { "1:2:3", "1:2" },
	};
	struct imap_set set;
	struct imap_in in;
	struct pool pool;
	struct buf b;
	size_t i, k;

	(void)state;
	buf_init(&b, 1000);
	pool_init(&pool, 100000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = input(rows[i].in, &pool);
		buf_reset(&b);
		if (!imap_set(&in, &set)) {
			buf_add_c(&b, "-");
			set.n = 0;
		}
		imap_set_resolve(&set, 10);
		for (k = 0; k < set.n; k++) {
			buf_addf(&b, k ? ",%u" : "%u", set.v[k].lo);
			if (set.v[k].hi != set.v[k].lo)
				buf_addf(&b, ":%u", set.v[k].hi);
			assert_true(imap_set_has(&set, set.v[k].hi));
		}
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
	in = input("*,1:*", &pool); /* an empty mailbox */
	assert_true(imap_set(&in, &set));
	imap_set_resolve(&set, 0);
	assert_int_equal(set.n, 0);
	pool_fini(&pool);
	buf_fini(&b);
}

static void
test_flags(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "()", "0" },
		{ "(\\Seen)", "8" },
		{ "(\\SEEN \\deleted)", "12" },
		{ "\\Seen \\Flagged", "10" },
		{ "($Forwarded \\Answered NonJunk)", "1 $Forwarded NonJunk" },
		{ "(work Work WORK)", "0 work" }, /* once, as first named */
		{ "(\\Unknown)", "0" },
		{ "(\\Recent)", NULL },
		{ "(\\*)", NULL },
		{ "(a]b)", NULL },
		{ "(\\Seen  \\Seen)", NULL },
		{ "(\\Seen", NULL },
		{ "(\"a\")", NULL },
		{ "(*)", NULL },
	};
	struct imap_flags flags;
	struct imap_in in;
	struct pool pool;
	struct buf b;
	size_t i, k;
	bool ok;

	(void)state;
	buf_init(&b, 1000);
	pool_init(&pool, 1000000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = input(rows[i].in, &pool);
		ok = imap_flag_list(&in, true, &flags);
		assert_int_equal(ok && imap_at_end(&in), rows[i].want != NULL);
		if (!rows[i].want)
			continue;
		buf_reset(&b);
		buf_addf(&b, "%u", flags.flags);
		for (k = 0; k < flags.nkeywords; k++)
			buf_addf(&b, " %.*s", STR_FMT(flags.keywords[k]));
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
	buf_reset(&b);
	for (i = 0; i < IMAP_KEYWORD_MAX; i++)
		buf_add_byte(&b, 'k');
	in = input(buf_cstr(&b), &pool);
	assert_true(imap_flag_list(&in, true, &flags));
	buf_add_byte(&b, 'k');
	in = input(buf_cstr(&b), &pool);
	assert_false(imap_flag_list(&in, true, &flags));
	pool_fini(&pool);
	buf_fini(&b);
}

/* RFC 7162 7: 63 bits. */
static void
test_modseq(void **state)
{
	static const struct {
		const char *in;
		bool zero, ok;
		uint64_t want;
	} rows[] = {
		{ "1", false, true, 1 },
		{ "9223372036854775807", false, true, INT64_MAX },
		{ "9223372036854775808", false, false, 0 },
		{ "0", true, true, 0 },
		{ "0", false, false, 0 },
		{ "", true, false, 0 },
		{ "-1", true, false, 0 },
	};
	struct imap_in in;
	struct pool pool;
	uint64_t got;
	size_t i;

	(void)state;
	pool_init(&pool, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = input(rows[i].in, &pool);
		assert_int_equal(imap_modseq(&in, rows[i].zero, &got),
				 rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(got, rows[i].want);
	}
	pool_fini(&pool);
}

static void
test_strings(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "atom", "atom" },
		{ "a]b", "a]b" },
		{ "\"a \\\"b\\\\\"", "a \"b\\" },
		{ "\"\"", "" },
		{ "{3}\r\na\"b", "a\"b" },
		{ "{3+}\r\nabc", "abc" },
		{ "{0}\r\n", "" },
		{ "{4}\r\nabc", NULL },
		{ "\"open", NULL },
		{ "\"a\rb\"", NULL },
		{ "(", NULL },
		{ "", NULL },
		{ "{x}\r\na", NULL },
		{ "\\Seen", NULL },
		{ "a%", "a" },
		{ "\"a\\", NULL },
		{ "\"\303\244\\\"\"", "\303\244\"" },
		{ "\"\303\"", NULL },
		{ "\"\300\257\"", NULL },
		{ "{1}\r\n\303", "\303" },
	};
	struct imap_in in;
	struct pool pool;
	struct str s;
	size_t i;

	(void)state;
	pool_init(&pool, 10000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = input(rows[i].in, &pool);
		if (!rows[i].want) {
			assert_false(imap_astring(&in, &s));
			assert_non_null(in.error);
			continue;
		}
		assert_true(imap_astring(&in, &s));
		assert_true(str_eq(s, str_of(rows[i].want)));
	}
	pool_fini(&pool);
}

static void
test_dates(void **state)
{
	struct pool pool;
	struct imap_in in;
	int64_t t;

	(void)state;
	pool_init(&pool, 1000);
	in = input("\"17-Jul-1996 02:44:25 -0700\"", &pool);
	assert_true(imap_date_time(&in, &t));
	assert_int_equal(t, 837596665);
	in = input("\" 1-Jan-1970 01:00:00 +0100\"", &pool);
	assert_true(imap_date_time(&in, &t));
	assert_int_equal(t, 0);
	in = input("\"29-Feb-1900 00:00:00 +0000\"", &pool);
	assert_false(imap_date_time(&in, &t));
	in = input("\"1-Jan-1970 01:00:00 +0100\"", &pool);
	assert_false(imap_date_time(&in, &t));
	in = input("1-Feb-1994", &pool);
	assert_true(imap_date(&in, &t));
	assert_int_equal(t, 8797);
	in = input("\"1-Feb-1994", &pool);
	assert_false(imap_date(&in, &t));
	pool_fini(&pool);
}

/* RFC 3501 6.3.8 */
static void
test_patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} rows[] = {
		{ "*", "a.b.c", true },		{ "%", "a", true },
		{ "%", "a.b", false },		{ "%.%", "a.b", true },
		{ "a*c", "a.b.c", true },	{ "a%c", "a.b.c", false },
		{ "inbox", "INBOX", true },	{ "iNb%", "INBOX", true },
		{ "Abc", "abc", false },	{ "", "a", false },
		{ "**%*", "x", true },		{ "*b", "abab", true },
		{ "a.*", "a", false },		{ "%b%", "abc", true },
		{ "inbox.A", "INBOX.A", true }, { "inbox.a", "INBOX.A", false },
		{ "Inb%.%", "INBOX.A", true },	{ "inboxes", "INBOXES", false },
	};
	struct imap_pattern p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(imap_pattern_init(&p, str_of(rows[i].pattern)));
		if (imap_match(&p, str_of(rows[i].name)) != rows[i].want)
			fail_msg("%s and %s", rows[i].pattern, rows[i].name);
	}
}

/* What the collector says of a stream, whatever the portions: a letter each,
 * with the command behind "C". */
static void
collect(struct buf *out, struct str in, size_t step)
{
	static const char letters[] = ".+CATLBH";
	struct imap_collector c;
	enum imap_collected r;
	size_t used;

	imap_collect_init(&c);
	buf_reset(out);
	while (in.n) {
		r = imap_collect(&c, str_head(in, step), &used);
		in = str_from(in, used);
		if (r == COLLECT_MORE)
			continue;
		buf_add_byte(out, letters[r]);
		if (r == COLLECT_COMMAND)
			buf_addf(out, "[%.*s]", STR_FMT(buf_str(&c.text)));
		if (r == COLLECT_APPEND) {
			buf_addf(out, "%llu%s", (unsigned long long)c.literal,
				 c.literal8 ? "~" : "");
			in = str_from(in, (size_t)c.literal);
			imap_collect_resume(&c);
			continue;
		}
		if (r != COLLECT_CONTINUE)
			imap_collect_reset(&c);
	}
	imap_collect_fini(&c);
}

static void
test_collector(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "a NOOP\r\nb\r\n", "C[a NOOP]C[b]" },
		{ "a X {3}\r\nabc d\r\n", "+C[a X {3}\r\nabc d]" },
		{ "a X {3+}\r\na\r\n {0+}\r\n\r\n",
		  "C[a X {3+}\r\na\r\n {0+}\r\n]" },
		{ "a APPEND x {5+}\r\nhello\r\nb\r\n", "A5C[a APPEND x ]C[b]" },
		{ "a APPEND {1}\r\nx {5}\r\nhello\r\n",
		  "+A5C[a APPEND {1}\r\nx ]" },
		{ "a APPEND x ~{5+}\r\nhe\r\no (b) {1}\r\nx\r\n",
		  "A5~A1C[a APPEND x  (b) ]" },
		{ "a APPEND x UTF8 (~{1+}\r\nx)\r\n",
		  "A1~C[a APPEND x UTF8 ()]" },
		/* what is not wanted is not taken for commands */
		{ "a X {2+}\nb\r\nc\r\n", "B"
					  "C[c]" },
		{ "a X {99999}\r\nb\r\n", "LC[b]" },
		{ "a NOOP\nb\r\n", "BC[b]" },
		{ "a X {99999999999}\r\nb\r\n", "LC[b]" },
		{ "a X \"{3\"\r\n", "C[a X \"{3\"]" },
		{ "a X {}\r\n", "C[a X {}]" },
		{ "a X {-1}\r\n", "C[a X {-1}]" },
	};
	struct buf b;
	size_t i, step;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (step = 1; step < 50; step++) {
			collect(&b, str_of(rows[i].in), step);
			assert_string_equal(buf_cstr(&b), rows[i].want);
		}
	buf_fini(&b);
}

/* Security rule 6: one table; what needs a mailbox says so. */
static void
test_commands(void **state)
{
	const struct imap_command *c;

	(void)state;
	for (c = imap_commands; c->name; c++) {
		assert_ptr_equal(imap_command_find(str_of(c->name)), c);
		if (c->flags & (CMD_NEEDS_RW | CMD_UID | CMD_NO_EXPUNGE))
			assert_true(c->flags & CMD_NEEDS_BOX);
	}
	assert_null(imap_command_find(STR("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_modseq),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_collector),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
