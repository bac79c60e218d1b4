/* SPDX-License-Identifier: ISC */
/*
 * tls_inline PORT CERTIFICATE FILE
 *
 * What a submission under TLS costs at least, to compare with: one process
 * that takes mail on 127.0.0.1:PORT under TLS from the first byte, with the
 * settings of tlsd, undoes dot-stuffing, turns CR LF into LF, writes one file
 * (over the same FILE each time) and syncs it before its 250.  It knows just
 * enough SMTP for that, believes its client, and serves one client at a time.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 64 * 1024, OUT_SIZE = 64 * 1024 };

struct session {
	SSL *ssl;
	char in[IN_SIZE];
	size_t at, n; /* what is in it */
	char out[OUT_SIZE];
	size_t out_n;
	int file;
};

static void
say(struct session *s, const char *text)
{
	size_t n;

	(void)SSL_write_ex(s->ssl, text, strlen(text), &n);
}

static bool
fill(struct session *s)
{
	s->at = s->n = 0;
	return SSL_read_ex(s->ssl, s->in, sizeof(s->in), &s->n) == 1;
}

/* The next command line without its end; false at the end. */
static bool
command(struct session *s, char *line, size_t size)
{
	size_t n = 0;
	char c;

	for (;;) {
		if (s->at == s->n && !fill(s))
			return false;
		c = s->in[s->at++];
		if (c == '\n') {
			line[n] = '\0';
			return true;
		}
		if (c != '\r' && n + 1 < size)
			line[n++] = c;
	}
}

static void
flush(struct session *s)
{
	size_t done = 0;

	while (done < s->out_n) {
		ssize_t n = write(s->file, s->out + done, s->out_n - done);

		if (n < 0)
			err(1, "write");
		done += (size_t)n;
	}
	s->out_n = 0;
}

static void
put(struct session *s, const char *p, size_t n)
{
	size_t part;

	for (; n; p += part, n -= part) {
		if (s->out_n == sizeof(s->out))
			flush(s);
		part = sizeof(s->out) - s->out_n;
		if (part > n)
			part = n;
		memcpy(s->out + s->out_n, p, part);
		s->out_n += part;
	}
}

/* The text up to the line with a single dot.  start: 0 within a line, 1 at its
 * begin, 2 after a dot there; cr: the last byte was one and is not written
 * yet. */
static bool
data(struct session *s)
{
	int start = 1;
	bool cr = false;

	for (;;) {
		char *p, *end, *lf;

		if (s->at == s->n && !fill(s))
			return false;
		p = s->in + s->at;
		end = s->in + s->n;
		s->at = s->n;
		while (p < end) {
			if (start == 1 && *p == '.') {
				start = 2;
				p++;
				continue;
			}
			if (start == 2 && *p == '\r') {
				/* The LF behind it ends the text. */
				start = 3;
				p++;
				continue;
			}
			if (start == 3) {
				s->at = (size_t)(p + 1 - s->in);
				return *p == '\n';
			}
			lf = memchr(p, '\n', (size_t)(end - p));
			start = lf ? 1 : 0;
			if (cr && *p != '\n')
				put(s, "\r", 1);
			cr = false;
			if (!lf && end[-1] == '\r') {
				cr = true;
				put(s, p, (size_t)(end - 1 - p));
			} else if (!lf) {
				put(s, p, (size_t)(end - p));
			} else if (lf > p && lf[-1] == '\r') {
				lf[-1] = '\n';
				put(s, p, (size_t)(lf - p));
			} else {
				put(s, p, (size_t)(lf + 1 - p));
			}
			p = lf ? lf + 1 : end;
		}
	}
}

static bool
receive(struct session *s, const char *path)
{
	bool ok;

	say(s, "354 End data with <CR><LF>.<CR><LF>\r\n");
	s->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (s->file < 0)
		err(1, "%s", path);
	ok = data(s);
	flush(s);
	if (fsync(s->file) < 0)
		err(1, "%s", path);
	close(s->file);
	if (ok)
		say(s, "250 2.0.0 Ok\r\n");
	return ok;
}

static void
serve(struct session *s, const char *path)
{
	char line[1024];

	say(s, "220 inline ESMTP\r\n");
	while (command(s, line, sizeof(line))) {
		if (strncasecmp(line, "EHLO", 4) == 0)
			say(s, "250-inline\r\n250-AUTH PLAIN\r\n"
			       "250-PIPELINING\r\n250 8BITMIME\r\n");
		else if (strncasecmp(line, "AUTH", 4) == 0)
			say(s, "235 2.7.0 Authentication successful\r\n");
		else if (strcasecmp(line, "QUIT") == 0)
			say(s, "221 2.0.0 Bye\r\n");
		else if (strcasecmp(line, "DATA") != 0)
			say(s, "250 2.0.0 Ok\r\n");
		else if (!receive(s, path))
			return;
	}
}

static SSL_CTX *
context(const char *certificate)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, certificate, SSL_FILETYPE_PEM) !=
		    1)
		errx(1, "%s: no certificate with its key", certificate);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

static int
listen_on(const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(
					  (uint16_t)strtoul(port, NULL, 10)),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(fd, 16) < 0)
		err(1, "port %s", port);
	return fd;
}

int
main(int argc, char **argv)
{
	static struct session s;
	SSL_CTX *ctx;
	int fd, client;

	if (argc != 4)
		errx(64, "usage: tls_inline PORT CERTIFICATE FILE");
	signal(SIGPIPE, SIG_IGN);
	ctx = context(argv[2]);
	fd = listen_on(argv[1]);
	while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		s.at = s.n = 0;
		s.ssl = SSL_new(ctx);
		if (s.ssl && SSL_set_fd(s.ssl, client) == 1 &&
		    SSL_accept(s.ssl) == 1) {
			serve(&s, argv[3]);
			SSL_shutdown(s.ssl);
		}
		SSL_free(s.ssl);
		close(client);
	}
	err(1, "accept");
}
