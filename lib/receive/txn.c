/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/enc.h"
#include "receive/txn.h"

void
txn_init(struct txn *t)
{
	*t = (struct txn){ .pipe = -1 };
	buf_init(&t->rcpts, TXN_RCPTS_MAX);
	buf_init(&t->text, SIZE_MAX);
}

void
txn_fini(struct txn *t)
{
	txn_reset(t);
	buf_fini(&t->rcpts);
	buf_fini(&t->text);
}

void
txn_close_pipe(struct txn *t)
{
	/* The event first: it may be armed, and its descriptor's number is
	 * somebody else's as soon as it is closed. */
	if (t->writable)
		event_free(t->writable);
	if (t->pipe >= 0)
		close(t->pipe);
	t->writable = NULL;
	t->pipe = -1;
}

void
txn_reset(struct txn *t)
{
	txn_close_pipe(t);
	t->stream = STREAM_NONE;
	t->sender.text[0] = '\0';
	t->sender.n = t->sender.at = 0;
	t->nrcpts = 0;
	t->rcpt[0] = '\0';
	t->declared = 0;
	t->body_8bit = t->utf8 = false;
	t->ret = RET_NONE;
	t->envid_n = 0;
	t->fault = (struct policy_fault){ 0 };
	buf_shrink(&t->rcpts, TXN_KEEP);
	buf_shrink(&t->text, TXN_KEEP);
	t->own = t->split = t->sent = 0;
	t->body_len = 0;
	t->body_crc = 0;
}

void
txn_begin(struct txn *t, const struct smtp_mail *m)
{
	static const uint8_t ret[] = {
		[SMTP_RET_NONE] = RET_NONE,
		[SMTP_RET_FULL] = RET_FULL,
		[SMTP_RET_HDRS] = RET_HDRS,
	};

	t->declared = m->size;
	t->body_8bit = m->body == SMTP_8BITMIME;
	t->utf8 = m->smtputf8;
	t->ret = ret[m->ret];
	t->envid_n = m->envid_n;
	memcpy(t->envid, m->envid, m->envid_n);
}

int
txn_add_rcpt(struct txn *t, const struct smtp_rcpt *rcpt)
{
	struct msg_rcpt_in r = {
		.address = path_str(&rcpt->rcpt),
		.orcpt = str_mem(rcpt->orcpt, rcpt->orcpt_n),
		.notify = (uint8_t)rcpt->notify,
	};

	if (msg_list_add(&t->rcpts, &msg_rcpt_in_def, &r, NULL) < 0) {
		t->rcpts.overflown = false;
		return -1;
	}
	t->nrcpts++;
	memcpy(t->rcpt, rcpt->rcpt.text, rcpt->rcpt.n + 1);
	return 0;
}

int
txn_begin_text(struct txn *t, const struct receive_conf *c,
	       const struct trace *trace)
{
	/* Header block, unsent text and one step more: what can come. */
	t->text.limit = c->header_size + TXN_HIGH + TXN_LOW + 4 * TXN_STEP;
	smtpdata_init(&t->scan, c->text_line);
	header_scan_init(&t->header, c->field_size, c->header_size);
	t->header_state = HEADER_MORE;
	if (trace_received(&t->text, trace) < 0)
		return -1;
	t->own = t->text.n;
	t->split = t->sent = 0;
	return 0;
}

void
txn_fail(struct txn *t, unsigned code, const char *dsn, const char *text)
{
	if (t->fault.code)
		return;
	strncpy(t->fault_dsn, dsn, sizeof(t->fault_dsn) - 1);
	strncpy(t->fault_text, text, sizeof(t->fault_text) - 1);
	t->fault = (struct policy_fault){ code, t->fault_dsn, t->fault_text };
}

static void
note_fault(struct txn *t, struct policy_fault f)
{
	if (f.code && !t->fault.code)
		t->fault = f;
}

bool
txn_is_full(const struct txn *t)
{
	return t->stream != STREAM_NONE && !t->fault.code &&
	       txn_body(t).n >= TXN_HIGH;
}

/* The header block is complete at text[own + header.at]. */
static void
header_done(struct txn *t)
{
	size_t at = t->own + t->header.at, rest = t->text.n - at;

	if (t->header_state == HEADER_NO_BLANK) {
		/* The body begins with an empty line in any case. */
		if (buf_add_byte(&t->text, '\n') < 0) {
			txn_fail(t, 451, "4.3.0", "Error: out of memory");
			return;
		}
		memmove(t->text.p + at + 1, t->text.p + at, rest);
		t->text.p[at] = '\n';
	}
	t->split = t->sent = at;
}

static void
look_at_header(struct txn *t, const struct receive_conf *c, bool last)
{
	if (t->header_state != HEADER_MORE || t->fault.code)
		return;
	t->header_state = header_scan(
		&t->header, str_from(buf_str(&t->text), t->own), last);
	if (t->header_state == HEADER_MORE)
		return;
	note_fault(t, policy_header_fault(c, t->header_state, &t->header));
	if (!t->fault.code)
		header_done(t);
}

size_t
txn_take(struct txn *t, const struct receive_conf *c, struct str in)
{
	char drop[TXN_STEP], *to = drop;
	size_t used, n;

	in = str_head(in, TXN_STEP);
	if (!t->fault.code) {
		to = buf_reserve(&t->text, in.n);
		if (!to) {
			txn_fail(t, 451, "4.3.0", "Error: out of memory");
			to = drop;
		}
	}
	used = smtpdata_scan(&t->scan, in, to, &n);
	if (to != drop)
		t->text.n += n;
	note_fault(t, policy_data_fault(t->scan.faults));
	if (!policy_size_ok(c, t->scan.size + t->scan.line))
		txn_fail(t, 552, "5.3.4", "Error: message file too big");
	look_at_header(t, c, false);
	return used;
}

void
txn_finish(struct txn *t, const struct receive_conf *c)
{
	look_at_header(t, c, true);
}

bool
txn_is_large(const struct txn *t)
{
	return t->text.n > COMMIT_INLINE_MAX ||
	       t->rcpts.n + t->sender.n > COMMIT_ENVELOPE_MAX - 64;
}

struct str
txn_header(const struct txn *t)
{
	return str_head(buf_str(&t->text), t->split);
}

struct str
txn_own_header(const struct txn *t)
{
	return str_from(txn_header(t), t->own);
}

int
txn_put_header(struct txn *t, struct str header)
{
	size_t old = t->split - t->own, rest = t->text.n - t->split;

	if (header.n > old && !buf_reserve(&t->text, header.n - old))
		return -1;
	memmove(t->text.p + t->own + header.n, t->text.p + t->split, rest);
	memcpy(t->text.p + t->own, header.p, header.n);
	t->text.n = t->own + header.n + rest;
	t->sent = t->own + header.n + (t->sent - t->split);
	t->split = t->own + header.n;
	/* Where is the Message-ID now? */
	header_scan_init(&t->header, SIZE_MAX, SIZE_MAX);
	(void)header_scan(&t->header, header, true);
	return 0;
}

struct str
txn_body(const struct txn *t)
{
	return t->split ? str_from(buf_str(&t->text), t->sent) : STR_NULL;
}

void
txn_sent(struct txn *t, size_t n)
{
	size_t rest;

	t->body_crc = enc_crc32c(t->body_crc, t->text.p + t->sent, n);
	t->body_len += n;
	t->sent += n;
	rest = t->text.n - t->sent;
	if (rest && t->sent - t->split < TXN_LOW)
		return;
	/* Close the gap behind the header block. */
	memmove(t->text.p + t->split, t->text.p + t->sent, rest);
	t->sent = t->split;
	t->text.n = t->split + rest;
}

struct str
txn_message_id(const struct txn *t)
{
	return str_head(str_from(buf_str(&t->text), t->own + t->header.id_at),
			t->header.id_n);
}
