/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SERVER_BED_H
#define SMTP_SERVER_BED_H

#include "net/conn.h"

/*
 * An SMTP server for the tests, on an address 127.0.0.x, that answers as a
 * table says, and otherwise as a server should.
 */
enum { BED_CONNS = 16 };

/* What a verb is answered ("GREETING" and "." are the greeting and the end of
 * the text); "close": the connection is closed.  A row with verb NULL ends the
 * table. */
struct bed_reply {
	const char *verb, *say;
};

struct bed_conn {
	struct server_bed *server;
	struct conn *conn;
	bool text;
};

struct server_bed {
	struct loop *loop;
	const struct bed_reply *replies;
	int fd; /* listens; -1: it is dead */
	struct event *ev;
	struct bed_conn conns[BED_CONNS];
	unsigned nconns, mails;
};

/* The port is the same on all addresses; 0: any, which is then told. */
void server_bed_open(struct server_bed *s, struct loop *l, unsigned host,
		     unsigned *port);
/* All connections are closed. */
void server_bed_hang_up(struct server_bed *s);
/* And nobody listens any more. */
void server_bed_close(struct server_bed *s);

#endif
