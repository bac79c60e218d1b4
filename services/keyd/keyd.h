/* SPDX-License-Identifier: ISC */
#ifndef KEYD_H
#define KEYD_H

#include "frame/daemon.h"
#include "keys.h"

/* Session ticket keys of one group: v[0] seals, all open. */
struct tickets {
	struct {
		uint8_t name[KEY_TICKET_NAME];
		uint8_t secret[KEY_TICKET_SECRET];
	} v[KEY_TICKETS_MAX];
	size_t n;
	uint64_t next_ms; /* when the next one is made */
};

/* The daemon's state; tests make their own. */
struct keyd {
	struct loop *loop;
	struct keys keys;
	struct tickets tickets[KEYS_OUT]; /* of servers alone */
	unsigned ticket_life_s;		  /* 0: no tickets */
	struct list peers;
	/* Ask master for the table again: a certificate in it becomes valid
	 * only with time. */
	void (*want_table)(void *arg);
	void *want_arg;
	struct event *tick;
	uint64_t refused_until_ms; /* next line about a refusal */
	unsigned refused;	   /* since the last line */
	uint64_t dates_ms;	   /* next look at the dates */
	uint64_t want_ms;	   /* next want_table() */
};

ERR_WARN_UNUSED int keyd_init(struct keyd *k, struct loop *l, struct err *err);
void keyd_fini(struct keyd *k);
void keyd_configure(struct keyd *k, struct str myhostname, unsigned life_s);
/* A new edition of the table "keys"; takes fd.  If it cannot be read the old
 * one stays. */
void keyd_table(struct keyd *k, struct str name, int fd);
/* A new asker, one of the tlsd; takes fd. */
void keyd_peer(struct keyd *k, const struct chan_row *row, int fd);
/* What is due: new ticket keys, old sets, warnings. */
void keyd_tick(struct keyd *k, uint64_t mono_ms);

extern const struct daemon_ops keyd_ops;

#endif
