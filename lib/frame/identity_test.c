/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "frame/identity.h"

static void
show(char *out, size_t size, const struct users_line *joe,
     const struct identity_conf *conf, const char *line)
{
	struct identity id;
	struct users_line u;
	struct err err;

	assert_int_equal(users_line_parse(str_of(line), &u, &err), 0);
	if (joe && !str_eq(u.user, joe->user))
		joe = NULL;
	if (identity_of(u.user, &u, joe, conf, &id, &err) < 0)
		snprintf(out, size, "%s", err.text);
	else
		assert_in_range(snprintf(out, size, "%u %u %s [%s]", id.uid,
					 id.gid, id.home, id.mail),
				1, size - 1);
}

static void
test_identities(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "al@x.test:!", "500 501 /mail/x.test/al []" },
		{ "al@x.test:!::::/m/al", "500 501 /m/al []" },
		{ "al@x.test:!::::/m/al::userdb_mail=maildir:~/Mail/",
		  "500 501 /m/al [Mail]" },
		{ "al@x.test:!:7:8::/m/al", "7 8 /m/al [Maildir]" },
		{ "al@x.test:!:7:8::/m/al::userdb_mail=maildir:~",
		  "7 8 /m/al []" },
		{ "joe:!", "1000 1001 /home/joe [Maildir]" },
		{ "joe:!::::/srv/joe", "1000 1001 /srv/joe [Maildir]" },
		{ "joe:!:7:8::/h", "7 8 /h [Maildir]" },
		{ "joe:!:7:8", "no home" },
		{ "eve:!", "no uid on the line, and no such system user" },
		{ "al@x:!::::/h::userdb_mail=maildir:~/../x",
		  "userdb_mail: want maildir:~/PATH, a directory below the "
		  "home" },
		{ "al@x:!::::/h::userdb_mail=maildir:/var/mail",
		  "userdb_mail: want maildir:~/PATH, a directory below the "
		  "home" },
		{ "al@x:!::::/h::userdb_mail=mbox:~/x",
		  "userdb_mail: want maildir:~/PATH" },
	};
	static const struct identity_conf conf = { 500, 501, "/mail",
						   "Maildir" };
	struct users_line joe;
	char got[300];
	struct err err;
	size_t i;

	(void)state;
	assert_int_equal(
		users_passwd_parse(STR("joe:x:1000:1001:Joe:/home/joe:/bin/sh"),
				   &joe, &err),
		0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		show(got, sizeof(got), &joe, &conf, rows[i].line);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].line, got);
	}
}

static void
test_not_configured(void **state)
{
	static const struct identity_conf none = { USERS_NO_ID, USERS_NO_ID, "",
						   "Maildir" };
	static const struct identity_conf no_base = { 5, 5, "", "Maildir" };
	char got[300];

	(void)state;
	show(got, sizeof(got), NULL, &none, "a@x:!::::/h");
	assert_string_equal(got, "no uid on the line, and virtual_uid_maps "
				 "and virtual_gid_maps are not static:N");
	show(got, sizeof(got), NULL, &no_base, "a@x:!");
	assert_string_equal(got, "no home on the line, and no "
				 "virtual_mailbox_base to make one");
	show(got, sizeof(got), NULL, &no_base, "joe:!");
	assert_string_equal(got, "no uid on the line, and no such system user");
	assert_int_equal(identity_static_id(STR("static:5000")), 5000);
	assert_int_equal(identity_static_id(STR(" static: 5000 ")), 5000);
	assert_int_equal(identity_static_id(STR("hash:/x")), USERS_NO_ID);
	assert_int_equal(identity_static_id(STR("static:")), USERS_NO_ID);
	assert_int_equal(identity_static_id(STR("static:4294967295")),
			 USERS_NO_ID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_not_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
