/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#include "table/addresses.h"
#include "table/cidr.h"
#include "table/text.h"

static void
walk(const char *name, struct str in, enum text_form form, const char *want)
{
	struct text_walk w;
	struct text_row row;
	struct err err;
	struct buf got;
	int rc;

	buf_init(&got, 4096);
	text_init(&w, in);
	while ((rc = text_row(&w, form, &row, &err)) != 0) {
		if (rc < 0)
			assert_int_equal(buf_addf(&got, "!%u;", row.line), 0);
		else
			assert_int_equal(buf_addf(&got, "%u[%.*s][%.*s];",
						  row.line, STR_FMT(row.key),
						  STR_FMT(row.value)),
					 0);
	}
	text_fini(&w);
	if (strcmp(buf_cstr(&got), want) != 0)
		fail_msg("%s: got %s, want %s", name, buf_cstr(&got), want);
	buf_fini(&got);
}

static void
test_postmap(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "empty", "", "" },
		{ "one", "a b\n", "1[a][b];" },
		{ "no newline", "a b", "1[a][b];" },
		{ "folded", "A B\n", "1[a][B];" },
		{ "CRLF", "a b\r\nc d\r\n", "1[a][b];2[c][d];" },
		{ "blanks", "a \t b  c \t\n", "1[a][b  c];" },
		{ "comment", "# x\n  # y\n\na b\n", "4[a][b];" },
		{ "continued", "a b\n c\n", "2[a][b c];" },
		{ "comment inside", "a b\n# x\n c\n", "3[a][b c];" },
		{ "comment after", "a b\n# x\nc d\n", "2[a][b];3[c][d];" },
		{ "hash is text", "a #b\n", "1[a][#b];" },
		{ "value on the next line", "a\n b\n", "2[a][b];" },
		{ "no value", "a\nb c\n", "!1;2[b][c];" },
		{ "continues nothing", " a b\nc d\n", "!1;2[c][d];" },
		{ "quoted key", "\"A b\"@x c\n", "1[\"a b\"@x][c];" },
		{ "escaped quote", "\"a\\\" b\"@x c\n",
		  "1[\"a\\\" b\"@x][c];" },
		{ "open quote", "\"a b\nc d\n", "!1;2[c][d];" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		walk(rows[i].name, str_of(rows[i].in), TEXT_POSTMAP,
		     rows[i].want);
	walk("NUL", STR("a b\0c\nd e\n"), TEXT_POSTMAP, "!1;2[d][e];");
}

static void
test_aliases(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "plain", "Root: alice, bob\n", "1[root][alice, bob];" },
		{ "no blank", "root:alice\n", "1[root][alice];" },
		{ "blank before colon", "root : alice\n", "1[root][alice];" },
		{ "continued", "root: alice,\n\tbob\n",
		  "2[root][alice,\tbob];" },
		{ "command", "x: \"|/bin/y -f z:1\"\n",
		  "1[x][\"|/bin/y -f z:1\"];" },
		{ "include", "l: :include:/l\n", "1[l][:include:/l];" },
		{ "quoted", "\"A: b\": c\n", "1[a: b][c];" },
		{ "quoted at", "\"a@b\": c\n", "1[a@b][c];" },
		{ "escaped", "a\\:b: c\n", "1[a:b][c];" },
		{ "no colon", "root alice\n", "!1;" },
		{ "no value", "root:\n", "!1;" },
		{ "no name", ": alice\n", "!1;" },
		{ "not local", "a@b: c\n", "!1;" },
		{ "two names", "a, b: c\n", "!1;" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		walk(rows[i].name, str_of(rows[i].in), TEXT_ALIASES,
		     rows[i].want);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ " ,, ", "" },
		{ "a@b", "A:a@b;" },
		{ "a@b, c@d", "A:a@b;A:c@d;" },
		{ "a@b c@d", "A:a@b;A:c@d;" },
		{ "user", "A:user;" },
		{ "\\user", "M:user;" },
		{ "@other", "A:@other;" },
		{ "Al B <a@b>, c", "A:a@b;A:c;" },
		{ "\"Al, B\" <a@b>", "A:a@b;" },
		{ "a@b (a, comment), c", "A:a@b;A:c;" },
		{ "(x (y)) a", "A:a;" },
		{ "\"a b\"@c", "A:\"a b\"@c;" },
		{ "\"a,b\"@c,d", "A:\"a,b\"@c;A:d;" },
		{ "\"a b\"", "A:a b;" },
		{ "\"|/bin/x a, b\"", "C:|/bin/x a, b;" },
		{ "|/bin/x", "C:|/bin/x;" },
		{ "|\"/bin/x a\"", "C:|\"/bin/x a\";" },
		{ "/var/mail/x", "F:/var/mail/x;" },
		{ "\"/var/a b\"", "F:/var/a b;" },
		{ ":include:/l", "I::include:/l;" },
		{ ":INCLUDE:/l, a", "I::INCLUDE:/l;A:a;" },
		{ "<>", "B:;" },
		{ "a <", "B:;" },
		{ "\"\"", "B:;" },
		{ "\"open", "A:\"open;" },
		{ "a@[1.2, 3]", "A:a@[1.2, 3];" },
	};
	static const char letter[] = "AMCFIB";
	enum dest_kind kind;
	struct buf item, got;
	struct str rest;
	size_t i;

	(void)state;
	buf_init(&item, 100);
	buf_init(&got, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&got);
		rest = str_of(rows[i].in);
		while (addresses_next(&rest, &item, &kind))
			assert_int_equal(buf_addf(&got, "%c:%.*s;",
						  letter[kind],
						  STR_FMT(buf_str(&item))),
					 0);
		if (strcmp(buf_cstr(&got), rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].in,
				 buf_cstr(&got), rows[i].want);
	}
	buf_fini(&item);
	buf_fini(&got);
}

static unsigned complaints;

static void
complain(void *arg, unsigned line, const char *text)
{
	(void)arg;
	(void)line;
	(void)text;
	complaints++;
}

static void
test_cidr(void **state)
{
	static const struct {
		const char *table, *key, *want;
		unsigned complaints;
	} rows[] = {
		{ "10.0.0.0/8 A", "10.1.2.3", "A", 0 },
		{ "10.0.0.0/8 A", "11.1.2.3", NULL, 0 },
		{ "10.0.0.1 A", "10.0.0.1", "A", 0 },
		{ "10.0.0.1 A\n10.0.0.0/8 B", "10.0.0.1", "A", 0 },
		{ "10.0.0.1 A\n10.0.0.0/8 B", "10.0.0.2", "B", 0 },
		{ "10.0.0.0/8 two words ", "10.0.0.2", "two words", 0 },
		{ "0.0.0.0/0 A", "255.1.1.1", "A", 0 },
		{ "0.0.0.0/0 A", "::1", NULL, 0 },
		{ "2001:db8::/32 A", "2001:db8::1", "A", 0 },
		{ "[2001:db8::/32] A", "2001:db8::1", "A", 0 },
		{ "[2001:db8::]/32 A", "2001:db8::1", "A", 0 },
		{ "[10.0.0.1] A", "10.0.0.1", "A", 0 },
		{ "10.0.0.0/8 A", "::ffff:10.0.0.1", "A", 0 },
		{ "!10.0.0.0/8 A", "11.0.0.1", "A", 0 },
		{ "!10.0.0.0/8 A", "10.0.0.1", NULL, 0 },
		{ "!10.0.0.0/8 A", "::1", NULL, 0 },
		{ "!!10.0.0.0/8 A", "10.0.0.1", "A", 0 },
		{ "if 10.0.0.0/8\n10.1.0.0/16 A\nendif\n0.0.0.0/0 B",
		  "10.1.0.1", "A", 0 },
		{ "if 10.0.0.0/8\n0.0.0.0/0 A\nendif\n0.0.0.0/0 B", "11.1.0.1",
		  "B", 0 },
		{ "IF !10.0.0.0/8\n0.0.0.0/0 A\nENDIF\n0.0.0.0/0 B", "11.1.0.1",
		  "A", 0 },
		{ "if 10.0.0.0/8\nif 10.1.0.0/16\n0.0.0.0/0 A\nendif\n"
		  "0.0.0.0/0 B\nendif\n0.0.0.0/0 C",
		  "10.2.0.1", "B", 0 },
		{ "if 10.0.0.0/8\nif 10.1.0.0/16\n0.0.0.0/0 A\nendif\n"
		  "0.0.0.0/0 B\nendif\n0.0.0.0/0 C",
		  "11.2.0.1", "C", 0 },
		{ "if 10.0.0.0/8\n0.0.0.0/0 A", "11.2.0.1", NULL, 1 },
		{ "if 10.0.0.0/8\nif 10.1.0.0/16\n0.0.0.0/0 A", "10.1.0.1", "A",
		  2 },
		{ "endif\n0.0.0.0/0 A", "10.0.0.1", "A", 1 },
		{ "10.0.0.1/8 A\n0.0.0.0/0 B", "10.0.0.1", "B", 1 },
		{ "10.0.0.0/33 A", "10.0.0.1", NULL, 1 },
		{ "10.0.0.0/8", "10.0.0.1", NULL, 1 },
		{ "[::1 A", "::1", NULL, 1 },
		{ "[::1]x A", "::1", NULL, 1 },
		{ "! A", "10.0.0.1", NULL, 1 },
		{ "if", "10.0.0.1", NULL, 1 },
		{ "# x\n10.0.0.0/8\n   A\n", "10.0.0.1", "A", 0 },
	};
	struct str value;
	struct addr a;
	struct cidr *c;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		complaints = 0;
		c = cidr_parse(str_of(rows[i].table), complain, NULL);
		assert_non_null(c);
		if (complaints != rows[i].complaints)
			fail_msg("%s: %u complaints", rows[i].table,
				 complaints);
		assert_int_equal(addr_parse(str_of(rows[i].key), &a, &err), 0);
		value = STR_NULL;
		if (cidr_find(c, &a, &value) != (rows[i].want != NULL) ||
		    !str_eq(value, str_of(rows[i].want)))
			fail_msg("%s: %s gives %.*s", rows[i].table,
				 rows[i].key, STR_FMT(value));
		cidr_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_postmap),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_cidr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
