/* SPDX-License-Identifier: ISC */
#include "base/clock.h"
#include "base/log.h"
#include "receive/commands.h"
#include "receive/qmgr_client.h"
#include "receive/worker.h"

/* For a comment in a header field. */
static const char *
comment_of(char out[USER_MAX + 1], const char *user)
{
	size_t i;

	for (i = 0; user[i]; i++)
		out[i] = user[i] >= ' ' && user[i] <= '~' &&
					 !strchr("()\\", user[i])
				 ? user[i]
				 : '?';
	out[i] = '\0';
	return out;
}

struct reply
cmd_data(struct session *s, struct str args)
{
	const struct receive_conf *c = &s->w->conf;
	bool told = !s->local && !c->hide_client;
	char user[USER_MAX + 1];
	struct trace t = {
		.helo = s->helo,
		.client = told ? s->ip : NULL,
		.client_ip6 = s->peer.sa.sa_family == AF_INET6,
		.local = s->local,
		.uid = s->uid,
		.by = c->hostname,
		.mail_name = c->mail_name,
		.esmtp = s->esmtp,
		.utf8 = s->txn.utf8,
		.authenticated = s->login.user[0],
		.tls = s->tls,
		.how = c->tls_header ? s->tls : NULL,
		.cert_asked = c->tls_ccert,
		.rcpt = s->txn.nrcpts == 1 ? s->txn.rcpt : NULL,
		.when = (time_t)(clock_wall_us() / 1000000),
	};

	if (args.n)
		return reply_now(501, "5.5.4", "Syntax: DATA");
	if (s->login.user[0] && c->auth_header)
		t.user = comment_of(user, s->login.user);
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
	if (s->w->r->header && !s->txn.fault.code)
		s->w->r->header(s);
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
	session_soften(s, &r);
	session_log_reject(s, &r); /* while the envelope is there */
	r.log = false;
	session_reset(s);
	return r;
}

static void
log_client(const struct session *s, const char *id)
{
	if (s->local)
		log_line(LOG_INFO_, id, "client=%s, uid=%u from=<%s>", s->who,
			 s->uid, s->txn.sender.text);
	else if (s->login.user[0])
		log_line(LOG_INFO_, id,
			 "client=%s, sasl_method=%s, sasl_username=%s", s->who,
			 s->login.mech, LOGQ(str_of(s->login.user)));
	else
		log_line(LOG_INFO_, id, "client=%s", s->who);
}

struct reply
data_stored(struct session *s, struct str id)
{
	char text[QUEUE_ID_MAX + 1];

	(void)!str_copy(text, sizeof(text), id);
	log_client(s, text);
	log_line(LOG_INFO_, text, "message-id=%s",
		 LOGQ(txn_message_id(&s->txn)));
	session_reset(s);
	s->errors = s->junk = 0; /* it does bring mail */
	return reply_nowf(s, 250, "2.0.0", "Ok: queued as %s", text);
}
