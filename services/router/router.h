/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_H
#define ROUTER_H

#include "frame/daemon.h"
#include "routes.h"

/* The service: tables in force, and the askers. */
struct router {
	struct loop *loop;
	struct routes routes;
	int passwd; /* descriptor of the password file's bytes, -1: none yet */
	struct list askers;
	const struct table_dir *dirs; /* see table_set_dirs() */
};

/* Open the tables. -1 as routes_open(). */
ERR_WARN_UNUSED int router_init(struct router *r, struct loop *l,
				const struct params *p,
				const struct table_dir *dirs, struct err *err);
void router_fini(struct router *r);
/* Other parameters; on failure the old ones stay. */
ERR_WARN_UNUSED int router_reload(struct router *r, const struct params *p,
				  struct err *err);
/* A new edition of the password file; takes fd. */
void router_passwd(struct router *r, int fd);
/* A new asker (smtpd or qmgr, by row); takes fd. */
void router_peer(struct router *r, const struct chan_row *row, int fd);

extern const struct daemon_ops router_ops;

#endif
