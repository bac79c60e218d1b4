/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/fsx.h"
#include "text.h"

enum {
	LINE_MIN = 16, /* of the limit: a fold must always get on */
	/* By how much folding at LINE_MIN, dots and CR may grow a piece. */
	GROWTH = TEXT_PIECE / TEXT_READ,
};

/* Up to n bytes of header ++ body from position at, into p: a piece of one of
 * the two.  0: there is less than there should be. */
static ssize_t
read_at(const struct letter *l, uint64_t at, char *p, size_t n)
{
	struct str s;

	if (at >= l->header.n && l->body_fd >= 0)
		return fsx_pread(l->body_fd, p, n, (off_t)(at - l->header.n));
	s = at < l->header.n ? str_from(l->header, at)
			     : str_from(l->body, at - l->header.n);
	s = str_head(s, n);
	memcpy(p, s.p, s.n);
	return (ssize_t)s.n;
}

/* The next piece of the text, at most TEXT_READ. */
static ssize_t
read_piece(const struct letter *l, uint64_t at, uint64_t end, char p[TEXT_READ],
	   struct err *err)
{
	size_t n = end - at < TEXT_READ ? (size_t)(end - at) : TEXT_READ;
	ssize_t got = read_at(l, at, p, n);

	if (got > 0)
		return got;
	if (got == 0)
		return err_set(err, ERR_TEMP, EIO, "the text is cut short");
	return err_sys(err, errno, "the text cannot be read");
}

/* For the conversion: by its own places, which end where the text does. */
static ssize_t
read_for_seven(void *arg, uint64_t at, char *to, size_t n)
{
	const struct letter *l = arg;
	uint64_t end = l->header.n + l->body_len;
	ssize_t got;

	if (at >= end)
		return 0;
	if (n > end - at)
		n = (size_t)(end - at);
	got = read_at(l, at, to, n);
	return got > 0 ? got : -1;
}

/* --- the form on the wire --------------------------------------------------
 */

/* For a server that takes seven bits. */
static int
open_seven(struct text *t, struct err *err)
{
	void *l = (void *)(uintptr_t)t->l; /* only read */

	if (downgrade_new(&t->seven, read_for_seven, l, err) == 0)
		return 0;
	return err->class == ERR_TEMP
		       ? -1
		       : err_set(err, ERR_PERM, 0,
				 "8BITMIME is required, but was not offered");
}

int
text_open(struct text *t, const struct letter *l, const struct text_form *form,
	  struct err *err)
{
	*t = (struct text){
		.l = l,
		.end = l->header.n + l->body_len,
		.dots = !form->bdat,
		.limit = form->max_line,
	};
	if (t->limit && t->limit < LINE_MIN)
		t->limit = LINE_MIN;
	buf_init(&t->piece, TEXT_READ);
	if (!form->eight_bit && text_bits(l, true) == TEXT_8BIT)
		return open_seven(t, err);
	return 0;
}

void
text_close(struct text *t)
{
	downgrade_free(t->seven);
	t->seven = NULL;
	buf_fini(&t->piece);
}

/* The next piece as it is to be sent, at most TEXT_READ; t->at moves on. */
static ssize_t
next_piece(struct text *t, char piece[TEXT_READ], struct err *err)
{
	ssize_t got;
	int rc;

	if (!t->seven) {
		got = read_piece(t->l, t->at, t->end, piece, err);
		t->at += got > 0 ? (size_t)got : 0;
		return got;
	}
	buf_reset(&t->piece);
	rc = downgrade_next(t->seven, &t->piece, TEXT_READ - DOWNGRADE_SLACK,
			    err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		t->at = t->end;
	memcpy(piece, t->piece.p, t->piece.n);
	return (ssize_t)t->piece.n;
}

bool
text_at_end(const struct text *t)
{
	return t->at == t->end;
}

static size_t
put(char *to, struct str s)
{
	memcpy(to, s.p, s.n);
	return s.n;
}

/* How many octets the UTF-8 character that begins with c has. */
static size_t
char_len(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0xf0 ? 4 : u >= 0xe0 ? 3 : u >= 0xc0 ? 2 : 1;
}

/* A run of bytes without LF, which may be a part of a line only. */
static size_t
put_run(struct text *t, struct str s, bool line_ends, char *to)
{
	size_t n = 0, i, room = t->limit - t->column;

	if (s.n && !t->column && t->dots && s.p[0] == '.')
		to[n++] = '.';
	/* What is cut by the end of a piece may be cut inside a character. */
	if (!t->limit || s.n + (line_ends ? 0 : 3) <= room) {
		t->column += s.n;
		return n + put(to + n, s);
	}
	for (i = 0; i < s.n; i++) {
		if (t->column + char_len(s.p[i]) > t->limit) {
			n += put(to + n, STR("\r\n "));
			t->column = 1;
		}
		to[n++] = s.p[i];
		t->column++;
	}
	return n;
}

static size_t
put_newline(struct text *t, char *to)
{
	t->column = 0;
	return put(to, STR("\r\n"));
}

static void
blank_out(char *p, size_t n, char what)
{
	char *at = p, *end = p + n;

	while ((at = memchr(at, what, (size_t)(end - at))))
		*at++ = ' ';
}

int
text_fill(struct text *t, struct buf *out, struct err *err)
{
	char piece[TEXT_READ], *to;
	struct str rest, line;
	size_t n = 0;
	ssize_t got;

	if (text_at_end(t))
		return 0;
	got = next_piece(t, piece, err);
	if (got < 0)
		return -1;
	to = buf_reserve(out, (size_t)got * GROWTH + 8);
	if (!to)
		return err_set(err, ERR_TEMP, ENOMEM, "no room for the text");
	blank_out(piece, (size_t)got, '\r');
	blank_out(piece, (size_t)got, '\0');
	rest = str_mem(piece, (size_t)got);
	while (str_cut(&rest, '\n', &line)) {
		n += put_run(t, line, true, to + n);
		n += put_newline(t, to + n);
	}
	n += put_run(t, rest, text_at_end(t), to + n);
	if (text_at_end(t) && t->column)
		n += put_newline(t, to + n);
	out->n += n;
	return 0;
}

/* --- what is known before --------------------------------------------------
 */

static uint64_t
count_lf(struct str s)
{
	uint64_t n = 0;
	struct str line;

	while (str_cut(&s, '\n', &line))
		n++;
	return n;
}

uint64_t
text_size(const struct letter *l)
{
	enum { LINE_GUESS = 64 };

	return l->header.n + count_lf(l->header) + l->body_len +
	       (l->body_fd < 0 ? count_lf(l->body) : l->body_len / LINE_GUESS);
}

static bool
is_8bit(struct str s)
{
	uint64_t word, any = 0;
	size_t i;

	for (i = 0; i + sizeof(word) <= s.n; i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		any |= word;
	}
	for (; i < s.n; i++)
		any |= (unsigned char)s.p[i];
	return any & 0x8080808080808080;
}

/* What of a piece stands before the empty line; last: the byte before it. */
static struct str
header_part(struct str piece, char *last)
{
	size_t i;

	for (i = 0; i < piece.n; i++) {
		if (piece.p[i] == '\n' && *last == '\n')
			break;
		*last = piece.p[i];
	}
	return str_head(piece, i);
}

bool
text_header_is_8bit(const struct letter *l)
{
	char piece[TEXT_READ], last = '\n';
	struct str s, part;
	uint64_t at = 0;
	ssize_t got;

	if (l->header.n || l->body_fd < 0)
		return is_8bit(l->header);
	/* A big one stands in the file. */
	for (; at < l->body_len; at += (size_t)got) {
		got = read_piece(l, at, l->body_len, piece, NULL);
		if (got < 0)
			return false;
		s = str_mem(piece, (size_t)got);
		part = header_part(s, &last);
		if (is_8bit(part))
			return true;
		if (part.n < s.n)
			return false;
	}
	return false;
}

enum text_bits
text_bits(const struct letter *l, bool read)
{
	uint64_t at = l->header.n, end = at + l->body_len;
	char piece[TEXT_READ];
	ssize_t got;

	if (is_8bit(l->header) || is_8bit(l->body))
		return TEXT_8BIT;
	if (l->body_fd < 0)
		return TEXT_7BIT;
	if (!read)
		return TEXT_UNKNOWN;
	for (; at < end; at += (size_t)got) {
		got = read_piece(l, at, end, piece, NULL);
		if (got < 0)
			return TEXT_UNKNOWN;
		if (is_8bit(str_mem(piece, (size_t)got)))
			return TEXT_8BIT;
	}
	return TEXT_7BIT;
}
