/* SPDX-License-Identifier: ISC */
#include "session_impl.h"

/*
 * BDAT (RFC 3030) is used where CHUNKING and PIPELINING are both offered, as
 * Exim does: nothing in the text can be mistaken for its end, and a small text
 * travels with its envelope, which spares a round trip.  A larger one waits
 * until a recipient is taken, and goes in chunks without waiting for each
 * reply.
 */
enum {
	SMALL_MAX = 16 * 1024,
	AHEAD = 64 * 1024,     /* of text that waits for the socket */
	XFER_RATE = 500,       /* octets a second: who is slower never ends */
	LMTP_PHASE_MS = 10000, /* for each reply of an LMTP server */
};

bool
text_by_bdat(const struct session *s)
{
	unsigned both = SESSION_CHUNKING | SESSION_PIPELINING;

	return (s->offers & both) == both;
}

static void
begin(struct session *s)
{
	struct txn *t = &s->txn;

	t->texting = true;
	session_phase(s, s->plan.set->data_xfer_ms +
				 (uint64_t)s->plan.set->data_init_ms +
				 text_size(t->l) * 1000 / XFER_RATE);
}

static void
sent_all(struct session *s)
{
	struct txn *t = &s->txn;

	t->text_sent = true;
	session_phase(
		s, s->plan.set->data_done_ms +
			   (s->plan.lmtp ? (uint64_t)t->n * LMTP_PHASE_MS : 0));
}

/* 354. */
void
text_start(struct session *s)
{
	struct txn *t = &s->txn;

	if (!t->failed && t->taken) {
		begin(s);
		return;
	}
	/*
	 * DATA was sent before it was known that nobody wants the text.  RFC
	 * 2920 3.1: a dot, which must be refused. An LMTP server would answer
	 * it for nobody (RFC 2033 4.2): not at all.
	 */
	s->doubt = true;
	t->failed = true;
	t->void_text = true;
	if (s->plan.lmtp)
		return;
	session_say(s, ".");
	t->texting = true;
	sent_all(s);
}

static int
fill(struct session *s, struct buf *out, size_t upto)
{
	struct txn *t = &s->txn;
	struct err err;

	while (!text_at_end(&t->text) && out->n < upto)
		if (text_fill(&t->text, out, &err) < 0) {
			/* No end was sent, so nothing is delivered. */
			session_fail_local(s, err.text);
			return -1;
		}
	return 0;
}

static int
push_data(struct session *s)
{
	struct buf *out = conn_out(s->conn);

	if (fill(s, out, out->n - conn_unsent(s->conn) + AHEAD) < 0)
		return -1;
	if (text_at_end(&s->txn.text)) {
		(void)!buf_add_c(out, ".\r\n");
		dialog_add(s, '>', STR("."));
		sent_all(s);
	}
	return 0;
}

static int
push_chunk(struct session *s)
{
	struct txn *t = &s->txn;
	bool last;

	buf_reset(&t->chunk);
	if (fill(s, &t->chunk, AHEAD) < 0)
		return -1;
	last = text_at_end(&t->text);
	session_say(s, "BDAT %zu%s", t->chunk.n, last ? " LAST" : "");
	(void)!conn_write(s->conn, buf_str(&t->chunk));
	t->chunks_out++;
	if (last)
		sent_all(s);
	return 0;
}

/* All commands are sent. */
void
text_push(struct session *s)
{
	struct txn *t = &s->txn;

	if (t->bdat && !t->texting) {
		if (t->got == t->sent && !t->taken) {
			t->failed = true;
			return;
		}
		if (t->got == t->sent || text_size(t->l) <= SMALL_MAX)
			begin(s);
	}
	while (t->texting && !t->text_sent && conn_unsent(s->conn) < AHEAD)
		if ((t->bdat ? push_chunk(s) : push_data(s)) < 0)
			return;
}

/* --- replies ---------------------------------------------------------------
 */

static void
over(struct session *s)
{
	s->txn.over = true;
}

/* Before all of the text was sent: a refusal, after which the rest is of no
 * use and no command would be understood. */
static void
on_early(struct session *s)
{
	struct fault f;

	if (s->reply.code < 400) {
		session_broken(s, "a reply before the end of data");
		return;
	}
	f = words_said(s, "message body");
	mail_fail(s, &f);
	s->doubt = true;
	over(s);
}

static void
on_chunk(struct session *s)
{
	if (s->reply.code / 100 == 2)
		s->txn.chunks_out--;
	else
		on_early(s);
}

static struct fault
final_fault(struct session *s)
{
	struct fault f = words_said(s, "end of DATA command");

	if (f.class == DELIVER_OK)
		f.text = f.reply;
	return f;
}

/* RFC 2033 4.2: a reply for each recipient that was taken, in their order. */
static void
on_lmtp(struct session *s)
{
	struct txn *t = &s->txn;
	struct fault f = final_fault(s);

	while (t->lmtp_next < t->n &&
	       t->v[t->lmtp_next].state != TXN_RCPT_TAKEN)
		t->lmtp_next++;
	if (t->lmtp_next < t->n) {
		t->delivered |= f.class == DELIVER_OK;
		mail_result(s, t->lmtp_next++, &f);
		t->taken--;
	}
	if (!t->taken)
		over(s);
}

static void
on_final(struct session *s)
{
	struct txn *t = &s->txn;
	struct fault f;

	if (t->taken && !t->failed && s->plan.lmtp) {
		on_lmtp(s);
		return;
	}
	if (t->taken && !t->failed) {
		f = final_fault(s);
		t->delivered = f.class == DELIVER_OK;
		mail_fail(s, &f);
	} else if (s->reply.code / 100 == 2) {
		s->doubt = true; /* it took a text for nobody */
	}
	over(s);
}

void
text_reply(struct session *s)
{
	struct txn *t = &s->txn;

	if (t->bdat && (!t->text_sent || t->chunks_out > 1))
		on_chunk(s);
	else if (!t->text_sent)
		on_early(s);
	else
		on_final(s);
}
