/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/enc.h"
#include "mail/users_file.h"
#include "mail/utf8.h"

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_PERM, EINVAL, "%s", what);
}

static bool
part_ok(struct str part)
{
	int32_t c;

	if (part.n == 0 || part.p[0] == '.')
		return false;
	while (part.n) {
		c = utf8_next(&part);
		if (c <= ' ' || c == 127 ||
		    (c < 127 && strchr(":/\\\"'`<>()[],;@|", c)))
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

/* --- SCRAM ---------------------------------------------------------------- */

static size_t
key_len(enum users_scheme scheme)
{
	return scheme == USERS_SCRAM_SHA_256 ? 32 : 20;
}

/* Bytes that this base64 stands for, 0 if it is none or of more than 64. */
static size_t
base64_len(struct str text)
{
	struct buf b;
	size_t n;

	buf_init(&b, 64);
	n = enc_unbase64(&b, text) == 0 ? b.n : 0;
	if (b.p)
		explicit_bzero(b.p, b.size);
	buf_fini(&b);
	return n;
}

int
users_scram_parse(enum users_scheme scheme, struct str text,
		  struct users_scram *s, struct err *err)
{
	struct str rest = text, iterations;
	uint64_t n;

	if (text.n > USERS_HASH_MAX)
		return bad(err, "SCRAM keys: too long");
	if (!str_cut(&rest, ',', &iterations) ||
	    !str_cut(&rest, ',', &s->salt) || !str_cut(&rest, ',', &s->stored))
		return bad(err, "SCRAM keys: want ITERATIONS,SALT,STOREDKEY,"
				"SERVERKEY");
	s->server = rest;
	if (str_u64(iterations, USERS_SCRAM_ITERATIONS_MAX, &n) < 0 ||
	    n < USERS_SCRAM_ITERATIONS_MIN)
		return bad(err, "SCRAM keys: want 4096 to 1000000 iterations");
	s->iterations = (uint32_t)n;
	s->salt_n = base64_len(s->salt);
	if (s->salt_n < USERS_SCRAM_SALT_MIN ||
	    s->salt_n > USERS_SCRAM_SALT_MAX)
		return bad(err, "SCRAM keys: want 8 to 32 bytes of salt, in "
				"base64");
	if (base64_len(s->stored) != key_len(scheme) ||
	    base64_len(s->server) != key_len(scheme))
		return bad(err, "SCRAM keys: a key is not as long as its hash, "
				"in base64");
	return 0;
}

const char *
users_scram_field(enum users_scheme scheme)
{
	return scheme == USERS_SCRAM_SHA_256 ? "scram_sha_256" : "scram_sha_1";
}

bool
users_line_scram(const struct users_line *u, enum users_scheme scheme,
		 struct users_scram *s)
{
	struct str text =
		u->scheme == scheme
			? u->hash
			: users_line_extra(u, users_scram_field(scheme));

	return u->scheme != USERS_LOCKED && text.n &&
	       users_scram_parse(scheme, text, s, NULL) == 0;
}

static int
check_extra(const struct users_line *u, struct err *err)
{
	static const enum users_scheme both[] = { USERS_SCRAM_SHA_1,
						  USERS_SCRAM_SHA_256 };
	struct users_scram s;
	struct str text;
	size_t i;

	for (i = 0; i < 2; i++) {
		text = users_line_extra(u, users_scram_field(both[i]));
		if (text.p && u->scheme == both[i])
			return bad(err, "the same kind of SCRAM keys twice");
		if (text.p && users_scram_parse(both[i], text, &s, err) < 0)
			return -1;
	}
	return 0;
}

bool
users_line_secret(struct str line, struct str *secret)
{
	if (!str_starts(line, STR("#secret:")))
		return false;
	*secret = str_from(line, strlen("#secret:"));
	return base64_len(*secret) >= USERS_SECRET_MIN;
}

/* --- the line ------------------------------------------------------------- */

static int
parse_password(struct str field, struct users_line *u, struct err *err)
{
	static const struct {
		const char *name;
		enum users_scheme scheme;
	} schemes[] = {
		{ "{CRYPT}", USERS_CRYPT },
		{ "{SHA512-CRYPT}", USERS_CRYPT },
		{ "{SHA256-CRYPT}", USERS_CRYPT },
		{ "{MD5-CRYPT}", USERS_CRYPT },
		{ "{BLF-CRYPT}", USERS_CRYPT },
		{ "{SCRAM-SHA-1}", USERS_SCRAM_SHA_1 },
		{ "{SCRAM-SHA-256}", USERS_SCRAM_SHA_256 },
	};
	bool named = field.n && field.p[0] == '{';
	enum users_scheme scheme = USERS_CRYPT;
	struct users_scram scram;
	size_t i;

	for (i = 0; named && i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (str_istarts(field, str_of(schemes[i].name))) {
			field = str_from(field, strlen(schemes[i].name));
			scheme = schemes[i].scheme;
			named = false;
		}
	if (named && (str_istarts(field, STR("{PLAIN}")) ||
		      str_istarts(field, STR("{CLEAR"))))
		return bad(err, "the password is plain text: want a crypt(3) "
				"hash or SCRAM keys");
	if (named)
		return bad(err, "unknown password scheme: want {CRYPT}, "
				"{SCRAM-SHA-256} or {SCRAM-SHA-1}");
	if (field.n == 0 || field.p[0] == '!' || field.p[0] == '*')
		return 0;
	if (scheme != USERS_CRYPT) {
		if (users_scram_parse(scheme, field, &scram, err) < 0)
			return -1;
	} else if (field.p[0] != '$') {
		return bad(err, "the password is not a crypt(3) hash that "
				"begins with \"$\"");
	} else if (!hash_ok(field)) {
		return bad(err, "the password is not a well-formed crypt(3) "
				"hash");
	}
	u->scheme = scheme;
	u->hash = field;
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
		rc = parse_password(password, u, err);
	if (rc == 0)
		rc = check_extra(u, err);
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
