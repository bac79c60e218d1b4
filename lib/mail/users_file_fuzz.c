/* SPDX-License-Identifier: ISC */
#include "mail/users_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Whatever the line, what comes out keeps the promises of the header. */
static void
check(struct str line)
{
	struct users_line u;
	struct err err;

	if (users_line_parse(line, &u, &err) == 0) {
		BUG_ON(!users_name_ok(u.user));
		BUG_ON(u.hash.n > USERS_HASH_MAX);
		BUG_ON(u.hash.n && u.hash.p[0] != '$');
		BUG_ON(u.home.n && u.home.p[0] != '/');
		BUG_ON((u.uid == USERS_NO_ID) != (u.gid == USERS_NO_ID));
		(void)users_line_extra(&u, "userdb_mail");
	}
	if (users_passwd_parse(line, &u, &err) == 0)
		BUG_ON(u.uid == USERS_NO_ID || u.hash.n);
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
