/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pam_check.h"

static char dir[] = "/tmp/pamd_test.XXXXXX";

static void
write_service(const char *name, const char *text)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static int
setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	write_service("yes", "auth required pam_permit.so\n"
			     "account required pam_permit.so\n");
	write_service("no", "auth required pam_deny.so\n"
			    "account required pam_permit.so\n");
	write_service("expired", "auth required pam_permit.so\n"
				 "account required pam_deny.so\n");
	write_service("unix", "auth required pam_unix.so\n"
			      "account required pam_unix.so\n");
	write_service("broken", "auth required pam_no_such_module.so\n"
				"account required pam_permit.so\n");
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "yes", "no", "expired", "unix",
					     "broken" };
	char path[64];
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void
test_services(void **state)
{
	static const struct {
		const char *name, *service, *user;
		enum pam_verdict want;
	} rows[] = {
		{ "permitted", "yes", "root", PAM_VERDICT_YES },
		{ "denied", "no", "root", PAM_VERDICT_NO },
		{ "right, but no account", "expired", "root", PAM_VERDICT_NO },
		{ "module missing", "broken", "root", PAM_VERDICT_TEMP },
		{ "nobody, of whom all is permitted", "yes", "",
		  PAM_VERDICT_NO },
		{ "unknown to pam_unix", "unix", "posthouse-no-such-user",
		  PAM_VERDICT_NO },
	};
	struct pam_checker p;
	const char *text;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(pam_checker_init(&p, str_of(rows[i].service),
						  dir, &err),
				 0);
		text = NULL;
		if (pam_check(&p, rows[i].user, "guess", "192.0.2.1", &text) !=
		    rows[i].want)
			fail_msg("%s: %s", rows[i].name, text);
		assert_non_null(text);
		pam_checker_fini(&p);
	}
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} rows[] = {
		{ "login", true },
		{ "posthouse-imap_2.x", true },
		{ "", false },
		{ ".", false },
		{ "..", false },
		{ "../passwd", false },
		{ "a/b", false },
		{ "Login", false },
		{ "a b", false },
		{ "12345678901234567890123456789012", true },
		{ "123456789012345678901234567890123", false },
	};
	struct pam_checker p;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pam_service_ok(str_of(rows[i].name)) != rows[i].want)
			fail_msg("%s", rows[i].name);
	assert_int_equal(pam_checker_init(&p, STR("../x"), dir, &err), -1);
	assert_int_equal(err.class, ERR_PERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
