/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REPORT_H
#define QMGR_REPORT_H

#include "message.h"
#include "report_conf.h"

/*
 * Reports about a message whose activation has ended: to its sender, or to the
 * postmaster.  Each is a message of its own, a child.
 *
 *	planned ─► router is asked where each goes ─► a thread writes and
 *	syncs them, on hold ─► the parent's slots name them ─► released
 *
 * Until the parent names them nothing has happened: whatever fails before, they
 * are removed, and made again after the parent's next activation.
 */
struct child {
	struct report *r;
	enum bounce_kind kind;
	bool notice;	       /* to the postmaster */
	struct str sender, to; /* of its envelope */
	uint32_t router_tag;
	bool dropped; /* router says: discard */
	struct buf rcpts;
	uint32_t nrcpts;
	uint8_t *states;
	struct buf text;
	struct spool_new rec;
};

struct report {
	struct list link; /* in q->reporting while router is asked */
	struct active *a;
	struct report_conf *conf;
	struct child child[QFILE_CHILDREN];
	unsigned n, asking;
	bool failed;
	uint8_t flags; /* of the parent's slot, once they are made */
	struct err err;
};

/*
 * Make the reports that are due now; false: there are none.  Calls
 * message_reported() when they are on disk, or could not be made.  What failed
 * without anybody to be told is settled here.
 */
bool report_start(struct active *a, uint64_t now);
/* They are on disk: let the parent's slots (of which a->slot is filled in) name
 * them and settle its recipients. */
void report_settle(struct report *r);
/* In a thread, after those slots are on disk: the children may go. */
ERR_WARN_UNUSED int report_release(struct report *r, struct err *err);
/* In the loop, after that: they are messages now. */
void report_announce(struct report *r);
void report_free(struct report *r);
/* Ask nobody any more: reports that are not being written are given up. */
void reports_drain(struct qmgr *q);

/* Is success to be reported for this recipient, once it is delivered? */
bool report_wants_success(const struct active *a, const struct msg_rcpt *to);
/* When a message that only waits has to be looked at all the same. */
uint64_t report_limit(const struct message *m);
/* How long delivery of this message is tried. */
uint64_t report_lifetime(const struct active *a);

/* --- report_text.c -------------------------------------------------------- */

/* In a thread: the text of a report, from the parent's results, its log and
 * its text.  c->rec.head.id is the report's. */
ERR_WARN_UNUSED int report_write(struct child *c, struct err *err);
/* Is this recipient in that kind of report? */
bool report_has(const struct active *a, const struct rcpt *r,
		enum bounce_kind kind);

#endif
