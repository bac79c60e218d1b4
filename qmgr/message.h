/* SPDX-License-Identifier: ISC */
#ifndef QMGR_MESSAGE_H
#define QMGR_MESSAGE_H

#include "qmgr.h"

enum message_state {
	MESSAGE_DEFERRED = 1, /* in q->due */
	MESSAGE_LOADING,      /* being read from its file */
	MESSAGE_ACTIVE,	      /* being delivered */
	MESSAGE_MARKING,      /* results are being written */
	MESSAGE_REMOVING,     /* all done: the file is being unlinked */
	MESSAGE_HELD,
};

/* What the administrator wants of a message that is busy. */
enum message_wish { WISH_NONE, WISH_HOLD, WISH_DELETE };

/* A message of the queue: what stays in memory while it waits. */
struct message {
	uint64_t id; /* its key in by_id */
	uint64_t spool_id;
	uint64_t arrival_us;
	uint64_t size;
	struct heap_item due; /* key: time of the next try, wall clock */
	struct qmgr *q;
	struct active *active; /* in all states but DEFERRED and HELD */
	struct site *site;     /* waits there, or is on its way (woken) */
	struct list parked;    /* in site->parked */
	uint32_t nrcpts;
	uint32_t tries;
	uint32_t seq;	  /* of the slot last written */
	uint32_t reports; /* generations of reports so far */
	uint8_t state, reason, kills, body, wish;
	uint8_t flags;	 /* of the slot last written: QFILE_WARNED, ... */
	bool maybe_done; /* some recipients may have it already */
	bool unchecked;	 /* not read since this process started */
	bool has_log;
	bool damaged; /* cannot be sent */
	bool busy;    /* an order of the administrator is being written */
	bool woken;   /* from site->parked, has not arrived there yet */
	bool told;    /* the log knows that its site is dead */
	bool eager;   /* the administrator wants it to be tried */
	bool bounce;  /* sender <>; known when it has been read */
};

/* What an attempt gave for one recipient. */
struct result {
	enum deliver_class class;
	struct str dsn;	  /* "4.2.2" */
	struct str text;  /* for the log and for people */
	struct str relay; /* "virtual", "local", "none", or who took it:
			     "mx.a.test[192.0.2.1]:25" */
	struct str mta;	  /* the host's name for a report, "": none answered */
	struct str reply; /* its words: "550 5.1.1 unknown"; "" */
	bool dsn_taken;	  /* the next host takes care of NOTIFY */
	bool untried;	  /* no attempt: its destination is dead */
	/* Wall clock; 0: unknown.  Handed to delivery; connection up. */
	uint64_t sent_us, up_us;
};

struct rcpt {
	struct msg_rcpt to;
	uint8_t state;	  /* enum qfile_rcpt_state */
	uint32_t reports; /* the generation that settled it */
	bool dirty;	  /* state not in the file yet */
	bool tried;	  /* last is of this activation */
	bool noted;	  /* last's text is in the log file */
	struct result last;
	char *mem; /* what last's slices point into */
};

/* A message in hand. */
struct active {
	struct message *m;
	struct list link; /* in q->unmarked or q->stuck */
	struct io_job job;
	char *mem; /* what the slices below point into */
	char *rcpt_mem;
	struct str sender, envid, header, body;
	uint8_t flags, ret;
	int body_fd; /* -1: body is inline */
	uint64_t body_len;
	uint64_t since_us; /* active since */
	size_t bytes;	   /* counted in q->active_bytes */
	struct rcpt *rcpts;
	uint32_t nrcpts;
	uint32_t out;	       /* deliveries not finished */
	uint32_t ntried;       /* results of attempts in this activation */
	struct str dialog;     /* the last failed one with a server; malloc */
	uint32_t ndirty;       /* recipients whose state is not in the file */
	struct report *report; /* made at the end; NULL: none */
	uint64_t death;	       /* the worker's death that was counted last */
	uint64_t retry_ms;     /* stuck: not before */
	bool marking;	       /* a mark job has not come back */
	bool logged;	       /* its line has been written */
	bool unsent;	       /* to be removed, though not all are done */
	/* for the job */
	struct qfile_msg slot;
	struct spool_mark *marks;
	size_t nmarks;
	bool final;   /* the mark ends this activation */
	bool settled; /* and the message */
	bool nomem;
	int rc;
	struct err err;
	struct spool_text text;
};

/* A message that was just stored, with its text still in memory; takes mem and
 * rcpt_mem (malloc), and body_fd (kernel descriptor, read-only). */
struct stored {
	struct qfile_head head;
	char *mem, *rcpt_mem;
	struct str sender, envid, header, body, rcpts;
	const uint8_t *rcpt_state;
	int body_fd;
	uint8_t held; /* enum qfile_reason; QFILE_NONE: to be sent */
};
void message_stored(struct qmgr *q, struct stored *s);
/* One that recovery found. */
ERR_WARN_UNUSED int message_found(struct qmgr *q, const struct spool_found *f);
struct message *message_find(struct qmgr *q, uint64_t id);
void message_free(struct message *m);
/* Start what is due and has room; set the timer for the rest. */
void message_schedule(struct qmgr *q);
/* To be tried at this time (DEFERRED or HELD before). */
void message_defer(struct message *m, uint64_t when_us);
void message_hold(struct message *m, enum qfile_reason reason);
/* Its site has room: to be read and sent, before those that are due. */
void message_wake(struct message *m);
/* The administrator wants an attempt now, even where the site is dead (if it
 * is DEFERRED). */
void message_flush(struct message *m);
/* Unlink it, then forget it.  unsent: not all recipients are done. */
void message_remove(struct message *m, bool unsent);
/* A result: the recipient is not to do any more, or the try has failed. */
void message_result(struct active *a, uint32_t rcpt, const struct result *res);
/* What was said in an attempt that failed, for people. */
void message_dialog(struct active *a, struct str dialog);
/* --- between message.c and results.c --- */

/* The one place where a message changes its state. */
void message_enter(struct message *m, enum message_state s);
/* All deliveries of this activation have ended. */
void message_finish(struct active *a);
/* A report that was released is a message like others now. */
void message_born(struct qmgr *q, const struct qfile_head *h);
/* a->err: keep it, do not send it, try to write again. */
void message_stuck(struct active *a);
/* Unlinking failed before: once more. */
void message_remove_again(struct active *a);

/* --- results.c ------------------------------------------------------------ */

/* What the next slot of this message must say in any case. */
struct qfile_msg message_slot(const struct message *m);
/* A recipient's state, to be written with the next mark. */
void message_settle(struct active *a, struct rcpt *r, enum qfile_rcpt_state s,
		    uint32_t reports);
/* The reports of report_start() are on disk, or (not ok) wait. */
void message_reported(struct active *a, bool ok);

/* A delivery ended (its results were given). */
void message_delivery_done(struct active *a);
/* Its worker died; deaths are numbered. */
void message_killed_worker(struct active *a, uint64_t death);
/* Did one die in this activation, and may it have been this message? */
bool message_is_suspect(const struct active *a);
/* It was sent alone, and nobody died. */
void message_is_innocent(struct active *a);
/* Workers died of it too often: do not send it any more. */
bool message_is_killer(const struct active *a);
/* Once a second: write results of messages that are still being delivered, and
 * again those that could not be written. */
void message_mark_round(struct qmgr *q);
const char *message_reason(enum qfile_reason reason);

/* --- message_log.c -------------------------------------------------------- */

/* "from=<a>, ... (queue active)", once an activation.  Not before there is
 * something to say of a recipient: by then smtpd has logged its "client=",
 * which programs that read the log (pflogsumm) want to see first. */
void message_log_active(struct active *a);
/* soft: a failure that soft_bounce made a delay. */
void message_log_rcpt(const struct message *m, const struct msg_rcpt *to,
		      const struct result *res, bool soft, uint64_t since_us);
/* Recipients that had failed or were finished before the message was stored
 * have their lines in the log as well. */
void message_log_settled(const struct message *m, const struct stored *s);

#endif
