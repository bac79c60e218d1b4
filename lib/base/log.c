/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

enum { BUSY_MS = 300 };

static struct {
	pthread_mutex_t lock;
	int fd;
	bool debug;
	char name[32];
	char prefix[500]; /* log_set_user() */
	size_t n;
	unsigned lines; /* in frame */
	unsigned lost;	/* lines that could not be sent, not told yet */
	bool stuck;	/* logd did not take the last frame in time */
	char frame[LOG_FRAME_MAX];
} out = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

void
log_open(int fd, const char *name)
{
	out.fd = fd;
	snprintf(out.name, sizeof(out.name), "%s", name);
}

void
log_set_user(const char *service, const char *user)
{
	snprintf(out.prefix, sizeof(out.prefix), "%s(%s)", service,
		 LOGQ(str_of(user)));
}

void
log_set_debug(bool on)
{
	out.debug = on;
}

/* One record into the frame, which has room for it; the caller holds the lock
 * here and below. */
static void
put_record(enum log_level level, const char *id, size_t idlen, const char *text,
	   size_t len)
{
	size_t rest = 2 + idlen + len;
	char *p = out.frame + out.n;

	p[0] = (char)(rest & 0xff);
	p[1] = (char)(rest >> 8);
	p[2] = (char)level;
	p[3] = (char)idlen;
	if (idlen)
		memcpy(p + 4, id, idlen);
	memcpy(p + 4 + idlen, text, len);
	out.n += 2 + rest;
	out.lines++;
}

/* A burst of lines waits until logd has room; but once only for a logd that
 * does not take any. */
static bool
send_frame(void)
{
	struct pollfd room = { .fd = out.fd, .events = POLLOUT };
	ssize_t rc;

	do
		rc = send(out.fd, out.frame, out.n,
			  MSG_NOSIGNAL | MSG_DONTWAIT);
	while (rc < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) &&
	       !out.stuck && poll(&room, 1, BUSY_MS) > 0);
	out.stuck = rc < 0;
	out.n = out.lines = 0;
	return rc >= 0;
}

/* What logd does not take in time is lost rather than let a stuck log stop the
 * mail; but it is counted, and said as soon as logd takes lines again. */
static void
flush_locked(void)
{
	unsigned lines = out.lines;
	char text[80];
	int n;

	if (out.n == 0)
		return;
	if (!send_frame()) {
		out.lost += lines;
		return;
	}
	if (out.lost == 0)
		return;
	n = snprintf(text, sizeof(text), "%u lines of the log before were lost",
		     out.lost);
	put_record(LOG_WARN_, NULL, 0, text, (size_t)n);
	if (send_frame())
		out.lost = 0;
}

void
log_flush(void)
{
	pthread_mutex_lock(&out.lock);
	flush_locked();
	pthread_mutex_unlock(&out.lock);
}

/* The length of the text with it. */
static size_t
add_prefix(char text[LOG_TEXT_MAX], size_t len)
{
	size_t n = strlen(out.prefix);

	if (n == 0 || strncmp(text, out.prefix, n) == 0)
		return len;
	if (len + n + 2 >= LOG_TEXT_MAX)
		len = LOG_TEXT_MAX - 3 - n;
	memmove(text + n + 2, text, len);
	memcpy(text, out.prefix, n);
	memcpy(text + n, ": ", 2);
	n += 2 + len;
	text[n] = '\0';
	return n;
}

void
log_line(enum log_level level, const char *id, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	size_t idlen = id ? strnlen(id, 255) : 0, len;
	va_list ap;
	int n;

	if (level == LOG_DEBUG_ && !out.debug)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	len = add_prefix(text, len);
	if (out.fd < 0) {
		fprintf(stderr, "%s%s%s%s%s\n", out.name,
			out.name[0] ? ": " : "", idlen ? id : "",
			idlen ? ": " : "", text);
		return;
	}
	pthread_mutex_lock(&out.lock);
	if (out.n + 4 + idlen + len > sizeof(out.frame))
		flush_locked();
	put_record(level, id, idlen, text, len);
	if (level >= LOG_WARN_)
		flush_locked();
	pthread_mutex_unlock(&out.lock);
}

/* Length of the valid UTF-8 sequence at p (RFC 3629), or 0. */
static size_t
utf8_len(const unsigned char *p, size_t n)
{
	size_t len, i;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	for (i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ||
	    (p[0] == 0xc2 && p[1] < 0xa0)) /* C1 controls */
		return 0;
	return len;
}

const char *
log_quote(struct log_quoted *q, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t max = sizeof(q->s) - 8, i = 0, o = 0, len;

	while (i < s.n && o < max) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			q->s[o++] = (char)c;
			i++;
			continue;
		}
		len = utf8_len((const unsigned char *)s.p + i, s.n - i);
		if (len && o + len <= max) {
			memcpy(q->s + o, s.p + i, len);
			o += len;
			i += len;
			continue;
		}
		q->s[o++] = '\\';
		q->s[o++] = 'x';
		q->s[o++] = hex[c >> 4];
		q->s[o++] = hex[c & 15];
		i++;
	}
	if (i < s.n) {
		memcpy(q->s + o, "...", 3);
		o += 3;
	}
	q->s[o] = '\0';
	return q->s;
}
