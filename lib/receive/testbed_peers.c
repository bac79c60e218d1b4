/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "receive/testbed.h"

/* --- tlsd ------------------------------------------------------------------
 */

static void
tls_up(struct testbed *tb, uint32_t tag, int fd)
{
	const struct msg_tls_up m = {
		.fd = fd,
		.protocol = STR("TLSv1.3"),
		.cipher = STR("TLS_AES_256_GCM_SHA384"),
		.bits = 256,
		.alg_bits = 256,
		.kex = STR("X25519"),
		.auth = STR("ECDSA (P-256)"),
		.hash = STR("SHA256"),
		.peer = tb->ccert,
		.peer_cn = tb->ccert ? STR("relay.test") : STR(""),
		.peer_issuer = tb->ccert ? STR("Test CA") : STR(""),
		.exporter = STR("binding"),
	};

	chan_send(tb->tlsd, tag, &msg_tls_up_def, &m);
}

static void
on_tls_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	const struct msg_tls_fail no = { .class = TLS_FAIL_HANDSHAKE,
					 .text = STR("no shared cipher") };
	struct testbed *tb = arg;
	struct msg_tls_server *m = msg;

	(void)def;
	switch (tb->tlsd_does) {
	case BED_WORKS:
		tls_up(tb, tag, m->fd);
		break;
	case BED_DIES:
		tb->tlsd = NULL;
		chan_close(c);
		break;
	case BED_MUTE:
		break;
	default:
		chan_send(c, tag, &msg_tls_fail_def, &no);
	}
}

static void
on_tls_close(struct chan *c, void *arg)
{
	struct testbed *tb = arg;

	if (tb->tlsd == c)
		tb->tlsd = NULL;
}

void
testbed_offer_tls(struct testbed *tb, bool on)
{
	const struct msg_tls_offer m = { .on = on };

	if (tb->tlsd)
		chan_send(tb->tlsd, 0, &msg_tls_offer_def, &m);
	testbed_settle(tb);
}

void
testbed_tlsd(struct testbed *tb, int fd, const struct chan_row *row)
{
	static const struct chan_ops ops = { on_tls_msg, on_tls_close };
	const struct msg_tls_offer m = { .on = 1 };

	tb->tlsd = chan_new(&tb->d.loop, fd, row, CHAN_SERVICE, &ops, tb);
	BUG_ON(!tb->tlsd);
	chan_send(tb->tlsd, 0, &msg_tls_offer_def, &m);
}

/* --- authd -----------------------------------------------------------------
 */

static void
challenge(struct testbed *tb, uint32_t tag, struct str text)
{
	const struct msg_sasl_more m = { .challenge = text };

	chan_send(tb->authd, tag, &msg_sasl_more_def, &m);
}

static void
decide(struct testbed *tb, uint32_t tag, bool right)
{
	struct msg_auth_fail no = { .text = STR("authentication failure"),
				    .user = str_of(tb->user) };
	const struct msg_auth_ok yes = { .user = str_of(tb->user) };

	tb->exchange = 0;
	no.temp = tb->authd_does == BED_TEMP;
	if (right && tb->authd_does == BED_WORKS)
		chan_send(tb->authd, tag, &msg_auth_ok_def, &yes);
	else
		chan_send(tb->authd, tag, &msg_auth_fail_def, &no);
}

static void
respond(struct testbed *tb, uint32_t tag, struct str s)
{
	static char text[900];
	struct str user;

	if (strcmp(tb->mech, "PLAIN") == 0) {
		if (s.n == 0) {
			challenge(tb, tag, STR(""));
			return;
		}
		str_cut(&s, '\0', &user); /* who to act as */
		str_cut(&s, '\0', &user);
		(void)!str_copy(tb->user, sizeof(tb->user), user);
		decide(tb, tag, str_eq(s, STR("secret")));
	} else if (strcmp(tb->mech, "LOGIN") == 0) {
		if (tb->user[0]) {
			decide(tb, tag, str_eq(s, STR("secret")));
			return;
		}
		(void)!str_copy(tb->user, sizeof(tb->user), s);
		challenge(tb, tag, s.n ? STR("Password:") : STR("Username:"));
	} else if (tb->user[0]) {
		decide(tb, tag, true);
	} else {
		snprintf(tb->user, sizeof(tb->user), "alice");
		memset(text, 'x', sizeof(text));
		challenge(tb, tag, str_mem(text, sizeof(text)));
	}
}

static void
begin(struct testbed *tb, uint32_t tag, const struct msg_sasl_begin *m)
{
	if (tb->exchange)
		tb->fault = "two exchanges of one client";
	tb->exchange = m->exchange;
	(void)!str_copy(tb->mech, sizeof(tb->mech), m->mech);
	tb->user[0] = '\0';
	buf_addf(&tb->told, "%.*s %.*s%s%s%s\n", STR_FMT(m->mech),
		 STR_FMT(m->client), m->secured ? " secured" : "",
		 m->exporter.n ? " bound" : "",
		 m->has_initial ? " initial" : "");
	respond(tb, tag, m->initial);
}

static void
on_auth_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	    void *msg)
{
	const struct msg_sasl_cancel *cancel = msg;
	const struct msg_sasl_step *step = msg;
	struct testbed *tb = arg;

	if (def == &msg_sasl_cancel_def) {
		if (cancel->exchange == tb->exchange)
			tb->exchange = 0;
		buf_addf(&tb->told, "cancelled %u\n", ++tb->cancelled);
	} else if (tb->authd_does == BED_DIES) {
		tb->authd = NULL;
		chan_close(c);
	} else if (tb->authd_does == BED_MUTE) {
		if (def == &msg_sasl_begin_def)
			tb->exchange = ((struct msg_sasl_begin *)msg)->exchange;
	} else if (def == &msg_sasl_begin_def) {
		begin(tb, tag, msg);
	} else if (step->exchange != tb->exchange) {
		tb->fault = "a step in no exchange";
	} else {
		respond(tb, tag, step->response);
	}
}

static void
on_auth_close(struct chan *c, void *arg)
{
	struct testbed *tb = arg;

	if (tb->authd == c)
		tb->authd = NULL;
	tb->exchange = 0;
}

void
testbed_authd(struct testbed *tb, int fd, const struct chan_row *row)
{
	static const struct chan_ops ops = { on_auth_msg, on_auth_close };

	tb->authd = chan_new(&tb->d.loop, fd, row, CHAN_SERVICE, &ops, tb);
	BUG_ON(!tb->authd);
}
