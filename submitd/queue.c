/* SPDX-License-Identifier: ISC */
/*
 * What sendmail(1) and mailq(1) need beside SMTP; only from programs of this
 * host:
 *
 *	XQUEUE		250-M ID STATE SIZE ARRIVAL SENDER
 *			250-W REASON
 *			250-R RECIPIENT REASON		...
 *			250 2.0.0 Ok: N messages
 *	XFLUSH ALL|ID|@SITE
 *			250 2.0.0 Ok: N messages
 *
 * STATE is a number of enum queue_state, ARRIVAL seconds since 1970; strings
 * are xtext, and "-" where they are empty.
 */
#include "base/log.h"
#include "mail/xtext.h"
#include "receive/worker.h"
#include "submitd.h"

enum {
	QUEUE_MS = 600 * 1000,
	LISTINGS = 4, /* at a time: each may have much output waiting */
};

static void
add_word(struct buf *out, struct str s)
{
	(void)!buf_add_byte(out, ' ');
	if (s.n == 0)
		(void)!buf_add_byte(out, '-');
	else
		(void)!xtext_encode(out, s);
}

/* The rows of one message follow each other; the first says what it is. */
static void
on_row(struct session *s, const struct msg_queue_row *m)
{
	struct buf *out = conn_out(s->conn);
	struct str it = m->rcpts.raw;
	struct msg_queue_rcpt r;

	if (!str_eq(m->id, str_of(s->listed))) {
		(void)!str_copy(s->listed, sizeof(s->listed), m->id);
		(void)!buf_addf(out, "250-M %.*s %u %llu %llu", STR_FMT(m->id),
				m->state, (unsigned long long)m->size,
				(unsigned long long)(m->arrival_us / 1000000));
		add_word(out, m->sender);
		if (m->reason.n) {
			(void)!buf_add_c(out, "\r\n250-W");
			add_word(out, m->reason);
		}
		(void)!buf_add_c(out, "\r\n");
	}
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		if (r.done)
			continue;
		(void)!buf_add_c(out, "250-R");
		add_word(out, r.address);
		add_word(out, r.text);
		(void)!buf_add_c(out, "\r\n");
	}
	session_progress(s);
}

static struct reply
end(struct session *s, const struct msg_queue_done *m)
{
	if (!m)
		return reply_now(451, "4.3.0", "Error: no answer from qmgr");
	if (m->status == 0)
		return reply_nowf(s, 250, "2.0.0", "Ok: %u message%s", m->count,
				  m->count == 1 ? "" : "s");
	if (m->status == 75)
		return reply_nowf(s, 451, "4.3.0", "Error: %s", LOGQ(m->text));
	return reply_nowf(s, 554, "5.3.0", "Error: %s", LOGQ(m->text));
}

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct session *s = arg;

	if (def == &msg_queue_row_def) {
		on_row(s, msg);
	} else if (def != &msg_queue_text_def) {
		s->tag = 0;
		s->listing = false;
		s->listed[0] = '\0';
		session_answer(s,
			       end(s, def == &msg_queue_done_def ? msg : NULL));
	}
}

static unsigned
count_listings(const struct worker *w)
{
	const struct list *it;
	unsigned n = 0;

	list_for_each (it, &w->sessions)
		n += LIST_OF(it, struct session, link)->listing;
	return n;
}

static struct reply
ask(struct session *s, enum queue_verb verb, struct str id)
{
	struct msg_queue m = { .verb = (uint8_t)verb, .id = id };

	if (str_starts(id, STR("@"))) {
		m.id = STR("ALL");
		m.site = str_from(id, 1);
	}

	s->asked = s->w->qmgr;
	s->tag = asker_send(s->asked, &msg_queue_def, &m, QUEUE_MS, on_answer,
			    s);
	if (!s->tag)
		return end(s, NULL);
	s->listing = verb == QUEUE_LIST;
	return reply_later();
}

/* An id, ALL, or "@" and a site. */
static bool
may_flush(struct str what)
{
	return what.n > 1 &&
	       what.n <= (what.p[0] == '@' ? PATH_DOMAIN_MAX : QUEUE_ID_MAX);
}

struct reply
local_verb(struct session *s, const struct smtp_line *l)
{
	bool list = str_ieq(l->name, STR("XQUEUE"));
	const struct receive_conf *c = &s->w->conf;
	struct reply no;

	if (!list && !str_ieq(l->name, STR("XFLUSH")))
		return reply_now(500, "5.5.2", "Error: command not recognized");
	if (list && l->args.n)
		return reply_now(501, "5.5.4", "Syntax: XQUEUE");
	if (!list && !may_flush(l->args))
		return reply_now(501, "5.5.4", "Syntax: XFLUSH queue-id");
	if (s->uid && !is_authorized(s, list ? c->may_list : c->may_flush,
				     list ? "view the mail queue"
					  : "flush the mail queue",
				     &no))
		return no;
	if (list && count_listings(s->w) >= LISTINGS)
		return reply_now(450, "4.3.2",
				 "Error: others look at the queue just now");
	return ask(s, list ? QUEUE_LIST : QUEUE_FLUSH,
		   list ? STR("ALL") : l->args);
}
