/* SPDX-License-Identifier: ISC */
#include "receive/router_client.h"
#include "receive/worker.h"

enum { ROUTE_MS = 30 * 1000 };

static void
on_routed(void *arg, const struct msg_def *def, void *msg)
{
	struct session *s = arg;

	s->tag = 0;
	session_answer(s, rcpt_routed(s, def == &msg_routed_def ? msg : NULL));
}

int
router_ask(struct session *s)
{
	struct msg_route m = {
		.address = path_str(&s->rcpt.rcpt),
		.sender = path_str(&s->txn.sender),
	};

	s->asked = s->w->router;
	s->tag = asker_send(s->asked, &msg_route_def, &m, ROUTE_MS, on_routed,
			    s);
	return s->tag ? 0 : -1;
}
