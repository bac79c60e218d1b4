/* SPDX-License-Identifier: ISC */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

static struct {
	pthread_mutex_t lock;
	int fd;
	bool debug;
	char name[32];
	size_t n;
	char frame[LOG_FRAME_MAX];
} out = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

void
log_open(int fd, const char *name)
{
	out.fd = fd;
	snprintf(out.name, sizeof(out.name), "%s", name);
}

void
log_set_debug(bool on)
{
	out.debug = on;
}

/* The caller holds the lock.  A line that logd cannot take now is lost rather
 * than let a stuck log stop the mail; MSG_DONTWAIT only after a short wait in
 * the kernel's buffer is exhausted. */
static void
flush_locked(void)
{
	if (out.n == 0)
		return;
	(void)!send(out.fd, out.frame, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	out.n = 0;
}

void
log_flush(void)
{
	pthread_mutex_lock(&out.lock);
	flush_locked();
	pthread_mutex_unlock(&out.lock);
}

void
log_line(enum log_level level, const char *id, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	size_t idlen = id ? strnlen(id, 255) : 0, len, rest;
	va_list ap;
	char *p;
	int n;

	if (level == LOG_DEBUG_ && !out.debug)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	if (out.fd < 0) {
		fprintf(stderr, "%s%s%s%s%s\n", out.name, out.name[0] ? ": " : "",
			idlen ? id : "", idlen ? ": " : "", text);
		return;
	}
	rest = 2 + idlen + len;
	pthread_mutex_lock(&out.lock);
	if (out.n + 2 + rest > sizeof(out.frame))
		flush_locked();
	p = out.frame + out.n;
	p[0] = (char)(rest & 0xff);
	p[1] = (char)(rest >> 8);
	p[2] = (char)level;
	p[3] = (char)idlen;
	if (idlen)
		memcpy(p + 4, id, idlen);
	memcpy(p + 4 + idlen, text, len);
	out.n += 2 + rest;
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
