/* SPDX-License-Identifier: ISC */
#ifndef QMGR_H
#define QMGR_H

#include "base/heap.h"
#include "base/map.h"
#include "frame/asker.h"
#include "frame/msg_deliver.h"
#include "frame/msg_qmgr.h"
#include "io.h"
#include "queue/spool.h"
#include "retry.h"
#include "site.h"
#include "smtp_client.h"

/*
 * The owner of the queue.  One thread schedules and makes no disk call; all of
 * those are jobs for io.h.  This header is what the files of this folder share.
 */
struct settings {
	struct retry_rule retry;
	uint64_t minfree;      /* queue_minfree */
	uint64_t memory;       /* qmgr_message_memory_limit */
	uint64_t body_max;     /* of a streamed body; 0: no limit */
	unsigned active_max;   /* qmgr_message_active_limit */
	unsigned big_max;      /* of those, with a body in its own file */
	unsigned threads;      /* qmgr_commit_threads */
	unsigned targets_max;  /* default_process_limit */
	unsigned idle_s;       /* of a delivery channel nobody uses */
	struct site_rule site; /* of a transport without rules of its own */
};

struct pressure {
	bool broken; /* a sync failed: nothing is taken until a probe works */
	bool full;   /* queue_minfree */
	bool said;   /* what the receivers know */
};

struct qmgr {
	struct loop *loop;
	struct settings set;
	struct io *io;
	struct spool *spool;
	int lockfd;
	struct asker *router, *spawner; /* set by the owner */
	struct map by_id;		/* every struct message */
	struct heap due;		/* DEFERRED ones, by time of next try */
	uint64_t seen_us;      /* wall clock, when they were looked at */
	struct list unmarked;  /* struct active with results to be written */
	struct list stuck;     /* whose results could not be written */
	struct list reporting; /* struct report that asks router */
	struct report_conf *reports; /* set by the owner, released here */
	struct event *due_timer, *tick;
	size_t nactive, nbig, nloading;
	uint64_t active_bytes;
	struct list receivers;
	struct list listings; /* listing.c */
	struct list orders;   /* admin.c */
	struct list rewrites; /* rewrite.c */
	unsigned nstreams;
	size_t held; /* by parts of streams, see INTAKE_HELD_ALL_MAX */
	size_t nintakes;
	struct sites sites;
	struct smtp_client smtp;
	struct map targets;
	struct list opening; /* targets that wait for a place */
	unsigned nopen;	     /* targets with a channel, or asking for one */
	size_t nsent;	     /* DELIVER requests without an answer */
	uint64_t deaths;     /* of delivery processes, with work in hand */
	struct pressure pressure;
	struct upkeep {
		struct io_job reserve, probe, tidy, space;
		bool reserving, probing, tidying, measuring;
		int reserve_rc, probe_rc, tidy_rc, space_rc;
		uint64_t free_bytes;
		struct err reserve_err, probe_err, tidy_err, space_err;
		unsigned ticks;
	} up; /* upkeep.c */
	bool draining;
	struct event *drain_timer;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* --- qmgr.c --------------------------------------------------------------- */

/* Waits for the spool's lock (at most wait_s), recovers what is there. */
ERR_WARN_UNUSED int qmgr_init(struct qmgr *q, struct loop *l, int root,
			      const struct settings *set, unsigned wait_s,
			      struct err *err);
/* Everything is let go; jobs are finished first. */
void qmgr_fini(struct qmgr *q);
/* A receiver or ctl; takes fd. */
void qmgr_peer(struct qmgr *q, const struct chan_row *row, int fd);
/* Finish what is in hand, then call done (once). */
void qmgr_drain(struct qmgr *q, void (*done)(void *arg), void *arg);
/* Something ended: is the drain over? */
void qmgr_drain_step(struct qmgr *q);

/* --- upkeep.c ------------------------------------------------------------- */

/* Once a second: marks, tidying, ids, free space, probing a broken disk. */
void upkeep_tick(struct qmgr *q);
/* Something has happened: tick, until nothing is left to do. */
void upkeep_wake(struct qmgr *q);
/* The disk failed under a write that had to be durable: take nothing new
 * until it can be written and synced again. */
void qmgr_disk_failed(struct qmgr *q);
/* A new id, with care for the reservation; 0: none now. */
uint64_t qmgr_new_id(struct qmgr *q);

/* --- deliver_client.c ----------------------------------------------------- */

struct active;

/* Hand all recipients that are to do to their targets. */
void deliver_start(struct qmgr *q, struct active *a);
void deliver_fini(struct qmgr *q);

/* --- receiver.c ----------------------------------------------------------- */

void receiver_new(struct qmgr *q, const struct chan_row *row, int fd);
/* Tell all what the pressure is, if it changed. */
void receivers_pressure(struct qmgr *q);
/* Take nothing more from them. */
void receivers_drain(struct qmgr *q);
void receivers_fini(struct qmgr *q);

#endif
