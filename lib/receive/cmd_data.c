/* SPDX-License-Identifier: ISC */
#include "base/clock.h"
#include "base/log.h"
#include "receive/commands.h"
#include "receive/qmgr_client.h"
#include "receive/worker.h"

struct reply
cmd_data(struct session *s, struct str args)
{
	const struct receive_conf *c = &s->w->conf;
	struct trace t = {
		.helo = s->helo,
		.client = s->ip,
		.client_ip6 = s->peer.sa.sa_family == AF_INET6,
		.by = c->hostname,
		.mail_name = c->mail_name,
		.esmtp = s->esmtp,
		.rcpt = s->txn.nrcpts == 1 ? s->txn.rcpt : NULL,
		.when = (time_t)(clock_wall_us() / 1000000),
	};

	if (args.n)
		return reply_now(501, "5.5.4", "Syntax: DATA");
	if (txn_begin_text(&s->txn, c, &t) < 0) {
		session_reset(s);
		return reply_now(451, "4.3.0", "Error: out of memory");
	}
	session_enter(s, SESSION_DATA);
	return reply_now(354, NULL, "End data with <CR><LF>.<CR><LF>");
}

struct reply
data_end(struct session *s)
{
	txn_finish(&s->txn, &s->w->conf);
	session_enter(s, SESSION_COMMIT);
	if (s->txn.fault.code || qmgr_commit(s) < 0)
		return data_refused(s);
	return reply_later();
}

struct reply
data_refused(struct session *s)
{
	struct policy_fault f = s->txn.fault;
	struct reply r;

	if (!f.code)
		f = (struct policy_fault){ 451, "4.3.0",
					   "Error: queue file write error" };
	snprintf(s->dsn, sizeof(s->dsn), "%s", f.dsn);
	r = reply_log(reply_nowf(s, f.code, s->dsn, "%s", f.text));
	session_log_reject(s, &r); /* while the envelope is there */
	r.log = false;
	session_reset(s);
	return r;
}

struct reply
data_stored(struct session *s, struct str id)
{
	char text[QUEUE_ID_MAX + 1];

	(void)!str_copy(text, sizeof(text), id);
	log_line(LOG_INFO_, text, "client=%s", s->who);
	log_line(LOG_INFO_, text, "message-id=%s",
		 LOGQ(txn_message_id(&s->txn)));
	session_reset(s);
	s->errors = s->junk = 0; /* it does bring mail */
	return reply_nowf(s, 250, "2.0.0", "Ok: queued as %s", text);
}
