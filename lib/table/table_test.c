/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/clock.h"
#include "table/db.h"
#include "table/table.h"

static char dir[] = "/tmp/table_test.XXXXXX";
static unsigned warnings;

static void
count_warning(void *arg, unsigned line, const char *text)
{
	(void)arg;
	(void)line;
	(void)text;
	warnings++;
}

static const char *
write_file(const char *name, const char *text)
{
	static char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* '+': found with this value; '-': not found; 'T': TEMP. */
static void
ask(struct table_set *set, const char *spec, const char *key, char how,
    const char *want)
{
	struct str value = STR_NULL;
	struct table *t;
	struct err err;
	int rc;

	if (table_set_get(set, str_of(spec), &t, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	rc = table_get(t, str_of(key), &value, &err);
	if (rc != (how == '+'	? 1
		   : how == '-' ? 0
				: -1) ||
	    (how == '+' && !str_eq(value, str_of(want))))
		fail_msg("%s %s: rc %d, value \"%.*s\"", spec, key, rc,
			 STR_FMT(value));
	if (how == 'T')
		assert_int_equal(err.class, ERR_TEMP);
}

static void
test_in_memory(void **state)
{
	static const struct {
		const char *spec, *key;
		char how;
		const char *want;
	} rows[] = {
		{ "static:x", "any", '+', "x" },
		{ "static:x", "", '+', "x" },
		{ "static:{ two words }", "any", '+', "two words" },
		{ "inline:{a=b}", "a", '+', "b" },
		{ "inline:{a=b}", "A", '+', "b" },
		{ "inline:{a=b, {c = d e, f}}", "c", '+', "d e, f" },
		{ "inline:{ a=b c=d }", "c", '+', "d" },
		{ "inline:{a=b=c}", "a", '+', "b=c" },
		{ "inline:{A=b}", "a", '+', "b" },
		{ "inline:{a=b}", "b", '-', NULL },
		{ "proxy:static:x", "k", '+', "x" },
		{ "unix:passwd.byname", "alice", 'T', NULL },
	};
	struct table_set *set = table_set_new();
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ask(set, rows[i].spec, rows[i].key, rows[i].how, rows[i].want);
	assert_int_equal(table_set_passwd(set,
					  STR("alice:x:1000:1000::/h:/bin/sh\n"
					      "#no:x:1:1::/:\n\n:x:1\n"
					      "bob:x:1001:1001::/b:/bin/sh"),
					  &err),
			 0);
	ask(set, "unix:passwd.byname", "Alice", '+',
	    "alice:x:1000:1000::/h:/bin/sh");
	ask(set, "unix:passwd.byname", "bob", '+',
	    "bob:x:1001:1001::/b:/bin/sh");
	ask(set, "unix:passwd.byname", "carol", '-', NULL);
	ask(set, "unix:passwd.byname", "#no", '-', NULL);
	table_set_free(set);
}

static void
test_bad_specs(void **state)
{
	static const char *const specs[] = {
		"nonsense",
		"regexp:/etc/x",
		":x",
		"hash:",
		"hash:relative",
		"inline:a=b",
		"inline:{a}",
		"inline:{}",
		"inline:{{a=b}",
		"inline:{{a=b}{c=d}}",
		"inline:{a=b}c",
		"static:{x",
		"unix:group.byname",
		"proxy:hash",
		"proxy:",
	};
	struct table_set *set = table_set_new();
	struct table *t;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		if (table_set_get(set, str_of(specs[i]), &t, &err) == 0)
			fail_msg("%s was taken", specs[i]);
		assert_int_equal(err.class, ERR_PERM);
	}
	table_set_free(set);
}

static const char source[] = "# comment\n"
			     "Alice@Example.com  mail/alice/\n"
			     "bob@example.com\n"
			     "   mail/bob/,\n"
			     "# in between\n"
			     "\n"
			     "\tmore\n"
			     "novalue\n"
			     "alice@example.com second\n"
			     "\"a b\"@example.com quoted\n";

static void
check_source(const char *spec)
{
	struct table_set *set = table_set_new();

	ask(set, spec, "alice@example.com", '+', "mail/alice/");
	ask(set, spec, "ALICE@EXAMPLE.COM", '+', "mail/alice/");
	ask(set, spec, "bob@example.com", '+', "mail/bob/,\tmore");
	ask(set, spec, "\"a b\"@example.com", '+', "quoted");
	ask(set, spec, "novalue", '-', NULL);
	ask(set, spec, "", '-', NULL);
	ask(set, spec, "alice@example.co", '-', NULL);
	table_set_free(set);
}

static void
test_files(void **state)
{
	const char *path = write_file("map", source);
	char spec[300];
	struct stat st;
	struct err err;

	(void)state;
	assert_int_equal(chmod(path, 0640), 0);
	snprintf(spec, sizeof(spec), "texthash:%s", path);
	check_source(spec);
	warnings = 0;
	if (table_db_build(TABLE_HASH, path, TEXT_POSTMAP, count_warning, NULL,
			   &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(warnings, 2); /* no value; twice */
	snprintf(spec, sizeof(spec), "hash:%s", path);
	check_source(spec);
	snprintf(spec, sizeof(spec), "%s.db", path);
	assert_int_equal(stat(spec, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	snprintf(spec, sizeof(spec), "%s.db.new", path);
	assert_int_equal(stat(spec, &st), -1);
	/* The wrong type of file is trouble, not an empty table. */
	snprintf(spec, sizeof(spec), "btree:%s", path);
	{
		struct table_set *set = table_set_new();

		ask(set, spec, "alice@example.com", 'T', NULL);
		table_set_free(set);
	}
	if (table_db_build(TABLE_BTREE, path, TEXT_POSTMAP, count_warning, NULL,
			   &err) < 0)
		fail_msg("%s", err.text);
	check_source(spec);
}

static void
test_relative_build(void **state)
{
	struct err err;

	(void)state;
	write_file("rel", "k v\n");
	assert_int_equal(chdir(dir), 0);
	if (table_db_build(TABLE_HASH, "rel", TEXT_POSTMAP, count_warning, NULL,
			   &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(access("rel.db", R_OK), 0);
	assert_int_equal(mkdir("sub", 0700), 0);
	write_file("sub/rel", "k v\n");
	if (table_db_build(TABLE_BTREE, "sub/rel", TEXT_POSTMAP, count_warning,
			   NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(access("sub/rel.db", R_OK), 0);
	assert_int_equal(
		unlink("sub/rel") | unlink("sub/rel.db") | rmdir("sub"), 0);
	assert_int_equal(table_db_build(TABLE_HASH, "missing", TEXT_POSTMAP,
					count_warning, NULL, &err),
			 -1);
	assert_int_equal(chdir("/"), 0);
}

static void
test_reopen(void **state)
{
	struct table_set *set = table_set_new();
	const char *path = write_file("turn", "a old\n");
	char spec[300], db[300];
	uint64_t looked;
	struct err err;

	(void)state;
	snprintf(spec, sizeof(spec), "hash:%s", path);
	snprintf(db, sizeof(db), "%s.db", path);
	/* Missing is TEMP, not unknown. */
	looked = clock_mono_ms();
	ask(set, spec, "a", 'T', NULL);
	assert_int_equal(table_db_build(TABLE_HASH, path, TEXT_POSTMAP,
					count_warning, NULL, &err),
			 0);
	/* One look a second, if building it has not taken so long. */
	if (clock_mono_ms() - looked < 500)
		ask(set, spec, "a", 'T', NULL);
	usleep(1050000);
	looked = clock_mono_ms();
	ask(set, spec, "a", '+', "old");
	write_file("turn", "a new\nb x\n");
	assert_int_equal(table_db_build(TABLE_HASH, path, TEXT_POSTMAP,
					count_warning, NULL, &err),
			 0);
	if (clock_mono_ms() - looked < 500)
		ask(set, spec, "a", '+', "old");
	usleep(1050000);
	ask(set, spec, "a", '+', "new");
	ask(set, spec, "b", '+', "x");
	assert_int_equal(unlink(db), 0);
	usleep(1050000);
	ask(set, spec, "a", 'T', NULL);
	write_file("turn.db", "this is no database at all");
	usleep(1050000);
	ask(set, spec, "a", 'T', NULL);
	table_set_free(set);
}

static void
test_lists(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ " , ", "" },
		{ "a,b c\td", "a|b|c|d|" },
		{ "hash:/a, inline:{a=b, {c = d}} x",
		  "hash:/a|inline:{a=b, {c = d}}|x|" },
		{ "static:{a b", "static:{a b|" },
		{ "a}b c", "a}b|c|" },
	};
	struct table_set *set = table_set_new();
	struct str value;
	struct table_list l;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str rest = str_of(rows[i].in), item;
		struct buf b;

		buf_init(&b, 1000);
		while (table_spec_next(&rest, &item))
			assert_int_equal(buf_addf(&b, "%.*s|", STR_FMT(item)),
					 0);
		assert_string_equal(buf_cstr(&b), rows[i].want);
		buf_fini(&b);
	}
	assert_int_equal(table_list_open(&l, set,
					 STR("inline:{a=1}, inline:{a=2 b=3}"),
					 &err),
			 0);
	assert_int_equal(table_list_get(&l, STR("a"), &value, &err), 1);
	assert_true(str_eq(value, STR("1")));
	assert_int_equal(table_list_get(&l, STR("b"), &value, &err), 1);
	assert_int_equal(table_list_get(&l, STR("c"), &value, &err), 0);
	table_list_close(&l);
	/* What an earlier table knows is no question for a broken one. */
	assert_int_equal(table_list_open(&l, set,
					 STR("inline:{a=1} hash:/nowhere/x"),
					 &err),
			 0);
	assert_int_equal(table_list_get(&l, STR("a"), &value, &err), 1);
	assert_int_equal(table_list_get(&l, STR("b"), &value, &err), -1);
	table_list_close(&l);
	assert_int_equal(table_list_open(&l, set, STR("static:a nope:b"), &err),
			 -1);
	table_set_free(set);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "map",    "map.db", "rel",
					     "rel.db", "turn",	 "turn.db" };
	char path[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_memory),
		cmocka_unit_test(test_bad_specs),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_relative_build),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
