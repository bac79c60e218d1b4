/* SPDX-License-Identifier: ISC */
#include "mail/users_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_scram(const struct users_line *u, enum users_scheme scheme)
{
	struct users_scram s;

	if (users_line_scram(u, scheme, &s)) {
		BUG_ON(u->scheme == USERS_LOCKED);
		BUG_ON(s.iterations < USERS_SCRAM_ITERATIONS_MIN);
		BUG_ON(s.iterations > USERS_SCRAM_ITERATIONS_MAX);
		BUG_ON(s.salt_n > USERS_SCRAM_SALT_MAX);
		BUG_ON(s.stored.n != s.server.n);
	} else {
		BUG_ON(u->scheme == scheme);
	}
}

/* Whatever the line, what comes out keeps the promises of the header. */
static void
check(struct str line)
{
	struct users_line u;
	struct str secret;
	struct err err;

	if (users_line_parse(line, &u, &err) == 0) {
		BUG_ON(!users_name_ok(u.user));
		BUG_ON(u.hash.n > USERS_HASH_MAX);
		BUG_ON((u.scheme == USERS_LOCKED) != (u.hash.n == 0));
		BUG_ON(u.scheme == USERS_CRYPT && u.hash.p[0] != '$');
		check_scram(&u, USERS_SCRAM_SHA_1);
		check_scram(&u, USERS_SCRAM_SHA_256);
		BUG_ON(u.home.n && u.home.p[0] != '/');
		BUG_ON((u.uid == USERS_NO_ID) != (u.gid == USERS_NO_ID));
		(void)users_line_extra(&u, "userdb_mail");
	}
	if (users_passwd_parse(line, &u, &err) == 0)
		BUG_ON(u.uid == USERS_NO_ID || u.hash.n || u.scheme);
	if (users_line_secret(line, &secret))
		BUG_ON(secret.n < USERS_SECRET_MIN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_mem(data, n), line;

	while (str_cut(&text, '\n', &line))
		check(line);
	check(text);
	return 0;
}
