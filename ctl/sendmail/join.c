/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sendmail.h"

enum { LAST_MS = 5000 };

/* One direction: bytes read and not written yet. */
struct flow {
	int from, to;
	char bytes[16 * 1024];
	size_t n, at;
	bool eof, gone; /* no more to read; nobody to write to */
};

static void
pull(struct flow *f)
{
	ssize_t n = read(f->from, f->bytes, sizeof(f->bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	f->eof = n <= 0;
	f->n = n > 0 ? (size_t)n : 0;
	f->at = 0;
}

static void
push(struct flow *f)
{
	ssize_t n = write(f->to, f->bytes + f->at, f->n - f->at);

	if (n < 0 && errno != EINTR && errno != EAGAIN)
		f->gone = true;
	if (n > 0)
		f->at += (size_t)n;
}

static bool
is_empty(const struct flow *f)
{
	return f->at == f->n;
}

/* Standard input and output are the client, until the server has said its last
 * word.  It takes the end of our side for a lost connection: who writes all
 * at once and ends gets the answers first. */
static void
pump(int server)
{
	struct flow in = { .from = STDIN_FILENO, .to = server };
	struct flow out = { .from = server, .to = STDOUT_FILENO };
	bool shut = false;
	int rc;

	while (!(out.eof && is_empty(&out)) && !out.gone) {
		struct pollfd p[4] = {
			{ in.eof || !is_empty(&in) ? -1 : in.from, POLLIN, 0 },
			{ is_empty(&in) || in.gone ? -1 : in.to, POLLOUT, 0 },
			{ out.eof || !is_empty(&out) ? -1 : out.from, POLLIN,
			  0 },
			{ is_empty(&out) ? -1 : out.to, POLLOUT, 0 },
		};

		rc = poll(p, 4, in.eof && is_empty(&in) ? LAST_MS : -1);
		if (rc < 0 && errno != EINTR)
			return;
		if (p[0].revents)
			pull(&in);
		if (p[1].revents)
			push(&in);
		if (p[2].revents)
			pull(&out);
		if (p[3].revents)
			push(&out);
		if (rc == 0 && shut)
			return;
		if (rc == 0)
			shut = shutdown(server, SHUT_WR) == 0;
	}
}

int
do_smtp(struct sendmail *sm)
{
	struct server s = { .fd = -1 };
	struct err err;

	if (server_open(&s, sm->socket, true, &err) < 0) {
		(void)!write(STDOUT_FILENO,
			     "421 4.3.0 Mail system is not available\r\n", 40);
		complain(sm, "%s", err.text);
		return EX_TEMPFAIL;
	}
	pump(s.fd);
	server_close(&s);
	return EX_OK;
}
