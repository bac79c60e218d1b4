/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_TESTBED_H
#define RECEIVE_TESTBED_H

#include "receive/worker.h"

/*
 * For tests: a worker in this process, with a router and a qmgr at the other
 * ends of real channels, and one client at the other end of a socket pair.
 *
 * The router knows the domain own.test with alice, bob, carol, postmaster and
 * user0..user9999; temp@own.test cannot be looked up, mute@own.test is never
 * answered, drop@own.test makes the router die; relay.test is somewhere else
 * and reachable, every other domain somewhere else and not reachable.  A login
 * owns its name @own.test; temp@ and mute@ are as above.
 *
 * The tlsd speaks no TLS, but gives back what it was handed, with facts.  The
 * authd knows PLAIN and LOGIN, by which everybody has the password "secret",
 * and SCRAM-SHA-256, which is one long challenge that any answer satisfies.
 */
enum bed_does { BED_WORKS, BED_FAILS, BED_TEMP, BED_MUTE, BED_DIES };

struct testbed {
	struct daemon d;
	struct worker *w;
	struct chan *router, *qmgr, *tlsd, *authd;
	int client;	/* -1: none */
	struct buf got; /* all from the server */
	size_t eaten;	/* of it, by testbed_line() */
	bool closed;	/* the server closed */
	bool exited;	/* daemon_exit() was called */
	struct event *tick;

	/* What qmgr does. */
	bool pressure, die_on_commit, die_on_stream, mute, stop_pipe;
	unsigned refuse_code;
	char refuse_dsn[16], refuse_text[200];
	bool refuse_stream;

	/* What tlsd and authd do, and authd was told. */
	enum bed_does tlsd_does, authd_does;
	uint8_t ccert; /* enum tls_peer_cert */
	struct buf told;
	uint32_t exchange; /* 0: none is open */
	char mech[SASL_MECH_MAX + 1], user[USER_MAX + 1];
	unsigned cancelled;

	/* The message it was given last. */
	unsigned stored, aborted, streams;
	bool streamed;
	uint8_t flags;
	uint32_t tag;
	struct buf sender, rcpts, header, body; /* rcpts: a line each */
	char dsn[ENVID_MAX + 20];		/* "RET ENVID" of COMMIT */
	uint32_t nrcpts;
	int pipe;	   /* reading end */
	const char *fault; /* a breach of the protocol by the worker, or NULL */
};

/* overrides: "name = value" lines, or "". */
void testbed_init(struct testbed *tb, const struct daemon_ops *ops,
		  const char *overrides);
void testbed_fini(struct testbed *tb);

/* tls: as on a port where TLS comes first. */
void testbed_connect(struct testbed *tb, const char *ip, bool tls);
void testbed_connect_local(struct testbed *tb, uint32_t uid);
void testbed_offer_tls(struct testbed *tb, bool on);
/* The parts in testbed_peers.c. */
void testbed_tlsd(struct testbed *tb, int fd, const struct chan_row *row);
void testbed_authd(struct testbed *tb, int fd, const struct chan_row *row);
/* As far as the socket takes it; the loop turns meanwhile. */
void testbed_send(struct testbed *tb, struct str bytes);
/* Turn the loop until nothing moves any more. */
void testbed_settle(struct testbed *tb);
/* One turn, waiting at most some milliseconds. */
void testbed_turn(struct testbed *tb);
/* The next line without CR LF; false if none comes
 * within 5 s or the server closes. */
bool testbed_line(struct testbed *tb, struct str *line);
/* qmgr reads what is in the pipe, and the loop does not turn; true at its
 * end. */
bool testbed_drain(struct testbed *tb);
void testbed_set_pressure(struct testbed *tb, bool on);

#endif
