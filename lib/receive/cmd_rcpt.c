/* SPDX-License-Identifier: ISC */
#include "receive/commands.h"
#include "receive/router_client.h"
#include "receive/worker.h"

/* What is said to faults of form and of the address. */
static const struct refusal refusals = { "Syntax: RCPT TO:<address>", "5.1.3",
					 "Bad recipient address syntax" };

static struct reply
relay_denied(struct session *s)
{
	return reply_log(reply_nowf(s, 554, "5.7.1",
				    "<%s>: Relay access denied",
				    s->rcpt.rcpt.text));
}

static struct reply
no_answer(struct session *s)
{
	return reply_log(reply_nowf(s, 451, "4.3.0",
				    "<%s>: Temporary lookup failure",
				    s->rcpt.rcpt.text));
}

/* RCPT TO: one question to router, whose answer is judged below. */
struct reply
cmd_rcpt(struct session *s, struct str args)
{
	const struct receive_conf *c = &s->w->conf;
	unsigned offers = session_offers(s);
	enum smtp_syntax r;
	struct smtp_rcpt m;
	struct str bad;

	if (!s->txn.utf8) /* RFC 6531 3.4 */
		offers &= ~(unsigned)SMTP_OFFER_UTF8;
	r = smtpline_rcpt(args, offers, &m, &bad);
	if (r != SMTP_SYNTAX_OK)
		return command_refuse(s, r, bad, &refusals);
	/* RFC 5321 4.1.1.3: postmaster needs no domain. */
	if (m.rcpt.at == m.rcpt.n &&
	    !str_ieq(path_str(&m.rcpt), STR("postmaster")) &&
	    path_add_domain(&m.rcpt, c->origin) < 0)
		return command_refuse(s, SMTP_SYNTAX_PATH, bad, &refusals);
	s->rcpt = m;
	if (s->txn.nrcpts >= c->rcpts) /* RFC 5321 4.5.3.1.10 */
		return reply_log(
			reply_now(452, "4.5.3", "Error: too many recipients"));
	if (policy_routing_denied(c, session_may_send(s), &s->rcpt.rcpt))
		return relay_denied(s);
	if (router_ask(s) < 0)
		return no_answer(s);
	return reply_later();
}

struct reply
rcpt_routed(struct session *s, const struct msg_routed *m)
{
	char dsn[16];

	switch (policy_rcpt(session_may_send(s), m)) {
	case POLICY_ACCEPT:
		break;
	case POLICY_RELAY_DENIED:
		return relay_denied(s);
	case POLICY_TRY_AGAIN:
		return no_answer(s);
	case POLICY_REJECT:
		if (m->code < 400 || !str_copy(dsn, sizeof(dsn), m->dsn))
			return no_answer(s);
		snprintf(s->dsn, sizeof(s->dsn), "%s", dsn);
		return reply_log(
			reply_nowf(s, m->code, s->dsn,
				   "<%s>: Recipient address rejected: %.*s",
				   s->rcpt.rcpt.text, STR_FMT(m->text)));
	}
	if (txn_add_rcpt(&s->txn, &s->rcpt) < 0)
		return reply_log(
			reply_now(452, "4.5.3", "Error: too many recipients"));
	session_enter(s, SESSION_RCPT);
	return reply_now(250, "2.1.5", "Ok");
}
