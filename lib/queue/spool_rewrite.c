/* SPDX-License-Identifier: ISC */
/*
 * Another envelope for a message that is in the queue: a whole new queue file
 * beside the old one, then one rename.  A power cut leaves the one or the
 * other.  The body's own file is the same for both, and so are the numbers of
 * the recipients that were there: a delivery that is repeated still finds
 * itself, and ID.log stays right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/fsx.h"
#include "queue/spool_int.h"

/* Head and slots: those of the old file, but for what changes. */
static void
put_front(const struct qfile_head *h, const struct spool_text *old,
	  const struct spool_edit *e, uint8_t *front)
{
	struct str file = str_mem(old->mem, old->head.env_off);
	uint64_t now = clock_wall_us();
	struct qfile_rcpt r;
	uint32_t i;

	memset(front, 0, h->env_off);
	memcpy(front + QFILE_SLOTS, file.p + QFILE_SLOTS, file.n - QFILE_SLOTS);
	qfile_put_head(h, front);
	qfile_put_msg(h, &e->msg, front + qfile_msg_off(e->msg.seq));
	for (i = 0; i < h->nrcpts; i++) {
		r = (struct qfile_rcpt){ 0 };
		if (i < old->head.nrcpts)
			(void)qfile_get_rcpt(&old->head, file, i,
					     old->msg.reports, &r);
		if (e->rcpt_state[i] == r.state)
			continue;
		r.seq++;
		r.state = e->rcpt_state[i];
		r.reports = 0;
		r.when_us = now;
		qfile_put_rcpt(h, i, &r, front + qfile_rcpt_off(i));
	}
}

static int
build(const struct spool_text *old, const struct spool_edit *e,
      struct qfile_head *h, struct buf *out, struct err *err)
{
	const struct str envid = old->env.envid;
	uint32_t crc;

	*h = old->head;
	h->nrcpts = e->nrcpts;
	h->sender_len = (uint32_t)e->sender.n;
	h->env_len = (uint32_t)(e->sender.n + envid.n + e->rcpts.n);
	crc = enc_crc32c(0, e->sender.p, e->sender.n);
	crc = enc_crc32c(crc, envid.p, envid.n);
	h->env_crc = enc_crc32c(crc, e->rcpts.p, e->rcpts.n);
	if (!qfile_layout(h))
		return err_set(err, ERR_PERM, EMSGSIZE,
			       "message passes the limits of the queue");
	buf_init(out, h->file_len);
	if (!buf_reserve(out, h->file_len))
		return err_sys(err, ENOMEM, "queue file");
	put_front(h, old, e, (uint8_t *)out->p);
	out->n = h->env_off;
	buf_add_str(out, e->sender);
	buf_add_str(out, envid);
	buf_add_str(out, e->rcpts);
	buf_add_str(out, old->header);
	if (h->body == QFILE_INLINE)
		buf_add_str(out, old->body);
	return 0;
}

static int
write_new(int dir, const char *name, struct str file, struct err *err)
{
	int fd = fsx_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int rc = -1;

	if (fd < 0)
		return err_sys(err, errno, "%s", name);
	if (fsx_write_all(fd, file.p, file.n, err) < 0)
		err_prefix(err, "%s", name);
	else if (fsx_fsync(fd) < 0)
		err_sys(err, errno, "%s: fsync", name);
	else
		rc = 0;
	fsx_close(fd);
	return rc;
}

int
spool_rewrite(struct spool *sp, uint64_t id, const struct spool_edit *e,
	      struct qfile_head *head, struct err *err)
{
	char name[SPOOL_NAME_MAX], tmp[SPOOL_NAME_MAX + 1] = ".";
	int dir = sp->dir[spool_dir_of(id)], rc = -1;
	struct spool_text old;
	struct buf file;

	buf_init(&file, 0);
	if (spool_read(sp, id, SPOOL_ALL, &old, err) < 0)
		return -1;
	BUG_ON(e->nrcpts < old.head.nrcpts);
	spool_name(id, "", name);
	spool_name(id, ".new", tmp + 1);
	if (build(&old, e, head, &file, err) < 0)
		goto out;
	if (write_new(dir, tmp, buf_str(&file), err) < 0) {
		fsx_unlink(dir, tmp);
		goto out;
	}
	if (fsx_rename(dir, tmp, dir, name) < 0) {
		err_sys(err, errno, "%s: rename", tmp);
		fsx_unlink(dir, tmp);
		goto out;
	}
	rc = 0;
	if (fsx_fsync(dir) < 0) {
		err_sys(err, errno, "spool: sync of msg/%02x",
			spool_dir_of(id));
		rc = 1;
	}
out:
	buf_fini(&file);
	free(old.mem);
	return rc;
}
