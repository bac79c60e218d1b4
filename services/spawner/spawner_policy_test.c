/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy.h"

static void
ids_stay_within_bounds(void **state)
{
	static const struct id_bounds b = { 1000, 59999, 1000, 59999 };
	static const struct {
		uint32_t uid, gid;
		const char *why; /* NULL: good */
	} rows[] = {
		{ 1000, 1000, NULL },
		{ 59999, 59999, NULL },
		{ 0, 1000, "uid 0 of al" },
		{ 999, 1000, "uid 999" },
		{ 60000, 1000, "uid 60000" },
		{ UINT32_MAX, 1000, "uid 4294967295" },
		{ 1000, 0, "gid 0 of al" },
		{ 1000, 999, "first_valid_gid (1000)" },
		{ 1000, UINT32_MAX, "last_valid_gid (59999)" },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = policy_ids(&b, rows[i].uid, rows[i].gid, "al", &err);

		assert_int_equal(rc, rows[i].why ? -1 : 0);
		if (rows[i].why) {
			assert_int_equal(err.class, ERR_TEMP);
			assert_non_null(strstr(err.text, rows[i].why));
		}
	}
}

static void
reads_static_ids(void **state)
{
	static const struct {
		const char *in;
		uint32_t want; /* 0: refused */
	} rows[] = {
		{ "static:5000", 5000 },
		{ " static:5000 ", 5000 },
		{ "static:4294967293", 4294967293 },
		{ "static:4294967294", 0 }, /* nobody, in 32 bits */
		{ "static:4294967295", 0 }, /* setresuid: leave as it is */
		{ "static:4294967296", 0 },
		{ "static:0", 0 },
		{ "static:", 0 },
		{ "static:-1", 0 },
		{ "static:5000 hash:x", 0 },
		{ "5000", 0 },
		{ "", 0 },
	};
	struct err err;
	uint32_t id;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		id = 0;
		assert_int_equal(
			policy_static_id(str_of(rows[i].in), "maps", &id, &err),
			rows[i].want ? 0 : -1);
		assert_int_equal(id, rows[i].want);
	}
}

static void
finds_system_users(void **state)
{
	static const char passwd[] =
		"root:x:0:0:root:/root:/bin/bash\n"
		"broken line\n"
		"alicia:x:1003:1003::/home/alicia:/bin/sh\n"
		"alice:x:1001:1002:Alice,,,:/home/alice/:/bin/sh\n"
		"homeless:x:1005:1005::: \n"
		"last:x:1004:1004::/home/last:";
	static const struct {
		const char *user;
		enum err_class want;
		uint32_t uid, gid;
		const char *home;
	} rows[] = {
		{ "alice", ERR_NONE, 1001, 1002, "/home/alice" },
		{ "last", ERR_NONE, 1004, 1004, "/home/last" },
		{ "root", ERR_NONE, 0, 0, "/root" }, /* bounds come after */
		{ "alic", ERR_PERM, 0, 0, NULL },
		{ "ali", ERR_PERM, 0, 0, NULL },
		{ "broken line", ERR_PERM, 0, 0, NULL },
		{ "", ERR_PERM, 0, 0, NULL },
		{ "alice:x", ERR_PERM, 0, 0, NULL },
		{ "x", ERR_PERM, 0, 0, NULL },
		{ "homeless", ERR_TEMP, 0, 0, NULL },
	};
	struct identity id;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = policy_passwd(STR(passwd), str_of(rows[i].user),
				       STR("Maildir/"), &id, &err);

		assert_int_equal(rc, rows[i].home ? 0 : -1);
		if (!rows[i].home) {
			assert_int_equal(err.class, rows[i].want);
			continue;
		}
		assert_string_equal(id.user, rows[i].user);
		assert_int_equal(id.uid, rows[i].uid);
		assert_int_equal(id.gid, rows[i].gid);
		assert_string_equal(id.home, rows[i].home);
		assert_string_equal(id.mail, "Maildir");
	}
}

static void
homes_stand_in_trees(void **state)
{
	static const struct tree trees[] = {
		{ .path = "/home" },
		{ .path = "/var/vmail", .is_virtual = true },
		{ .path = "/home/lab" },
	};
	static const struct {
		const char *home;
		int tree; /* -1: none */
		const char *below;
	} rows[] = {
		{ "/home/alice", 0, "alice" },
		{ "/home/a/b", 0, "a/b" },
		{ "/home/lab/eve", 2, "eve" },
		{ "/home/labs/eve", 0, "labs/eve" },
		{ "/home", 0, "" },
		{ "/var/vmail", 1, "" },
		{ "/var/vmail/d/u", 1, "d/u" },
		{ "/var/vmailx/u", -1, NULL },
		{ "/homer/u", -1, NULL },
		{ "/root", -1, NULL },
		{ "/", -1, NULL },
		{ "/home/../etc", -1, NULL },
		{ "/home/a/../../etc", -1, NULL },
		{ "/home/./a", -1, NULL },
		{ "/home//a", -1, NULL },
		{ "/home/a/..", -1, NULL },
	};
	struct identity id = { .user = "u" };
	const struct tree *t;
	struct err err;
	size_t i, below;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(str_copy(id.home, sizeof(id.home),
				     str_of(rows[i].home)));
		t = policy_tree(trees, 3, &id, &below, &err);
		if (rows[i].tree < 0) {
			assert_null(t);
			assert_int_equal(err.class, ERR_TEMP);
			continue;
		}
		assert_ptr_equal(t, &trees[rows[i].tree]);
		assert_string_equal(id.home + below, rows[i].below);
	}
}

static void
identities_are_checked(void **state)
{
	static char longer[PATH_LEN_MAX + 2];
	struct msg_identity m = { .user = STR("al@d"), .uid = 5, .gid = 6 };
	struct identity id;
	struct err err;

	(void)state;
	m.home = STR("/m/d/al///");
	m.mail = STR("Maildir/");
	assert_int_equal(policy_identity(&m, &id, &err), 0);
	assert_string_equal(id.home, "/m/d/al");
	assert_string_equal(id.mail, "Maildir");
	m.mail = STR("");
	assert_int_equal(policy_identity(&m, &id, &err), 0);
	m.home = STR("");
	assert_int_equal(policy_identity(&m, &id, &err), -1);
	m.home = STR("m/d");
	assert_int_equal(policy_identity(&m, &id, &err), -1);
	memset(longer, '/', sizeof(longer));
	longer[1] = longer[PATH_LEN_MAX + 1] = 'a';
	m.home = str_mem(longer, PATH_LEN_MAX + 2);
	assert_int_equal(policy_identity(&m, &id, &err), -1);
	m.home = STR("/m");
	m.user = STR("");
	assert_int_equal(policy_identity(&m, &id, &err), -1);
	m.user = str_mem("a\0b", 3);
	assert_int_equal(policy_identity(&m, &id, &err), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_stay_within_bounds),
		cmocka_unit_test(reads_static_ids),
		cmocka_unit_test(finds_system_users),
		cmocka_unit_test(homes_stand_in_trees),
		cmocka_unit_test(identities_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
