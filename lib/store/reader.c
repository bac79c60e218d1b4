/* SPDX-License-Identifier: ISC */
/* Messages as a stream with CRLF line ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "store/store_int.h"

/* The file of a message; -1 with errno.  Never wait for what is no file. */
static int
open_message(struct mailbox *mb, const struct message *m)
{
	char name[MAILDIR_NAME_MAX + 1];
	int dir = message_file(mb, m, name);

	return fsx_open(dir, name, O_RDONLY | O_NONBLOCK, 0);
}

/*
 * Somebody renamed or removed it: another process of ours, then the log says
 * so; else the directories do.
 */
static int
search_file(struct mailbox *mb, uint32_t uid, struct err *err)
{
	const struct message *m;
	int fd, tries;

	for (tries = 0; tries < 2; tries++) {
		if (tries)
			mb->dirty_new = mb->dirty_cur = true;
		if (mailbox_refresh(mb, err) < 0)
			return -1;
		m = mb->deleted ? NULL : mailbox_find(mb, uid);
		if (!m)
			break;
		fd = open_message(mb, m);
		if (fd >= 0)
			return fd;
		if (errno != ENOENT)
			return err_sys(err, errno, "%s", mb->name);
	}
	return err_set(err, ERR_PERM, ENOENT, "Message is gone");
}

static int
find_file(struct mailbox *mb, uint32_t uid, struct err *err)
{
	const struct message *m = mailbox_find(mb, uid);
	int fd;

	if (!m)
		return err_set(err, ERR_PERM, ENOENT, "Message is gone");
	fd = open_message(mb, m);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return err_sys(err, errno, "%s", mb->name);
	return search_file(mb, uid, err);
}

int
mailbox_read(struct mailbox *mb, uint32_t uid, struct message_reader *r,
	     struct err *err)
{
	int fd = find_file(mb, uid, err);

	if (fd < 0)
		return -1;
	*r = (struct message_reader){ .fd = fd };
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
	if (!r->buf && !(r->buf = malloc(READER_BUF)))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	got = fsx_pread(r->fd, r->buf, want, (off_t)r->raw);
	if (got < 0)
		return err_sys(err, errno, "read");
	if (got == 0)
		return 0;
	r->raw += (uint64_t)got;
	r->at = 0;
	r->n = (size_t)got;
	r->has_nul = !r->gives_nul && memchr(r->buf, '\0', r->n);
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
		if (r->has_nul)
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

void
mailbox_note_wsize(struct mailbox *mb, uint32_t uid, uint64_t size)
{
	if (!mb->deleted && mailbox_find(mb, uid))
		index_note_size(mb->ix, index_lower(mb->ix, uid), size);
}

void
mailbox_note_end(struct mailbox *mb, uint32_t uid, unsigned lacks)
{
	const struct message *m = mailbox_find(mb, uid);

	if (!mb->deleted && m && m->lacks != lacks)
		index_note_lacks(mb->ix, index_lower(mb->ix, uid),
				 (uint8_t)lacks);
}

int
mailbox_wsize(struct mailbox *mb, uint32_t uid, uint64_t *size, struct err *err)
{
	const struct message *m = mailbox_find(mb, uid);
	struct message_reader r;
	uint64_t total = 0, lf = 0;
	char last = '\n';
	int rc;

	if (m && m->wsize != MESSAGE_UNKNOWN) {
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
	mailbox_note_wsize(mb, uid, *size);
	mailbox_note_end(mb, uid, last == '\n' ? 0 : last == '\r' ? 1 : 2);
	return 0;
}

int
mailbox_lf_size(struct mailbox *mb, uint32_t uid, uint64_t *size,
		struct err *err)
{
	const struct message *m;

	if (mailbox_wsize(mb, uid, size, err) < 0)
		return -1;
	m = mailbox_find(mb, uid);
	*size += m ? m->lacks : 0;
	return 0;
}

int
mailbox_mtime(struct mailbox *mb, uint32_t uid, int64_t *t, struct err *err)
{
	const struct message *m = mailbox_find(mb, uid);
	char name[MAILDIR_NAME_MAX + 1];
	struct stat st;
	int dir, fd, rc;

	if (!m)
		return err_set(err, ERR_PERM, ENOENT, "Message is gone");
	if (m->mtime != MESSAGE_NO_TIME) {
		*t = m->mtime;
		return 0;
	}
	dir = message_file(mb, m, name);
	rc = fsx_fstatat(dir, name, &st);
	if (rc < 0) {
		fd = find_file(mb, uid, err);
		if (fd < 0)
			return -1;
		rc = fsx_fstat(fd, &st);
		fsx_close(fd);
	}
	if (rc < 0)
		return err_sys(err, errno, "stat");
	*t = st.st_mtim.tv_sec;
	if (mailbox_find(mb, uid))
		index_note_mtime(mb->ix, index_lower(mb->ix, uid), *t);
	return 0;
}
