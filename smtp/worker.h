/* SPDX-License-Identifier: ISC */
#ifndef SMTP_WORKER_H
#define SMTP_WORKER_H

#include "deliver.h"
#include "frame/daemon.h"

/*
 * The service side: SEND requests of qmgr become deliveries, whose ends are
 * SENT_PARTs and a SENT.  A qmgr that goes takes its deliveries with it.
 */
enum { WORKER_PORTS_MAX = 256 };

struct worker {
	struct hub hub;
	const struct params *params;
	struct map settings; /* by transport; never freed while it runs */
	struct list askers;  /* of struct asker_side in worker.c */
	unsigned ndeliveries;
	uint16_t ports[WORKER_PORTS_MAX + 1];
	void (*idle)(void *arg); /* when the last delivery has ended */
	void *arg;
};

/* hub's loop and clients are there; own is loaded. */
ERR_WARN_UNUSED int worker_init(struct worker *w, const struct params *p,
				struct err *err);
/* Aborts what is in hand. */
void worker_fini(struct worker *w);
/* A channel of the row qmgr-smtp; takes fd. */
void worker_peer(struct worker *w, const struct chan_row *row, int fd);
/* Tell the askers that nothing new is wanted. */
void worker_leave(struct worker *w);

/* The ports that parameters name, ended by 0; before the jail. */
ERR_WARN_UNUSED int worker_ports(struct worker *w, const struct params *p,
				 struct err *err);

extern const struct daemon_ops smtp_ops;

#endif
