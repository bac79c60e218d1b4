/* SPDX-License-Identifier: ISC */
/* Does the sender of a message belong to the login?  router knows. */
#include "base/clock.h"
#include "base/log.h"
#include "receive/commands.h"
#include "receive/worker.h"
#include "submitd.h"

enum { OWNS_MS = 30 * 1000 };

static struct reply
refuse(struct session *s)
{
	txn_reset(&s->txn);
	return reply_now(451, "4.3.0", "Temporary lookup failure");
}

static struct reply
judge(struct session *s, const struct msg_owned *m)
{
	struct reply r;

	if (!m || m->verdict == ROUTE_TEMP) {
		if (m)
			log_warn("%s: %s", LOGQ(str_of(s->login.user)),
				 LOGQ(m->text));
		return refuse(s);
	}
	if (m->verdict == ROUTE_OK)
		return mail_accept(s);
	r = reply_nowf(s, 553, "5.7.1",
		       "<%s>: Sender address rejected: not owned by user %s",
		       s->txn.sender.text, s->login.user);
	session_log_reject(s, &r);
	txn_reset(&s->txn);
	return r;
}

static void
on_owned(void *arg, const struct msg_def *def, void *msg)
{
	struct session *s = arg;

	s->tag = 0;
	session_answer(s, judge(s, def == &msg_owned_def ? msg : NULL));
}

/* A program of this host may name any sender; but its user's mail is counted.
 */
static struct reply
local_check(struct session *s)
{
	const struct receive_conf *c = &s->w->conf;
	struct reply r;

	if (!is_authorized(s, c->may_submit, "submit mail", &r)) {
		session_log_reject(s, &r);
		txn_reset(&s->txn);
		return r;
	}
	if (s->uid == 0 ||
	    uids_message(s->use, c->uid_minute, c->uid_hour, clock_mono_ms()))
		return mail_accept(s);
	log_warn("Message delivery request rate limit exceeded: %u in a "
		 "minute, %u in an hour from %s for service %s",
		 s->use->minute, s->use->hour, s->who, s->w->r->name);
	r = reply_nowf(s, 450, "4.7.1", "Error: too much mail from %s", s->who);
	session_log_reject(s, &r);
	txn_reset(&s->txn);
	return r;
}

struct reply
sender_check(struct session *s)
{
	struct msg_owns m = {
		.login = str_of(s->login.user),
		.sender = path_str(&s->txn.sender),
	};

	if (s->local)
		return local_check(s);
	/* <> is nobody's: read receipts come from it (RFC 8098 3). */
	if (!s->w->conf.check_sender || s->txn.sender.n == 0)
		return mail_accept(s);
	s->asked = s->w->router;
	s->tag = asker_send(s->asked, &msg_owns_def, &m, OWNS_MS, on_owned, s);
	return s->tag ? reply_later() : refuse(s);
}
