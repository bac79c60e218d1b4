/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fsx.h"
#include "table/spec.h"
#include "table/text.h"
#include "table/tls_files.h"

enum {
	POOL_MAX = 4 * 1024 * 1024,
	TABLE_MAX = 1024 * 1024,
};

struct lister {
	struct tls_files *f;
	const struct tls_params *p;
};

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

/* --- reading a file ------------------------------------------------------ */

static int
check_key_mode(const struct stat *st, struct err *err)
{
	unsigned mode = (unsigned)st->st_mode & 07777u;

	if ((mode & 027) == 0 && (st->st_uid == 0 || (mode & 070) == 0))
		return 0;
	return err_set(err, ERR_PERM, EPERM,
		       "others than its owner can %s this private key (mode "
		       "%04o); want 0600 (chmod 600)",
		       mode & 022 ? "write" : "read", mode);
}

static int
check_table_mode(const struct stat *st, struct err *err)
{
	if ((st->st_uid == 0 || st->st_uid == geteuid()) &&
	    (st->st_mode & 022) == 0)
		return 0;
	return err_set(err, ERR_PERM, EPERM,
		       "others than root can write it (uid %u, mode %04o)",
		       (unsigned)st->st_uid, (unsigned)st->st_mode & 07777u);
}

typedef int check_mode(const struct stat *st, struct err *err);

static int
read_file(const char *path, check_mode *check, size_t max, struct buf *out,
	  struct err *err)
{
	/* Not to be held up by what is no file at all. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int rc = -1;
	char *to;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_sys(err, errno, "cannot be read");
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(err, ERR_PERM, EINVAL, "is not a regular file");
		goto out;
	}
	if ((size_t)st.st_size > max) {
		(void)err_set(err, ERR_PERM, EFBIG, "is larger than %zu bytes",
			      max);
		goto out;
	}
	if (check && check(&st, err) < 0)
		goto out;
	to = buf_reserve(out, (size_t)st.st_size + 1);
	if (!to)
		(void)no_memory(err);
	else
		rc = fsx_pread_all(fd, to, (size_t)st.st_size, 0, err);
	if (rc == 0)
		out->n += (size_t)st.st_size;
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

int
tls_file_read(const char *path, bool key, struct buf *out, struct err *err)
{
	return read_file(path, key ? check_key_mode : NULL, TLS_FILE_SIZE_MAX,
			 out, err);
}

int
tls_ca_read(const char *path, struct buf *out, struct err *err)
{
	return read_file(path, NULL, TLS_CA_SIZE_MAX, out, err);
}

/* --- the list ------------------------------------------------------------ */

static struct str
absolute(struct lister *l, struct str path)
{
	if (path.n && path.p[0] == '/')
		return pool_str(&l->f->pool, path);
	return pool_strf(&l->f->pool, "%.*s/%.*s", STR_FMT(l->p->dir),
			 STR_FMT(path));
}

/* One file more, or the same file for one more group or name. */
static int
add(struct lister *l, const struct tls_file *want, struct err *err)
{
	struct tls_files *f = l->f;
	size_t i;

	for (i = 0; i < f->n; i++) {
		struct tls_file *at = &f->v[i];

		if (!str_eq(at->path, want->path) ||
		    !str_eq(at->key_path, want->key_path))
			continue;
		if (!at->names.n != !want->names.n)
			continue;
		if (want->names.n &&
		    at->names.n + 1 + want->names.n > TLS_NAMES_MAX)
			continue;
		at->mx |= want->mx;
		at->user |= want->user;
		at->out |= want->out;
		if (!want->names.n)
			return 0;
		at->names = pool_strf(&f->pool, "%.*s %.*s", STR_FMT(at->names),
				      STR_FMT(want->names));
		return at->names.p ? 0 : no_memory(err);
	}
	if (f->n == TLS_FILES_MAX)
		return err_set(err, ERR_PERM, E2BIG,
			       "more than %d files with keys", TLS_FILES_MAX);
	f->v[f->n++] = *want;
	return 0;
}

static int
add_chain_files(struct lister *l, struct str list, struct tls_file like,
		struct err *err)
{
	struct str item;

	while (str_token(&list, ", \t\r\n", &item)) {
		like.path = absolute(l, item);
		like.key_path = STR("");
		if (!like.path.p)
			return no_memory(err);
		if (add(l, &like, err) < 0)
			return -1;
	}
	return 0;
}

/* Postfix's older form; the key may stand in the same file. */
static int
add_pair(struct lister *l, struct str cert, struct str key,
	 struct tls_file like, struct err *err)
{
	if (!cert.n || str_eq(cert, STR("none")))
		return 0;
	like.path = absolute(l, cert);
	like.key_path = absolute(l, key.n ? key : cert);
	if (!like.path.p || !like.key_path.p)
		return no_memory(err);
	return add(l, &like, err);
}

/* A list of chain files; if that is empty, the older form. */
static int
add_either(struct lister *l, struct str chain_files, struct str cert[2],
	   struct str key[2], struct tls_file like, struct err *err)
{
	struct str rest = chain_files, word;

	if (str_token(&rest, ", \t\r\n", &word))
		return add_chain_files(l, chain_files, like, err);
	if (add_pair(l, cert[0], key[0], like, err) < 0)
		return -1;
	return add_pair(l, cert[1], key[1], like, err);
}

static int
add_defaults(struct lister *l, struct err *err)
{
	const struct tls_params *p = l->p;
	struct str cert[2] = { p->cert_file, p->eccert_file };
	struct str key[2] = { p->key_file, p->eckey_file };
	struct str blank = p->login_chain_files, word;
	struct tls_file mx = { .mx = true, .names = STR("") };
	struct tls_file user = { .user = true, .names = STR("") };

	/* Empty or blank: the same as for port 25. */
	if (!str_token(&blank, ", \t\r\n", &word))
		mx.user = true;
	else if (add_chain_files(l, p->login_chain_files, user, err) < 0)
		return -1;
	return add_either(l, p->chain_files, cert, key, mx, err);
}

static int
add_out(struct lister *l, struct err *err)
{
	const struct tls_params *p = l->p;
	struct str cert[2] = { p->out_cert_file, p->out_eccert_file };
	struct str key[2] = { p->out_key_file, p->out_eckey_file };
	struct tls_file out = { .out = true, .names = STR("") };

	return add_either(l, p->out_chain_files, cert, key, out, err);
}

/* --- SNI ----------------------------------------------------------------- */

static bool
is_name(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') &&
		    !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '.' &&
		    s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= 255;
}

/* name = /FILE, /FILE */
static int
add_sni(struct lister *l, struct str key, struct str value, struct err *err)
{
	struct tls_file like = { .mx = true, .user = true };
	char folded[256];
	size_t i;

	for (i = 0; i < key.n && i < sizeof(folded); i++)
		folded[i] = ascii_lower(key.p[i]);
	if (!is_name(str_mem(folded, i)) || i != key.n)
		return err_set(err, ERR_PERM, EINVAL,
			       "\"%.*s\": want a host name",
			       STR_FMT(str_head(key, 60)));
	like.names = pool_str(&l->f->pool, str_mem(folded, i));
	if (!like.names.p)
		return no_memory(err);
	return add_chain_files(l, value, like, err);
}

static int
add_inline(struct lister *l, struct str name, struct err *err)
{
	struct str rest, key, value;
	int rc;

	if (table_inline_open(name, &rest, err) < 0)
		return -1;
	while ((rc = table_inline_next(&rest, &key, &value, err)) > 0)
		if (add_sni(l, key, value, err) < 0)
			return -1;
	return rc;
}

static int
add_texthash(struct lister *l, struct str name, struct err *err)
{
	struct str path = absolute(l, name);
	struct text_walk w;
	struct text_row row;
	struct buf text;
	int rc;

	if (!path.p)
		return no_memory(err);
	buf_init(&text, TABLE_MAX + 1);
	rc = read_file(path.p, check_table_mode, TABLE_MAX, &text, err);
	if (rc < 0) {
		(void)err_prefix(err, "%s", path.p);
		buf_fini(&text);
		return -1;
	}
	text_init(&w, buf_str(&text));
	while ((rc = text_row(&w, TEXT_POSTMAP, &row, err)) > 0) {
		rc = add_sni(l, row.key, row.value, err);
		if (rc < 0)
			break;
	}
	if (rc < 0)
		(void)err_prefix(err, "%s:%u", path.p, w.line);
	text_fini(&w);
	buf_fini(&text);
	return rc;
}

static int
add_maps(struct lister *l, struct err *err)
{
	struct str rest = l->p->sni_maps, item, type, name;
	int rc;

	while (table_spec_next(&rest, &item)) {
		rc = -1;
		if (!table_spec_split(item, &type, &name))
			type = STR("");
		if (str_eq(type, STR("inline")))
			rc = add_inline(l, name, err);
		else if (str_eq(type, STR("texthash")))
			rc = add_texthash(l, name, err);
		else
			(void)err_set(err, ERR_PERM, EINVAL,
				      "\"%.*s\": want inline:{...} or "
				      "texthash:/FILE, since master must know "
				      "in advance which files it reads",
				      STR_FMT(str_head(item, 60)));
		if (rc < 0)
			return err_prefix(err, "tls_server_sni_maps");
	}
	return 0;
}

int
tls_files_list(struct tls_files *f, const struct tls_params *p, struct err *err)
{
	struct lister l = { f, p };

	f->n = 0;
	pool_init(&f->pool, POOL_MAX);
	if (add_defaults(&l, err) < 0 || add_maps(&l, err) < 0)
		return -1;
	return add_out(&l, err);
}

void
tls_files_free(struct tls_files *f)
{
	pool_fini(&f->pool);
	f->n = 0;
}
