/* SPDX-License-Identifier: ISC */
/* Messages as a stream with CRLF line ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "store/store_int.h"

static int
open_message(struct mailbox *mb, const struct message *m)
{
	return fsx_open(m->in_new ? mb->new : mb->cur, m->name, O_RDONLY, 0);
}

int
mailbox_read(struct mailbox *mb, uint32_t uid, struct message_reader *r,
	     struct err *err)
{
	struct message *m = mailbox_find(mb, uid);
	int fd = -1;

	if (m) {
		fd = open_message(mb, m);
		if (fd < 0 && errno == ENOENT) {
			mb->dirty = true; /* somebody renamed or removed it */
			if (mailbox_refresh(mb, err) < 0)
				return -1;
			m = mailbox_find(mb, uid);
			fd = m ? open_message(mb, m) : -1;
		}
	}
	if (!m)
		return err_set(err, ERR_PERM, ENOENT, "Message is gone");
	if (fd < 0)
		return err_sys(err, errno, "%s", m->name);
	*r = (struct message_reader){ .fd = fd };
	r->buf = malloc(READER_BUF);
	if (!r->buf) {
		reader_close(r);
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	reader_range(r, 0, UINT64_MAX);
	return 0;
}

void
reader_close(struct message_reader *r)
{
	if (r->fd >= 0)
		fsx_close(r->fd);
	free(r->buf);
	*r = (struct message_reader){ .fd = -1 };
}

void
reader_range(struct message_reader *r, uint64_t raw, uint64_t end)
{
	r->raw = raw;
	r->end = end;
	r->at = r->n = 0;
	r->last = '\0';
	r->lf_due = false;
}

/* More into the empty buffer: 1, 0 at the end. */
static int
fill(struct message_reader *r, struct err *err)
{
	size_t want = READER_BUF;
	ssize_t got;

	if (r->end - r->raw < want)
		want = (size_t)(r->end - r->raw);
	if (want == 0)
		return 0;
	got = fsx_pread(r->fd, r->buf, want, (off_t)r->raw);
	if (got < 0)
		return err_sys(err, errno, "read");
	if (got == 0)
		return 0;
	r->raw += (uint64_t)got;
	r->at = 0;
	r->n = (size_t)got;
	return 1;
}

ssize_t
reader_get_raw(struct message_reader *r, char *p, size_t n, struct err *err)
{
	int rc;

	if (r->at == r->n) {
		rc = fill(r, err);
		if (rc <= 0)
			return rc;
	}
	if (n > r->n - r->at)
		n = r->n - r->at;
	memcpy(p, r->buf + r->at, n);
	r->at += n;
	return (ssize_t)n;
}

static void
replace_nul(char *p, size_t n)
{
	char *nul;

	while ((nul = memchr(p, '\0', n))) {
		*nul = (char)0x80;
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
}

/* The LF at the front of the buffer, as CR LF if it was alone; there is room
 * for one byte at least. */
static size_t
put_lf(struct message_reader *r, char *p, size_t room)
{
	size_t n = 0;

	r->at++;
	if (r->last != '\r')
		p[n++] = '\r';
	r->last = '\n';
	if (n < room)
		p[n++] = '\n';
	else
		r->lf_due = true;
	return n;
}

ssize_t
reader_get(struct message_reader *r, char *p, size_t n, struct err *err)
{
	const char *from, *lf;
	size_t out = 0, part;
	int rc;

	if (r->lf_due && n) {
		p[out++] = '\n';
		r->lf_due = false;
	}
	while (out < n) {
		if (r->at == r->n) {
			if (out >= n / 2 && out)
				break; /* enough; do not read for little */
			rc = fill(r, err);
			if (rc < 0)
				return -1;
			if (rc == 0)
				break;
		}
		from = r->buf + r->at;
		part = r->n - r->at;
		if (part > n - out)
			part = n - out;
		lf = memchr(from, '\n', part);
		if (lf)
			part = (size_t)(lf - from);
		memcpy(p + out, from, part);
		replace_nul(p + out, part);
		if (part)
			r->last = from[part - 1];
		out += part;
		r->at += part;
		if (lf)
			out += put_lf(r, p + out, n - out);
	}
	return (ssize_t)out;
}

void
reader_tell(const struct message_reader *r, struct reader_pos *pos)
{
	pos->raw = r->raw - (r->n - r->at);
	pos->last = r->last;
	pos->lf_due = r->lf_due;
}

void
reader_seek(struct message_reader *r, const struct reader_pos *pos,
	    uint64_t end)
{
	reader_range(r, pos->raw, end);
	r->last = pos->last;
	r->lf_due = pos->lf_due;
}

int
mailbox_wsize(struct mailbox *mb, struct message *m, uint64_t *size,
	      struct err *err)
{
	struct message_reader r;
	uint32_t uid = m->uid;
	uint64_t total = 0, lf = 0;
	char last = '\0';
	int rc;

	if (m->wsize != MESSAGE_UNKNOWN) {
		*size = m->wsize;
		return 0;
	}
	if (mailbox_read(mb, uid, &r, err) < 0)
		return -1;
	while ((rc = fill(&r, err)) > 0) {
		total += r.n;
		lf += maildir_count_lf(r.buf, r.n, &last);
	}
	reader_close(&r);
	if (rc < 0)
		return -1;
	*size = total + lf;
	m = mailbox_find(mb, uid); /* reading may have refreshed */
	if (m)
		m->wsize = *size;
	return 0;
}

int
mailbox_mtime(struct mailbox *mb, struct message *m, int64_t *t,
	      struct err *err)
{
	struct message_reader r;
	uint32_t uid = m->uid;
	struct stat st;
	int rc;

	if (m->mtime != MESSAGE_NO_TIME) {
		*t = m->mtime;
		return 0;
	}
	rc = fsx_fstatat(m->in_new ? mb->new : mb->cur, m->name, &st);
	if (rc < 0) {
		if (mailbox_read(mb, uid, &r, err) < 0)
			return -1;
		rc = fsx_fstat(r.fd, &st);
		reader_close(&r);
	}
	if (rc < 0)
		return err_sys(err, errno, "stat");
	*t = st.st_mtim.tv_sec;
	m = mailbox_find(mb, uid);
	if (m)
		m->mtime = *t;
	return 0;
}
