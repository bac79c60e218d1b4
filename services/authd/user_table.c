/* SPDX-License-Identifier: ISC */
#include <crypt.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "password/scram.h"
#include "sealed.h"
#include "user_table.h"

enum { CLASSES_MAX = 16, TABLE_POOL_MAX = 256 * 1024 * 1024 };

/* How many users have which scheme and cost, or which kind of SCRAM keys. */
struct census {
	struct class
	{
		enum users_scheme scheme;
		struct str name, hash; /* crypt(3): "$6$"; of one of them */
		uint32_t iterations;   /* SCRAM */
		size_t salt_n;
		size_t n;
	} v[CLASSES_MAX];
	size_t n;
};

struct reading {
	struct census passwords, scram;
	struct str secret; /* of the file, or instead its first user's hash */
	bool has_secret;
};

static bool
is_bcrypt(struct str hash)
{
	return hash.n > 29 && str_starts(hash, STR("$2")) && hash.p[3] == '$' &&
	       hash.p[6] == '$';
}

struct str
crypt_setting(struct str hash)
{
	if (is_bcrypt(hash))
		return str_head(hash, 29); /* 22 of salt, then no "$" */
	return str_head(hash, (size_t)(str_rfind(hash, '$') + 1));
}

struct str
crypt_class(struct str hash)
{
	struct str s = crypt_setting(hash);

	if (is_bcrypt(hash))
		return str_head(hash, 7);
	if (s.n)
		s.n--;
	return str_head(hash, (size_t)(str_rfind(s, '$') + 1));
}

static void
count(struct census *c, const struct class *one)
{
	struct class *v;

	for (v = c->v; v < c->v + c->n; v++)
		if (v->scheme == one->scheme && str_eq(v->name, one->name) &&
		    v->iterations == one->iterations &&
		    v->salt_n == one->salt_n) {
			v->n++;
			return;
		}
	if (c->n == CLASSES_MAX)
		return;
	*v = *one;
	v->n = 1;
	c->n++;
}

/* The class that most have, of this scheme if it is given; or NULL. */
static const struct class *
most(const struct census *c, enum users_scheme scheme)
{
	const struct class *best = NULL, *v;

	for (v = c->v; v < c->v + c->n; v++)
		if ((!scheme || v->scheme == scheme) &&
		    (!best || v->n > best->n))
			best = v;
	return best;
}

static void
count_user(struct reading *r, const struct users_line *u)
{
	enum users_scheme scheme;
	struct users_scram keys;
	struct class one;

	for (scheme = USERS_SCRAM_SHA_1; scheme <= USERS_SCRAM_SHA_256;
	     scheme++) {
		if (!users_line_scram(u, scheme, &keys))
			continue;
		one = (struct class){ .scheme = scheme,
				      .hash = u->hash,
				      .salt_n = keys.salt_n,
				      .iterations = keys.iterations };
		count(&r->scram, &one);
		if (u->scheme == scheme)
			count(&r->passwords, &one);
	}
	if (u->scheme == USERS_CRYPT) {
		one = (struct class){ .scheme = USERS_CRYPT,
				      .hash = u->hash,
				      .name = crypt_class(u->hash) };
		count(&r->passwords, &one);
	}
}

/* --- users who are not there ---------------------------------------------- */

static void
choose_fakes(struct user_table *t, const struct census *c)
{
	const struct class *m;
	size_t i;

	for (i = 0; i < 2; i++) {
		m = most(c, (enum users_scheme)(USERS_SCRAM_SHA_1 + i));
		t->fake[i].iterations = m ? m->iterations : SCRAM_ITERATIONS;
		t->fake[i].salt_n = m ? m->salt_n : SCRAM_SALT;
	}
}

/* 32 bytes of the name under the secret, another kind of bytes for each
 * label. */
static void
fake_bytes(const struct user_table *t, char label, enum users_scheme scheme,
	   struct str name, uint8_t out[32])
{
	char text[2 + USERS_NAME_MAX];
	size_t i;

	text[0] = label;
	text[1] = (char)scheme;
	name = str_head(name, USERS_NAME_MAX);
	for (i = 0; i < name.n; i++)
		text[2 + i] = ascii_lower(name.p[i]);
	HMAC(EVP_sha256(), t->secret, sizeof(t->secret), (uint8_t *)text,
	     name.n + 2, out, NULL);
}

static const char *
scheme_name(enum users_scheme scheme)
{
	return scheme == USERS_SCRAM_SHA_256 ? "SCRAM-SHA-256" : "SCRAM-SHA-1";
}

/* Keys that fit nothing, with seps after the iterations, the salt and the
 * stored key. */
static void
add_fake(struct buf *out, const struct user_table *t, enum users_scheme scheme,
	 const struct user_fake *like, struct str name, const char seps[3])
{
	uint8_t salt[32], stored[32], server[32];
	size_t len = scram_key_len(scheme);

	fake_bytes(t, 'a', scheme, name, salt);
	fake_bytes(t, 'o', scheme, name, stored);
	fake_bytes(t, 'e', scheme, name, server);
	(void)!buf_addf(out, "%u%c", (unsigned)like->iterations, seps[0]);
	(void)!enc_base64(out, str_mem(salt, like->salt_n));
	(void)!buf_add_byte(out, seps[1]);
	(void)!enc_base64(out, str_mem(stored, len));
	(void)!buf_add_byte(out, seps[2]);
	(void)!enc_base64(out, str_mem(server, len));
}

static void
choose_dummy(struct user_table *t, const struct census *c)
{
	const struct class *m = most(c, USERS_LOCKED);
	struct user_fake like;
	struct buf b;

	buf_init(&b, USERS_HASH_MAX);
	if (!m) {
		t->dummy_scheme = USERS_CRYPT;
		(void)!buf_add_c(&b, "$6$posthouse.nobody$");
	} else if (m->scheme == USERS_CRYPT) {
		t->dummy_scheme = USERS_CRYPT;
		(void)!buf_add_str(&b, crypt_setting(m->hash));
	} else {
		t->dummy_scheme = m->scheme;
		like = (struct user_fake){ m->iterations, m->salt_n };
		add_fake(&b, t, m->scheme, &like, STR(""), ",,,");
	}
	(void)!str_copy(t->dummy, sizeof(t->dummy), buf_str(&b));
	buf_fini(&b);
}

bool
user_table_keys(const struct user_table *t, const struct user *u,
		struct str name, enum users_scheme scheme,
		char out[USER_KEYS_MAX])
{
	struct users_scram k;
	bool real = u && users_line_scram(&u->line, scheme, &k);
	struct buf b;

	buf_init(&b, USER_KEYS_MAX - 1);
	(void)!buf_addf(&b, "%s$", scheme_name(scheme));
	if (real)
		(void)!buf_addf(&b, "%u:%.*s$%.*s:%.*s", (unsigned)k.iterations,
				STR_FMT(k.salt), STR_FMT(k.stored),
				STR_FMT(k.server));
	else
		add_fake(&b, t, scheme, &t->fake[scheme - USERS_SCRAM_SHA_1],
			 name, ":$:");
	(void)!str_copy(out, USER_KEYS_MAX, buf_str(&b));
	if (b.p)
		explicit_bzero(b.p, b.size);
	buf_fini(&b);
	return real;
}

/* --- reading -------------------------------------------------------------- */

static int
check_hash(const struct users_line *u, struct err *err)
{
	struct str hash = u->hash;
	char text[USERS_HASH_MAX + 1];
	int rc;

	if (u->scheme != USERS_CRYPT)
		return 0;
	if (!str_copy(text, sizeof(text), hash))
		return err_set(err, ERR_PERM, EINVAL, "hash too long");
	rc = crypt_checksalt(text);
	explicit_bzero(text, sizeof(text));
	if (rc == CRYPT_SALT_INVALID || rc == CRYPT_SALT_METHOD_DISABLED)
		return err_set(err, ERR_PERM, EINVAL,
			       "this system's crypt(3) does not know the "
			       "password's scheme");
	return 0;
}

/* Insert the user of one line: 0, 1 nothing there, -1 bad line or no memory. */
static int
add_line(struct user_table *t, struct str line, struct reading *r,
	 struct err *err)
{
	struct users_line parsed;
	struct str secret;
	struct user *u;
	char *name;
	size_t i;
	int rc;

	rc = t->kind == TABLE_USERS ? users_line_parse(line, &parsed, err)
				    : users_passwd_parse(line, &parsed, err);
	if (rc > 0 && !r->has_secret && users_line_secret(line, &secret)) {
		r->secret = secret;
		r->has_secret = true;
	}
	if (rc != 0)
		return rc;
	if (check_hash(&parsed, err) < 0)
		return -1;
	u = pool_alloc(&t->pool, sizeof(*u));
	name = pool_alloc(&t->pool, parsed.user.n);
	if (!u || !name)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < parsed.user.n; i++)
		name[i] = ascii_lower(parsed.user.p[i]);
	u->name = str_mem(name, parsed.user.n);
	u->line = parsed;
	if (map_get(&t->by_name, u->name))
		return err_set(err, ERR_PERM, EEXIST, "user %.*s again",
			       STR_FMT(u->name));
	if (map_put(&t->by_name, u->name, u) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	count_user(r, &parsed);
	if (r->secret.n == 0)
		r->secret = parsed.hash;
	return 0;
}

static int
read_lines(struct user_table *t, struct err *err)
{
	struct str rest = t->text, line;
	struct reading r = { .has_secret = false };
	size_t number = 0;

	while (rest.n) {
		if (!str_cut(&rest, '\n', &line)) {
			line = rest;
			rest = STR_NULL;
		}
		number++;
		if (add_line(t, line, &r, err) >= 0)
			continue;
		if (err->class == ERR_TEMP)
			return -1;
		if (t->kind == TABLE_USERS)
			log_warn("users file: line %zu: %s; line ignored",
				 number, LOGQ(str_of(err->text)));
	}
	EVP_Digest(r.secret.p, r.secret.n, t->secret, NULL, EVP_sha256(), NULL);
	choose_dummy(t, &r.passwords);
	choose_fakes(t, &r.scram);
	return 0;
}

struct user_table *
user_table_new(enum table_kind kind, int fd, struct err *err)
{
	struct user_table *t = calloc(1, sizeof(*t));
	int rc = -1;

	if (t) {
		t->kind = kind;
		pool_init(&t->pool, TABLE_POOL_MAX);
		rc = sealed_map(fd, "users file", &t->text, err);
		if (rc == 0)
			rc = read_lines(t, err);
	} else {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	close(fd);
	if (rc == 0)
		return t;
	user_table_free(t);
	return NULL;
}

void
user_table_free(struct user_table *t)
{
	if (!t)
		return;
	if (t->text.n)
		munmap((void *)(uintptr_t)t->text.p, t->text.n);
	map_fini(&t->by_name);
	pool_fini(&t->pool);
	free(t);
}

const struct user *
user_table_find(const struct user_table *t, struct str name)
{
	char lower[USERS_NAME_MAX];
	size_t i;

	if (name.n == 0 || name.n > sizeof(lower))
		return NULL;
	for (i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	return map_get(&t->by_name, str_mem(lower, name.n));
}

uint64_t
user_credential(const struct user *u)
{
	if (!u || u->line.scheme == USERS_LOCKED)
		return 0;
	return (enc_hash(u->line.hash) ^ (enc_hash(u->line.extra) >> 1)) | 1;
}
