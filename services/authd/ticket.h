/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_TICKET_H
#define AUTHD_TICKET_H

#include "base/list.h"
#include "base/map.h"
#include "frame/msg_authd.h"

/*
 * Tickets: proof, from login through spawner back to us, that this user's
 * password was right.  Redeemable once, for one service, within TICKET_LIFE_MS.
 */
enum { TICKET_LIFE_MS = 10 * 1000, TICKETS_MAX = 4096 };

struct tickets {
	struct map by_key; /* the first bytes of the ticket */
	struct list by_age;
	unsigned n;
};

void tickets_init(struct tickets *t);
void tickets_fini(struct tickets *t);

/* -1: TICKETS_MAX are outstanding, or no memory. */
ERR_WARN_UNUSED int ticket_issue(struct tickets *t, uint8_t service,
				 struct str user, uint64_t now_ms,
				 uint8_t ticket[TICKET_LEN]);
/* Whose ticket it is, copied to user with a NUL.  False: never issued, used,
 * too old, or for another service; then it is void as well. */
bool ticket_redeem(struct tickets *t, uint8_t service, struct str ticket,
		   uint64_t now_ms, char user[USER_MAX + 1]);

#endif
