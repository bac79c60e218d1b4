/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_PENALTY_H
#define AUTHD_PENALTY_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "net/addr.h"

/*
 * Who has guessed wrong waits before the next guess is looked at.  Passwords
 * come with the client's address; a client is an IPv4 address or an IPv6 /64.
 * Every try passes one gate:
 *
 * - that of its client;
 * - that of this user at this client, if the user has logged in from there
 *   before: neighbours behind the same address do not slow each other;
 * - that of this user at this client, if the client is an exception (webmail
 *   stands for many people, so does an unknown address).
 *
 * A gate lets one try through at a time once it has seen a failure (before
 * that, PENALTY_FREE at once), the next one a delay after the last answer: 0
 * for the first failure, then 2, 4, 8 s and so on up to a limit.  So the delay
 * comes before right and wrong answers alike, and trying in parallel gains
 * nothing.  A right password sets the gate back; so do PENALTY_FORGET_MS
 * without a failure.  The very same wrong password again (a phone with a stale
 * one) counts once.
 *
 * Beside the gates there is a count of each user's failures from anywhere: it
 * delays, up to PENALTY_USER_MAX_MS, tries at clients from where the user has
 * never logged in, and no others.
 *
 * No I/O, no clock: times are milliseconds, given by the caller.  Memory is
 * bounded: PENALTY_RECORDS of each kind, the longest unused goes first.  Of
 * users and passwords nothing is kept but hashes under a key of this process.
 */
enum {
	PENALTY_FREE = 16,	   /* at once, as long as nothing failed */
	PENALTY_PARKED_MAX = 32,   /* waiting at one gate */
	PENALTY_PARKED_ALL = 1024, /* waiting at all gates */
	PENALTY_WAIT_MAX_MS = 25 * 1000, /* who would wait longer is refused:
					     askers give up after 30 s */
	PENALTY_USER_MAX_MS = 4 * 1000,
	PENALTY_FORGET_MS = 5 * 60 * 1000,
	PENALTY_RECORDS = 16384,
	PENALTY_RECENT = 4, /* wrong passwords remembered at a gate */
	PENALTY_NETS_MAX = 64,
};

struct penalty_record;

/* A try: embedded in what waits for it. */
struct penalty_try {
	struct list link;	     /* private from here on */
	struct penalty_record *gate; /* NULL: has not entered */
	struct penalty_record *user;
	uint64_t known; /* the record of a right password here */
	uint64_t not_before_ms;
	bool parked;
};

enum penalty_kind {
	PENALTY_CLIENT, /* gate of a client */
	PENALTY_KNOWN,	/* gate of a user where the user logged in before */
	PENALTY_LOCAL,	/* gate of a user at an exception */
	PENALTY_USER,	/* the count of a user */
	PENALTY_KINDS,
};

struct penalty_table {
	struct map map;
	struct list idle; /* without tries, the longest unused first */
};

struct penalties {
	struct penalty_table tables[PENALTY_KINDS];
	struct heap due; /* gates with parked tries that may go by time */
	uint8_t key[16];
	unsigned parked, records_max;
	uint64_t max_ms; /* 0: off */
	struct addr_net exempt[PENALTY_NETS_MAX];
	size_t nexempt;
};

void penalties_init(struct penalties *p);
/* Every try must have been left or cancelled. */
void penalties_fini(struct penalties *p);
/* max_ms: the longest delay, 0 switches off (parked tries come out at once);
 * exceptions: addr_net, separated by commas or blanks.  What is wrong there or
 * too much is left out and counted in the result. */
size_t penalties_configure(struct penalties *p, uint64_t max_ms,
			   struct str exceptions);

enum penalty_answer {
	PENALTY_GO,	/* look at it now */
	PENALTY_PARKED, /* penalty_due() gives it back when it may go */
	PENALTY_REFUSED /* too many wait, or no memory: try later */
};
/* client: text of an address, or anything else for one not known; user: in
 * its canonical form. After GO the try must be left, after PARKED left (once
 * it has gone) or cancelled. */
enum penalty_answer penalty_enter(struct penalties *p, struct penalty_try *t,
				  struct str client, struct str user,
				  uint64_t now_ms);

enum penalty_result {
	PENALTY_RIGHT,
	PENALTY_WRONG,
	PENALTY_UNDECIDED, /* temporary failure, given up: counts for nothing */
};
/* digest: penalty_digest() of what was tried, 0 if that cannot be compared. */
void penalty_leave(struct penalties *p, struct penalty_try *t,
		   enum penalty_result result, uint64_t digest,
		   uint64_t now_ms);
/* A try that is parked, or has gone without being left; others: nothing. */
void penalty_cancel(struct penalties *p, struct penalty_try *t,
		    uint64_t now_ms);

/* The next parked try that may go now (it has gone then), or NULL. */
struct penalty_try *penalty_due(struct penalties *p, uint64_t now_ms);
/* When to call penalty_due() again: milliseconds from now, or -1: not before
 * the next enter or leave. */
int64_t penalty_next(const struct penalties *p, uint64_t now_ms);

/* Never 0. */
uint64_t penalty_digest(const struct penalties *p, struct str user,
			struct str password);

#endif
