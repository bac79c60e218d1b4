/* SPDX-License-Identifier: ISC */
#include "frame/sasl_client.h"
#include "base/enc.h"

/* More than authd lets a guesser wait (16 s) and a hash takes. */
enum { ANSWER_MS = 30000 };

/* --- what to announce ---------------------------------------------------- */

static const char seps[] = " ,\t\r\n";

bool
sasl_is_offered(struct str announced, struct str mech)
{
	struct str word;

	while (str_token(&announced, seps, &word))
		if (str_ieq(word, mech))
			return true;
	return false;
}

static void
announce(struct buf *out, const char *prefix, struct str mech)
{
	size_t i;

	if (out->n)
		(void)!buf_add_byte(out, ' ');
	(void)!buf_add_c(out, prefix);
	for (i = 0; i < mech.n; i++)
		(void)!buf_add_byte(out, ascii_upper(mech.p[i]));
}

int
sasl_announce(struct buf *out, struct str auth_mechanisms, bool secured,
	      bool tls, const char *prefix)
{
	struct str mech;

	while (str_token(&auth_mechanisms, seps, &mech)) {
		bool scram = str_istarts(mech, STR("SCRAM-"));
		bool plus = str_iends(mech, STR("-PLUS"));

		if (plus ? !tls : !secured && !scram)
			continue;
		announce(out, prefix, mech);
	}
	return buf_overflown(out) ? -1 : 0;
}

/* --- an exchange --------------------------------------------------------- */

/* authd need not keep it any longer. */
static void
cancel(struct sasl_exchange *x)
{
	struct msg_sasl_cancel m = { .exchange = x->number };

	/* If the channel is down, authd has forgotten it already. */
	(void)!asker_send_part(x->authd, 0, &msg_sasl_cancel_def, &m);
	x->open = false;
}

static void
fail_temp(struct sasl_exchange *x, struct str text)
{
	struct msg_auth_fail why = { .temp = 1, .text = text };

	cancel(x);
	x->events->fail(x->arg, &why);
}

static void
send_challenge(struct sasl_exchange *x, struct str challenge)
{
	struct buf text;

	buf_init(&text, SASL_LINE_MAX);
	if (enc_base64(&text, challenge) < 0) {
		fail_temp(x, STR("out of memory"));
	} else {
		x->events->more(x->arg, buf_str(&text));
	}
	buf_fini(&text);
}

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct sasl_exchange *x = arg;

	x->tag = 0;
	if (def == &msg_sasl_more_def) {
		send_challenge(x, ((struct msg_sasl_more *)msg)->challenge);
	} else if (def == &msg_auth_ok_def) {
		struct msg_auth_ok *m = msg;

		x->open = false;
		x->events->ok(x->arg, m->user, m->ticket);
	} else if (def == &msg_auth_fail_def) {
		x->open = false;
		x->events->fail(x->arg, msg);
	} else {
		fail_temp(x, STR("no answer from authd"));
	}
}

static enum sasl_input
ask(struct sasl_exchange *x, const struct msg_def *def, const void *msg)
{
	x->tag = asker_send(x->authd, def, msg, ANSWER_MS, on_answer, x);
	if (x->tag)
		return SASL_ASKED;
	cancel(x);
	return SASL_DOWN;
}

static void
wipe(struct buf *b)
{
	if (b->size)
		explicit_bzero(b->p, b->size);
	buf_fini(b);
}

/* All the memory at once, so that growing leaves no copy behind. */
static bool
decode(struct buf *out, struct str line)
{
	buf_init(out, SASL_DATA_MAX);
	return line.n <= SASL_LINE_MAX && buf_reserve(out, SASL_DATA_MAX) &&
	       enc_unbase64(out, line) == 0;
}

enum sasl_input
sasl_begin(struct sasl_exchange *x, struct asker *authd,
	   const struct sasl_events *events, void *arg,
	   const struct sasl_context *c, struct str mech, struct str initial)
{
	struct msg_sasl_begin m = {
		.service = c->service,
		.mech = mech,
		.has_initial = initial.p != NULL,
		.client = str_of(c->client ? c->client : ""),
		.secured = c->secured,
	};
	enum sasl_input got;
	struct buf data;

	BUG_ON(x->open);
	*x = (struct sasl_exchange){
		.authd = authd,
		.number = asker_tag(authd),
		.events = events,
		.arg = arg,
	};
	if (str_eq(initial, STR("=")))
		initial = STR("");
	if (!decode(&data, initial)) {
		wipe(&data);
		return SASL_BAD;
	}
	m.exchange = x->number;
	m.initial = buf_str(&data);
	if (c->tls) {
		m.exporter = str_mem(c->tls->exporter, c->tls->exporter_n);
		m.endpoint = str_mem(c->tls->endpoint, c->tls->endpoint_n);
		m.unique = str_mem(c->tls->unique, c->tls->unique_n);
	}
	x->open = true;
	got = ask(x, &msg_sasl_begin_def, &m);
	wipe(&data);
	return got;
}

enum sasl_input
sasl_line(struct sasl_exchange *x, struct str line)
{
	struct msg_sasl_step m = { .exchange = x->number };
	enum sasl_input got;
	struct buf data;

	BUG_ON(!x->open || x->tag);
	if (str_eq(line, STR("*"))) {
		cancel(x);
		return SASL_CANCELLED;
	}
	if (decode(&data, line)) {
		m.response = buf_str(&data);
		got = ask(x, &msg_sasl_step_def, &m);
	} else {
		cancel(x);
		got = SASL_BAD;
	}
	wipe(&data);
	return got;
}

void
sasl_abandon(struct sasl_exchange *x)
{
	if (!x->open)
		return;
	if (x->tag)
		asker_cancel(x->authd, x->tag);
	x->tag = 0;
	cancel(x);
}
