/* SPDX-License-Identifier: ISC */
/*
 * A message written by a client: into tmp/, sync, out of tmp/, UID into the
 * log, sync.  The name is not synced by itself: if a power cut keeps the UID
 * but not the rename, the next scan does it (scan.c, rescue()).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "store/store_int.h"

struct store_append {
	struct mailbox *mb;
	int fd;
	char *tmp; /* its name in tmp/: that of the message up to the sizes */
	uint64_t size, wsize;
	char last;   /* last byte seen */
	bool out_cr; /* last byte written is a CR */
	/* while it is committed */
	char *base;
	uint64_t disk; /* where it stands */
	bool named;    /* out of tmp/ */
};

/* Somebody may have removed tmp/ as a whole, to clean up. */
static int
open_tmp(struct mailbox *mb, const char *name, struct err *err)
{
	int tries, tmp, fd = -1;

	for (tries = 0; fd < 0 && tries < 2; tries++) {
		fd = fsx_open(mb->tmp, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd >= 0 || errno != ENOENT)
			break;
		tmp = store_open_sub(mb->dir, "tmp", err);
		if (tmp < 0)
			return -1;
		fsx_close(mb->tmp);
		mb->tmp = tmp;
	}
	return fd < 0 ? err_sys(err, errno, "tmp") : fd;
}

struct store_append *
append_begin(struct mailbox *mb, struct err *err)
{
	struct store_append *a = calloc(1, sizeof(*a));
	struct buf name;

	buf_init(&name, MAILDIR_NAME_MAX + 1);
	maildir_base_random(&name, str_of(mb->st->host), 0, 0);
	name.n = (size_t)str_search(buf_str(&name), STR(",S="));
	if (a)
		a->tmp = strdup(buf_cstr(&name));
	buf_fini(&name);
	if (!a || !a->tmp) {
		free(a);
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	a->mb = mb;
	a->fd = open_tmp(mb, a->tmp, err);
	if (a->fd < 0) {
		free(a->tmp);
		free(a);
		return NULL;
	}
	mb->refs++;
	return a;
}

static int
put(struct store_append *a, const char *p, size_t n, struct err *err)
{
	if (n == 0)
		return 0;
	if (fsx_write_all(a->fd, p, n, err) < 0)
		return -1;
	a->size += n;
	return 0;
}

/*
 * CR LF becomes LF; a CR by itself stays, and so does the CR LF after one:
 * a reader must find the same bytes.  A CR at the end of s waits.
 */
int
append_write(struct store_append *a, struct str s, struct err *err)
{
	char out[16384];
	size_t i, n = 0;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (n + 2 > sizeof(out)) {
			if (put(a, out, n, err) < 0)
				return -1;
			n = 0;
		}
		if (a->last == '\r' && (c != '\n' || a->out_cr)) {
			out[n++] = '\r';
			a->wsize += c != '\n';
			a->out_cr = true;
		}
		if (c != '\r') {
			out[n++] = c;
			a->wsize += c == '\n' ? 2 : 1;
			a->out_cr = false;
		}
		a->last = c;
	}
	return put(a, out, n, err);
}

static void
append_free(struct store_append *a)
{
	fsx_close(a->fd);
	mailbox_release(a->mb);
	free(a->tmp);
	free(a->base);
	free(a);
}

void
append_abort(struct store_append *a)
{
	(void)!fsx_unlink(a->mb->tmp, a->tmp);
	append_free(a);
}

/* All bytes and the time; the name that it will have. */
static int
finish_file(struct store_append *a, const struct append_info *info,
	    struct err *err)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  { .tv_sec = info->mtime } };
	struct buf base;

	if (a->last == '\r') {
		a->wsize++;
		if (put(a, "\r", 1, err) < 0)
			return -1;
	}
	if (fsx_futimens(a->fd, ts) < 0)
		return err_sys(err, errno, "writing the message");
	buf_init(&base, MAILDIR_NAME_MAX + 1);
	buf_addf(&base, "%s,S=%llu,W=%llu", a->tmp, (unsigned long long)a->size,
		 (unsigned long long)a->wsize);
	a->base = strdup(buf_cstr(&base));
	buf_fini(&base);
	return a->base ? 0 : err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

/* Into new/ if it has no flags, so that other readers see that it is new. */
static int
name_file(struct store_append *a, uint64_t flags, struct err *err)
{
	char name[MAILDIR_NAME_MAX + 1];

	a->disk = flags ? flags : MESSAGE_IN_NEW;
	if (!file_name(str_of(a->base), a->disk, name))
		return err_set(err, ERR_PERM, ENAMETOOLONG,
			       "file name is too long");
	if (fsx_rename_new(a->mb->tmp, a->tmp, file_dir(a->mb, a->disk), name) <
	    0)
		return err_sys(err, errno, "rename");
	watch_own(a->mb, a->disk, name, true);
	a->mb->unsettled |= names_in(a->disk);
	a->named = true;
	return 0;
}

static void
unname_file(struct store_append *a)
{
	char name[MAILDIR_NAME_MAX + 1];

	if (!a->named) {
		(void)!fsx_unlink(a->mb->tmp, a->tmp);
		return;
	}
	if (file_name(str_of(a->base), a->disk, name) &&
	    fsx_unlink(file_dir(a->mb, a->disk), name) == 0)
		watch_own(a->mb, a->disk, name, false);
	a->mb->dirty_new = a->mb->dirty_cur = true;
}

static int
commit_locked(struct mailbox *mb, struct store_append **v,
	      const struct append_info *info, size_t n, uint32_t *first_uid,
	      struct err *err)
{
	struct index_new a;
	uint32_t uid;
	size_t i;

	for (i = 0; i < n; i++) {
		if (name_file(v[i], info[i].flags, err) < 0)
			return -1;
		a = (struct index_new){ .base = str_of(v[i]->base),
					.disk = v[i]->disk,
					.flags = info[i].flags,
					.wsize = v[i]->wsize,
					.mtime = info[i].mtime };
		if (mailbox_keyword_set_make(mb, info[i].keywords,
					     info[i].nkeywords, &a.keywords,
					     err) < 0)
			return -1;
		uid = index_add(mb->ix, &a);
		if (uid == 0)
			return err_set(err, ERR_TEMP, ENOMEM,
				       "no room for a message");
		if (i == 0)
			*first_uid = uid;
	}
	return mailbox_commit(mb, true, err);
}

static int
commit_all(struct mailbox *mb, struct store_append **v,
	   const struct append_info *info, size_t n, uint32_t *first_uid,
	   struct err *err)
{
	size_t i;
	int rc;

	for (i = 0; i < n; i++)
		if (finish_file(v[i], &info[i], err) < 0)
			return -1;
	for (i = 0; n > 1 && i < n; i++)
		fsx_start_write(v[i]->fd);
	for (i = 0; i < n; i++)
		if (fsx_fsync(v[i]->fd) < 0)
			return err_sys(err, errno, "writing the message");
	if (mailbox_lock(mb, err) < 0)
		return -1;
	rc = commit_locked(mb, v, info, n, first_uid, err);
	index_unlock(mb->ix);
	return rc;
}

int
append_commit_all(struct store_append **v, const struct append_info *info,
		  size_t n, uint32_t *first_uid, struct err *err)
{
	struct mailbox *mb;
	size_t i;
	int rc;

	if (n == 0)
		return 0;
	mb = v[0]->mb;
	mb->refs++; /* beyond the last of them */
	rc = commit_all(mb, v, info, n, first_uid, err);
	for (i = 0; i < n; i++) {
		if (rc < 0)
			unname_file(v[i]);
		append_free(v[i]);
	}
	mailbox_tell(mb);
	mailbox_release(mb);
	return rc;
}

int
append_commit(struct store_append *a, const struct append_info *info,
	      uint32_t *uid, struct err *err)
{
	return append_commit_all(&a, info, 1, uid, err);
}
