/* SPDX-License-Identifier: ISC */
/* COPY and MOVE: a second name for each file, one sync for all. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "store/store_int.h"

struct copy {
	uint32_t uid; /* in the source */
	char *base;   /* of the copy */
	uint64_t wsize, flags;
	int64_t mtime;
	uint32_t keywords; /* the set in the source, then in the target */
	bool made;
};

static int
copy_bytes(int from, int to, struct err *err)
{
	char buf[16384];
	ssize_t n;

	while ((n = fsx_read(from, buf, sizeof(buf))) > 0)
		if (fsx_write_all(to, buf, (size_t)n, err) < 0)
			return -1;
	return n < 0 ? err_sys(err, errno, "read") : 0;
}

/* Where a second name for the file cannot be had. */
static int
copy_file(int dir, const char *from, struct mailbox *dst, const char *name,
	  struct err *err)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };
	int fd = -1, old = fsx_open(dir, from, O_RDONLY | O_NONBLOCK, 0),
	    rc = -1;
	struct stat st;

	if (old < 0 || fsx_fstat(old, &st) < 0) {
		err_sys(err, errno, "%s", from);
		goto out;
	}
	fd = fsx_open(dst->tmp, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0) {
		err_sys(err, errno, "tmp/%s", name);
		goto out;
	}
	ts[1] = st.st_mtim;
	if (copy_bytes(old, fd, err) < 0)
		goto out;
	if (fsx_futimens(fd, ts) < 0 || fsx_fsync(fd) < 0 ||
	    fsx_rename_new(dst->tmp, name, dst->cur, name) < 0)
		err_sys(err, errno, "%s", name);
	else
		rc = 0;
out:
	if (fd >= 0) {
		fsx_close(fd);
		if (rc < 0)
			(void)!fsx_unlink(dst->tmp, name);
	}
	if (old >= 0)
		fsx_close(old);
	return rc;
}

/* The copy's name says the sizes, as the old one does or the file. */
static int
plan_one(struct mailbox *src, struct mailbox *dst, uint32_t uid, struct copy *c,
	 struct err *err)
{
	char name[MAILDIR_NAME_MAX + 1];
	const struct message *m;
	struct maildir_name p;
	struct stat st;
	struct buf b;
	int dir;

	c->uid = uid;
	if (mailbox_wsize(src, uid, &c->wsize, err) < 0)
		return -1;
	m = mailbox_find(src, uid);
	if (!m || maildir_parse(index_base(src->ix, m), &p) < 0)
		return err_set(err, ERR_PERM, ENOENT, "Message is gone");
	c->flags = m->flags;
	c->keywords = m->keywords;
	c->mtime = m->mtime;
	if (!p.has_size) {
		dir = message_file(src, m, name);
		if (fsx_fstatat(dir, name, &st) < 0)
			return err_sys(err, errno, "%s", src->name);
		p.size = (uint64_t)st.st_size;
		c->mtime = st.st_mtim.tv_sec;
	}
	buf_init(&b, MAILDIR_NAME_MAX + 1);
	maildir_base_random(&b, str_of(dst->st->host), p.size, c->wsize);
	c->base = strdup(buf_cstr(&b));
	buf_fini(&b);
	return c->base ? 0 : err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

static int
make_one(struct mailbox *src, struct mailbox *dst, struct copy *c,
	 struct err *err)
{
	char from[MAILDIR_NAME_MAX + 1], to[MAILDIR_NAME_MAX + 1];
	const struct message *m = mailbox_find(src, c->uid);
	int dir;

	if (!m)
		return err_set(err, ERR_PERM, ENOENT, "Message is gone");
	dir = message_file(src, m, from);
	if (!file_name(str_of(c->base), c->flags, to))
		return err_set(err, ERR_PERM, ENAMETOOLONG,
			       "file name is too long");
	if (fsx_link(dir, from, dst->cur, to) < 0) {
		if (errno == ENOENT)
			return err_set(err, ERR_PERM, ENOENT,
				       "Message is gone");
		if (copy_file(dir, from, dst, to, err) < 0)
			return -1;
	}
	watch_own(dst, 0, to, true);
	c->made = true;
	return 0;
}

/* The names of a set's keywords in src, made in dst.  Sets repeat. */
static int
translate_keywords(struct mailbox *src, struct mailbox *dst, struct copy *v,
		   size_t n, struct err *err)
{
	uint32_t from = 0, to = 0, set;
	const uint32_t *ids;
	struct str *names;
	size_t i, k, nids;
	int rc;

	if (src == dst)
		return 0;
	for (i = 0; i < n; i++) {
		set = v[i].keywords;
		if (set != from) {
			ids = index_set(src->ix, set, &nids);
			names = calloc(nids + 1, sizeof(*names));
			if (!names)
				return err_set(err, ERR_TEMP, ENOMEM,
					       "out of memory");
			for (k = 0; k < nids; k++)
				names[k] =
					str_of(index_keyword(src->ix, ids[k]));
			rc = mailbox_keyword_set_make(dst, names, nids, &to,
						      err);
			free(names);
			if (rc < 0)
				return -1;
			from = set;
		}
		v[i].keywords = to;
	}
	return 0;
}

static int
copy_locked(struct mailbox *src, struct mailbox *dst, struct copy *v, size_t n,
	    uint32_t *first_uid, struct err *err)
{
	struct index_new a;
	uint32_t uid;
	size_t i;

	for (i = 0; i < n; i++)
		if (make_one(src, dst, &v[i], err) < 0)
			return -1;
	if (fsx_fsync(dst->cur) < 0)
		return err_sys(err, errno, "fsync of a folder");
	if (translate_keywords(src, dst, v, n, err) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		a = (struct index_new){ .base = str_of(v[i].base),
					.disk = v[i].flags,
					.flags = v[i].flags,
					.keywords = v[i].keywords,
					.wsize = v[i].wsize,
					.mtime = v[i].mtime };
		uid = index_add(dst->ix, &a);
		if (uid == 0)
			return err_set(err, ERR_TEMP, ENOMEM,
				       "no room for a message");
		if (i == 0)
			*first_uid = uid;
	}
	return mailbox_commit(dst, true, err);
}

/* RFC 3501 6.4.7: as it was before. */
static void
undo(struct mailbox *dst, struct copy *v, size_t n)
{
	char name[MAILDIR_NAME_MAX + 1];
	size_t i;

	for (i = 0; i < n; i++) {
		if (v[i].made &&
		    file_name(str_of(v[i].base), v[i].flags, name) &&
		    fsx_unlink(dst->cur, name) == 0)
			watch_own(dst, 0, name, false);
		v[i].made = false;
	}
	dst->dirty_cur = true;
}

static int
copy_all(struct mailbox *src, const uint32_t *uids, size_t n,
	 struct mailbox *dst, struct copy *v, uint32_t *first_uid,
	 struct err *err)
{
	size_t i;
	int rc;

	for (i = 0; i < n; i++)
		if (plan_one(src, dst, uids[i], &v[i], err) < 0)
			return -1;
	if (mailbox_lock(dst, err) < 0)
		return -1;
	rc = copy_locked(src, dst, v, n, first_uid, err);
	if (rc < 0)
		undo(dst, v, n);
	index_unlock(dst->ix);
	return rc;
}

int
mailbox_copy(struct mailbox *src, const uint32_t *uids, size_t n,
	     struct mailbox *dst, uint32_t *first_uid, struct err *err)
{
	struct copy *v;
	struct err look;
	size_t i;
	int rc = -1, tries;

	for (tries = 0; tries < 2; tries++) {
		v = calloc(n ? n : 1, sizeof(*v));
		if (!v)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		rc = copy_all(src, uids, n, dst, v, first_uid, err);
		for (i = 0; i < n; i++)
			free(v[i].base);
		free(v);
		if (rc == 0 || err->code != ENOENT)
			break;
		/* Gone, or only called otherwise by somebody else. */
		src->dirty_new = src->dirty_cur = true;
		if (mailbox_refresh(src, &look) < 0)
			break;
	}
	mailbox_tell(dst);
	return rc;
}
