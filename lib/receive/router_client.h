/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_ROUTER_CLIENT_H
#define RECEIVE_ROUTER_CLIENT_H

#include "receive/session.h"

/* Ask router about s->rcpt; rcpt_routed() gets its answer.  -1: cannot be
 * asked now. */
int router_ask(struct session *s);

/* In cmd_rcpt.c.  m is NULL if router did not answer. */
struct reply rcpt_routed(struct session *s, const struct msg_routed *m);

#endif
