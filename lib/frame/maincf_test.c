/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frame/maincf.h"

struct seen {
	unsigned line;
	char text[240];
	bool warning;
	unsigned n;
};

static void
on_problem(void *arg, unsigned line, bool warning, const char *text)
{
	struct seen *s = arg;

	if (s->n++)
		return;
	s->line = line;
	s->warning = warning;
	(void)str_copy(s->text, sizeof(s->text), str_of(text));
}

/* "name=value@line;..." */
static void
parse(struct str in, char out[4096], struct seen *seen)
{
	struct maincf lines;
	struct pool pool;
	struct buf b;
	size_t i;

	pool_init(&pool, 1 << 20);
	buf_init(&b, 4000);
	*seen = (struct seen){ 0 };
	maincf_parse(in, &pool, &lines, on_problem, seen);
	for (i = 0; i < lines.n; i++)
		buf_addf(&b, "%.*s=%.*s@%u;", STR_FMT(lines.v[i].name),
			 STR_FMT(lines.v[i].value), lines.v[i].number);
	assert_true(str_copy(out, 4096, buf_str(&b)));
	buf_fini(&b);
	pool_fini(&pool);
}

static void
test_lines(void **state)
{
	static const struct {
		const char *name, *in, *want;
		unsigned line; /* of the problem; want_text NULL: none */
		const char *text;
	} rows[] = {
		{ "empty", "", "", 0, NULL },
		{ "one", "a = b\n", "a=b@1;", 0, NULL },
		{ "no LF at the end", "a = b", "a=b@1;", 0, NULL },
		{ "no blanks", "a=b\n", "a=b@1;", 0, NULL },
		{ "empty value", "a =\n", "a=@1;", 0, NULL },
		{ "equals in the value", "a = b=c\n", "a=b=c@1;", 0, NULL },
		{ "comments", "#x\n\n  # y\na = b\n", "a=b@4;", 0, NULL },
		{ "continuation", "a = b\n  c\n\td\n", "a=b  c\td@1;", 0,
		  NULL },
		{ "comment between", "a = b\n# x\n  # y\n\n c\nd = e\n",
		  "a=b c@1;d=e@6;", 0, NULL },
		{ "starts on the next line", "a =\n b\n", "a=b@1;", 0, NULL },
		{ "last of two is kept by the caller", "a = 1\na = 2\n",
		  "a=1@1;a=2@2;", 0, NULL },
		{ "no equals sign", "a b\nc = d\n", "c=d@2;", 1,
		  "\"a b\": the \"=\" is missing, want NAME = VALUE" },
		{ "no name", " \n= b\n", "", 2,
		  "\"\" is no name: want letters, digits and \"_\" before the "
		  "\"=\"" },
		{ "two words", "a b = c\n", "", 1,
		  "\"a b\" is no name: want letters, digits and \"_\" before "
		  "the \"=\"" },
		{ "continuation of nothing", "\n  a = b\nc = d\n", "c=d@3;", 2,
		  "a continuation (it begins with a blank) of nothing: a name "
		  "stands at the very beginning of its line" },
		{ "CR LF", "a = b\r\nc = d\n", "c=d@2;", 1,
		  "the line ends in CR LF, want LF alone" },
		{ "control", "a = \x01\n", "", 1,
		  "control character 0x01, want plain text" },
		{ "a bad line takes its continuations along",
		  "x = 1\na = \x01\n b\nc = d\n", "x=1@1;c=d@4;", 2,
		  "control character 0x01, want plain text" },
		{ "a remark", "a = b # c\n", "a=b # c@1;", 1,
		  "the \"#\" in the value of a begins no comment: comments "
		  "stand on lines of their own" },
		{ "no remark", "a = b#c\n", "a=b#c@1;", 0, NULL },
		{ "UTF-8", "a = \xc3\xa9\n", "a=\xc3\xa9@1;", 0, NULL },
	};
	struct seen seen;
	char out[4096];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].name);
		parse(str_of(rows[i].in), out, &seen);
		assert_string_equal(out, rows[i].want);
		assert_int_equal(seen.n, rows[i].text != NULL);
		if (!rows[i].text)
			continue;
		assert_string_equal(seen.text, rows[i].text);
		assert_int_equal(seen.line, rows[i].line);
	}
}

static void
test_limits(void **state)
{
	size_t n = MAINCF_MAX + 1;
	char *big = malloc(n), out[4096];
	struct seen seen;

	(void)state;
	memset(big, 'x', n);
	big[1] = '=';
	parse(str_mem(big, n), out, &seen);
	assert_string_equal(seen.text, "more than 262144 bytes");
	assert_int_equal(seen.line, 0);
	parse(str_mem(big, MAINCF_VALUE_MAX + 1), out, &seen);
	assert_string_equal(seen.text, "more than 65536 bytes in one line");
	assert_string_equal(out, "");
	big[2] = '\0';
	parse(str_mem(big, 4), out, &seen);
	assert_string_equal(seen.text,
			    "control character 0x00, want plain text");
	free(big);
}

static void
test_edit(void **state)
{
	static const struct {
		const char *name, *in, *key, *value, *want;
	} rows[] = {
		{ "into nothing", "", "a", "1", "a = 1\n" },
		{ "at the end", "b = 2\n", "a", "1", "b = 2\na = 1\n" },
		{ "behind no LF", "b = 2", "a", "1", "b = 2\na = 1\n" },
		{ "in place", "# x\na = 0\n# y\nb = 2\n", "a", "1",
		  "# x\na = 1\n# y\nb = 2\n" },
		{ "with continuations", "a = 0,\n  3\n  # keep\n  4\nb = 2\n",
		  "a", "1", "a = 1\n  # keep\nb = 2\n" },
		{ "the last of two", "a = 0\nb = 2\na = 3\n", "a", "1",
		  "b = 2\na = 1\n" },
		{ "to empty", "a = 0\n", "a", " ", "a =\n" },
		{ "a longer name stays", "aa = 0\n", "a", "1",
		  "aa = 0\na = 1\n" },
		{ "the malformed stays", "what\na=0\n", "a", "1",
		  "what\na = 1\n" },
		{ "a comment is no setting", "#a = 0\n", "a", "1",
		  "#a = 0\na = 1\n" },
		{ "two lines", "", "a", "1\nb = 2", NULL },
		{ "no name", "", "a b", "1", NULL },
		{ "empty name", "", "", "1", NULL },
	};
	struct err err;
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].name);
		buf_reset(&out);
		if (maincf_edit(str_of(rows[i].in), str_of(rows[i].key),
				str_of(rows[i].value), &out, &err) < 0) {
			assert_null(rows[i].want);
			continue;
		}
		assert_non_null(rows[i].want);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
	buf_fini(&out);
	buf_init(&out, 4);
	assert_int_equal(maincf_edit(STR(""), STR("a"), STR("12"), &out, &err),
			 -1);
	buf_fini(&out);
}

static int
look_up(void *arg, struct str name, struct str *value)
{
	(void)arg;
	if (str_eq(name, STR("host")))
		*value = STR("mail.example.com");
	else if (str_eq(name, STR("empty")))
		*value = STR("");
	else if (str_eq(name, STR("slow-lane")))
		*value = STR("slow");
	else if (str_eq(name, STR("failed")))
		return -1;
	else
		return 0;
	return 1;
}

static void
test_expand(void **state)
{
	static const struct {
		const char *in, *want, *error;
	} rows[] = {
		{ "", "", NULL },
		{ "plain", "plain", NULL },
		{ "$host", "mail.example.com", NULL },
		{ "a $host, b", "a mail.example.com, b", NULL },
		{ "${host}x", "mail.example.comx", NULL },
		{ "$(host)x", "mail.example.comx", NULL },
		{ "$host-x", "mail.example.com-x", NULL },
		{ "${slow-lane}", "slow", NULL },
		{ "$$host", "$host", NULL },
		{ "100$$", "100$", NULL },
		{ "${host?yes}", "yes", NULL },
		{ "${empty?yes}", "", NULL },
		{ "${host:no}", "", NULL },
		{ "${empty:no}", "no", NULL },
		{ "${unknown:no}", "no", NULL },
		{ "${unknown?yes}", "", NULL },
		{ "${host?{yes}:{no}}", "yes", NULL },
		{ "${empty?{yes}:{no}}", "no", NULL },
		{ "${host? { yes } : { no } }", "yes", NULL },
		{ "${empty?{yes}:no}", "no", NULL },
		{ "${host?a:b}", "a:b", NULL },
		{ "${host?{a}}", "a", NULL },
		{ "${empty:{ $host }}", "mail.example.com", NULL },
		{ "${host?{${empty:{in}}}:{out}}", "in", NULL },
		{ "${host?${empty:x}y}", "xy", NULL },
		{ "${empty?{$unknown}:{b}}", "b", NULL },
		{ "$unknown", NULL, "$unknown: no parameter has this name" },
		{ "${unknown}", NULL, "$unknown: no parameter has this name" },
		{ "$failed", NULL, "" },
		{ "${failed?x}", NULL, "" },
		{ "$", NULL,
		  "\"$\": want a name behind the \"$\", or \"$$\" for the "
		  "character itself" },
		{ "a $ b", NULL,
		  "\"$ b\": want a name behind the \"$\", or \"$$\" for the "
		  "character itself" },
		{ "${host", NULL,
		  "\"${host\": the closing bracket is missing" },
		{ "$(host}", NULL,
		  "\"$(host}\": the closing bracket is missing" },
		{ "${}", NULL,
		  "\"\": want ${name}, ${name?text}, ${name:text} or "
		  "${name?{text}:{text}}" },
		{ "${host!x}", NULL,
		  "\"host!x\": want ${name}, ${name?text}, ${name:text} or "
		  "${name?{text}:{text}}" },
		{ "${host?{a} b}", NULL,
		  "\"?{a} b\": want ${name?{text}:{text}} and nothing more" },
		{ "$(host?{a)", NULL, "\"{a\": the \"}\" is missing" },
	};
	struct err err;
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].in);
		buf_reset(&out);
		if (maincf_expand(str_of(rows[i].in), look_up, NULL, &out,
				  &err) < 0) {
			assert_non_null(rows[i].error);
			assert_string_equal(err.text, rows[i].error);
			continue;
		}
		assert_non_null(rows[i].want);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
	buf_fini(&out);
}

static void
test_expand_limits(void **state)
{
	struct err err;
	struct buf in, out;
	int i;

	(void)state;
	buf_init(&in, 10000);
	buf_init(&out, 20);
	for (i = 0; i < MAINCF_DEPTH_MAX; i++)
		buf_add_c(&in, "${host?");
	for (i = 0; i < MAINCF_DEPTH_MAX; i++)
		buf_add_c(&in, "}");
	assert_int_equal(maincf_expand(buf_str(&in), look_up, NULL, &out, &err),
			 -1);
	assert_non_null(strstr(err.text, "too deep"));
	assert_int_equal(
		maincf_expand(STR("$host$host"), look_up, NULL, &out, &err),
		-1);
	assert_string_equal(err.text, "the value gets longer than 20 bytes");
	buf_fini(&in);
	buf_fini(&out);
}

static void
test_references(void **state)
{
	struct str raw = STR("$a ${b?$c:{${d}}} $$e $(f) $ ${ x");
	struct str name;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	while (maincf_reference(&raw, &name))
		buf_addf(&b, "%.*s ", STR_FMT(name));
	assert_string_equal(buf_cstr(&b), "a b c d f ");
	buf_fini(&b);
}

static void
test_map_items(void **state)
{
	struct str list = STR(" hash:/a, texthash:b\tinline:{ {a = b, c},d=e },"
			      "static:{x y} inline:{open , cidr:z");
	struct str item;
	struct buf b;

	(void)state;
	buf_init(&b, 300);
	while (maincf_map_item(&list, &item))
		buf_addf(&b, "[%.*s]", STR_FMT(item));
	assert_string_equal(buf_cstr(&b),
			    "[hash:/a][texthash:b][inline:{ {a = b, c},d=e }]"
			    "[static:{x y}][inline:{open][cidr:z]");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_edit),
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_expand_limits),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_map_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
