/* SPDX-License-Identifier: ISC */
/* What Postfix's qmgr, virtual and local say of a message, in their words. */
#include "base/clock.h"
#include "base/log.h"
#include "message.h"

static void
log_from(const struct message *m, struct str sender)
{
	char id[QID_MAX];

	log_line(LOG_INFO_, qid_text(m->id, id),
		 "from=<%s>, size=%llu, nrcpt=%u (queue active)", LOGQ(sender),
		 (unsigned long long)m->size, m->nrcpts);
}

void
message_log_active(struct active *a)
{
	if (!a->logged)
		log_from(a->m, a->sender);
	a->logged = true;
}

void
message_log_rcpt(const struct message *m, const struct msg_rcpt *to,
		 enum deliver_class class, struct str dsn, struct str text,
		 uint64_t since_us, uint64_t sent_us)
{
	static const char *const relay[] = {
		[RCPT_LOCAL] = "local",	 [RCPT_VIRTUAL] = "virtual",
		[RCPT_REMOTE] = "smtp",	 [RCPT_ERROR] = "none",
		[RCPT_DISCARD] = "none",
	};
	static const char *const status[] = { "sent", "deferred", "held" };
	uint64_t now = clock_wall_us(), arrival = m->arrival_us;
	char all[DELAY_MAX], wait[DELAY_MAX], queue[DELAY_MAX], send[DELAY_MAX];
	char id[QID_MAX];
	struct log_quoted orig;
	bool other = to->original.n && !str_eq(to->original, to->address);

	if (!since_us)
		since_us = now;
	if (!sent_us)
		sent_us = now;
	if (now < arrival) /* the clock was set back */
		now = since_us = sent_us = arrival;
	log_line(
		LOG_INFO_, qid_text(m->id, id),
		"to=<%s>%s%s%s, relay=%s, delay=%s, delays=%s/%s/0/%s, "
		"dsn=%s, status=%s (%s)",
		LOGQ(to->address), other ? ", orig_to=<" : "",
		other ? log_quote(&orig, to->original) : "", other ? ">" : "",
		relay[to->type], retry_delay(now - arrival, all),
		retry_delay(since_us > arrival ? since_us - arrival : 0, wait),
		retry_delay(sent_us > since_us ? sent_us - since_us : 0, queue),
		retry_delay(now > sent_us ? now - sent_us : 0, send), LOGQ(dsn),
		status[class], LOGQ(text));
}

void
message_log_settled(const struct message *m, const struct stored *s)
{
	struct str it = s->rcpts;
	struct msg_rcpt r;
	uint32_t i;

	log_from(m, s->sender);
	for (i = 0; i < m->nrcpts; i++) {
		if (!msg_list_next(&it, &msg_rcpt_def, &r))
			return;
		if (s->rcpt_state[i] == QFILE_GAVE_UP)
			message_log_rcpt(m, &r, DELIVER_PERM, r.dsn, r.text, 0,
					 0);
		else if (s->rcpt_state[i] == QFILE_DONE)
			message_log_rcpt(m, &r, DELIVER_OK, STR("2.0.0"),
					 STR("discarded"), 0, 0);
	}
}
