/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_PROC_H
#define SPAWNER_PROC_H

#include "brake.h"
#include "child.h"
#include "frame/asker.h"
#include "seed.h"

/*
 * The users' processes that run: one for each service, user and mailbox.  A
 * process is starting until it has said that it is jailed; who wants it waits
 * for that.
 */
enum { PROC_KEEP_MAX = 64 };

enum proc_state { PROC_STARTING, PROC_RUNNING, PROC_GONE };

struct proc {
	struct list link;
	char *key; /* service, ids, home, mailbox, name: all of it */
	size_t keylen;
	enum proc_state state;
	struct child_spec spec;
	uint64_t born_ms;
	pid_t pid;	     /* 0: reaped */
	struct asker *asker; /* row CH_SPAWNER_*; NULL: closed */
	int birth;
	struct event *on_birth;
	struct list waiting; /* of struct proc_waiter */
	struct procs *all;
	/* imapd: where its mail is, and others there (of users by other
	 * names) */
	struct str place;
	struct proc *same_place;
};

/* Called once: p is running, or NULL with err.  err->code is ECHILD if the
 * process died without a word, so that another one may fare better. */
struct proc_waiter {
	struct list link;
	void (*fn)(struct proc_waiter *w, struct proc *p,
		   const struct err *err);
};

struct procs {
	struct loop *loop;
	struct map by_key;   /* those that can be given work */
	struct map by_place; /* the first imapd there, see poke.h */
	struct list list;    /* all, until reaped and closed */
	unsigned n, limit;
	struct brake brake; /* for those of users' clients */
	struct event *on_child;
	struct child_env env[SVC_COUNT];
	/* An mbox has new mail; NULL: nobody wants to know. */
	void (*on_delivery)(struct procs *ps, const struct proc *mbox);
	/* Replaced in tests: runs the process in the child's place. */
	seed_child_fn *child;
	int seed; /* -1: spawner forks itself */
	pid_t seed_pid;
	uint64_t seed_born_ms;
	int keep[PROC_KEEP_MAX]; /* what children need of our descriptors */
	size_t nkeep;		 /* 0: there is to be no seed */
};

ERR_WARN_UNUSED int procs_init(struct procs *ps, struct loop *l,
			       struct err *err);
/* Closes all channels; the processes end by that. */
void procs_fini(struct procs *ps);

/* The process for spec, forked if there is none; w->fn is called from the
 * loop, or at once.  tree and home of spec must outlive the fork only. */
void procs_get(struct procs *ps, const struct child_spec *spec,
	       struct proc_waiter *w);
/* Fork from a copy of this process from now on, a new one if there is one: it
 * is to know new parameters.  One that dies is followed by another, as the
 * brake allows.  keep: descriptors that children need. */
void procs_seed(struct procs *ps, const int *keep, size_t n);
/* The process turned out to be dead or stuck: no new work for it. */
void proc_retire(struct proc *p);

#endif
