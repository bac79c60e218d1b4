/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_SPAWNER_H
#define SPAWNER_SPAWNER_H

#include "complain.h"
#include "frame/daemon.h"
#include "proc.h"

enum { TREES_MAX = 16 };

/*
 * START and OPEN requests turned into processes and channels.  Each request is
 * a job that goes one way: who (authd, passwd or main.cf) → a process, running
 * → the client, or a new channel, handed over → the answer.
 */
struct spawner {
	struct loop *loop;
	const struct params *params;
	struct asker *authd;
	struct procs procs;
	struct id_bounds bounds;
	struct tree trees[TREES_MAX];
	size_t ntrees;
	/* mail_spool_directory, if home_mailbox is empty; "": none.  Its
	 * group, if that may write there, is the one of those who deliver. */
	struct tree spool;
	uint32_t spool_gid; /* 0: none */
	int spool_notify;   /* inotify of that directory, or -1 */
	struct str passwd;  /* mapped */
	struct list jobs;
	struct list takes; /* take.c */
	struct complaints complaints;
	struct event *look, *spool_watch;
	uint64_t blind_ms;		 /* when it was last said; 0: never */
	void (*idle)(struct spawner *s); /* when draining: no job is left */
	void *arg;
};

ERR_WARN_UNUSED int spawner_init(struct spawner *s, struct loop *l,
				 const struct params *params, struct err *err);
void spawner_fini(struct spawner *s);

/* A new asker by row CH_QMGR_SPAWNER, CH_LOGIN_SPAWNER or CH_CTL_SPAWNER; takes
 * fd. */
void spawner_peer(struct spawner *s, const struct chan_row *row, int fd);
/* A new edition of passwd, a sealed memfd; takes fd. */
void spawner_passwd(struct spawner *s, int fd);

/* What main.cf says at the start and cannot say anew: the kernel has been told
 * (bounds, trees). Opens the trees by name: before the jail. */
void spawner_confine(struct spawner *s, const struct params *params);

extern const struct daemon_ops spawner_ops;

#endif
