/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "mail/users_file.h"

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_PERM, EINVAL, "%s", what);
}

/* Bytes of the UTF-8 character at the start of s, 0 if it is not one (RFC 3629
 * 4: no overlong forms, no surrogates). */
static size_t
utf8_len(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n, i;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
	    : p[0] >= 0xe0 && p[0] <= 0xef ? 3
	    : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
					   : 0;
	if (n == 0 || s.n < n)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static bool
part_ok(struct str part)
{
	size_t n;

	if (part.n == 0 || part.p[0] == '.')
		return false;
	for (; part.n; part = str_from(part, n)) {
		n = utf8_len(part);
		if (n == 0 || part.p[0] == 127 ||
		    (n == 1 && part.p[0] <= ' ') ||
		    (n == 1 && strchr(":/\\\"'`<>()[],;@|", part.p[0])))
			return false;
	}
	return true;
}

bool
users_name_ok(struct str name)
{
	struct str local;

	if (name.n > USERS_NAME_MAX)
		return false;
	if (str_cut(&name, '@', &local) && !part_ok(local))
		return false;
	return part_ok(name);
}

static bool
hash_ok(struct str hash)
{
	size_t i;

	if (hash.n < 4 || hash.n > USERS_HASH_MAX || hash.p[0] != '$')
		return false;
	for (i = 0; i < hash.n; i++)
		if (hash.p[i] <= ' ' || hash.p[i] >= 127)
			return false;
	/* crypt(5): none of these stands in a hash. */
	return str_find(hash, '!') < 0 && str_find(hash, '*') < 0 &&
	       str_find(hash, ';') < 0 && str_find(hash, '\\') < 0;
}

static int
parse_password(struct str field, struct str *hash, struct err *err)
{
	static const char *const schemes[] = {
		"{CRYPT}",     "{SHA512-CRYPT}", "{SHA256-CRYPT}",
		"{MD5-CRYPT}", "{BLF-CRYPT}",
	};
	bool named = field.n && field.p[0] == '{';
	size_t i;

	*hash = STR("");
	for (i = 0; named && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (str_istarts(field, str_of(schemes[i]))) {
			field = str_from(field, strlen(schemes[i]));
			named = false;
		}
	if (named && (str_istarts(field, STR("{PLAIN}")) ||
		      str_istarts(field, STR("{CLEAR"))))
		return bad(err, "the password is plain text: want a crypt(3) "
				"hash");
	if (named)
		return bad(err, "unknown password scheme: want {CRYPT}");
	if (field.n == 0 || field.p[0] == '!' || field.p[0] == '*')
		return 0;
	if (field.p[0] != '$')
		return bad(err, "the password is not a crypt(3) hash that "
				"begins with \"$\"");
	if (!hash_ok(field))
		return bad(err, "the password is not a well-formed crypt(3) "
				"hash");
	*hash = field;
	return 0;
}

static int
parse_id(struct str field, uint32_t *id, struct err *err, const char *what)
{
	uint64_t v;

	*id = USERS_NO_ID;
	if (field.n == 0)
		return 0;
	if (str_u64(field, USERS_NO_ID - 1, &v) < 0)
		return bad(err, what);
	*id = (uint32_t)v;
	return 0;
}

static int
parse_home(struct str field, struct str *home, struct err *err)
{
	struct str rest = field, part;
	size_t i;

	*home = field;
	if (field.n == 0)
		return 0;
	if (field.p[0] != '/' || field.n > USERS_HOME_MAX)
		return bad(err, "home: want an absolute path");
	for (i = 0; i < field.n; i++)
		if ((unsigned char)field.p[i] < ' ' || field.p[i] == 127)
			return bad(err, "home: a control character");
	while (str_token(&rest, "/", &part))
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return bad(err, "home: \".\" and \"..\" may not stand "
					"in it");
	return 0;
}

/* Fields by ":", the last one takes the rest; missing ones are empty. */
static void
split(struct str line, struct str *field, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		field[i] = STR("");
	for (i = 0; i + 1 < n; i++)
		if (!str_cut(&line, ':', &field[i]))
			break;
	field[i] = line;
}

static int
parse_line(struct str line, struct users_line *u, struct str *password,
	   struct err *err)
{
	struct str f[8];

	*u = (struct users_line){ .uid = USERS_NO_ID, .gid = USERS_NO_ID };
	if (line.n && line.p[line.n - 1] == '\r')
		return bad(err, "a CR at the end of the line");
	if (line.n == 0 || line.p[0] == '#' || str_trim(line).n == 0)
		return 1;
	if (line.n > USERS_LINE_MAX)
		return bad(err, "the line is too long");
	split(line, f, 8);
	if (!users_name_ok(f[0]))
		return bad(err, "this cannot be a user's name");
	u->user = f[0];
	*password = f[1];
	if (parse_id(f[2], &u->uid, err, "uid: want a number") < 0 ||
	    parse_id(f[3], &u->gid, err, "gid: want a number") < 0 ||
	    parse_home(f[5], &u->home, err) < 0)
		return -1;
	if ((u->uid == USERS_NO_ID) != (u->gid == USERS_NO_ID))
		return bad(err, "uid without gid, or gid without uid");
	u->hash = STR("");
	u->extra = f[7];
	return 0;
}

int
users_line_parse(struct str line, struct users_line *u, struct err *err)
{
	struct str password;
	int rc = parse_line(line, u, &password, err);

	if (rc == 0)
		rc = parse_password(password, &u->hash, err);
	return rc;
}

int
users_passwd_parse(struct str line, struct users_line *u, struct err *err)
{
	struct str password;
	int rc = parse_line(line, u, &password, err);

	if (rc == 0 && u->uid == USERS_NO_ID)
		return bad(err, "no uid");
	return rc;
}

struct str
users_line_extra(const struct users_line *u, const char *name)
{
	struct str rest = u->extra, item, key;

	while (str_token(&rest, " \t", &item))
		if (str_cut(&item, '=', &key) && str_eq(key, str_of(name)))
			return item;
	return STR_NULL;
}
