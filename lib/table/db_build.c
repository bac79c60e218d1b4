/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/db.h"
#include "table/db_env.h"

enum { SOURCE_MAX = 1 << 30, CACHE_BYTES = 16 << 20 };

static int
read_all(int fd, size_t max, struct buf *out, struct err *err)
{
	ssize_t n = 0;
	char *to;

	do {
		out->n += (size_t)n;
		if (out->n > max)
			return err_set(err, ERR_TEMP, EFBIG,
				       "more than %zu bytes", max);
		to = buf_reserve(out, 65536);
		if (!to)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		do
			n = read(fd, to, 65536);
		while (n < 0 && errno == EINTR);
	} while (n > 0);
	return n < 0 ? err_sys(err, errno, "read") : 0;
}

int
table_read_file(const char *path, size_t max, struct buf *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int rc;

	buf_init(out, max + 65536);
	if (fd < 0)
		return err_sys(err, errno, "%s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = err_set(err, ERR_PERM, EINVAL, "not a regular file");
	else
		rc = read_all(fd, max, out, err);
	close(fd);
	if (rc < 0) {
		buf_fini(out);
		err_prefix(err, "%s", path);
	}
	return rc;
}

static int
put_rows(DB *db, struct str text, enum text_form form, text_warn_fn *warn,
	 void *arg, struct err *err)
{
	struct text_walk w;
	struct text_row row;
	struct buf value;
	char warning[400];
	struct err why;
	int rc, put = 0;

	text_init(&w, text);
	buf_init(&value, TEXT_LINE_MAX + 1);
	while (put == 0 && (rc = text_row(&w, form, &row, &why)) != 0) {
		DBT k = { .data = NULL }, v = { .data = NULL };

		if (rc < 0) {
			warn(arg, row.line, why.text);
			continue;
		}
		if (form == TEXT_POSTMAP && row.key.p[row.key.n - 1] == ':')
			warn(arg, row.line,
			     "record is in \"key: value\" format; is this an "
			     "alias file?");
		buf_reset(&value);
		(void)!buf_add_str(&value, row.value);
		/* With the NUL, as postmap(1) does it on Linux. */
		v.data = (void *)(uintptr_t)buf_cstr(&value);
		v.size = (uint32_t)row.value.n + 1;
		k.data = (void *)(uintptr_t)buf_cstr(&w.key);
		k.size = (uint32_t)row.key.n + 1;
		put = db->put(db, NULL, &k, &v, DB_NOOVERWRITE);
		if (put == DB_KEYEXIST) {
			snprintf(warning, sizeof(warning),
				 "duplicate entry: \"%.300s\"",
				 (const char *)k.data);
			warn(arg, row.line, warning);
			put = 0;
		}
	}
	text_fini(&w);
	buf_fini(&value);
	return put ? err_set(err, ERR_TEMP, put > 0 ? put : EIO, "write: %s",
			     db_strerror(put))
		   : 0;
}

/* Create the empty file ourselves: nobody else's, no link followed. */
static int
create_beside(const char *path, const struct stat *like, struct err *err)
{
	int fd;

	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "%s: remove", path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return err_sys(err, errno, "%s: create", path);
	if ((geteuid() == 0 && fchown(fd, like->st_uid, like->st_gid) < 0) ||
	    fchmod(fd, like->st_mode & 0666) < 0) {
		err_sys(err, errno, "%s: owner and mode", path);
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int
fill(const char *path, enum table_db_kind kind, struct str text,
     enum text_form form, text_warn_fn *warn, void *arg, struct err *err)
{
	DB_ENV *env = NULL;
	DB *db = NULL;
	const char *name;
	int rc, closed, result = -1;

	rc = table_db_env(&env, path, CACHE_BYTES, &name);
	if (rc == 0)
		rc = db_create(&db, env, 0);
	if (rc == 0)
		rc = db->open(db, NULL, name, NULL,
			      kind == TABLE_HASH ? DB_HASH : DB_BTREE,
			      DB_CREATE | DB_TRUNCATE, 0600);
	if (rc == 0)
		result = put_rows(db, text, form, warn, arg, err);
	if (db) {
		closed = db->close(db, 0); /* writes what is dirty */
		rc = rc ? rc : closed;
	}
	if (env)
		env->close(env, 0);
	if (rc != 0)
		return err_set(err, ERR_TEMP, rc > 0 ? rc : EIO, "%s: %s", path,
			       db_strerror(rc));
	return result;
}

/* The rename is the moment of change; synced before and after. */
static int
publish(const char *path, const char *to, const char *dir, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), dirfd = -1, rc = -1;

	if (fd < 0 || fsync(fd) < 0) {
		err_sys(err, errno, "%s: sync", path);
	} else if (rename(path, to) < 0) {
		err_sys(err, errno, "%s: rename to %s", path, to);
	} else {
		dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dirfd < 0 || fsync(dirfd) < 0)
			err_sys(err, errno, "%s: sync", dir);
		else
			rc = 0;
	}
	if (fd >= 0)
		close(fd);
	if (dirfd >= 0)
		close(dirfd);
	return rc;
}

static int
build_locked(int source, enum table_db_kind kind, const char *file,
	     enum text_form form, text_warn_fn *warn, void *arg,
	     struct err *err)
{
	char tmp[PATH_MAX], to[PATH_MAX], dir[PATH_MAX];
	struct buf text;
	struct stat st;
	int rc = -1;

	buf_init(&text, (size_t)SOURCE_MAX + 65536);
	table_dir_of(file, dir);
	if (snprintf(to, sizeof(to), "%s.db", file) >= (int)sizeof(to) ||
	    snprintf(tmp, sizeof(tmp), "%s.db.new", file) >= (int)sizeof(tmp))
		return err_set(err, ERR_PERM, ENAMETOOLONG, "name too long");
	if (fstat(source, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_PERM, EINVAL, "not a regular file");
	if (read_all(source, SOURCE_MAX, &text, err) < 0 ||
	    create_beside(tmp, &st, err) < 0)
		goto out;
	if (fill(tmp, kind, buf_str(&text), form, warn, arg, err) == 0 &&
	    publish(tmp, to, dir, err) == 0)
		rc = 0;
	else
		unlink(tmp);
out:
	buf_fini(&text);
	return rc;
}

int
table_db_build(enum table_db_kind kind, const char *file, enum text_form form,
	       text_warn_fn *warn, void *arg, struct err *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "%s", file);
	do
		rc = flock(fd, LOCK_EX);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		err_sys(err, errno, "lock");
	else
		rc = build_locked(fd, kind, file, form, warn, arg, err);
	close(fd);
	if (rc < 0)
		err_prefix(err, "%s", file);
	return rc;
}
