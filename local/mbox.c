/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/fsx.h"
#include "base/log.h"
#include "mail/mbox.h"
#include "mbox.h"
#include "write.h"

enum { FROM_MAX = ADDRESS_MAX + 100, CHUNK = 64 * 1024 };

/* --- text on its way into the file ---------------------------------------- */

/* Buffered; whatever comes in parts, "From " at the start of a line is seen. */
struct out {
	struct mbox_batch *b;
	struct buf buf;
	off_t size;   /* of the file, with what is buffered */
	size_t seen;  /* bytes of "From " at the start of this line; held back
		       */
	bool in_line; /* this line does not begin with it */
	char last;
};

static const char from_[] = "From ";
enum { FROM_LEN = sizeof(from_) - 1 };

static int
flush(struct out *o, struct err *err)
{
	if (buf_overflown(&o->buf))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (o->buf.n &&
	    fsx_write_all(o->b->file->fd, o->buf.p, o->buf.n, err) < 0)
		return -1;
	o->size += (off_t)o->buf.n;
	buf_reset(&o->buf);
	return 0;
}

/* Bytes as they are. */
static int
put(struct out *o, struct str s, struct err *err)
{
	if (s.n == 0)
		return 0;
	if (o->b->limit && (uint64_t)o->size + o->buf.n + s.n > o->b->limit)
		return err_set(err, ERR_PERM, EFBIG,
			       "mailbox %s: mailbox_size_limit is reached",
			       o->b->file->name);
	buf_add_str(&o->buf, s);
	o->last = s.p[s.n - 1];
	return o->buf.n >= CHUNK ? flush(o, err) : 0;
}

/* What is held back turned out to be something else, or is quoted. */
static int
release(struct out *o, bool quote, struct err *err)
{
	size_t n = o->seen;

	o->seen = 0;
	o->in_line = true;
	if (quote && put(o, STR(">"), err) < 0)
		return -1;
	return put(o, str_mem(from_, n), err);
}

/* A part of the message's text. */
static int
put_text(struct out *o, struct str s, struct err *err)
{
	const char *lf;
	size_t n;

	while (s.n) {
		if (!o->in_line && s.p[0] == from_[o->seen]) {
			s = str_from(s, 1);
			if (++o->seen == FROM_LEN && release(o, true, err) < 0)
				return -1;
			continue;
		}
		if (!o->in_line && release(o, false, err) < 0)
			return -1;
		lf = memchr(s.p, '\n', s.n);
		n = lf ? (size_t)(lf - s.p) + 1 : s.n;
		if (n > CHUNK)
			n = CHUNK; /* a long line, in parts */
		if (put(o, str_head(s, n), err) < 0)
			return -1;
		if (s.p[n - 1] == '\n')
			o->in_line = false;
		s = str_from(s, n);
	}
	return 0;
}

/* --- a message ------------------------------------------------------------ */

static int
put_from_line(struct out *o, struct str sender, int64_t date, struct err *err)
{
	time_t t = (time_t)date;
	char text[32];
	struct tm tm;
	struct buf b;
	int rc;

	/* The C locale: daemons call no setlocale(). */
	if (!gmtime_r(&t, &tm) ||
	    strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm) == 0)
		return err_set(err, ERR_TEMP, EINVAL, "no date");
	buf_init(&b, FROM_MAX);
	(void)!buf_addf(&b, "From %.*s  %s\n",
			STR_FMT(sender.n ? sender : STR("MAILER-DAEMON")),
			text);
	rc = buf_overflown(&b) ? err_set(err, ERR_TEMP, ENOMEM, "sender")
			       : put(o, buf_str(&b), err);
	buf_fini(&b);
	return rc;
}

/* Without what mail programs write there for themselves: a sender does not say
 * whether it was read, or is deleted, and where the next message begins. */
static int
put_header(struct out *o, struct str header, struct err *err)
{
	enum mbox_field last = MBOX_NONE;
	struct mbox_info info = { 0 };
	struct buf keywords;
	struct str line;
	const char *lf;
	int rc = 0;

	buf_init(&keywords, WRITE_HEAD_MAX);
	while (rc == 0 && header.n) {
		lf = memchr(header.p, '\n', header.n);
		line = str_head(header,
				lf ? (size_t)(lf - header.p) + 1 : header.n);
		header = str_from(header, line.n);
		if (!mbox_header_line(lf ? str_head(line, line.n - 1) : line,
				      &last, &info, &keywords))
			rc = put_text(o, line, err);
	}
	buf_fini(&keywords);
	return rc;
}

static int
put_body(struct out *o, const struct msg_deliver *m, struct err *err)
{
	uint64_t at = 0, left = m->body_len;
	char *chunk;
	ssize_t n = 0;
	int rc = 0;

	if (m->body_fd < 0)
		return put_text(o, m->body, err);
	chunk = malloc(CHUNK);
	if (!chunk)
		return err_sys(err, ENOMEM, "body");
	while (rc == 0 && left) {
		n = pread(m->body_fd, chunk, left < CHUNK ? left : CHUNK,
			  (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = err_sys(err, errno, "read the queue file");
		else if (n == 0)
			rc = err_set(err, ERR_TEMP, EIO,
				     "the queue file is too short");
		else
			rc = put_text(o, str_mem(chunk, (size_t)n), err);
		at += n > 0 ? (uint64_t)n : 0;
		left -= n > 0 ? (uint64_t)n : 0;
	}
	free(chunk);
	return rc;
}

static int
put_message(struct out *o, const struct msg_deliver *m,
	    const struct msg_deliver_rcpt *rcpt, int64_t date, struct err *err)
{
	struct mbox_batch *b = o->b;
	struct buf head;
	int rc = 0;

	/* Perhaps somebody died while writing: that ends here. */
	if (b->ntail && b->tail[b->ntail - 1] != '\n')
		rc = put(o, STR("\n\n"), err);
	else if (b->ntail == 2 && b->tail[0] != '\n')
		rc = put(o, STR("\n"), err);
	buf_init(&head, WRITE_HEAD_MAX);
	write_head(&head, m->sender, rcpt);
	if (rc == 0)
		rc = put_from_line(o, m->sender, date, err);
	if (rc == 0)
		rc = put_text(o, buf_str(&head), err);
	buf_fini(&head);
	if (rc == 0)
		rc = put_header(o, m->header, err);
	if (rc == 0)
		rc = put_body(o, m, err);
	if (rc == 0 && o->seen)
		rc = release(o, false, err);
	if (rc == 0 && o->last != '\n')
		rc = put(o, STR("\n"), err);
	if (rc == 0)
		rc = put(o, STR("\n"), err);
	return rc < 0 ? rc : flush(o, err);
}

/* --- the file ------------------------------------------------------------- */

static int
read_tail(struct mbox_batch *b, struct err *err)
{
	b->ntail = b->size < 2 ? (size_t)b->size : 2;
	return b->ntail ? fsx_pread_all(b->file->fd, b->tail, b->ntail,
					b->size - (off_t)b->ntail, err)
			: 0;
}

static void
cut_back(struct mbox_batch *b, off_t to)
{
	if (fsx_ftruncate(b->file->fd, to) == 0)
		return;
	/* Where the file ends now is not where we would cut next time. */
	b->broken = true;
	log_error("mailbox %s: cannot be cut back to %lld bytes: %m",
		  b->file->name, (long long)to);
}

/* What is no mbox stays as it is: nobody could read it, or what we add. */
static int
check_head(struct mbox_batch *b, struct err *err)
{
	char p[256];
	size_t n = b->size < (off_t)sizeof(p) ? (size_t)b->size : sizeof(p);
	struct str head;

	if (fsx_pread_all(b->file->fd, p, n, 0, err) < 0)
		return -1;
	head = str_trim(str_mem(p, n));
	if (head.n == 0 || str_starts(head, str_mem(from_, FROM_LEN)))
		return 0;
	if (b->size > (off_t)n || !str_starts(str_mem(from_, FROM_LEN), head))
		return err_set(err, ERR_TEMP, EINVAL,
			       "mailbox %s: is no mbox: it does not begin "
			       "with a From_ line",
			       b->file->name);
	/* Who wrote the first bytes died: nobody was told of them. */
	cut_back(b, 0);
	if (b->broken)
		return err_set(err, ERR_TEMP, EIO, "mailbox %s", b->file->name);
	b->start = b->size = 0;
	return 0;
}

int
mbox_begin(struct mbox_batch *b, struct mbox_file *file, uint64_t limit,
	   struct err *err)
{
	struct stat st;

	*b = (struct mbox_batch){ .file = file, .limit = limit };
	if (fsx_fstat(file->fd, &st) < 0)
		return err_sys(err, errno, "mailbox %s", file->name);
	b->start = b->size = st.st_size;
	b->atime = st.st_atim;
	return check_head(b, err) < 0 ? -1 : read_tail(b, err);
}

int
mbox_append(struct mbox_batch *b, const struct msg_deliver *m,
	    const struct msg_deliver_rcpt *rcpt, int64_t date, struct err *err)
{
	struct out o = { .b = b, .size = b->size };
	int rc;

	if (b->broken)
		return err_set(err, ERR_TEMP, EIO,
			       "mailbox %s: an error before this message",
			       b->file->name);
	buf_init(&o.buf, 2 * CHUNK);
	rc = put_message(&o, m, rcpt, date, err);
	buf_fini(&o.buf);
	if (rc < 0) {
		err_prefix(err, "mailbox %s", b->file->name);
		cut_back(b, b->size);
		return -1;
	}
	b->size = o.size;
	b->tail[0] = b->tail[1] = '\n';
	b->ntail = 2;
	return 0;
}

/* "New mail" is what was written after it was read: for programs that look at
 * seconds, and for a file that was made just now. */
static void
mark_as_new(const struct mbox_batch *b)
{
	struct timespec ts[2] = { b->atime, { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (fsx_fstat(b->file->fd, &st) < 0)
		return;
	if (ts[0].tv_sec >= st.st_mtim.tv_sec)
		ts[0] = (struct timespec){ st.st_mtim.tv_sec - 1, 0 };
	if (fsx_futimens(b->file->fd, ts) < 0)
		log_debug("mailbox %s: no access time: %m", b->file->name);
}

int
mbox_commit(struct mbox_batch *b, struct err *err)
{
	if (b->size == b->start)
		return 0;
	mark_as_new(b);
	if (fsx_fsync(b->file->fd) == 0)
		return 0;
	err_sys(err, errno, "mailbox %s: sync", b->file->name);
	cut_back(b, b->start);
	return -1;
}
