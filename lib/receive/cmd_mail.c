/* SPDX-License-Identifier: ISC */
#include "receive/commands.h"
#include "receive/worker.h"

static struct reply
refuse_syntax(struct session *s, enum smtp_syntax r, struct str bad)
{
	switch (r) {
	case SMTP_SYNTAX_FORM:
		return reply_now(501, "5.5.4", "Syntax: MAIL FROM:<address>");
	case SMTP_SYNTAX_ASCII: /* RFC 6531 3.5 */
		return reply_now(553, "5.6.7",
				 "Must declare SMTPUTF8 to send unicode "
				 "address");
	case SMTP_SYNTAX_UNSUPPORTED: /* RFC 5321 4.1.1.11 */
		return reply_nowf(s, 555, "5.5.4", "Unsupported option: %.*s",
				  STR_FMT(str_head(bad, 200)));
	case SMTP_SYNTAX_PARAM:
		return reply_nowf(s, 501, "5.5.4", "Bad parameter: %.*s",
				  STR_FMT(str_head(bad, 200)));
	default:
		return reply_now(501, "5.1.7", "Bad sender address syntax");
	}
}

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
		return refuse_syntax(s, r, bad);
	if (m.sender.n && m.sender.at == m.sender.n &&
	    path_add_domain(&m.sender, c->origin) < 0)
		return refuse_syntax(s, SMTP_SYNTAX_PATH, bad);
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
