/* SPDX-License-Identifier: ISC */
/*
 * load [-c CLIENTS] [-n SESSIONS] [-u USERS] [-r] [-t] HOST PORT KIND [WORD...]
 *
 * A generator for the benchmarks: SESSIONS sessions, from CLIENTS threads at
 * once, each session on a connection of its own.
 *
 *	starttls                 SMTP: EHLO, STARTTLS, handshake, EHLO, QUIT
 *	imap USER PASSWORD       LOGIN, LOGOUT
 *	pop3 USER PASSWORD       USER, PASS, QUIT
 *	submit USER PASSWORD FROM TO BYTES
 *	                         SMTP: AUTH PLAIN and one message of this size
 *
 *	-t  TLS from the first byte
 *	-r  resume the TLS session of the thread's session before
 *
 *	-u  "#" in USER is a number from 0 to USERS - 1, another one each time
 *
 * Any answer but the good one ends it with status 1.  Certificates are not
 * checked.  Prints how many sessions there were, how many of them were
 * resumed, and how many seconds they took.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 5, CLIENTS_MAX = 256, TEXT_LINE = 76 };

struct client {
	int fd;
	SSL *ssl;
	SSL_SESSION *last; /* to be resumed */
	char user[256];
	char in[4096];
	size_t at, n;
};

struct kind {
	const char *name;
	int words;
	void (*session)(struct client *c);
};

static struct {
	struct sockaddr_in to;
	SSL_CTX *tls;
	bool tls_at_once, resume;
	const char *words[WORDS_MAX];
	const struct kind *kind;
	char *text; /* of a submission, with its end */
	size_t text_n;
	unsigned sessions, users;
	atomic_uint begun, resumed;
} load;

/* --- a connection ------------------------------------------------------------
 */

static void
put(struct client *c, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t part = 0;
		ssize_t rc;

		if (c->ssl) {
			if (SSL_write_ex(c->ssl, p + done, n - done, &part) !=
			    1)
				errx(1, "SSL_write");
		} else {
			rc = send(c->fd, p + done, n - done, MSG_NOSIGNAL);
			if (rc <= 0)
				err(1, "send");
			part = (size_t)rc;
		}
		done += part;
	}
}

/* A line of these words and CR LF. */
#define SAY(c, ...) say(c, (const char *const[]){ __VA_ARGS__, "\r\n", NULL })

static void
say(struct client *c, const char *const *words)
{
	char text[1024], *end = text, *nul;

	for (; *words; words++) {
		nul = memccpy(end, *words, '\0',
			      (size_t)(text + sizeof(text) - end));
		if (!nul)
			errx(1, "a line is too long");
		end = nul - 1;
	}
	put(c, text, (size_t)(end - text));
}

static void
fill(struct client *c)
{
	ssize_t rc;

	c->at = c->n = 0;
	if (c->ssl) {
		if (SSL_read_ex(c->ssl, c->in, sizeof(c->in), &c->n) != 1)
			errx(1, "SSL_read: the connection has ended");
		return;
	}
	rc = recv(c->fd, c->in, sizeof(c->in), 0);
	if (rc <= 0)
		errx(1, "recv: the connection has ended");
	c->n = (size_t)rc;
}

static void
get_line(struct client *c, char *line, size_t size)
{
	size_t n = 0;
	char b;

	do {
		if (c->at == c->n)
			fill(c);
		b = c->in[c->at++];
		if (n + 1 < size)
			line[n++] = b;
	} while (b != '\n');
	line[n] = '\0';
}

/* The line that begins thus; others before it are passed over if they begin
 * with pass. */
static void
expect(struct client *c, const char *want, const char *pass)
{
	char line[1024];

	do {
		get_line(c, line, sizeof(line));
		if (strncmp(line, want, strlen(want)) == 0)
			return;
	} while (pass && strncmp(line, pass, strlen(pass)) == 0);
	errx(1, "want \"%s\", have: %s", want, line);
}

static void
start_tls(struct client *c)
{
	c->ssl = SSL_new(load.tls);
	if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    (load.resume && c->last && SSL_set_session(c->ssl, c->last) != 1) ||
	    SSL_connect(c->ssl) != 1) {
		ERR_print_errors_fp(stderr);
		errx(1, "no TLS");
	}
	if (SSL_session_reused(c->ssl))
		atomic_fetch_add(&load.resumed, 1);
}

static void
open_client(struct client *c)
{
	int on = 1;

	c->at = c->n = 0;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
	    connect(c->fd, (struct sockaddr *)&load.to, sizeof(load.to)) < 0)
		err(1, "connect");
	if (load.tls_at_once)
		start_tls(c);
}

static void
close_client(struct client *c)
{
	if (c->ssl) {
		/* TLS 1.3: the ticket came with the answers. */
		if (load.resume) {
			SSL_SESSION_free(c->last);
			c->last = SSL_get1_session(c->ssl);
		}
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	c->ssl = NULL;
	close(c->fd);
}

/* --- kinds of sessions -------------------------------------------------------
 */

static void
starttls_session(struct client *c)
{
	expect(c, "220 ", "220-");
	SAY(c, "EHLO load.example");
	expect(c, "250 ", "250-");
	SAY(c, "STARTTLS");
	expect(c, "220 ", NULL);
	start_tls(c);
	SAY(c, "EHLO load.example");
	expect(c, "250 ", "250-");
	SAY(c, "QUIT");
	expect(c, "221 ", NULL);
}

static void
imap_session(struct client *c)
{
	expect(c, "* OK", NULL);
	SAY(c, "a LOGIN ", c->user, " ", load.words[1]);
	expect(c, "a OK", "* ");
	SAY(c, "b LOGOUT");
	expect(c, "b OK", "* ");
}

static void
pop3_session(struct client *c)
{
	expect(c, "+OK", NULL);
	SAY(c, "USER ", c->user);
	expect(c, "+OK", NULL);
	SAY(c, "PASS ", load.words[1]);
	expect(c, "+OK", NULL);
	SAY(c, "QUIT");
	expect(c, "+OK", NULL);
}

static void
submit_session(struct client *c)
{
	unsigned char plain[256], base64[400];
	int n;

	n = snprintf((char *)plain, sizeof(plain), "%c%s%c%s", 0, c->user, 0,
		     load.words[1]);
	EVP_EncodeBlock(base64, plain, n);
	expect(c, "220 ", "220-");
	SAY(c, "EHLO load.example");
	expect(c, "250 ", "250-");
	SAY(c, "AUTH PLAIN ", (const char *)base64);
	expect(c, "235 ", NULL);
	SAY(c, "MAIL FROM:<", load.words[2], ">");
	expect(c, "250 ", NULL);
	SAY(c, "RCPT TO:<", load.words[3], ">");
	expect(c, "250 ", NULL);
	SAY(c, "DATA");
	expect(c, "354 ", NULL);
	put(c, load.text, load.text_n);
	expect(c, "250 ", NULL);
	SAY(c, "QUIT");
	expect(c, "221 ", NULL);
}

/* As a letter with an attachment: lines of base64, some with a dot to double.
 */
static void
make_text(void)
{
	static const char head[] = "Subject: load\r\nFrom: <load@example>\r\n"
				   "To: <load@example>\r\n\r\n",
			  end[] = ".\r\n";
	size_t want = strtoul(load.words[4], NULL, 10), i;
	char *p;

	load.text = malloc(want + sizeof(head) + TEXT_LINE + 16);
	if (!load.text)
		err(1, "malloc");
	p = stpcpy(load.text, head);
	while ((size_t)(p - load.text) < want) {
		size_t line = (size_t)(p - load.text);

		if (line % 100 == 0)
			p = stpcpy(p, "..");
		for (i = 0; i < TEXT_LINE; i++)
			*p++ = (char)('a' + (line + i) % 26);
		p = stpcpy(p, "\r\n");
	}
	p = stpcpy(p, end);
	load.text_n = (size_t)(p - load.text);
}

static const struct kind kinds[] = {
	{ "starttls", 0, starttls_session },
	{ "imap", 2, imap_session },
	{ "pop3", 2, pop3_session },
	{ "submit", 5, submit_session },
};

/* --- all of them -------------------------------------------------------------
 */

static void
set_user(struct client *c, unsigned session)
{
	const char *form = load.words[0] ? load.words[0] : "";
	int head = (int)strcspn(form, "#");

	if (form[head])
		snprintf(c->user, sizeof(c->user), "%.*s%u%s", head, form,
			 session % load.users, form + head + 1);
	else
		snprintf(c->user, sizeof(c->user), "%s", form);
}

static void *
client_main(void *arg)
{
	struct client *c = calloc(1, sizeof(*c));
	unsigned session;

	(void)arg;
	if (!c)
		err(1, "calloc");
	while ((session = atomic_fetch_add(&load.begun, 1)) < load.sessions) {
		set_user(c, session);
		open_client(c);
		load.kind->session(c);
		close_client(c);
	}
	SSL_SESSION_free(c->last);
	free(c);
	return NULL;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void __attribute__((noreturn)) usage(void)
{
	errx(64, "usage: load [-c CLIENTS] [-n SESSIONS] [-u USERS] [-r] [-t] "
		 "HOST PORT "
		 "starttls | imap USER PASSWORD | pop3 USER PASSWORD | "
		 "submit USER PASSWORD FROM TO BYTES");
}

static void
set_target(char **argv, int argc)
{
	size_t i;

	if (argc < 3 || inet_pton(AF_INET, argv[0], &load.to.sin_addr) != 1)
		usage();
	load.to.sin_family = AF_INET;
	load.to.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(argv[2], kinds[i].name) == 0 &&
		    argc == 3 + kinds[i].words)
			load.kind = &kinds[i];
	if (!load.kind)
		usage();
	for (i = 0; i < (size_t)load.kind->words; i++)
		load.words[i] = argv[3 + i];
	if (load.kind->session == submit_session)
		make_text();
}

int
main(int argc, char **argv)
{
	pthread_t threads[CLIENTS_MAX];
	unsigned clients = 1, i;
	double begin;
	int opt;

	load.sessions = load.users = 1;
	while ((opt = getopt(argc, argv, "c:n:u:rt")) != -1) {
		if (opt == 'c')
			clients = (unsigned)strtoul(optarg, NULL, 10);
		else if (opt == 'n')
			load.sessions = (unsigned)strtoul(optarg, NULL, 10);
		else if (opt == 'u')
			load.users = (unsigned)strtoul(optarg, NULL, 10);
		else if (opt == 'r')
			load.resume = true;
		else if (opt == 't')
			load.tls_at_once = true;
		else
			usage();
	}
	if (clients < 1 || clients > CLIENTS_MAX || load.users < 1)
		usage();
	signal(SIGPIPE, SIG_IGN);
	set_target(argv + optind, argc - optind);
	load.tls = SSL_CTX_new(TLS_client_method());
	if (!load.tls)
		errx(1, "SSL_CTX_new");
	begin = now();
	for (i = 0; i < clients; i++)
		if (pthread_create(&threads[i], NULL, client_main, NULL))
			errx(1, "pthread_create");
	for (i = 0; i < clients; i++)
		pthread_join(threads[i], NULL);
	printf("sessions=%u resumed=%u seconds=%.6f\n", load.sessions,
	       atomic_load(&load.resumed), now() - begin);
	return 0;
}
