/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "mail/submission.h"
#include "sendmail.h"

enum { BLOCK = 64 * 1024 };

static const struct str mbox_line = { "From ", 5 };

/* --- text ----------------------------------------------------------------- */

/* Bytes of one line; what is too long becomes several. */
static void
put(struct text_in *t, struct str s, struct buf *out)
{
	size_t n;

	while (s.n) {
		if (t->line_max && t->line == t->line_max) {
			(void)!buf_add_byte(out, '\n');
			t->line = 0;
		}
		n = s.n;
		if (t->line_max && n > t->line_max - t->line)
			n = t->line_max - t->line;
		(void)!buf_add(out, s.p, n);
		t->line += n;
		s = str_from(s, n);
	}
}

/* What was held back as it might have meant something. */
static void
give_back(struct text_in *t, struct buf *out)
{
	if (t->dot)
		put(t, STR("."), out);
	else if (t->match)
		put(t, str_head(mbox_line, t->match), out);
	t->dot = false;
	t->match = 0;
	t->started = true;
}

static void
end_line(struct text_in *t, struct buf *out)
{
	if (t->dot) {
		t->done = true;
		return;
	}
	if (!t->skip) {
		t->body = t->body || (t->line == 0 && t->match == 0);
		give_back(t, out);
		(void)!buf_add_byte(out, '\n');
	}
	t->started = true;
	t->skip = false;
	t->match = 0;
	t->line = 0;
}

/* Bytes without any that ends a line; not empty. */
static void
add_run(struct text_in *t, struct str s, struct buf *out)
{
	if (!t->started && !t->skip) {
		while (s.n && t->match < mbox_line.n &&
		       s.p[0] == mbox_line.p[t->match]) {
			t->match++;
			s = str_from(s, 1);
		}
		t->skip = t->match == mbox_line.n;
		if (!s.n)
			return;
	}
	if (t->skip)
		return;
	if (!t->dots && !t->dot && !t->match && t->line == 0 &&
	    str_eq(s, STR("."))) {
		t->dot = t->started = true;
		return;
	}
	give_back(t, out);
	put(t, s, out);
}

bool
text_in_feed(struct text_in *t, struct str in, struct buf *out)
{
	size_t n;

	while (in.n && !t->done) {
		for (n = 0; n < in.n; n++)
			if (in.p[n] == '\n' || in.p[n] == '\r' || !in.p[n])
				break;
		if (t->cr && (n || in.p[0] == '\n')) {
			t->cr = false;
			if (n && !t->body)
				add_run(t, STR(" "), out);
			else
				end_line(t, out);
			if (!n)
				in = str_from(in, 1);
			continue;
		}
		if (n) {
			add_run(t, str_head(in, n), out);
			in = str_from(in, n);
			continue;
		}
		if (in.p[0] == '\r')
			t->cr = true;
		else if (in.p[0] == '\n')
			end_line(t, out);
		in = str_from(in, 1);
	}
	return !t->done;
}

void
text_in_end(struct text_in *t, struct buf *out)
{
	if (t->done)
		return;
	if (t->cr || t->dot || t->skip)
		end_line(t, out);
	if (!t->done && t->match)
		give_back(t, out);
	if (!t->done && t->line)
		(void)!buf_add_byte(out, '\n');
	t->done = true;
}

/* --- where it is kept ----------------------------------------------------- */

static bool
is_8bit(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] & 0x80)
			return true;
	return false;
}

static int
open_file(struct message *m, struct err *err)
{
	FILE *f = tmpfile();

	if (f) {
		m->file = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
		(void)fclose(f);
	}
	return m->file < 0 ? err_sys(err, errno, "temporary file") : 0;
}

static int
body_add(struct message *m, struct str s, struct err *err)
{
	ssize_t n;

	m->size += s.n;
	m->has_8bit = m->has_8bit || is_8bit(s);
	if (m->file < 0 && buf_add_str(&m->body, s) == 0)
		return 0;
	if (m->file < 0 && open_file(m, err) < 0)
		return -1;
	while (s.n) {
		n = write(m->file, s.p, s.n);
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "temporary file");
		if (n > 0)
			s = str_from(s, (size_t)n);
	}
	return 0;
}

/* header holds all that came: when the block has ended, the rest goes on. */
static int
look_at_header(struct message *m, struct header_scan *h,
	       enum header_result *state, bool last, struct err *err)
{
	struct str rest;
	int rc = 0;

	*state = header_scan(h, buf_str(&m->header), last);
	if (*state == HEADER_MORE)
		return 0;
	if (*state == HEADER_TOO_LONG)
		return err_set(err, ERR_PERM, 0, "message header too large");
	rest = str_from(buf_str(&m->header), h->at);
	if (*state == HEADER_NO_BLANK)
		rc = body_add(m, STR("\n"), err);
	if (rc == 0)
		rc = body_add(m, rest, err);
	m->header.n = h->at;
	m->has_8bit = m->has_8bit || is_8bit(buf_str(&m->header));
	return rc;
}

/* One block of text further. */
static int
take(struct message *m, struct header_scan *h, enum header_result *state,
     struct buf *text, bool last, struct err *err)
{
	int rc;

	if (*state != HEADER_MORE) {
		rc = body_add(m, buf_str(text), err);
	} else if (buf_add_str(&m->header, buf_str(text)) < 0) {
		rc = err_set(err, ERR_PERM, 0, "message header too large");
	} else {
		rc = look_at_header(m, h, state, last, err);
	}
	buf_reset(text);
	return rc;
}

int
message_read(struct message *m, int fd, struct text_in *t, uint64_t size_max,
	     struct err *err)
{
	enum header_result state = HEADER_MORE;
	struct header_scan h;
	char block[BLOCK];
	struct buf text;
	ssize_t n = 1;
	int rc = 0;

	*m = (struct message){ .file = -1 };
	buf_init(&m->header, HEADER_MAX + 4 * BLOCK);
	buf_init(&m->body, BODY_MEMORY);
	buf_init(&text, 4 * BLOCK);
	header_scan_init(&h, HEADER_MAX, HEADER_MAX);
	while (rc == 0 && n > 0 && !t->done) {
		n = read(fd, block, sizeof(block));
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		if (n > 0)
			(void)text_in_feed(t, str_mem(block, (size_t)n), &text);
		else
			text_in_end(t, &text);
		rc = n < 0 ? err_sys(err, errno, "standard input")
			   : take(m, &h, &state, &text, t->done, err);
		if (rc == 0 && size_max && m->header.n + m->size > size_max)
			rc = err_set(err, ERR_PERM, 0,
				     "message file too big (limit: %llu bytes)",
				     (unsigned long long)size_max);
	}
	if (buf_overflown(&text))
		rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (n < 0 && rc < 0)
		err->class = ERR_TEMP;
	buf_fini(&text);
	return rc;
}

void
message_fini(struct message *m)
{
	if (m->file >= 0)
		close(m->file);
	m->file = -1;
	buf_fini(&m->header);
	buf_fini(&m->body);
}

void
message_add_from(struct message *m, struct str name, struct str sender)
{
	struct header_field f;

	if (sender.n == 0 || header_find(buf_str(&m->header), STR("From"), &f))
		return;
	if (m->header.n && m->header.p[m->header.n - 1] != '\n')
		(void)!buf_add_byte(&m->header, '\n');
	(void)!buf_add_c(&m->header, "From: ");
	submission_mailbox(&m->header, name, sender);
	(void)!buf_add_byte(&m->header, '\n');
}

ssize_t
message_body(const struct message *m, uint64_t at, char *p, size_t size,
	     struct err *err)
{
	ssize_t n;

	if (at < m->body.n) {
		if (size > m->body.n - at)
			size = m->body.n - (size_t)at;
		memcpy(p, m->body.p + at, size);
		return (ssize_t)size;
	}
	if (m->file < 0)
		return 0;
	while ((n = pread(m->file, p, size, (off_t)(at - m->body.n))) < 0 &&
	       errno == EINTR)
		;
	return n < 0 ? err_sys(err, errno, "temporary file") : n;
}

void
wire_add(struct buf *out, struct str text, bool *bol)
{
	ptrdiff_t lf;
	size_t n;

	while (text.n) {
		lf = str_find(text, '\n');
		n = lf < 0 ? text.n : (size_t)lf;
		if (*bol && text.p[0] == '.')
			(void)!buf_add_byte(out, '.');
		(void)!buf_add(out, text.p, n);
		if (lf >= 0)
			(void)!buf_add_c(out, "\r\n");
		*bol = lf >= 0;
		text = str_from(text, n + (lf >= 0));
	}
}
