/* SPDX-License-Identifier: ISC */
/* Flags, expunge, copy. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

/* Rename m's file to carry these flags in cur/; ENOENT as errno. */
static int
rename_to(struct mailbox *mb, struct message *m, uint64_t flags,
	  struct err *err)
{
	struct buf name;
	int rc = -1;

	buf_init(&name, MAILDIR_NAME_MAX + 1);
	maildir_format(&name, message_base(m), flags);
	if (buf_overflown(&name) || name.n > MAILDIR_NAME_MAX)
		err_set(err, ERR_PERM, ENAMETOOLONG, "file name is too long");
	else if (!m->in_new && strcmp(m->name, buf_cstr(&name)) == 0)
		rc = 0;
	else if (fsx_rename_new(m->in_new ? mb->new : mb->cur, m->name, mb->cur,
				buf_cstr(&name)) < 0)
		err_sys(err, errno, "%s", m->name);
	else
		rc = mailbox_renamed(mb, m, buf_cstr(&name), false, flags, err);
	buf_fini(&name);
	return rc;
}

int
mailbox_set_flags(struct mailbox *mb, struct message *m, uint64_t set,
		  uint64_t clear, struct err *err)
{
	uint64_t mod = mb->mod, flags = (m->flags & ~clear) | set;
	uint32_t uid = m->uid;

	if (flags == m->flags)
		return 0;
	if (rename_to(mb, m, flags, err) < 0) {
		if (err->code != ENOENT)
			return -1;
		/* Renamed or removed by somebody else meanwhile. */
		mb->dirty = true;
		if (mailbox_refresh(mb, err) < 0)
			return -1;
		m = mailbox_find(mb, uid);
		if (!m)
			return err_set(err, ERR_PERM, ENOENT,
				       "Message is gone");
		flags = (m->flags & ~clear) | set;
		if (flags != m->flags && rename_to(mb, m, flags, err) < 0)
			return -1;
	}
	if (mod != mb->mod)
		mailbox_changed(mb);
	return 0;
}

int
mailbox_take_new(struct mailbox *mb, struct err *err)
{
	struct err one;
	size_t i;

	for (i = 0; i < mb->n; i++) {
		struct message *m = mb->v[i];

		if (!m->in_new || rename_to(mb, m, m->flags, &one) == 0)
			continue;
		mb->dirty = true;
		if (one.code != ENOENT) {
			*err = one;
			return -1;
		}
	}
	return 0;
}

/* --- expunge ---------------------------------------------------------------
 */

static int
sync_dir(int fd, struct err *err)
{
	return fsx_fsync(fd) < 0 ? err_sys(err, errno, "fsync of a folder") : 0;
}

/* Unlink; a file that has another name now is found by a new scan. */
static int
unlink_one(struct mailbox *mb, uint32_t uid, struct err *err)
{
	struct message *m = mailbox_find(mb, uid);
	int tries;

	for (tries = 0; m && tries < 2; tries++) {
		if (fsx_unlink(m->in_new ? mb->new : mb->cur, m->name) == 0)
			return 0;
		if (errno != ENOENT)
			return err_sys(err, errno, "%s", m->name);
		mb->dirty = true;
		if (mailbox_refresh(mb, err) < 0)
			return -1;
		m = mailbox_find(mb, uid);
	}
	return 0;
}

static void
drop_gone(struct mailbox *mb, const uint32_t *uids, size_t n)
{
	size_t i, keep = 0, k = 0;

	for (i = 0; i < mb->n; i++) {
		struct message *m = mb->v[i];

		while (k < n && uids[k] < m->uid)
			k++;
		if (k == n || uids[k] != m->uid) {
			mb->v[keep++] = m;
			continue;
		}
		mailbox_unlist(mb, m);
	}
	mb->n = keep;
	mb->mod++;
}

int
mailbox_expunge(struct mailbox *mb, const uint32_t *uids, size_t n,
		struct err *err)
{
	size_t done;
	int rc = 0;

	if (n == 0)
		return 0;
	for (done = 0; done < n; done++) {
		rc = unlink_one(mb, uids[done], err);
		if (rc < 0)
			break;
	}
	drop_gone(mb, uids, done);
	if (rc == 0)
		rc = sync_dir(mb->cur, err);
	if (rc == 0)
		rc = sync_dir(mb->new, err);
	mailbox_note_gone(mb, uids, done);
	mailbox_changed(mb);
	return rc;
}

/* --- copy ------------------------------------------------------------------
 */

static int
copy_bytes(struct message_reader *r, int fd, struct err *err)
{
	char buf[16384];
	ssize_t n;

	while ((n = reader_get_raw(r, buf, sizeof(buf), err)) > 0)
		if (fsx_write_all(fd, buf, (size_t)n, err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

/* Where a second name for the file cannot be had. */
static int
copy_file(struct mailbox *src, uint32_t uid, int64_t mtime, struct mailbox *dst,
	  const char *name, struct err *err)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  { .tv_sec = mtime } };
	struct message_reader r;
	int fd, rc = -1;

	if (mailbox_read(src, uid, &r, err) < 0)
		return -1;
	fd = fsx_open(dst->tmp, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0) {
		err_sys(err, errno, "tmp/%s", name);
		goto out;
	}
	if (copy_bytes(&r, fd, err) < 0)
		goto undo;
	if (fsx_futimens(fd, ts) < 0 || fsx_fsync(fd) < 0 ||
	    fsx_rename_new(dst->tmp, name, dst->cur, name) < 0) {
		err_sys(err, errno, "%s", name);
		goto undo;
	}
	rc = 0;
undo:
	fsx_close(fd);
	if (rc < 0)
		(void)!fsx_unlink(dst->tmp, name);
out:
	reader_close(&r);
	return rc;
}

/* The new name, with the sizes that the old one has or the file says. */
static int
copy_name(struct mailbox *src, struct mailbox *dst, uint32_t uid,
	  struct buf *name, struct added *a, struct err *err)
{
	struct message *m = mailbox_find(src, uid);
	struct maildir_name p;
	struct stat st;
	uint64_t wsize;

	if (!m)
		return err_set(err, ERR_PERM, ENOENT, "Message is gone");
	if (mailbox_wsize(src, m, &wsize, err) < 0)
		return -1;
	m = mailbox_find(src, uid);
	if (!m || maildir_parse(str_of(m->name), &p) < 0)
		return err_set(err, ERR_PERM, ENOENT, "Message is gone");
	if (fsx_fstatat(m->in_new ? src->new : src->cur, m->name, &st) < 0)
		return err_sys(err, errno, "%s", m->name);
	maildir_base_random(name, str_of(dst->st->host), (uint64_t)st.st_size,
			    wsize);
	*a = (struct added){ .fresh = true,
			     .flags = p.flags,
			     .wsize = wsize,
			     .mtime = st.st_mtim.tv_sec,
			     .basen = name->n };
	maildir_format(name, STR_NULL, p.flags);
	if (buf_overflown(name) || name->n > MAILDIR_NAME_MAX)
		return err_set(err, ERR_PERM, ENAMETOOLONG,
			       "file name is too long");
	a->name = strdup(buf_cstr(name));
	if (!a->name)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return 0;
}

static int
copy_one(struct mailbox *src, uint32_t uid, struct mailbox *dst,
	 struct added *a, struct err *err)
{
	struct message *m;
	struct buf name;
	int rc;

	buf_init(&name, MAILDIR_NAME_MAX + 8);
	rc = copy_name(src, dst, uid, &name, a, err);
	buf_fini(&name);
	if (rc < 0)
		return -1;
	m = mailbox_find(src, uid);
	if (fsx_link(m->in_new ? src->new : src->cur, m->name, dst->cur,
		     a->name) == 0)
		return 0;
	rc = copy_file(src, uid, a->mtime, dst, a->name, err);
	if (rc < 0) {
		free(a->name);
		a->name = NULL;
	}
	return rc;
}

int
mailbox_copy(struct mailbox *src, const uint32_t *uids, size_t n,
	     struct mailbox *dst, uint32_t *first_uid, struct err *err)
{
	struct added *v = calloc(n ? n : 1, sizeof(*v));
	size_t done, i;
	int rc = 0;

	if (!v)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (done = 0; rc == 0 && done < n; done++)
		rc = copy_one(src, uids[done], dst, &v[done], err);
	if (rc == 0)
		rc = sync_dir(dst->cur, err);
	if (rc == 0)
		rc = mailbox_add(dst, v, n, first_uid, err);
	if (rc < 0) { /* RFC 3501 6.4.7: as it was before */
		for (i = 0; i < done; i++)
			if (v[i].name)
				(void)!fsx_unlink(dst->cur, v[i].name);
		dst->dirty = true;
	} else {
		mailbox_changed(dst);
	}
	for (i = 0; i < n; i++)
		free(v[i].name);
	free(v);
	return rc;
}
