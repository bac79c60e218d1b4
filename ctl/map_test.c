/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "ctl.h"

static char dir[] = "/tmp/map_test.XXXXXX";

/* Run "posthouse map ..." in dir; what it printed is in the file out. */
static int
run(const char *line)
{
	char copy[300], *argv[10], *word, *rest = copy;
	struct ctl c = { .confdir = "/nowhere" };
	int argc = 0, saved, rc;

	snprintf(copy, sizeof(copy), "map %s", line);
	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	argv[argc] = NULL;
	assert_int_equal(chdir(dir), 0);
	fflush(stdout);
	saved = dup(1);
	assert_non_null(freopen("out", "w", stdout));
	optind = 0;
	rc = cmd_map(&c, argc, argv);
	fflush(stdout);
	assert_true(dup2(saved, 1) >= 0);
	close(saved);
	return rc;
}

static void
check(const char *line, int want, const char *printed)
{
	char got[1000];
	size_t n;
	FILE *f;
	int rc = run(line);

	f = fopen("out", "r");
	assert_non_null(f);
	n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	fclose(f);
	if (rc != want || strcmp(got, printed) != 0)
		fail_msg("map %s: %d \"%s\"", line, rc, got);
}

static void
write_file(const char *name, const char *text)
{
	FILE *f;

	assert_int_equal(chdir(dir), 0);
	f = fopen(name, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
test_map(void **state)
{
	(void)state;
	write_file("virtual", "Info@a.test bob\nbad\n@b.test  x@c.test\n");
	write_file("aliases", "root: bob, alice\n\"a b\": c\n");
	check("virtual", 0, "");
	check("-q info@A.test virtual", 0, "bob\n");
	check("-q info@a.test hash:virtual", 0, "bob\n");
	check("-q nobody@a.test hash:virtual", 1, "");
	check("-q bad hash:virtual", 1, "");
	check("-q info@a.test texthash:virtual", 0, "bob\n");
	check("-q 2 inline:{1=a} inline:{2=b}", 0, "b\n");
	check("btree:virtual", 0, "");
	check("-s btree:virtual", 0, "@b.test\tx@c.test\ninfo@a.test\tbob\n");
	check("-q info@a.test btree:virtual", 0, "bob\n");
	check("-q info@a.test hash:virtual", EX_TEMPFAIL, "");
	check("-a aliases", 0, "");
	check("-q ROOT aliases", 0, "bob, alice\n");
	check("aliases virtual", 0, "");
	check("-q root: hash:aliases", 0, "bob, alice\n");
	check("-q x hash:missing", EX_UNAVAILABLE, "");
	check("missing", EX_UNAVAILABLE, "");
	check("-q x nosuch:table", EX_USAGE, "");
	check("texthash:virtual", EX_USAGE, "");
	check("", EX_UNAVAILABLE, "");
	assert_int_equal(run("-z x"), EX_USAGE);
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
	static const char *const names[] = { "virtual", "virtual.db", "aliases",
					     "aliases.db", "out" };
	size_t i;

	(void)state;
	if (chdir(dir) < 0)
		return -1;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	return chdir("/") | rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_map) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
