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

/* From one point in time to a later one; unknown ones are as the last. */
static uint64_t
span(uint64_t from, uint64_t to)
{
	return from && to > from ? to - from : 0;
}

void
message_log_rcpt(const struct message *m, const struct msg_rcpt *to,
		 const struct result *res, bool soft, uint64_t since_us)
{
	static const char *const relay[] = {
		[RCPT_LOCAL] = "local",	 [RCPT_VIRTUAL] = "virtual",
		[RCPT_REMOTE] = "none",	 [RCPT_ERROR] = "none",
		[RCPT_DISCARD] = "none",
	};
	static const char *const status[] = { "sent", "deferred", "bounced" };
	uint64_t now = clock_wall_us(), arrival = m->arrival_us;
	uint64_t since = since_us ? since_us : now;
	uint64_t sent = res->sent_us ? res->sent_us : now;
	uint64_t up = res->up_us ? res->up_us : sent;
	char all[DELAY_MAX], wait[DELAY_MAX], queue[DELAY_MAX];
	char open[DELAY_MAX], send[DELAY_MAX], id[QID_MAX];
	struct log_quoted orig, by;
	bool other = to->original.n && !str_eq(to->original, to->address);

	log_line(LOG_INFO_, qid_text(m->id, id),
		 "to=<%s>%s%s%s, relay=%s, delay=%s, delays=%s/%s/%s/%s, "
		 "dsn=%s, status=%s (%s)",
		 LOGQ(to->address), other ? ", orig_to=<" : "",
		 other ? log_quote(&orig, to->original) : "", other ? ">" : "",
		 res->relay.n ? log_quote(&by, res->relay) : relay[to->type],
		 retry_delay(span(arrival, now), all),
		 retry_delay(span(arrival, since), wait),
		 retry_delay(span(since, sent), queue),
		 retry_delay(span(sent, up), open),
		 retry_delay(span(up, now), send), LOGQ(res->dsn),
		 soft ? "SOFTBOUNCE" : status[res->class], LOGQ(res->text));
}

void
message_log_settled(const struct message *m, const struct stored *s)
{
	struct str it = s->rcpts;
	struct msg_rcpt r;
	uint32_t i;

	log_from(m, s->sender);
	for (i = 0; i < m->nrcpts; i++) {
		struct result res = { .class = DELIVER_OK,
				      .dsn = STR("2.0.0"),
				      .text = STR("discarded") };

		if (!msg_list_next(&it, &msg_rcpt_def, &r))
			return;
		if (s->rcpt_state[i] == QFILE_TODO)
			continue;
		if (s->rcpt_state[i] == QFILE_GAVE_UP)
			res = (struct result){ .class = DELIVER_PERM,
					       .dsn = r.dsn,
					       .text = r.text };
		message_log_rcpt(m, &r, &res, false, 0);
	}
}
