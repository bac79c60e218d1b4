/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app_passwords.h"
#include "base/enc.h"
#include "base/log.h"
#include "mail/users_file.h"
#include "sealed.h"

enum {
	POOL_MAX = 64 * 1024 * 1024,
	/* Longer than any we make; more bytes are not looked at, and fit
	 * nothing. */
	PASSWORD_LOOK = 64,
};

struct app_password {
	struct app_password *next; /* of the same user */
	struct users_app app;	   /* its slices are in the pool */
};

/* --- the file ------------------------------------------------------------- */

static int
add(struct app_passwords *t, struct users_app *a, struct err *err)
{
	struct app_password *p, *head;
	unsigned n = 0;
	char *lower;
	size_t i;

	p = pool_alloc(&t->pool, sizeof(*p));
	lower = pool_alloc(&t->pool, a->user.n + 1);
	a->name = pool_str(&t->pool, a->name);
	if (!p || !lower || !a->name.p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < a->user.n; i++)
		lower[i] = ascii_lower(a->user.p[i]);
	a->user = str_mem(lower, a->user.n);
	p->app = *a;
	head = map_get(&t->by_user, a->user);
	for (p->next = head; head; head = head->next) {
		if (str_eq(head->app.name, a->name))
			return err_set(err, ERR_PERM, EEXIST,
				       "the same user and name again");
		if (++n == USERS_APP_PER_USER)
			return err_set(err, ERR_PERM, E2BIG,
				       "more than %d of one user",
				       USERS_APP_PER_USER);
	}
	/* The key must live as long as the entry. */
	(void)map_del(&t->by_user, a->user);
	if (map_put(&t->by_user, p->app.user, p) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	t->n++;
	return 0;
}

static int
read_lines(struct app_passwords *t, struct str rest, struct err *err)
{
	struct users_app a;
	struct str line;
	size_t number = 0;
	int rc;

	while (rest.n) {
		if (!str_cut(&rest, '\n', &line)) {
			line = rest;
			rest = STR_NULL;
		}
		number++;
		rc = users_app_parse(line, &a, err);
		if (rc == 0)
			rc = add(t, &a, err);
		if (rc >= 0)
			continue;
		if (err->class == ERR_TEMP)
			return -1;
		log_warn("app passwords: line %zu: %s; line ignored", number,
			 LOGQ(str_of(err->text)));
	}
	return 0;
}

static int
read_file(struct app_passwords *t, int fd, struct err *err)
{
	struct str text;
	int rc;

	if (sealed_map(fd, "app passwords", &text, err) < 0)
		return -1;
	rc = read_lines(t, text, err);
	if (text.n)
		munmap((void *)(uintptr_t)text.p, text.n);
	return rc;
}

struct app_passwords *
app_passwords_new(int fd, struct err *err)
{
	struct app_passwords *t = calloc(1, sizeof(*t));
	int rc = -1;

	if (t) {
		pool_init(&t->pool, POOL_MAX);
		rc = read_file(t, fd, err);
	} else {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	close(fd);
	if (rc == 0)
		return t;
	app_passwords_free(t);
	return NULL;
}

void
app_passwords_free(struct app_passwords *t)
{
	if (!t)
		return;
	map_fini(&t->by_user);
	pool_fini(&t->pool);
	free(t);
}

/* --- the check ------------------------------------------------------------ */

void
app_passwords_collect(const struct app_passwords *t, struct str user,
		      unsigned services, uint64_t now_s, struct app_check *c)
{
	const struct app_password *p = t ? map_get(&t->by_user, user) : NULL;

	memset(c, 0, sizeof(*c));
	for (; p && c->n < USERS_APP_PER_USER; p = p->next) {
		const struct users_app *a = &p->app;

		if (!(a->services & services) || a->expires <= now_s)
			continue;
		memcpy(c->v[c->n].digest, a->digest, sizeof(a->digest));
		memcpy(c->v[c->n].salt, a->salt, a->salt_n);
		c->v[c->n].salt_n = a->salt_n;
		(void)!str_copy(c->v[c->n].name, sizeof(c->v[0].name), a->name);
		c->n++;
	}
}

const char *
app_check_match(const struct app_check *c, struct str password)
{
	uint8_t text[PASSWORD_LOOK + USERS_APP_SALT_MAX];
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t n = password.n < PASSWORD_LOOK ? password.n : PASSWORD_LOOK, k;
	unsigned i, found = USERS_APP_PER_USER, fits, size;

	if (n)
		memcpy(text, password.p, n);
	for (i = 0; i < USERS_APP_PER_USER; i++) {
		/* Those that are not there have salts of zero bytes. */
		k = i < c->n ? c->v[i].salt_n : USERS_APP_SALT_MAX / 2;
		memcpy(text + n, c->v[i].salt, k);
		fits = EVP_Digest(text, n + k, digest, &size, EVP_sha256(),
				  NULL) == 1;
		fits &= enc_equal_const_time(
			str_mem(digest, USERS_APP_DIGEST),
			str_mem(c->v[i].digest, USERS_APP_DIGEST));
		fits &= i < c->n;
		found = fits ? i : found;
	}
	explicit_bzero(text, sizeof(text));
	explicit_bzero(digest, sizeof(digest));
	return found < USERS_APP_PER_USER && password.n <= PASSWORD_LOOK
		       ? c->v[found].name
		       : NULL;
}
