/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_H
#define AUTHD_H

#include "app_passwords.h"
#include "frame/asker.h"
#include "frame/identity.h"
#include "penalty.h"
#include "ticket.h"
#include "user_table.h"
#include "workers.h"

/* The daemon's state; tests make their own. */
struct authd {
	struct loop *loop;
	struct identity_conf conf;
	bool verbose;
	struct user_table *users, *passwd;
	struct workers *workers;
	struct tickets tickets;
	struct list peers;
	struct list idle;	/* attempts, the longest idle first */
	struct event *expire;	/* the first of them */
	unsigned mechs;		/* bits: index in exchange_mechs */
	unsigned plus;		/* the same: with channel binding */
	uint64_t busy_until_ms; /* next complaint about the queue */
	struct penalties penalties;
	struct event *due; /* the first attempt at the gate */
	struct app_passwords *apps;
	int last_use;	    /* descriptor; -1: logins are not written down */
	struct asker *pam;  /* NULL: PAM is not asked */
	uint32_t first_uid; /* of users that PAM is asked about */
};

ERR_WARN_UNUSED int authd_init(struct authd *a, struct loop *l,
			       unsigned threads, unsigned queue_limit,
			       struct err *err);
void authd_fini(struct authd *a);
/* The mechanisms to serve; unknown ones are logged. */
void authd_set_mechs(struct authd *a, struct str names);
/* A new edition of "users", "passwd" or "app_passwords"; takes fd.  If it
 * cannot be read the old one stays. */
void authd_table(struct authd *a, struct str name, int fd);
/* A new asker (login or spawner); takes fd. */
void authd_peer(struct authd *a, const struct chan_row *row, int fd);

extern const struct daemon_ops authd_ops;

#endif
