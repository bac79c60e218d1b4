/* SPDX-License-Identifier: ISC */
#ifndef QMGR_SITE_H
#define QMGR_SITE_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/param.h"
#include "net/loop.h"
#include "window.h"

/*
 * Destinations.  A site is what has one transport and one nexthop in common;
 * a delivery is what one SEND carries: some recipients of one message.
 *
 *	ALIVE ─► DEAD ─► PROBING ─► ALIVE
 *	           ▲________│
 *
 * ALIVE: as many deliveries run as its window allows, the others wait in todo,
 * and messages that would fill the memory are parked.  DEAD: nothing is sent
 * until its time has come.  PROBING: one message finds out.
 *
 * A parked message is one that has no other recipients to do than those of one
 * site: it is only its struct message, is not read, and is woken when the site
 * has room.
 */
struct qmgr;
struct message;
struct active;

struct site_rule {
	struct window_rule window;
	unsigned rcpts;		/* in one delivery */
	unsigned processes;	/* deliveries of the transport at a time */
	uint64_t rate_delay_ms; /* between deliveries; 0: none */
	bool deferred;		/* defer_transports */
};

struct transport {
	struct list link; /* in sites.transports */
	struct site_rule rule;
	struct list ready; /* sites that have work and room, in turns */
	unsigned busy;
	char name[];
};

/* Of so many workers. */
enum { SITE_KEPT = 8 };
enum site_state { SITE_ALIVE, SITE_DEAD, SITE_PROBING };

struct site {
	struct qmgr *q;
	struct transport *transport;
	struct list ready;    /* in transport.ready */
	struct list idle;     /* in sites.idle */
	struct list todo;     /* struct sending */
	struct list parked;   /* struct message */
	struct heap_item due; /* ms: dead, till the probe; or rate delay */
	struct window window;
	size_t nparked, todo_bytes;
	size_t nuntold; /* of nparked: the log does not know why */
	unsigned ntodo, busy;
	unsigned nbig;	 /* of ntodo: the body is in its own file */
	unsigned nwoken; /* messages on their way here from parked */
	/* Connections that workers keep for it, as far as is known. */
	uint8_t kept[SITE_KEPT];
	uint32_t backoff_ms;
	uint8_t state;
	uint64_t since_us; /* dead since */
	char *why;	   /* dead: "4.4.1 connect to ..." */
	struct sending *building;
	struct list touched; /* while a message is cut into deliveries */
	struct str nexthop;
	struct str key; /* transport, 0, nexthop */
	char key_mem[];
};

struct sending {
	struct list link; /* in site.todo, or of a worker */
	struct site *site;
	struct active *a;
	struct worker *worker;
	uint64_t sent_us;
	size_t bytes, share;
	uint32_t n, size;
	uint32_t *rcpt;
	struct buf parts; /* of the answer */
};

struct sites {
	struct map by_key;
	struct list transports;
	struct list idle;
	unsigned nidle;
	struct heap due;
	struct event *timer;
	struct loop_flush dispatch;
	const struct params *params; /* NULL: rule holds for all */
};

ERR_WARN_UNUSED int sites_init(struct qmgr *q, struct err *err);
/* Messages and sendings are gone. */
void sites_fini(struct qmgr *q);
/* What holds for this transport. */
void site_rule_load(struct site_rule *r, const struct qmgr *q,
		    const char *transport);
/* Parameters have changed. */
void sites_reload(struct qmgr *q);

/* Made if need be; NULL: no memory. */
struct site *site_get(struct qmgr *q, struct str transport, struct str nexthop);
struct site *site_find(struct qmgr *q, struct str transport,
		       struct str nexthop);

/* --- messages that wait for it -------------------------------------------- */

/* The one site of all recipients that are to do; NULL: there is none, or or it
 * is not known yet. */
struct site *site_of(const struct active *a);
/* Can this message not be sent there now? */
bool site_is_shut(const struct site *s, const struct message *m);
/* Is an attempt for this message wanted? */
bool site_may_try(const struct site *s, const struct message *m);
/* m has no struct active any more. */
void site_park(struct site *s, struct message *m);
/* It is parked no longer, or has arrived where it was woken for. */
void site_leave(struct message *m);
/* It is on its way there now. */
void site_woken(struct message *m);

/* When it is tried next (DEFERRED; wall clock), and why it waits for its site:
 * "4.4.1 delivery temporarily suspended: ..."; "": it does not. */
uint64_t site_next_try_us(const struct message *m);
enum { SITE_WHY_MAX = 512 };
const char *site_why(const struct message *m, char out[SITE_WHY_MAX]);

/* --- deliveries ----------------------------------------------------------- */

void site_add(struct site *s, struct sending *sn);
/* Front of the line: one that has been out. */
void site_put_back(struct site *s, struct sending *sn);
/* A site that has work and room, the next in turn; NULL: none. */
struct site *sites_next(struct qmgr *q);
/* Its first delivery, now busy. */
struct sending *site_take(struct site *s);
/* The same, but it will not be sent. */
struct sending *site_drop(struct site *s);

/* A delivery ended.  why (of SITE_FAILED): "4.4.1 connect to ...". */
enum site_end { SITE_SAYS_NOTHING, SITE_WORKED, SITE_FAILED };
void site_done(struct site *s, enum site_end end, struct str why);

/* Is there room for one that does not want to wait? */
bool site_has_room(const struct site *s);
/* The administrator wants it to be tried. */
void site_enable(struct site *s);

#endif
