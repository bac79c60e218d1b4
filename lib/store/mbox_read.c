/* SPDX-License-Identifier: ISC */
#include "store/mbox_read.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fsx.h"

enum { KEYWORDS_MAX = 65536 };

/* The file, line by line; a line that is longer than the buffer comes in
 * parts. */
struct reader {
	int fd;
	uint64_t at;	 /* offset of what is to come */
	size_t start, n; /* the bytes of it that are in p */
	const struct mbox_sink *sink;
	void *arg;
	struct mbox_info info;
	struct buf keywords;
	bool held; /* an empty line that may be the separator */
	char p[65536];
};

/* The next line with its LF, or part of one; n 0 at the end. */
static int
next_line(struct reader *r, struct str *line, struct err *err)
{
	const char *lf = memchr(r->p + r->start, '\n', r->n);
	ssize_t n;

	if (!lf && r->n < sizeof(r->p)) {
		memmove(r->p, r->p + r->start, r->n);
		r->start = 0;
		n = fsx_pread(r->fd, r->p + r->n, sizeof(r->p) - r->n,
			      (off_t)(r->at + r->n));
		if (n < 0)
			return err_sys(err, errno, "the mbox");
		lf = memchr(r->p + r->n, '\n', (size_t)n);
		r->n += (size_t)n;
	}
	*line = str_mem(r->p + r->start,
			lf ? (size_t)(lf - r->p) - r->start + 1 : r->n);
	return 0;
}

/* Behind what next_line() gave. */
static void
consume(struct reader *r, size_t n)
{
	r->start += n;
	r->n -= n;
	r->at += n;
}

/* --- one message ---------------------------------------------------------- */

/* CR LF becomes LF, as everywhere in the store. */
static int
put(struct reader *r, struct str s, struct err *err)
{
	if (r->held && r->sink->put(r->arg, STR("\n"), err) < 0)
		return -1;
	r->held = false;
	if (!str_ends(s, STR("\r\n")))
		return s.n ? r->sink->put(r->arg, s, err) : 0;
	if (s.n > 2 && r->sink->put(r->arg, str_head(s, s.n - 2), err) < 0)
		return -1;
	return r->sink->put(r->arg, STR("\n"), err);
}

/* The header; line by line, with what is not the message's left out. */
static int
read_header(struct reader *r, struct err *err)
{
	enum mbox_field last = MBOX_NONE;
	struct str line, text;
	bool part = false, drop = false, end;

	while (next_line(r, &line, err) == 0) {
		text = line;
		while (text.n && (text.p[text.n - 1] == '\n' ||
				  text.p[text.n - 1] == '\r'))
			text.n--;
		if (line.n == 0)
			return 0;
		if (!part && text.n)
			drop = mbox_header_line(text, &last, &r->info,
						&r->keywords);
		if (((!part && text.n == 0) || !drop) && put(r, line, err) < 0)
			return -1;
		end = !part && text.n == 0;
		part = !str_ends(line, STR("\n"));
		consume(r, line.n);
		if (end)
			return 0;
	}
	return -1;
}

static bool
is_empty(struct str line)
{
	return str_eq(line, STR("\n")) || str_eq(line, STR("\r\n"));
}

/* Does Content-Length lead to a From_ line, or to the end? */
static bool
length_is_good(struct reader *r, int64_t length)
{
	char p[MBOX_LINE_MAX];
	struct str s, line;
	struct stat st;
	ssize_t n;
	int64_t t;

	if (length < 0 || fsx_fstat(r->fd, &st) < 0 ||
	    (uint64_t)st.st_size < r->at ||
	    (uint64_t)length > (uint64_t)st.st_size - r->at)
		return false;
	n = fsx_pread(r->fd, p, sizeof(p), (off_t)r->at + length);
	if (n < 0)
		return false;
	s = str_mem(p, (size_t)n);
	if (str_starts(s, STR("\n")))
		s = str_from(s, 1);
	return s.n == 0 ||
	       (str_cut(&s, '\n', &line) && mbox_from_line(line, &t));
}

/* Up to the next From_ line behind an empty one. */
static int
read_body(struct reader *r, struct err *err)
{
	uint64_t until = r->at; /* no From_ line before */
	bool start = true;	/* of a line */
	struct str line;
	int64_t t;

	if (length_is_good(r, r->info.length))
		until += (uint64_t)r->info.length;
	while (next_line(r, &line, err) == 0) {
		if (line.n == 0)
			return 0;
		if (r->at < until)
			line = str_head(line, (size_t)(until - r->at < line.n
							       ? until - r->at
							       : line.n));
		else if (start && (r->held || r->at == until) &&
			 mbox_from_line(str_trim(line), &t))
			return 0;
		if (start && is_empty(line)) {
			if (r->held && put(r, STR(""), err) < 0)
				return -1;
			r->held = true;
		} else if (put(r, line, err) < 0) {
			return -1;
		}
		start = str_ends(line, STR("\n"));
		consume(r, line.n);
		/* An empty line that Content-Length counts is the body's. */
		if (r->at == until && put(r, STR(""), err) < 0)
			return -1;
	}
	return -1;
}

static int
read_message(struct reader *r, struct str from, int64_t t, struct err *err)
{
	/* What says so elsewhere is a message, and somebody's. */
	bool may_be_internal =
		r->at == 0 && str_starts(from, STR("From MAILER-DAEMON "));
	int rc;

	r->info = (struct mbox_info){ .length = -1 };
	r->held = false;
	buf_reset(&r->keywords);
	if (r->sink->begin(r->arg, str_trim(from), t, err) < 0)
		return -1;
	consume(r, from.n);
	rc = read_header(r, err);
	r->info.internal = r->info.internal && may_be_internal;
	if (rc == 0)
		rc = read_body(r, err);
	if (rc == 0 && buf_overflown(&r->keywords))
		buf_reset(&r->keywords); /* nobody's serious keywords */
	if (rc == 0)
		rc = r->sink->end(r->arg, &r->info, buf_str(&r->keywords), err);
	return rc;
}

/* A From_ line without its date: who began the file with it was killed, or the
 * machine.  What follows is mail. */
static bool
is_torn(struct reader *r, struct str line, int64_t *t)
{
	struct stat st;

	if (!str_starts(line, STR("From ")) || fsx_fstat(r->fd, &st) < 0)
		return false;
	*t = (int64_t)st.st_mtime;
	return true;
}

int
mbox_read(int fd, uint64_t *at, const struct mbox_sink *sink, void *arg,
	  struct err *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct str line;
	int64_t t;
	int rc;

	if (!r)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	r->fd = fd;
	r->at = *at;
	r->sink = sink;
	r->arg = arg;
	buf_init(&r->keywords, KEYWORDS_MAX);
	while ((rc = next_line(r, &line, err)) == 0 && line.n) {
		if (str_trim(line).n == 0) {
			consume(r, line.n);
			continue;
		}
		if (!mbox_from_line(str_trim(line), &t) &&
		    !is_torn(r, line, &t)) {
			rc = err_set(err, ERR_PERM, EINVAL,
				     "no mbox: no From_ line at byte %llu",
				     (unsigned long long)r->at);
			break;
		}
		*at = r->at;
		rc = read_message(r, line, t, err);
		if (rc < 0)
			break;
	}
	*at = r->at;
	buf_fini(&r->keywords);
	free(r);
	return rc;
}
