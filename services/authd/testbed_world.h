/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_TESTBED_WORLD_H
#define AUTHD_TESTBED_WORLD_H

/* After cmocka. */
#include <sys/socket.h>

#include "attempt.h"
#include "base/clock.h"
#include "frame/asker.h"
#include "memfile.h"

/* crypt("secret"), rounds as few as they can be */
#define HASH                                                           \
	"$6$rounds=1000$salt$HNxBeBnDfSfUrTj6KiLnmd7tGCvHEmcExh8kl/S0" \
	"cZ5WrCciNZgfhbpkeFQ4JfkHX.8vPq45lY0iINnCx1Lkm."

/* authd with its askers, login and spawner, over real channels. */
struct world {
	struct loop loop;
	struct authd authd;
	struct asker *login, *submitd, *spawner;
	/* the last answer */
	bool answered, none;
	uint16_t type;
	bool temp;
	char user[300], home[300];
	char challenge[SASL_DATA_MAX + 1];
	uint8_t ticket[TICKET_LEN];
	size_t ticket_n;
	uint32_t uid;
};

/* What was sent outside the loop's callbacks leaves at the end of a turn, so
 * that a turn must not wait. */
static inline void
turn(struct loop *l)
{
	loop_turn(l, false);
	usleep(500);
}

static inline struct asker *
attach(struct world *w, enum channel_id row)
{
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	authd_peer(&w->authd, &channels[row], sv[1]);
	return asker_new_fd(&w->loop, sv[0], &channels[row], NULL, NULL);
}

static inline void
world_init(struct world *w, const char *users, unsigned queue)
{
	struct err err;

	*w = (struct world){ .answered = false };
	assert_int_equal(loop_init(&w->loop, &err), 0);
	assert_int_equal(authd_init(&w->authd, &w->loop, 2, queue, &err), 0);
	w->authd.verbose = true;
	w->authd.conf = (struct identity_conf){ 500, 501, "/mail", "Maildir" };
	if (users)
		authd_table(&w->authd, STR("users"),
			    memfile(users, MEMFILE_SEALS));
	w->login = attach(w, CH_LOGIN_AUTHD);
	w->submitd = attach(w, CH_SUBMITD_AUTHD);
	w->spawner = attach(w, CH_SPAWNER_AUTHD);
}

static inline void
world_fini(struct world *w)
{
	asker_free(w->login);
	asker_free(w->submitd);
	asker_free(w->spawner);
	authd_fini(&w->authd);
	loop_fini(&w->loop);
}

static inline void
on_reply(void *arg, const struct msg_def *def, void *msg)
{
	struct world *w = arg;

	w->answered = true;
	w->none = !def;
	w->type = def ? def->type : 0;
	if (def == &msg_auth_ok_def) {
		struct msg_auth_ok *m = msg;

		w->ticket_n = m->ticket.n;
		if (m->ticket.n)
			memcpy(w->ticket, m->ticket.p, TICKET_LEN);
		assert_true(str_copy(w->user, sizeof(w->user), m->user));
	} else if (def == &msg_auth_fail_def) {
		struct msg_auth_fail *m = msg;

		w->temp = m->temp;
		assert_true(str_copy(w->user, sizeof(w->user), m->user));
	} else if (def == &msg_sasl_more_def) {
		struct msg_sasl_more *m = msg;

		assert_true(str_copy(w->challenge, sizeof(w->challenge),
				     m->challenge));
	} else if (def == &msg_identity_def) {
		struct msg_identity *m = msg;

		w->uid = m->uid;
		assert_true(str_copy(w->user, sizeof(w->user), m->user));
		assert_true(str_copy(w->home, sizeof(w->home), m->home));
	}
}

static inline void
wait_answer(struct world *w)
{
	uint64_t end = clock_mono_ms() + 10000;

	while (!w->answered && clock_mono_ms() < end)
		turn(&w->loop);
	assert_true(w->answered);
	w->answered = false;
}

static inline const char *
auth(struct world *w, uint8_t service, const char *user, struct str password)
{
	struct msg_auth m = { .service = service,
			      .user = str_of(user),
			      .password = password,
			      .client = STR("192.0.2.1") };

	assert_int_not_equal(
		asker_send(w->login, &msg_auth_def, &m, 0, on_reply, w), 0);
	wait_answer(w);
	return w->type == MSG_AUTH_OK ? "ok" : w->temp ? "temp" : "fail";
}

static inline const char *
redeem(struct world *w, uint8_t service)
{
	struct msg_redeem m = { .service = service,
				.ticket = str_mem(w->ticket, TICKET_LEN) };

	assert_int_not_equal(
		asker_send(w->spawner, &msg_redeem_def, &m, 0, on_reply, w), 0);
	wait_answer(w);
	return w->type == MSG_IDENTITY ? "ok" : "fail";
}

static inline void
count_reply(void *arg, const struct msg_def *def, void *msg)
{
	unsigned *n = arg;

	if (def == &msg_auth_fail_def && ((struct msg_auth_fail *)msg)->temp)
		n[1]++;
	n[0]++;
}

#endif
