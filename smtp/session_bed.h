/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SESSION_BED_H
#define SMTP_SESSION_BED_H

#include "session.h"

/*
 * A session whose server is a script, for the tests: lines of
 *
 *	> TEXT		the server says TEXT CR LF
 *	raw TEXT	the server says TEXT; \r \n \0 \\ are escapes
 *	drip TEXT	the same, an octet a turn
 *	< TEXT		the client must say just this
 *	<* TEXT		the client must say something that begins so
 *	body TEXT	the client's text up to its end of data, as in raw
 *	octets TEXT	just these octets
 *	flood N		N octets of a reply that does not end
 *	close		the server closes
 *	reset		the server forgets the socket (RST)
 *	nothing		the client must say nothing for a while
 *	swallow		any text to its end; BDAT is answered by 250
 *	deaf		from now on nothing is read
 */
struct bed_rcpt {
	const char *address, *orcpt;
	uint8_t notify;
};

struct bed_letter {
	const char *sender, *header, *body, *envid;
	uint8_t flags, ret;
	struct bed_rcpt rcpts[8];
	size_t body_n; /* of body where it has NUL */
	int body_fd;   /* 0: none */
	uint64_t body_len;
	uint32_t many; /* so many recipients, if there is none above */
};

enum bed_tlsd {
	BED_NO_TLSD,
	BED_TLS_WORKS, /* the "handshake" changes nothing on the wire */
	BED_TLS_FAILS,
	BED_TLS_UNTRUSTED,
	BED_TLSD_DIES,
};

struct bed {
	struct loop loop;
	struct settings set;
	struct session_plan plan;
	struct session *session; /* NULL: it ended */
	struct letter *letter;
	enum bed_tlsd tlsd_does;
	struct tls_client *tls;
	struct chan *tlsd;
	int server;
	unsigned sends;		       /* transactions to have, 1 if 0 */
	const struct bed_letter *last; /* the letter of the last one, if it is
					  another */
	char events[1024];
	char dialog[SEND_DIALOG_MAX + 1];
	struct buf in;	  /* what the client said and the script did not eat */
	size_t swallowed; /* octets of the text */
	bool deaf;
	int patient;   /* ms that a turn waits for the client */
	char why[512]; /* how the script failed */
};

void bed_init(struct bed *b);
/* True: the script was followed to its end, and the session too ended or was
 * put away. */
bool bed_run(struct bed *b, const struct bed_letter *l, const char *script);
void bed_fini(struct bed *b);

/* The same by hand: begin, what the server does, and a turn of the session's
 * loop, after which b->in has what the client said. */
void bed_start(struct bed *b, const struct bed_letter *l);
void bed_say(struct bed *b, struct str s);
void bed_hang_up(struct bed *b, bool reset);
void bed_turn(struct bed *b);

/* Of recipient i: "OK 2.0.0 text", "TEMP ...", "PERM ...", "none"; "*" in
 * front if it is not settled. */
const char *bed_result(const struct bed *b, uint32_t i, char text[1024]);
struct letter *bed_letter(const struct bed_letter *from);

#endif
