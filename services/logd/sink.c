/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fsx.h"
#include "sink.h"

enum { LINES_MAX = 4 * 1024 * 1024 };

void
sink_init(struct sink *s, int dir)
{
	*s = (struct sink){ .dir = dir, .fd = -1 };
	buf_init(&s->lines, LINES_MAX);
}

static void
sink_close(struct sink *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void
sink_fini(struct sink *s)
{
	sink_flush(s);
	sink_close(s);
	buf_fini(&s->lines);
}

void
sink_open(struct sink *s, const char *target)
{
	/* The socket is kept when syslog was and stays the target. */
	if (s->kind == SINK_SYSLOG && *target == '\0')
		return;
	sink_flush(s);
	sink_close(s);
	if (*target == '\0') {
		s->kind = SINK_SYSLOG;
		return;
	}
	s->kind = SINK_STDERR;
	if (strcmp(target, "-") == 0)
		return;
	snprintf(s->file, sizeof(s->file), "%s", target);
	s->fd = fsx_open(s->dir, s->file, O_WRONLY | O_CREAT | O_APPEND, 0640);
	if (s->fd >= 0)
		s->kind = SINK_FILE;
	else
		dprintf(STDERR_FILENO, "logd: %s: %m\n", s->file);
}

void
sink_set_socket(struct sink *s, int fd)
{
	if (s->kind != SINK_SYSLOG) {
		close(fd);
		return;
	}
	sink_close(s);
	s->fd = fd;
}

struct buf *
sink_lines(struct sink *s)
{
	return &s->lines;
}

bool
sink_flush(struct sink *s)
{
	int fd = s->kind == SINK_FILE ? s->fd : STDERR_FILENO;
	size_t at = 0;
	ssize_t n;

	if (buf_overflown(&s->lines))
		s->lost++;
	while (at < s->lines.n) {
		n = fsx_write(fd, s->lines.p + at, s->lines.n - at);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (at < s->lines.n)
		s->lost++;
	buf_shrink(&s->lines, 65536);
	if (s->lost && at) {
		uint64_t lost = s->lost;

		s->lost = 0;
		buf_addf(&s->lines, "logd: %llu batches of lines were lost\n",
			 (unsigned long long)lost);
	}
	return true;
}

bool
sink_datagram(struct sink *s, struct str line)
{
	ssize_t n = -1;

	if (s->fd >= 0)
		n = send(s->fd, line.p, line.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		return true;
	s->lost++;
	if (s->fd >= 0 &&
	    (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE))
		return true; /* busy, not dead */
	sink_close(s);
	return false;
}
