/* SPDX-License-Identifier: ISC */
#include "receive/commands.h"
#include "receive/worker.h"

/* What is said to faults of form and of the address. */
static const struct refusal refusals = { "Syntax: MAIL FROM:<address>", "5.1.7",
					 "Bad sender address syntax" };

/*
 * MAIL FROM: open a transaction.  Nothing is kept unless we reply 250: a
 * refused MAIL leaves an empty transaction behind.
 */
struct reply
cmd_mail(struct session *s, struct str args)
{
	const struct receive_conf *c = &s->w->conf;
	enum smtp_syntax r;
	struct smtp_mail m;
	struct str bad;

	if (s->state == SESSION_START && c->helo_required)
		return reply_now(503, "5.5.1", "Error: send HELO/EHLO first");
	r = smtpline_mail(args, session_offers(s), &m, &bad);
	if (r != SMTP_SYNTAX_OK)
		return command_refuse(s, r, bad, &refusals);
	if (m.sender.n && m.sender.at == m.sender.n &&
	    path_add_domain(&m.sender, c->origin) < 0)
		return command_refuse(s, SMTP_SYNTAX_PATH, bad, &refusals);
	s->txn.sender = m.sender;
	if (s->w->pressure)
		return reply_log(reply_now(452, "4.3.1", s->w->pressure_text));
	if (!policy_size_ok(c, m.size)) /* RFC 1870 6.1 */
		return reply_log(reply_now(552, "5.3.4",
					   "Message size exceeds fixed limit"));
	txn_begin(&s->txn, &m);
	return s->w->r->mail ? s->w->r->mail(s) : mail_accept(s);
}

struct reply
mail_accept(struct session *s)
{
	session_enter(s, SESSION_MAIL);
	return reply_now(250, "2.1.0", "Ok");
}
