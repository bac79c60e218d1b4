/* SPDX-License-Identifier: ISC */
/* Storing: what must be on disk before the client is told 250. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fsx.h"
#include "queue/spool_int.h"

enum {
	/* A larger header block goes, with the body, into ID.h: it would not
	 * fit the frame to a delivery agent. */
	HEADER_KEEP = 40 * 1024,
	FRONT_MIN = 1088, /* head and slots of a message of 1-7 recipients */
	COPY_PART = 64 * 1024,
	SYNCFS_FROM = 3, /* files */
	SYNCFS_SLOW_MS = 100,
	SYNCFS_REST_MS = 10 * 1000,
};

static int
writev_all(int fd, struct iovec *iov, int n, struct err *err)
{
	ssize_t got;

	while (n) {
		if (iov->iov_len == 0) {
			iov++;
			n--;
			continue;
		}
		got = fsx_writev(fd, iov, n);
		if (got < 0)
			return err_sys(err, errno, "write");
		while (n && (size_t)got >= iov->iov_len) {
			got -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (char *)iov->iov_base + got;
			iov->iov_len -= (size_t)got;
		}
	}
	return 0;
}

static struct iovec
iov_of(struct str s)
{
	return (struct iovec){ (void *)(uintptr_t)s.p, s.n };
}

static void
seal(struct spool *sp, struct spool_new *m)
{
	struct qfile_head *h = &m->head;
	uint32_t crc;

	h->spool_id = sp->id;
	h->sender_len = (uint32_t)m->sender.n;
	h->envid_len = (uint32_t)m->envid.n;
	h->env_len = (uint32_t)(m->sender.n + m->envid.n + m->rcpts.n);
	crc = enc_crc32c(0, m->sender.p, m->sender.n);
	crc = enc_crc32c(crc, m->envid.p, m->envid.n);
	h->env_crc = enc_crc32c(crc, m->rcpts.p, m->rcpts.n);
	h->header_len = (uint32_t)m->header.n;
	h->header_crc = enc_crc32c(0, m->header.p, m->header.n);
	if (h->body == QFILE_INLINE) {
		h->body_len = m->body.n;
		h->body_crc = enc_crc32c(0, m->body.p, m->body.n);
	}
}

static void
put_front(const struct spool_new *m, uint8_t *front)
{
	static const struct qfile_rcpt fresh = { .seq = 1 };
	struct qfile_rcpt r;
	uint32_t i;

	memset(front, 0, m->head.env_off);
	qfile_put_head(&m->head, front);
	qfile_put_msg(&m->head, &m->msg, front + qfile_msg_off(1));
	for (i = 0; m->rcpt_state && i < m->head.nrcpts; i++) {
		r = fresh;
		r.state = m->rcpt_state[i];
		r.when_us = m->head.arrival_us;
		if (r.state != QFILE_TODO)
			qfile_put_rcpt(&m->head, i, &r,
				       front + qfile_rcpt_off(i));
	}
}

/* Header block and body become one file, ID.h. */
static int
copy_text(struct spool *sp, struct spool_new *m, char *part, int fd)
{
	struct qfile_head *h = &m->head;
	uint64_t at = 0, total = m->header.n;
	uint32_t crc = enc_crc32c(0, m->header.p, m->header.n);
	size_t n;

	(void)sp;
	if (fsx_write_all(fd, m->header.p, m->header.n, &m->err) < 0)
		return -1;
	if (h->body == QFILE_INLINE) {
		if (fsx_write_all(fd, m->body.p, m->body.n, &m->err) < 0)
			return -1;
		crc = enc_crc32c(crc, m->body.p, m->body.n);
		total += m->body.n;
	}
	while (h->body == QFILE_BODY && at < h->body_len) {
		n = h->body_len - at < COPY_PART ? (size_t)(h->body_len - at)
						 : COPY_PART;
		if (fsx_pread_all(m->body_fd, part, n, (off_t)at, &m->err) <
			    0 ||
		    fsx_write_all(fd, part, n, &m->err) < 0)
			return -1;
		crc = enc_crc32c(crc, part, n);
		at += n;
		total += n;
	}
	if (fsx_fdatasync(fd) < 0) {
		m->sync_failed = true;
		return err_sys(&m->err, errno, "fdatasync");
	}
	h->body = QFILE_TEXT;
	h->body_len = total;
	h->body_crc = crc;
	m->header = m->body = STR_NULL;
	return 0;
}

static int
make_text_file(struct spool *sp, struct spool_new *m)
{
	int dir = sp->dir[spool_dir_of(m->head.id)], fd, rc;
	bool streamed = m->head.body == QFILE_BODY;
	char name[SPOOL_NAME_MAX], *part = malloc(COPY_PART);

	if (!part)
		return err_sys(&m->err, ENOMEM, "header block");
	spool_name(m->head.id, ".h", name);
	fd = fsx_open(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0) {
		free(part);
		return err_sys(&m->err, errno, "%s", name);
	}
	rc = copy_text(sp, m, part, fd);
	fsx_close(fd);
	free(part);
	if (rc == 0 && streamed) /* left behind, it would be an orphan */
		fsx_unlink(dir, spool_name(m->head.id, ".b", name));
	return rc;
}

/* The queue file: a spare, or a new one. */
static int
open_one(struct spool *sp, const struct spool_new *m, bool *reused)
{
	char name[SPOOL_NAME_MAX];
	int fd = spool_spare_reuse(sp, m->head.id);

	*reused = fd >= 0;
	if (fd >= 0)
		return fd;
	return fsx_open(sp->dir[spool_dir_of(m->head.id)],
			spool_name(m->head.id, "", name),
			O_WRONLY | O_CREAT | O_EXCL, 0600);
}

/* Create and write; returns the descriptor, to be synced, or -1. */
static int
write_one(struct spool *sp, struct spool_new *m, bool *reused)
{
	uint8_t small[FRONT_MIN], *front = small;
	char name[SPOOL_NAME_MAX];
	struct iovec iov[6];
	int fd = -1;

	m->rc = -1;
	m->sync_failed = false;
	m->msg.seq = 1;
	if (m->header.n > HEADER_KEEP && make_text_file(sp, m) < 0)
		return -1;
	/* Its body first: a queue file never names one that is not there. */
	if (m->head.body == QFILE_BODY && fsx_fdatasync(m->body_fd) < 0) {
		m->sync_failed = true;
		return err_sys(&m->err, errno, "fdatasync of the body");
	}
	seal(sp, m);
	if (!qfile_layout(&m->head))
		return err_set(&m->err, ERR_PERM, EMSGSIZE,
			       "message passes the limits of the queue");
	if (m->head.env_off > sizeof(small))
		front = malloc(m->head.env_off);
	if (!front)
		return err_sys(&m->err, ENOMEM, "queue file");
	put_front(m, front);
	iov[0] = (struct iovec){ front, m->head.env_off };
	iov[1] = iov_of(m->sender);
	iov[2] = iov_of(m->envid);
	iov[3] = iov_of(m->rcpts);
	iov[4] = iov_of(m->header);
	iov[5] = iov_of(m->body);
	spool_name(m->head.id, "", name);
	fd = open_one(sp, m, reused);
	if (fd < 0)
		err_sys(&m->err, errno, "%s", name);
	else if (writev_all(fd, iov, 6, &m->err) < 0)
		err_prefix(&m->err, "%s", name);
	else
		m->rc = 0;
	if (front != small)
		free(front);
	return fd;
}

/* Not accepted: nothing of it may be found by recovery, which would deliver
 * what the client was told to send again. */
static void
undo(struct spool *sp, const struct spool_new *m)
{
	int dir = sp->dir[spool_dir_of(m->head.id)];
	char name[SPOOL_NAME_MAX];

	fsx_unlink(dir, spool_name(m->head.id, "", name));
	if (m->head.body != QFILE_INLINE || m->header.n > HEADER_KEEP) {
		fsx_unlink(dir, spool_name(m->head.id, ".b", name));
		fsx_unlink(dir, spool_name(m->head.id, ".h", name));
	}
}

/*
 * All files of a batch with one commit of the journal and one flush of the
 * disk: a sync each would flush for each.  Where others write much to the same
 * file system that takes long; then it is left alone for a while.  False: not
 * done, or some error in the file system, perhaps not ours: ask each file.
 */
static bool
sync_together(struct spool *sp, int fd)
{
	uint64_t begun = clock_mono_ms(), now;
	bool ok;

	if (begun < atomic_load(&sp->apart_until))
		return false;
	ok = fsx_syncfs(fd) == 0;
	now = clock_mono_ms();
	if (now - begun > SYNCFS_SLOW_MS)
		atomic_store(&sp->apart_until, now + SYNCFS_REST_MS);
	return ok;
}

void
spool_store(struct spool *sp, struct spool_new **v, size_t n)
{
	bool reused[SPOOL_BATCH] = { false };
	int fd[SPOOL_BATCH];
	bool together;
	size_t i;

	for (; n > SPOOL_BATCH; v += SPOOL_BATCH, n -= SPOOL_BATCH)
		spool_store(sp, v, SPOOL_BATCH);
	for (i = 0; i < n; i++)
		fd[i] = write_one(sp, v[i], &reused[i]);
	together = n >= SYNCFS_FROM && fd[0] >= 0 && sync_together(sp, fd[0]);
	/* All data on its way before the first wait: the journal has fewer
	 * commits to make. */
	for (i = 0; !together && n > 1 && i < n; i++)
		if (v[i]->rc == 0)
			fsx_start_write(fd[i]);
	for (i = 0; i < n; i++) {
		/* fdatasync of an old file would leave its new name out. */
		if (v[i]->rc == 0 && !together &&
		    (reused[i] ? fsx_fsync(fd[i]) : fsx_fdatasync(fd[i])) < 0) {
			v[i]->rc = err_sys(&v[i]->err, errno, "sync");
			v[i]->sync_failed = true;
		}
		if (fd[i] >= 0)
			fsx_close(fd[i]);
		if (v[i]->rc < 0)
			undo(sp, v[i]);
	}
}

int
spool_body_create(struct spool *sp, uint64_t id, int *fd, struct err *err)
{
	char name[SPOOL_NAME_MAX];

	*fd = fsx_open(sp->dir[spool_dir_of(id)], spool_name(id, ".b", name),
		       O_RDWR | O_CREAT | O_EXCL, 0600);
	return *fd < 0 ? err_sys(err, errno, "%s", name) : 0;
}

void
spool_body_discard(struct spool *sp, uint64_t id)
{
	char name[SPOOL_NAME_MAX];

	fsx_unlink(sp->dir[spool_dir_of(id)], spool_name(id, ".b", name));
}
