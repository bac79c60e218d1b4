/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "autoexpunge.h"
#include "base/clock.h"
#include "base/fsx.h"

static void
test_rules(void **state)
{
	static const struct {
		const char *folder; /* NULL: not a rule */
		uint64_t days;
	} want[] = {
		{ "Trash", 30 }, { "Junk", 7 },	      { "A=B", 1 },
		{ NULL, 0 },	 { NULL, 0 },	      { NULL, 0 },
		{ NULL, 0 },	 { "Two words", 14 },
	};
	struct str rest = STR(" Trash = 30d,Junk=1w, A=B=86400, Trash, =5d, "
			      "Trash=1h, Trash=x,Two words=2w");
	struct autoexpunge_rule r;
	size_t i = 0;

	(void)state;
	for (; autoexpunge_next(&rest, &r); i++) {
		assert_true(i < sizeof(want) / sizeof(want[0]));
		if (!want[i].folder) {
			assert_null(r.folder.p);
			continue;
		}
		assert_true(str_eq(r.folder, str_of(want[i].folder)));
		assert_int_equal(r.seconds, want[i].days * 86400);
	}
	assert_int_equal(i, sizeof(want) / sizeof(want[0]));
}

/* --- over files of today, at later times ---------------------------------- */

enum { DAY = 86400, MANY = 450 };

struct rig {
	char dir[40];
	int root;
	struct loop loop;
	struct store *store;
	struct autoexpunge *a;
};

static void
make(struct rig *r, const char *folder, const char *name)
{
	char path[200];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/cur/%s:2,", folder, name);
	fd = openat(r->root, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "A: b\n\n", 6), 6);
	close(fd);
}

/* Files. */
static size_t
count(struct rig *r, const char *folder)
{
	unsigned char type;
	struct fsx_dir *d;
	char path[100];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%s/cur", folder);
	d = fsx_opendir(r->root, path);
	assert_non_null(d);
	while (fsx_readdir(d, &type))
		n++;
	fsx_closedir(d);
	return n;
}

static void
run(struct rig *r)
{
	autoexpunge_want(r->a);
	while (autoexpunge_is_busy(r->a))
		loop_turn(&r->loop, true);
}

static void
rig_open(struct rig *r, const char *rules)
{
	char command[400], name[32];
	struct err err;
	int i;

	*r = (struct rig){ .dir = "/tmp/autoexpunge_test.XXXXXX" };
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(command, sizeof(command),
		       "mkdir -p %s/new %s/cur %s/tmp %s/.Trash/new "
		       "%s/.Trash/cur %s/.Trash/tmp",
		       r->dir, r->dir, r->dir, r->dir, r->dir, r->dir);
	assert_int_equal(system(command), 0);
	r->root = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "%d.x", i + 1000);
		make(r, ".Trash", name);
	}
	make(r, ".", "1.y");
	assert_int_equal(loop_init(&r->loop, &err), 0);
	r->store = store_open(r->root, ".", "test", &err);
	assert_non_null(r->store);
	r->a = autoexpunge_new(&r->loop, r->store, r->root, "al",
			       str_of(rules));
}

static void
rig_close(struct rig *r)
{
	char command[80];

	clock_fix_wall_us(0);
	autoexpunge_free(r->a);
	store_close(r->store);
	loop_fini(&r->loop);
	close(r->root);
	(void)snprintf(command, sizeof(command), "rm -r %s", r->dir);
	assert_int_equal(system(command), 0);
}

static void
test_old_ones_go(void **state)
{
	uint64_t now = clock_wall_us();
	struct rig r;

	(void)state;
	rig_open(&r, "Nowhere=1d,Trash=2d,INBOX=9d");
	run(&r);
	assert_int_equal(count(&r, ".Trash"), MANY);
	/* Not yet again, and not too soon. */
	clock_fix_wall_us(now + (DAY - 60) * 1000000ull);
	autoexpunge_want(r.a);
	assert_false(autoexpunge_is_busy(r.a));
	clock_fix_wall_us(now + (DAY + 60) * 1000000ull);
	run(&r);
	assert_int_equal(count(&r, ".Trash"), MANY);
	clock_fix_wall_us(now + (2 * DAY + 120) * 1000000ull);
	run(&r);
	assert_int_equal(count(&r, ".Trash"), 0);
	assert_int_equal(count(&r, "."), 1);
	/* The file remembers it for the next process. */
	autoexpunge_free(r.a);
	r.a = autoexpunge_new(&r.loop, r.store, r.root, "al", STR("INBOX=1d"));
	autoexpunge_want(r.a);
	assert_false(autoexpunge_is_busy(r.a));
	clock_fix_wall_us(now + (4 * DAY) * 1000000ull);
	run(&r);
	assert_int_equal(count(&r, "."), 0);
	rig_close(&r);
}

static void
test_nothing_to_do(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, "nonsense");
	assert_null(r.a);
	autoexpunge_want(r.a);
	assert_false(autoexpunge_is_busy(r.a));
	rig_close(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_old_ones_go),
		cmocka_unit_test(test_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
