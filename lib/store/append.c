/* SPDX-License-Identifier: ISC */
/* A message written by a client: tmp/, sync, rename, UID. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "store/store_int.h"

struct store_append {
	struct mailbox *mb;
	int fd;
	char *tmp; /* its name in tmp/ */
	uint64_t size, wsize;
	char last;   /* last byte seen */
	bool out_cr; /* last byte written is a CR */
};

struct store_append *
append_begin(struct mailbox *mb, struct err *err)
{
	struct store_append *a = calloc(1, sizeof(*a));
	struct buf name;

	buf_init(&name, MAILDIR_NAME_MAX + 1);
	maildir_base_random(&name, str_of(mb->st->host), 0, 0);
	if (a)
		a->tmp = strdup(buf_cstr(&name));
	buf_fini(&name);
	if (!a || !a->tmp) {
		free(a);
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	a->mb = mb;
	a->fd = fsx_open(mb->tmp, a->tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (a->fd < 0) {
		err_sys(err, errno, "tmp");
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

void
append_abort(struct store_append *a)
{
	fsx_close(a->fd);
	(void)!fsx_unlink(a->mb->tmp, a->tmp);
	mailbox_release(a->mb);
	free(a->tmp);
	free(a);
}

static int
finish_file(struct store_append *a, int64_t mtime, struct err *err)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  { .tv_sec = mtime } };

	if (a->last == '\r') {
		a->wsize++;
		if (put(a, "\r", 1, err) < 0)
			return -1;
	}
	if (fsx_futimens(a->fd, ts) < 0 || fsx_fsync(a->fd) < 0)
		return err_sys(err, errno, "writing the message");
	return 0;
}

/* Into new/ if it has no flags, so that other readers see that it is new. */
static int
name_file(struct store_append *a, uint64_t flags, struct added *out,
	  struct err *err)
{
	struct mailbox *mb = a->mb;
	struct buf name;
	int rc = -1;

	buf_init(&name, MAILDIR_NAME_MAX + 1);
	maildir_base_random(&name, str_of(mb->st->host), a->size, a->wsize);
	*out = (struct added){ .in_new = flags == 0,
			       .fresh = true,
			       .flags = flags,
			       .wsize = a->wsize,
			       .basen = name.n };
	if (flags)
		maildir_format(&name, STR_NULL, flags);
	if (buf_overflown(&name))
		err_set(err, ERR_PERM, ENAMETOOLONG, "file name is too long");
	else if (!(out->name = strdup(buf_cstr(&name))))
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else if (fsx_rename_new(mb->tmp, a->tmp, flags ? mb->cur : mb->new,
				out->name) < 0)
		err_sys(err, errno, "rename");
	else
		rc = 0;
	buf_fini(&name);
	return rc;
}

int
append_commit(struct store_append *a, uint64_t flags, int64_t mtime,
	      uint32_t *uid, struct err *err)
{
	struct mailbox *mb = a->mb;
	struct added one = { 0 };
	int fd, rc = -1;

	if (mb->deleted) {
		err_set(err, ERR_PERM, ENOENT, "Mailbox is gone");
		goto out;
	}
	if (finish_file(a, mtime, err) < 0 ||
	    name_file(a, flags, &one, err) < 0)
		goto out;
	one.mtime = mtime;
	/* The name becomes durable by the directory. */
	fd = one.in_new ? mb->new : mb->cur;
	if (fsx_fsync(fd) < 0)
		rc = err_sys(err, errno, "fsync of a folder");
	else
		rc = mailbox_add(mb, &one, 1, uid, err);
	if (rc < 0 && one.name) {
		(void)!fsx_unlink(fd, one.name);
		mb->dirty = true;
	}
	if (rc == 0)
		mailbox_changed(mb);
out:
	free(one.name);
	append_abort(a); /* what is left of it: the descriptor */
	return rc;
}
