/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "sendmail.h"

enum {
	LINE_LIMIT = 8 * 1024,
	TIMEOUT_S = 600, /* RFC 5321 4.5.3.2.6 */
	LINES_MAX = 100, /* of one reply */
};

static int
connect_to(const char *path, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval tv = { TIMEOUT_S, 0 };
	int fd;

	if (!str_copy(a.sun_path, sizeof(a.sun_path), str_of(path)))
		return err_set(err, ERR_PERM, ENAMETOOLONG, "%s: name too long",
			       path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) == 0)
		return fd;
	err_sys(err, errno, "%s", path);
	/* The mail system is not there now. */
	err->class = ERR_TEMP;
	if (fd >= 0)
		close(fd);
	return -1;
}

int
server_open(struct server *s, const char *path, bool raw, struct err *err)
{
	struct reply r;
	int fd = connect_to(path, err);

	*s = (struct server){ .path = path, .fd = fd, .verbose = s->verbose };
	if (fd < 0)
		return -1;
	buf_init(&s->in, LINE_LIMIT);
	if (raw)
		return 0;
	if (server_reply(s, &r, err) == 0) {
		if (r.code == 220)
			return 0;
		err_set(err, ERR_TEMP, 0, "%s: %u %s", path, r.code, r.text);
	}
	server_close(s);
	return -1;
}

void
server_close(struct server *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	buf_fini(&s->in);
}

int
server_send(struct server *s, struct str bytes, struct err *err)
{
	ssize_t n;

	while (bytes.n) {
		n = send(s->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR) {
			err_sys(err, errno, "%s: connection lost", s->path);
			err->class = ERR_TEMP;
			return -1;
		}
		if (n > 0)
			bytes = str_from(bytes, (size_t)n);
	}
	return 0;
}

static int
fill(struct server *s, struct err *err)
{
	size_t room = LINE_LIMIT - s->in.n;
	char *to = room ? buf_reserve(&s->in, room) : NULL;
	ssize_t n;

	if (!to)
		return err_set(err, ERR_TEMP, 0, "%s: reply too long", s->path);
	do
		n = recv(s->fd, to, room, 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_set(err, ERR_TEMP, ECONNRESET,
			       "%s: the server closed the connection", s->path);
	if (n < 0) {
		err_sys(err, errno, "%s: connection lost", s->path);
		err->class = ERR_TEMP;
		return -1;
	}
	s->in.n += (size_t)n;
	return 0;
}

/* The line that server_line() gave stays until now. */
static void
drop_line(struct server *s)
{
	buf_drop(&s->in, s->taken);
	s->taken = 0;
}

int
server_line(struct server *s, struct str *line, struct err *err)
{
	ptrdiff_t lf;

	drop_line(s);
	while ((lf = str_find(buf_str(&s->in), '\n')) < 0)
		if (fill(s, err) < 0)
			return -1;
	*line = str_head(buf_str(&s->in), (size_t)lf);
	if (str_ends(*line, STR("\r")))
		line->n--;
	s->taken = (size_t)lf + 1;
	return 0;
}

/* "250-text" and "250 text" */
static int
read_code(struct str line, unsigned *code, bool *more)
{
	uint64_t n;

	if (line.n < 3 || str_u64(str_head(line, 3), 599, &n) < 0 || n < 200 ||
	    (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
		return -1;
	*code = (unsigned)n;
	*more = line.n > 3 && line.p[3] == '-';
	return 0;
}

/* What EHLO's lines offer. */
static void
note_offer(struct server *s, struct str line)
{
	struct str word, rest = str_from(line, 4);

	if (!str_token(&rest, " ", &word))
		return;
	if (str_ieq(word, STR("DSN")))
		s->dsn = true;
	else if (str_ieq(word, STR("SMTPUTF8")))
		s->utf8 = true;
	else if (str_ieq(word, STR("8BITMIME")))
		s->eightbit = true;
	else if (str_ieq(word, STR("SIZE")))
		s->size = true;
}

int
server_reply(struct server *s, struct reply *r, struct err *err)
{
	struct str line;
	bool more = true;
	unsigned n = 0;

	while (more) {
		if (server_line(s, &line, err) < 0)
			return -1;
		if (n++ == LINES_MAX || read_code(line, &r->code, &more) < 0)
			return err_set(err, ERR_TEMP, 0,
				       "%s: no reply of a mail server",
				       s->path);
		if (s->verbose)
			(void)printf("<<< %.*s\n", STR_FMT(line));
		note_offer(s, line);
	}
	(void)str_copy(r->text, sizeof(r->text), str_from(line, 4));
	return 0;
}

int
server_ask(struct server *s, struct reply *r, struct err *err, const char *fmt,
	   ...)
{
	struct buf b;
	va_list ap;
	int rc;

	buf_init(&b, LINE_LIMIT);
	va_start(ap, fmt);
	rc = buf_vaddf(&b, fmt, ap);
	va_end(ap);
	if (rc == 0 && s->verbose)
		(void)printf(">>> %.*s\n", STR_FMT(buf_str(&b)));
	if (rc == 0)
		rc = buf_add_c(&b, "\r\n");
	if (rc < 0)
		err_set(err, ERR_PERM, 0, "command too long");
	else
		rc = server_send(s, buf_str(&b), err);
	buf_fini(&b);
	return rc < 0 ? -1 : server_reply(s, r, err);
}

int
server_hello(struct server *s, struct err *err)
{
	struct reply r;

	if (server_ask(s, &r, err, "EHLO localhost") < 0)
		return -1;
	if (r.code == 250)
		return 0;
	return err_set(err, r.code < 500 ? ERR_TEMP : ERR_PERM, 0, "%s: %u %s",
		       s->path, r.code, r.text);
}
