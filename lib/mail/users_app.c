/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/enc.h"
#include "mail/users_app.h"
#include "mail/users_file.h"
#include "mail/utf8.h"

static const struct {
	const char *name;
	unsigned bit;
} services[] = {
	{ "imap", USERS_APP_IMAP },
	{ "pop3", USERS_APP_POP3 },
	{ "smtp", USERS_APP_SMTP },
};
enum { SERVICES = sizeof(services) / sizeof(services[0]) };

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_PERM, EINVAL, "%s", what);
}

int
users_app_services(struct str s, unsigned *bits)
{
	struct str word;
	size_t i;

	*bits = s.n ? 0 : USERS_APP_ALL;
	while (str_token(&s, ",", &word)) {
		for (i = 0; i < SERVICES; i++)
			if (str_eq(word, str_of(services[i].name)))
				break;
		if (i == SERVICES)
			return -1;
		*bits |= services[i].bit;
	}
	return *bits ? 0 : -1;
}

bool
users_app_name_ok(struct str name)
{
	int32_t c;

	if (name.n == 0 || name.n > USERS_APP_NAME_MAX || name.p[0] == '#' ||
	    str_trim(name).n != name.n)
		return false;
	while (name.n) {
		c = utf8_next(&name);
		if (c < ' ' || c == ':' || (c >= 0x7f && c < 0xa0))
			return false;
	}
	return true;
}

static int
parse_hash(struct str field, struct users_app *a, struct err *err)
{
	const struct str scheme = STR("{SSHA256}");
	struct buf b;
	int rc = -1;

	if (!str_istarts(field, scheme))
		return bad(err, "want a password of the scheme {SSHA256}");
	buf_init(&b, USERS_APP_DIGEST + USERS_APP_SALT_MAX);
	if (enc_unbase64(&b, str_from(field, scheme.n)) < 0 ||
	    b.n < USERS_APP_DIGEST + USERS_APP_SALT_MIN) {
		bad(err, "the password is not a well-formed {SSHA256} hash");
		goto out;
	}
	memcpy(a->digest, b.p, USERS_APP_DIGEST);
	a->salt_n = b.n - USERS_APP_DIGEST;
	memcpy(a->salt, b.p + USERS_APP_DIGEST, a->salt_n);
	rc = 0;
out:
	buf_fini(&b);
	return rc;
}

int
users_app_parse(struct str line, struct users_app *a, struct err *err)
{
	struct str f[4];
	size_t i;

	*a = (struct users_app){ .expires = UINT64_MAX };
	if (line.n && line.p[line.n - 1] == '\r')
		return bad(err, "a CR at the end of the line");
	if (line.n == 0 || line.p[0] == '#' || str_trim(line).n == 0)
		return 1;
	if (line.n > USERS_LINE_MAX)
		return bad(err, "the line is too long");
	for (i = 0; i < 4; i++)
		if (!str_cut(&line, ':', &f[i]))
			return bad(err, "want user:name:services:expires:"
					"password");
	a->user = f[0];
	a->name = f[1];
	if (!users_name_ok(a->user))
		return bad(err, "this cannot be a user's name");
	if (!users_app_name_ok(a->name))
		return bad(err, "this cannot be an app password's name");
	if (users_app_services(f[2], &a->services) < 0)
		return bad(err, "services: want imap, pop3, smtp");
	if (f[3].n && str_u64(f[3], UINT64_MAX - 1, &a->expires) < 0)
		return bad(err, "expires: want seconds since 1970");
	return parse_hash(line, a, err);
}

int
users_app_format(struct buf *out, const struct users_app *a)
{
	char secret[USERS_APP_DIGEST + USERS_APP_SALT_MAX];
	const char *comma = "";
	size_t i;

	(void)!buf_addf(out, "%.*s:%.*s:", STR_FMT(a->user), STR_FMT(a->name));
	for (i = 0; i < SERVICES; i++)
		if (a->services != USERS_APP_ALL &&
		    a->services & services[i].bit) {
			(void)!buf_addf(out, "%s%s", comma, services[i].name);
			comma = ",";
		}
	(void)!buf_add_byte(out, ':');
	if (a->expires != UINT64_MAX)
		(void)!buf_add_u64(out, a->expires);
	(void)!buf_add_c(out, ":{SSHA256}");
	memcpy(secret, a->digest, USERS_APP_DIGEST);
	memcpy(secret + USERS_APP_DIGEST, a->salt, a->salt_n);
	(void)!enc_base64(out, str_mem(secret, USERS_APP_DIGEST + a->salt_n));
	return buf_overflown(out) ? -1 : 0;
}
