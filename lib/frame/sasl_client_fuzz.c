/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include "base/enc.h"
#include "frame/sasl_client.h"
#include "net/line.h"

/*
 * The lines of a client, the first being mechanism and initial response, to an
 * authd that wants more after each.  What reaches authd is exactly what the
 * line says, and one event follows each question.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct {
	struct loop loop;
	struct asker *asker;
	struct chan *authd;
	struct str line; /* what authd must be given now; NULL: nothing */
	uint32_t number;
	unsigned asked, events;
} w;

static void
check_data(struct str bytes)
{
	struct buf text;

	buf_init(&text, SASL_LINE_MAX);
	BUG_ON(enc_base64(&text, bytes) < 0);
	BUG_ON(!str_eq(buf_str(&text), w.line));
	buf_fini(&text);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct msg_sasl_more more = { .challenge = STR("more") };

	(void)arg;
	if (def == &msg_sasl_cancel_def)
		return;
	w.asked++;
	if (def == &msg_sasl_begin_def) {
		w.number = ((struct msg_sasl_begin *)msg)->exchange;
		check_data(((struct msg_sasl_begin *)msg)->initial);
	} else {
		BUG_ON(((struct msg_sasl_step *)msg)->exchange != w.number);
		check_data(((struct msg_sasl_step *)msg)->response);
	}
	chan_send(c, tag, &msg_sasl_more_def, &more);
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
	BUG("a channel was broken");
}

static void
on_more(void *arg, struct str challenge)
{
	(void)arg;
	BUG_ON(!str_eq(challenge, STR("bW9yZQ==")));
	w.events++;
}

static void
on_ok(void *arg, struct str user, struct str ticket)
{
	(void)arg;
	(void)user;
	(void)ticket;
	BUG("nobody said yes");
}

static void
on_fail(void *arg, const struct msg_auth_fail *why)
{
	(void)arg;
	(void)why;
	BUG("nobody said no");
}

static void
open_world(void)
{
	static const struct chan_ops ops = { on_msg, on_close };
	const struct chan_row *row = &channels[CH_LOGIN_AUTHD];
	struct err err;
	int sv[2];

	BUG_ON(loop_init(&w.loop, &err) < 0);
	BUG_ON(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) < 0);
	w.authd = chan_new(&w.loop, sv[1], row, CHAN_SERVICE, &ops, NULL);
	w.asker = asker_new_fd(&w.loop, sv[0], row, NULL, NULL);
	BUG_ON(!w.authd || !w.asker);
}

/* Until all is answered; false: the exchange is over. */
static bool
settle(enum sasl_input got)
{
	unsigned i, want = w.events + (got == SASL_ASKED);

	for (i = 0; i < 10 && w.events < want; i++)
		loop_turn(&w.loop, false);
	BUG_ON(w.events != want || w.asked != want);
	return got == SASL_ASKED;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct sasl_events events = { on_more, on_ok, on_fail };
	static const struct sasl_context context = { .service = SVC_IMAPD };
	struct str in = str_mem(data, n), line, mech, initial;
	struct sasl_exchange x = { 0 };
	bool open = false;
	size_t used;

	if (!w.asker)
		open_world();
	while (line_get(in, 16384, &line, &used) == LINE_OK) {
		in = str_from(in, used);
		if (open) {
			w.line = line;
			open = settle(sasl_line(&x, line));
			continue;
		}
		initial = line;
		if (!str_cut(&initial, ' ', &mech)) {
			mech = line;
			initial = STR_NULL;
		}
		if (!sasl_is_offered(STR("PLAIN SCRAM-SHA-256"), mech))
			continue;
		w.line = str_eq(initial, STR("=")) ? STR("") : initial;
		open = settle(sasl_begin(&x, w.asker, &events, NULL, &context,
					 mech, initial));
	}
	sasl_abandon(&x);
	loop_turn(&w.loop, false);
	return 0;
}
