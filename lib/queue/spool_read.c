/* SPDX-License-Identifier: ISC */
/* Reading back, marking, attempt texts. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/enc.h"
#include "base/fsx.h"
#include "queue/spool_int.h"

enum { CHECK_PART = 64 * 1024, LOG_MAX = 64 * 1024 * 1024 };

/* --- reading -------------------------------------------------------------- */

static int
check_body(struct spool *sp, const struct qfile_head *h, struct err *err)
{
	char *part = malloc(CHECK_PART);
	uint64_t at = 0;
	uint32_t crc = 0;
	int fd = -1, rc = -1;
	size_t n;

	if (!part)
		return err_sys(err, ENOMEM, "body");
	if (spool_body_open(sp, h->id, h->body, &fd, err) < 0)
		goto out;
	while (at < h->body_len) {
		n = h->body_len - at < CHECK_PART ? (size_t)(h->body_len - at)
						  : CHECK_PART;
		if (fsx_pread_all(fd, part, n, (off_t)at, err) < 0)
			goto out;
		crc = enc_crc32c(crc, part, n);
		at += n;
	}
	rc = crc == h->body_crc
		     ? 0
		     : err_set(err, ERR_PERM, 0, "checksum of the body");
out:
	if (fd >= 0)
		fsx_close(fd);
	free(part);
	return rc;
}

/* Header block and inline body, which follow the envelope in t->mem. */
static int
get_text(struct spool_text *t, struct err *err)
{
	const struct qfile_head *h = &t->head;

	t->header = str_mem(t->mem + h->env_off + h->env_len, h->header_len);
	if (h->body == QFILE_INLINE)
		t->body = str_mem(t->header.p + h->header_len,
				  (size_t)h->body_len);
	if (enc_crc32c(0, t->header.p, t->header.n) != h->header_crc ||
	    (h->body == QFILE_INLINE &&
	     enc_crc32c(0, t->body.p, t->body.n) != h->body_crc))
		return err_set(err, ERR_PERM, 0, "checksum of the text");
	return 0;
}

/* Everything that depends on the head; t->mem holds n bytes of the file, then
 * room for the recipients' states. */
static int
get_parts(struct spool_text *t, size_t n, struct err *err)
{
	const struct qfile_head *h = &t->head;
	struct str file = str_mem(t->mem, n);
	struct qfile_rcpt r;
	uint32_t i;

	qfile_get_msg(h, file, &t->msg); /* else held, as damaged */
	t->rcpt_state = (uint8_t *)t->mem + n;
	for (i = 0; i < h->nrcpts; i++) {
		/* else to do */
		qfile_get_rcpt(h, file, i, t->msg.reports, &r);
		t->rcpt_state[i] = r.state;
	}
	return qfile_get_env(h,
			     str_head(str_from(file, h->env_off), h->env_len),
			     &t->env, err);
}

static int
read_file(int fd, uint64_t id, enum spool_read what, struct spool_text *t,
	  struct err *err)
{
	char head[QFILE_HEAD];
	struct stat st;
	ssize_t got;
	size_t n;

	if (fsx_fstat(fd, &st) < 0)
		return err_sys(err, errno, "queue file");
	got = fsx_pread(fd, head, sizeof(head), 0);
	if (got < 0)
		return err_sys(err, errno, "queue file");
	switch (qfile_get_head(str_mem(head, (size_t)got), (uint64_t)st.st_size,
			       id, &t->head, err)) {
	case QFILE_GOOD:
		break;
	case QFILE_TORN:
		return err_set(err, ERR_PERM, 0, "queue file is too short");
	case QFILE_BAD:
		return -1;
	}
	n = what == SPOOL_ENVELOPE ? (size_t)t->head.env_off + t->head.env_len
				   : (size_t)t->head.file_len;
	t->mem = malloc(n + t->head.nrcpts);
	if (!t->mem)
		return err_sys(err, ENOMEM, "queue file of %zu bytes", n);
	if (fsx_pread_all(fd, t->mem, n, 0, err) < 0 ||
	    get_parts(t, n, err) < 0)
		return -1;
	return what == SPOOL_ENVELOPE ? 0 : get_text(t, err);
}

int
spool_read(struct spool *sp, uint64_t id, enum spool_read what,
	   struct spool_text *t, struct err *err)
{
	char name[SPOOL_NAME_MAX];
	int fd, rc;

	*t = (struct spool_text){ .head.id = id };
	fd = fsx_open(sp->dir[spool_dir_of(id)], spool_name(id, "", name),
		      O_RDONLY, 0);
	if (fd < 0)
		return err_sys(err, errno, "%s", name);
	rc = read_file(fd, id, what, t, err);
	fsx_close(fd);
	if (rc == 0 && what == SPOOL_CHECK && t->head.body != QFILE_INLINE)
		rc = check_body(sp, &t->head, err);
	if (rc < 0) {
		free(t->mem);
		*t = (struct spool_text){ .head.id = id };
	}
	return rc;
}

int
spool_body_open(struct spool *sp, uint64_t id, enum qfile_body body, int *fd,
		struct err *err)
{
	char name[SPOOL_NAME_MAX];

	spool_name(id, spool_body_suffix(body), name);
	*fd = fsx_open(sp->dir[spool_dir_of(id)], name, O_RDONLY, 0);
	return *fd < 0 ? err_sys(err, errno, "%s", name) : 0;
}

/* --- marking -------------------------------------------------------------- */

enum { RUN = 64 };

/* Neighbouring slots are written together. */
static int
write_rcpts(int fd, const struct qfile_head *h, const struct spool_mark *v,
	    size_t n, struct err *err)
{
	uint8_t run[RUN * QFILE_SLOT];
	uint32_t start = 0, len = 0, off;
	size_t i;

	for (i = 0; i < n; i++) {
		off = qfile_rcpt_off(v[i].rcpt);
		if (len && (off != start + len || len == sizeof(run))) {
			if (fsx_pwrite_all(fd, run, len, start, err) < 0)
				return -1;
			len = 0;
		}
		if (!len)
			start = off;
		qfile_put_rcpt(h, v[i].rcpt, &v[i].slot, run + len);
		len += QFILE_SLOT;
	}
	return len ? fsx_pwrite_all(fd, run, len, start, err) : 0;
}

int
spool_mark(struct spool *sp, const struct qfile_head *h,
	   const struct spool_mark *v, size_t n, const struct qfile_msg *msg,
	   struct err *err)
{
	uint8_t slot[QFILE_SLOT];
	char name[SPOOL_NAME_MAX];
	size_t i;
	int fd, rc;

	fd = fsx_open(sp->dir[spool_dir_of(h->id)], spool_name(h->id, "", name),
		      O_WRONLY, 0);
	if (fd < 0)
		return err_sys(err, errno, "%s", name);
	rc = write_rcpts(fd, h, v, n, err);
	/* The message's slot confirms what the others say of reports. */
	for (i = 0; rc == 0 && msg && i < n; i++)
		if (v[i].slot.reports) {
			if (fsx_fdatasync(fd) < 0)
				rc = err_sys(err, errno, "fdatasync");
			break;
		}
	if (rc == 0 && msg) {
		qfile_put_msg(h, msg, slot);
		rc = fsx_pwrite_all(fd, slot, sizeof(slot),
				    qfile_msg_off(msg->seq), err);
	}
	if (rc == 0 && fsx_fdatasync(fd) < 0)
		rc = err_sys(err, errno, "fdatasync");
	fsx_close(fd);
	return rc < 0 ? err_prefix(err, "marking %s", name) : 0;
}

/* --- attempt texts -------------------------------------------------------- */

static int
log_load(int fd, char **mem, struct str *log, struct err *err)
{
	struct stat st;

	*mem = NULL;
	*log = STR_NULL;
	if (fsx_fstat(fd, &st) < 0)
		return err_sys(err, errno, "attempt log");
	if (st.st_size == 0 || st.st_size > LOG_MAX)
		return 0; /* LOG_MAX is never reached: then it is not ours */
	*mem = malloc((size_t)st.st_size);
	if (!*mem)
		return err_sys(err, ENOMEM, "attempt log");
	if (fsx_pread_all(fd, *mem, (size_t)st.st_size, 0, err) < 0) {
		free(*mem);
		*mem = NULL;
		return -1;
	}
	*log = str_mem(*mem, (size_t)st.st_size);
	return 0;
}

int
spool_log_read(struct spool *sp, uint64_t id, char **mem, struct str *log,
	       struct err *err)
{
	char name[SPOOL_NAME_MAX];
	int fd, rc;

	*mem = NULL;
	*log = STR_NULL;
	fd = fsx_open(sp->dir[spool_dir_of(id)], spool_name(id, ".log", name),
		      O_RDONLY, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", name);
	rc = log_load(fd, mem, log, err);
	fsx_close(fd);
	return rc;
}

/* The last QLOG_KEEP records of each recipient, in their order, to out; *torn
 * tells that the log ends in something else. */
static int
log_trim(uint64_t id, struct str log, uint32_t nrcpts, struct buf *out,
	 bool *torn, struct err *err)
{
	uint8_t rec[QLOG_HEAD + QLOG_TEXT_MAX];
	uint32_t *count = calloc((size_t)nrcpts + 1, sizeof(*count));
	uint32_t *left;
	struct str it = log;
	struct qlog r;
	int rc = 0;

	if (!count)
		return err_sys(err, ENOMEM, "attempt log");
	while (qlog_next(id, &it, &r))
		count[r.rcpt < nrcpts ? r.rcpt : nrcpts]++;
	*torn = it.n != 0;
	for (it = log; rc == 0 && qlog_next(id, &it, &r);) {
		left = &count[r.rcpt < nrcpts ? r.rcpt : nrcpts];
		if ((*left)-- <= QLOG_KEEP)
			rc = buf_add(out, rec, qlog_put(id, &r, rec));
	}
	free(count);
	return rc < 0 ? err_sys(err, ENOMEM, "attempt log") : 0;
}

int
spool_log_add(struct spool *sp, uint64_t id, uint32_t nrcpts,
	      const struct qlog *v, size_t n, struct err *err)
{
	int dir = sp->dir[spool_dir_of(id)], fd, rc = -1;
	uint8_t rec[QLOG_HEAD + QLOG_TEXT_MAX];
	char name[SPOOL_NAME_MAX], *mem = NULL;
	struct buf more, kept;
	bool torn = false;
	struct str log;
	size_t i;

	buf_init(&more, LOG_MAX);
	buf_init(&kept, LOG_MAX);
	spool_name(id, ".log", name);
	fd = fsx_open(dir, name, O_RDWR | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		return err_sys(err, errno, "%s", name);
	if (log_load(fd, &mem, &log, err) < 0 ||
	    log_trim(id, log, nrcpts, &kept, &torn, err) < 0)
		goto out;
	for (i = 0; i < n; i++)
		buf_add(&more, rec, qlog_put(id, &v[i], rec));
	/* A torn tail would hide what is appended behind it; old records go
	 * once they outweigh the rest. */
	if (!torn && log.n <= 2 * kept.n + 4096) {
		rc = fsx_write_all(fd, more.p, more.n, err);
	} else {
		buf_add(&kept, more.p, more.n);
		rc = fsx_replace(dir, name, kept.p, kept.n, 0600, err);
	}
	if (buf_overflown(&more) || buf_overflown(&kept))
		rc = err_sys(err, ENOSPC, "%s", name);
out:
	fsx_close(fd);
	free(mem);
	buf_fini(&more);
	buf_fini(&kept);
	return rc;
}
