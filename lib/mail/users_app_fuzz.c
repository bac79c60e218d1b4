/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/users_app.h"
#include "mail/users_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is understood is written so that it is understood the same way. */
static void
check(struct str line)
{
	struct users_app a, again;
	struct err err;
	struct buf b;

	if (users_app_parse(line, &a, &err) != 0)
		return;
	BUG_ON(!users_name_ok(a.user) || !users_app_name_ok(a.name));
	BUG_ON(!a.services || a.services & ~(unsigned)USERS_APP_ALL);
	BUG_ON(a.salt_n < USERS_APP_SALT_MIN || a.salt_n > USERS_APP_SALT_MAX);
	buf_init(&b, USERS_LINE_MAX);
	BUG_ON(users_app_format(&b, &a) < 0);
	BUG_ON(users_app_parse(buf_str(&b), &again, &err) != 0);
	BUG_ON(!str_eq(a.user, again.user) || !str_eq(a.name, again.name));
	BUG_ON(a.services != again.services || a.expires != again.expires);
	BUG_ON(a.salt_n != again.salt_n ||
	       memcmp(a.salt, again.salt, a.salt_n) != 0 ||
	       memcmp(a.digest, again.digest, sizeof(a.digest)) != 0);
	buf_fini(&b);
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
