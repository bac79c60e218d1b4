/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fsx.h"
#include "base/log.h"
#include "base/rand.h"
#include "write.h"

enum { COPY_CHUNK = 64 * 1024 };

struct names {
	struct buf prefix; /* without the host */
	struct buf tmp, new;
};

void
write_msg_init(struct write_msg *w, const struct msg_deliver *m,
	       struct str host)
{
	*w = (struct write_msg){ .m = m, .host = host };
}

static void
names_init(struct names *n, const struct write_msg *w,
	   const struct msg_deliver_rcpt *rcpt, struct maildir_origin *o)
{
	const struct msg_deliver *m = w->m;

	*o = (struct maildir_origin){
		.arrival_us = m->arrival_us,
		.spool_id = m->spool_id,
		.queue_id = m->queue_id,
		.rcpt = maildir_rcpt(m->spool_id, m->queue_id, rcpt->slot,
				     rcpt->path, rcpt->address),
	};
	buf_init(&n->prefix, MAILDIR_NAME_MAX);
	buf_init(&n->tmp, MAILDIR_NAME_MAX);
	buf_init(&n->new, MAILDIR_NAME_MAX);
	maildir_prefix(&n->prefix, o);
	buf_add_str(&n->tmp, str_head(buf_str(&n->prefix), n->prefix.n - 1));
}

static void
names_fini(struct names *n)
{
	buf_fini(&n->prefix);
	buf_fini(&n->tmp);
	buf_fini(&n->new);
}

/* --- what was delivered before ------------------------------------------- */

struct found {
	int dir; /* -1: nothing; otherwise the open directory it is in */
	char name[MAILDIR_NAME_MAX + 1];
	struct stat st;
};

static int
find_in(int dir, struct str prefix, struct found *f, struct err *err)
{
	struct fsx_dir *d = fsx_opendir(dir, ".");
	const char *name;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "list");
	while ((name = fsx_readdir(d, NULL)))
		if (str_starts(str_of(name), prefix) &&
		    str_copy(f->name, sizeof(f->name), str_of(name)) &&
		    fsx_fstatat(dir, name, &f->st) == 0) {
			f->dir = dir;
			break;
		}
	if (!name && errno)
		rc = err_sys(err, errno, "list");
	fsx_closedir(d);
	return rc;
}

/*
 * Our own file, in new/ or, read meanwhile, in cur/.  A reader that renames it
 * while a directory is being listed may hide it from us, so an empty result is
 * asked for twice.  cur is -1 if there is none.
 */
static int
find_own(const struct maildir_box *box, int cur, struct str prefix,
	 struct found *f, struct err *err)
{
	int i;

	f->dir = -1;
	for (i = 0; i < 2 && f->dir < 0; i++) {
		if (find_in(box->new, prefix, f, err) < 0)
			return -1;
		if (f->dir < 0 && cur >= 0 && find_in(cur, prefix, f, err) < 0)
			return -1;
	}
	return 0;
}

/* A power cut left less than the name says: put it out of the way. */
static int
displace(const struct maildir_box *box, const struct found *f,
	 struct str prefix, struct err *err)
{
	struct buf to;
	int rc = 0;

	buf_init(&to, MAILDIR_NAME_MAX);
	buf_addf(&to, "%.*sshort%llx", STR_FMT(prefix),
		 (unsigned long long)rand_u64());
	log_warn("%s: %lld bytes only: written again", f->name,
		 (long long)f->st.st_size);
	if (fsx_rename_new(f->dir, f->name, box->tmp, buf_cstr(&to)) < 0)
		rc = err_sys(err, errno, "rename %s", f->name);
	buf_fini(&to);
	return rc;
}

/* 1: it is there and whole; 0: it has to be written; -1: err. */
static int
look_for_own(const struct maildir_box *box, struct str prefix, struct err *err)
{
	struct maildir_name name;
	struct found f;
	int cur, rc;

	cur = fsx_open(box->dir, "cur", O_RDONLY | O_DIRECTORY, 0);
	if (cur < 0 && errno != ENOENT)
		return err_sys(err, errno, "cur");
	rc = find_own(box, cur, prefix, &f, err);
	if (rc == 0 && f.dir >= 0) {
		if (maildir_parse(str_of(f.name), &name) == 0 &&
		    name.has_size && (uint64_t)f.st.st_size < name.size)
			rc = displace(box, &f, prefix, err);
		else
			rc = 1;
	}
	if (cur >= 0)
		fsx_close(cur);
	return rc;
}

/* --- writing ------------------------------------------------------------- */

static int
create_tmp(const struct maildir_box *box, struct names *n, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL;
	int fd = fsx_open(box->tmp, buf_cstr(&n->tmp), flags, 0600);

	if (fd < 0 && errno == EEXIST) {
		/* Left by an attempt that failed or was killed. */
		buf_addf(&n->tmp, ".%llx", (unsigned long long)rand_u64());
		fd = fsx_open(box->tmp, buf_cstr(&n->tmp), flags, 0600);
	}
	if (fd < 0)
		return err_sys(err, errno, "create tmp/%s", buf_cstr(&n->tmp));
	return fd;
}

static int
write_rest(int fd, struct iovec *iov, int niov, struct err *err)
{
	ssize_t n;

	while (niov) {
		if (iov->iov_len == 0) {
			iov++;
			niov--;
			continue;
		}
		n = fsx_writev(fd, iov, niov);
		if (n < 0)
			return err_sys(err, errno, "write");
		while (niov && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			niov--;
		}
		if (niov) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* The body from qmgr's file, which is a real one: read with pread(2). */
static int
copy_body(struct write_msg *w, int fd, char *last, struct err *err)
{
	uint64_t at = 0, left = w->m->body_len;
	char *chunk = malloc(COPY_CHUNK);
	ssize_t n = 0;
	int rc = -1;

	if (!chunk)
		return err_sys(err, ENOMEM, "body");
	while (left) {
		n = pread(w->m->body_fd, chunk,
			  left < COPY_CHUNK ? left : COPY_CHUNK, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!w->counted)
			w->lf += maildir_count_lf(chunk, (size_t)n, last);
		if (fsx_write_all(fd, chunk, (size_t)n, err) < 0)
			goto out;
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	if (n < 0)
		err_sys(err, errno, "read the queue file");
	else if (left)
		err_set(err, ERR_TEMP, EIO, "the queue file is too short");
	else
		rc = 0;
out:
	free(chunk);
	return rc;
}

/* As Postfix's local(8) and virtual(8) put them in front. */
void
write_head(struct buf *head, struct str sender,
	   const struct msg_deliver_rcpt *rcpt)
{
	buf_add_c(head, "Return-Path: <");
	buf_add_str(head, sender);
	buf_add_c(head, ">\n");
	if (rcpt->original.n) {
		buf_add_c(head, "X-Original-To: ");
		buf_add_str(head, rcpt->original);
		buf_add_byte(head, '\n');
	}
	buf_add_c(head, "Delivered-To: ");
	buf_add_str(head, rcpt->address);
	buf_add_byte(head, '\n');
}

static int
write_text(struct write_msg *w, int fd, struct str head, struct err *err)
{
	const struct msg_deliver *m = w->m;
	bool inline_body = m->body_fd < 0;
	struct iovec iov[3] = {
		{ (void *)(uintptr_t)head.p, head.n },
		{ (void *)(uintptr_t)m->header.p, m->header.n },
		{ (void *)(uintptr_t)m->body.p, inline_body ? m->body.n : 0 },
	};
	char last = '\n';

	if (!w->counted) {
		w->lf = maildir_count_lf(m->header.p, m->header.n, &last);
		if (inline_body)
			w->lf += maildir_count_lf(m->body.p, m->body.n, &last);
	}
	if (write_rest(fd, iov, 3, err) < 0 ||
	    (!inline_body && copy_body(w, fd, &last, err) < 0)) {
		w->counted = false;
		return -1;
	}
	w->counted = true;
	return 0;
}

static uint64_t
text_size(const struct msg_deliver *m)
{
	return m->header.n + (m->body_fd < 0 ? m->body.n : m->body_len);
}

/* Write tmp/, rename into new/. */
static int
write_new(struct write_msg *w, const struct maildir_box *box,
	  const struct msg_deliver_rcpt *rcpt, struct names *n,
	  const struct maildir_origin *o, struct err *err)
{
	struct buf head;
	char last = 0;
	uint64_t size, lf;
	int fd;

	buf_init(&head, WRITE_HEAD_MAX);
	write_head(&head, w->m->sender, rcpt);
	fd = create_tmp(box, n, err);
	if (fd < 0)
		goto out;
	if (write_text(w, fd, buf_str(&head), err) < 0)
		goto fail;
	/* Text in several writes may come back from a power cut with a hole
	 * and yet as long as its name says: it gets that name once whole. */
	if (w->m->body_fd >= 0 && fsx_fdatasync(fd) < 0) {
		err_sys(err, errno, "sync tmp/%s", buf_cstr(&n->tmp));
		goto fail;
	}
	size = head.n + text_size(w->m);
	lf = maildir_count_lf(head.p, head.n, &last) + w->lf;
	maildir_base(&n->new, o, w->host, size, size + lf);
	if (fsx_rename_new(box->tmp, buf_cstr(&n->tmp), box->new,
			   buf_cstr(&n->new)) == 0)
		goto out;
	err_sys(err, errno, "rename to new/%s", buf_cstr(&n->new));
fail:
	/* Give the space back; the error that counts is the first. */
	if (fsx_ftruncate(fd, 0) < 0)
		log_warn("tmp/%s: cannot be emptied", buf_cstr(&n->tmp));
	fsx_close(fd);
	fd = -1;
out:
	buf_fini(&head);
	return fd;
}

enum write_result
write_rcpt(struct write_msg *w, const struct maildir_box *box,
	   const struct msg_deliver_rcpt *rcpt, struct written *out,
	   struct err *err)
{
	enum write_result r = WRITE_FAILED;
	struct maildir_origin o;
	struct names n;
	int found = 0;

	out->fd = -1;
	out->name[0] = '\0';
	names_init(&n, w, rcpt, &o);
	if (rcpt->maybe_done)
		found = look_for_own(box, buf_str(&n.prefix), err);
	if (found > 0) {
		r = WRITE_FOUND;
	} else if (found == 0) {
		out->fd = write_new(w, box, rcpt, &n, &o, err);
		if (out->fd >= 0 &&
		    str_copy(out->name, sizeof(out->name), buf_str(&n.new)))
			r = WRITE_NEW;
	}
	names_fini(&n);
	return r;
}

void
write_undo(const struct maildir_box *box, struct written *w)
{
	struct buf to;

	buf_init(&to, MAILDIR_NAME_MAX);
	buf_addf(&to, "%.40s.unsynced%llx", w->name,
		 (unsigned long long)rand_u64());
	if (fsx_rename_new(box->new, w->name, box->tmp, buf_cstr(&to)) < 0)
		log_warn("new/%s: not synced, and cannot be moved away: %m",
			 w->name);
	buf_fini(&to);
}
