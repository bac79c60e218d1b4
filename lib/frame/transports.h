/* SPDX-License-Identifier: ISC */
#ifndef FRAME_TRANSPORTS_H
#define FRAME_TRANSPORTS_H

#include "base/param.h"

/*
 * The parameters of each way to send mail.  The rows of smtp_X are written
 * down; lmtp, relay and each NAME of $transports have the same ones under
 * their own names, whose default is the value of the one they come from:
 *
 *	smtp_X			lmtp_X = $smtp_X	relay_X = $smtp_X
 *	NAME_transport = BASE	NAME_X = $BASE_X	(smtp, lmtp or relay)
 *	default_destination_X	NAME_destination_X = $default_destination_X
 *	initial_destination_X	NAME_initial_destination_X = ...
 *
 * A row of smtp that says `once` speaks for all of them.  An lmtp_X that is
 * written down is lmtp's own, and is had by those that are based on lmtp.
 */
enum {
	TRANSPORTS_MAX = 32,
	TRANSPORT_NAME_MAX = 40, /* so that each NAME_X is a name in main.cf */
};

/* May it be one of $transports?  -1 (PERM) with the reason. */
ERR_WARN_UNUSED int transport_check_name(struct str name, struct err *err);

/* Call add() with each row that NAME has, built in pool.  base: "smtp_",
 * "lmtp_" or "relay_"; NULL: NAME is smtp itself.  -1: add() said so, or no
 * memory. */
typedef int transport_add(void *arg, const struct param *row);
ERR_WARN_UNUSED int transport_rows(const struct param *const *sets,
				   struct str name, const char *base,
				   struct pool *pool, transport_add *add,
				   void *arg);

#endif
