/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net/addr.h"
#include "net/line.h"
#include "server_bed.h"

static const struct bed_reply usual[] = {
	{ "GREETING", "220 mx.test ESMTP" },
	{ "EHLO", "250-mx.test\r\n250 PIPELINING" },
	{ "LHLO", "250 mx.test" },
	{ "DATA", "354 go on" },
	{ ".", "250 2.0.0 taken" },
	{ "QUIT", "221 bye" },
	{ NULL, "250 2.0.0 ok" },
};

static void
answer(struct bed_conn *sc, struct str verb)
{
	const struct bed_reply *r = sc->server->replies;

	for (; r && r->verb; r++)
		if (str_ieq(str_of(r->verb), verb))
			goto found;
	for (r = usual; r->verb; r++)
		if (str_ieq(str_of(r->verb), verb))
			break;
found:
	sc->text = str_starts(str_of(r->say), STR("354"));
	if (strcmp(r->say, "close") == 0) {
		conn_close(sc->conn);
		sc->conn = NULL;
		return;
	}
	(void)conn_writef(sc->conn, "%s\r\n", r->say);
}

static void
on_input(struct conn *c, void *arg)
{
	struct bed_conn *sc = arg;
	struct server_bed *s = sc->server;
	struct str line, verb;
	size_t used;

	while (sc->conn &&
	       line_get(conn_input(c), 4096, &line, &used) == LINE_OK) {
		if (sc->text) {
			bool end = str_eq(line, STR("."));

			conn_consume(c, used);
			s->mails += end;
			if (end)
				answer(sc, STR("."));
			continue;
		}
		verb = STR("");
		(void)str_token(&line, " :", &verb);
		answer(sc, verb);
		if (sc->conn)
			conn_consume(c, used);
	}
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	struct bed_conn *sc = arg;

	(void)why;
	conn_close(c);
	sc->conn = NULL;
}

static const struct conn_ops conn_ops = { .on_input = on_input,
					  .on_end = on_end };

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct server_bed *s = arg;
	struct bed_conn *sc = &s->conns[s->nconns];

	(void)what;
	assert_true(s->nconns < BED_CONNS);
	*sc = (struct bed_conn){ .server = s };
	sc->conn = conn_new(s->loop, accept(fd, NULL, NULL), 65536, 65536,
			    &conn_ops, sc);
	assert_non_null(sc->conn);
	s->nconns++;
	answer(sc, STR("GREETING"));
}

void
server_bed_open(struct server_bed *s, struct loop *l, unsigned host,
		unsigned *port)
{
	struct addr a;
	char text[32];
	int on = 1;

	*s = (struct server_bed){ .loop = l };
	(void)snprintf(text, sizeof(text), "127.0.0.%u", host);
	assert_int_equal(addr_parse(str_of(text), &a, NULL), 0);
	addr_set_port(&a, *port);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(s->fd, &a.sa, addr_len(&a)), 0);
	assert_int_equal(listen(s->fd, 10), 0);
	assert_int_equal(addr_of_self(s->fd, &a, NULL), 0);
	*port = addr_port(&a);
	s->ev = event_new(l->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	event_add(s->ev, NULL);
}

void
server_bed_hang_up(struct server_bed *s)
{
	unsigned i;

	for (i = 0; i < s->nconns; i++)
		if (s->conns[i].conn)
			conn_close(s->conns[i].conn);
	for (i = 0; i < s->nconns; i++)
		s->conns[i].conn = NULL;
}

void
server_bed_close(struct server_bed *s)
{
	server_bed_hang_up(s);
	if (s->fd < 0)
		return;
	event_free(s->ev);
	close(s->fd);
	s->fd = -1;
}
