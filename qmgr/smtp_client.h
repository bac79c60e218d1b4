/* SPDX-License-Identifier: ISC */
#ifndef QMGR_SMTP_CLIENT_H
#define QMGR_SMTP_CLIENT_H

#include "frame/asker.h"

struct qmgr;
struct active;
struct sending;
struct site;
struct worker;

enum { SMTP_WORKERS_MAX = 64 };

/* The channels to the workers of smtp. */
struct smtp_client {
	/* A channel to worker n, counted from 1; set by the owner before
	 * smtp_client_start(). */
	struct asker *(*open)(struct worker *w, unsigned n, asker_note_cb *note,
			      asker_state_cb *state);
	void *arg; /* for open() */
	struct worker *worker[SMTP_WORKERS_MAX];
	unsigned nworkers;	 /* wanted */
	struct list suspects;	 /* struct sending: to be sent alone */
	struct sending *suspect; /* is out now */
};

void *smtp_client_arg(const struct worker *w);
/* Have n workers, now or after a reload. */
void smtp_client_start(struct qmgr *q, unsigned n);
void smtp_client_fini(struct qmgr *q);
/* Hand all recipients that go to other hosts to their sites. */
void smtp_start(struct qmgr *q, struct active *a);
/* What waits for a site that is dead is not sent now. */
void smtp_suspend(struct site *s);
/* Send what may be sent. */
void smtp_dispatch(struct loop_flush *f);

#endif
