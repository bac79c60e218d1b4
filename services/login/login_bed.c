/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "login_bed.h"

static const char ticket[TICKET_LEN + 1] = "0123456789abcdef0123456789abcdef";

static void
answer(struct chan *c, uint32_t tag, struct str user, struct str password)
{
	struct msg_auth_fail no = { .text = STR("no") };
	struct msg_auth_ok yes = { .user = user,
				   .ticket = str_mem(ticket, TICKET_LEN) };

	if (str_eq(user, STR("al")) && str_eq(password, STR("secret"))) {
		chan_send(c, tag, &msg_auth_ok_def, &yes);
	} else {
		if (user.n <= USER_MAX && str_find(user, '\0') < 0 &&
		    str_find(user, '\r') < 0 && str_find(user, '\n') < 0)
			no.user = user;
		chan_send(c, tag, &msg_auth_fail_def, &no);
	}
}

static void
more(struct chan *c, uint32_t tag, struct str text)
{
	struct msg_sasl_more m = { .challenge = text };

	chan_send(c, tag, &msg_sasl_more_def, &m);
}

static void
answer_plain(struct chan *c, uint32_t tag, struct str data)
{
	struct str authzid, user;

	if (!str_cut(&data, '\0', &authzid) || !str_cut(&data, '\0', &user))
		user = data = STR("");
	answer(c, tag, user, data);
}

static void
step(struct chan *c, uint32_t tag, struct bed_exchange *x, struct str data)
{
	bool login = strcmp(x->mech, "LOGIN") == 0;

	if (strcmp(x->mech, "PLAIN") == 0)
		answer_plain(c, tag, data);
	else if (!login && str_eq(data, STR("secret")))
		answer(c, tag, STR("al"), data);
	else if (!login && x->steps++ < 8)
		more(c, tag, data);
	else if (!login || x->steps++)
		answer(c, tag, str_of(x->user), data);
	else if (str_copy(x->user, sizeof(x->user), data))
		more(c, tag, STR("Password:"));
	else
		answer(c, tag, STR(""), STR(""));
}

static struct bed_exchange *
find(struct bed *b, uint32_t number)
{
	size_t i = 0;

	while (i < BED_EXCHANGES && b->exchanges[i].number != number)
		i++;
	BUG_ON(i == BED_EXCHANGES);
	return &b->exchanges[i];
}

static void
begin(struct bed *b, struct chan *c, uint32_t tag,
      const struct msg_sasl_begin *m)
{
	struct bed_exchange *x = &b->exchanges[b->asked++ % BED_EXCHANGES];

	b->last = *m;
	BUG_ON(!str_copy(b->client, sizeof(b->client), m->client));
	*x = (struct bed_exchange){ .number = m->exchange };
	BUG_ON(!str_copy(x->mech, sizeof(x->mech), m->mech));
	if (b->silent)
		return;
	if (m->has_initial)
		step(c, tag, x, m->initial);
	else
		more(c, tag, STR(""));
}

static void
on_auth(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	void *msg)
{
	struct bed *b = arg;

	if (def == &msg_sasl_begin_def) {
		begin(b, c, tag, msg);
	} else if (def == &msg_sasl_step_def) {
		struct msg_sasl_step *m = msg;

		step(c, tag, find(b, m->exchange), m->response);
	} else if (def == &msg_auth_def) {
		struct msg_auth *m = msg;

		b->asked++;
		answer(c, tag, m->user, m->password);
	} else {
		b->cancelled++;
	}
}

static void
on_start(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	 void *msg)
{
	struct msg_started yes = { 0 };
	struct msg_start *m = msg;
	struct bed *b = arg;

	(void)def;
	b->started++;
	b->secured += m->secured;
	BUG_ON(!str_eq(m->ticket, str_mem(ticket, TICKET_LEN)));
	chan_send(c, tag, &msg_started_def, &yes);
}

static void
on_tls(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct msg_tls_up yes = { .protocol = STR("TLSv1.3"),
				  .exporter = STR("0123"),
				  .fd = ((struct msg_tls_server *)msg)->fd };
	struct bed *b = arg;

	(void)def;
	b->tls++;
	chan_send(c, tag, &msg_tls_up_def, &yes);
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
	BUG("a channel was broken");
}

static int
play(struct bed *b, enum channel_id row, const struct chan_ops *ops,
     struct chan **c)
{
	int sv[2];

	BUG_ON(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0);
	*c = chan_new(&b->loop, sv[1], &channels[row], CHAN_SERVICE, ops, b);
	BUG_ON(!*c);
	return sv[0];
}

void
bed_init(struct bed *b)
{
	static const struct chan_ops authd = { on_auth, on_close },
				     spawner = { on_start, on_close },
				     tlsd = { on_tls, on_close };
	struct msg_tls_offer offer = { .on = 1 };
	struct worker *w = &b->worker;
	struct loop *l = &b->loop;
	struct err err;

	*b = (struct bed){ .asked = 0 };
	BUG_ON(loop_init(l, &err) < 0);
	worker_init(w, l);
	w->conf = (struct login_conf){
		.plaintext_on_loopback = true,
		.mechanisms = STR("PLAIN LOGIN SCRAM-SHA-256-PLUS "
				  "SCRAM-SHA-256"),
		.timeout_ms = 60000,
		.sessions = 100,
	};
	w->authd = asker_new_fd(l, play(b, CH_LOGIN_AUTHD, &authd, &b->authd),
				&channels[CH_LOGIN_AUTHD], NULL, NULL);
	w->spawner = asker_new_fd(
		l, play(b, CH_LOGIN_SPAWNER, &spawner, &b->spawner),
		&channels[CH_LOGIN_SPAWNER], NULL, NULL);
	w->tls = tls_client_new_fd(l, play(b, CH_LOGIN_TLSD, &tlsd, &b->tlsd),
				   &channels[CH_LOGIN_TLSD]);
	BUG_ON(!w->authd || !w->spawner || !w->tls);
	chan_send(b->tlsd, 0, &msg_tls_offer_def, &offer);
	while (!tls_client_offers(w->tls))
		loop_turn(l, false);
}

void
bed_fini(struct bed *b)
{
	worker_fini(&b->worker);
	asker_free(b->worker.authd);
	asker_free(b->worker.spawner);
	tls_client_free(b->worker.tls);
	if (b->authd)
		chan_close(b->authd);
	chan_close(b->spawner);
	chan_close(b->tlsd);
	loop_fini(&b->loop);
}

void
bed_turns(struct bed *b, unsigned n)
{
	while (n--)
		loop_turn(&b->loop, false);
}

int
bed_client(struct bed *b, const struct proto *proto, bool implicit_tls,
	   const char *from)
{
	struct addr peer, self;
	struct err err;
	int sv[2];

	BUG_ON(addr_parse(str_of(from), &peer, &err) < 0);
	self = peer;
	BUG_ON(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0, sv) < 0);
	worker_take(&b->worker, proto, implicit_tls, sv[1], &peer, &self);
	return sv[0];
}
