/* SPDX-License-Identifier: ISC */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "user_table.h"

enum { CLASSES_MAX = 16, TABLE_POOL_MAX = 256 * 1024 * 1024 };

/* How many users have which scheme and cost. */
struct census {
	struct {
		struct str class, hash;
		size_t n;
	} v[CLASSES_MAX];
	size_t n;
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
count_class(struct census *c, struct str hash)
{
	struct str class = crypt_class(hash);
	size_t i;

	for (i = 0; i < c->n; i++)
		if (str_eq(c->v[i].class, class)) {
			c->v[i].n++;
			return;
		}
	if (c->n == CLASSES_MAX)
		return;
	c->v[c->n].class = class;
	c->v[c->n].hash = hash;
	c->v[c->n++].n = 1;
}

static void
choose_dummy(struct user_table *t, const struct census *c)
{
	struct str setting = STR("$6$posthouse.nobody$");
	size_t i, most = 0;

	for (i = 0; i < c->n; i++)
		if (c->v[i].n > most) {
			most = c->v[i].n;
			setting = crypt_setting(c->v[i].hash);
		}
	(void)!str_copy(t->dummy, sizeof(t->dummy), setting);
}

static int
check_hash(struct str hash, struct err *err)
{
	char text[USERS_HASH_MAX + 1];
	int rc;

	if (hash.n == 0)
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
add_line(struct user_table *t, struct str line, struct census *c,
	 struct err *err)
{
	struct users_line parsed;
	struct user *u;
	char *name;
	size_t i;
	int rc;

	rc = t->kind == TABLE_USERS ? users_line_parse(line, &parsed, err)
				    : users_passwd_parse(line, &parsed, err);
	if (rc != 0)
		return rc;
	if (check_hash(parsed.hash, err) < 0)
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
	if (parsed.hash.n)
		count_class(c, parsed.hash);
	return 0;
}

static int
read_lines(struct user_table *t, struct err *err)
{
	struct str rest = t->text, line;
	struct census census = { .n = 0 };
	size_t number = 0;

	while (rest.n) {
		if (!str_cut(&rest, '\n', &line)) {
			line = rest;
			rest = STR_NULL;
		}
		number++;
		if (add_line(t, line, &census, err) >= 0)
			continue;
		if (err->class == ERR_TEMP)
			return -1;
		if (t->kind == TABLE_USERS)
			log_warn("users file: line %zu: %s; line ignored",
				 number, LOGQ(str_of(err->text)));
	}
	choose_dummy(t, &census);
	return 0;
}

static int
map_text(struct user_table *t, int fd, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS), want = F_SEAL_SHRINK | F_SEAL_WRITE;
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "users file");
	if (seals < 0 || (seals & want) != want)
		return err_set(err, ERR_PERM, EINVAL, "users file: not sealed");
	if (st.st_size > USERS_FILE_MAX)
		return err_set(err, ERR_PERM, EFBIG,
			       "users file: more than %d MB",
			       USERS_FILE_MAX >> 20);
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, errno, "users file");
	t->text = str_mem(p, (size_t)st.st_size);
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
		rc = map_text(t, fd, err);
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
