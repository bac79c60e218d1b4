/* SPDX-License-Identifier: ISC */
/* A client's exchange with authd, which is played here over a socket pair. */
#include "base/unit.h"

#include <sys/socket.h>

#include "base/enc.h"
#include "frame/sasl_client.h"

struct world {
	struct loop loop;
	struct asker *asker;
	struct chan *authd;
	struct sasl_exchange x;
	/* what authd was told last */
	uint32_t tag, number, cancelled;
	unsigned begins, steps;
	struct msg_sasl_begin begin;
	char mech[33], client[65], data[SASL_DATA_MAX + 1], binding[65];
	size_t ndata;
	/* what the client was told */
	unsigned more, ok, fail;
	bool temp;
	char text[SASL_LINE_MAX + 1];
};

static void
keep_data(struct world *w, struct str data)
{
	assert_true(data.n < sizeof(w->data));
	if (data.n)
		memcpy(w->data, data.p, data.n);
	w->ndata = data.n;
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct world *w = arg;

	(void)c;
	if (def == &msg_sasl_begin_def) {
		struct msg_sasl_begin *m = msg;

		w->begins++;
		w->begin = *m;
		w->number = m->exchange;
		assert_true(str_copy(w->mech, sizeof(w->mech), m->mech));
		assert_true(str_copy(w->client, sizeof(w->client), m->client));
		assert_true(
			str_copy(w->binding, sizeof(w->binding), m->exporter));
		keep_data(w, m->initial);
	} else if (def == &msg_sasl_step_def) {
		struct msg_sasl_step *m = msg;

		w->steps++;
		assert_int_equal(m->exchange, w->number);
		keep_data(w, m->response);
	} else {
		w->cancelled = ((struct msg_sasl_cancel *)msg)->exchange;
		return;
	}
	w->tag = tag;
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	((struct world *)arg)->authd = NULL;
}

static const struct chan_ops authd_ops = { on_msg, on_close };

static void
on_more(void *arg, struct str challenge)
{
	struct world *w = arg;

	w->more++;
	assert_true(str_copy(w->text, sizeof(w->text), challenge));
}

static void
on_ok(void *arg, struct str user, struct str ticket)
{
	struct world *w = arg;

	w->ok++;
	assert_true(str_copy(w->text, sizeof(w->text), user));
	assert_int_equal(ticket.n, TICKET_LEN);
}

static void
on_fail(void *arg, const struct msg_auth_fail *why)
{
	struct world *w = arg;

	w->fail++;
	w->temp = why->temp;
	assert_true(str_copy(w->text, sizeof(w->text), why->text));
}

static const struct sasl_events events = { on_more, on_ok, on_fail };

static void
turns(struct world *w)
{
	int i;

	for (i = 0; i < 8; i++)
		loop_turn(&w->loop, false);
}

static void
open_world(struct world *w)
{
	const struct chan_row *row = &channels[CH_SUBMITD_AUTHD];
	struct err err;
	int sv[2];

	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_init(&w->loop, &err), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	w->authd = chan_new(&w->loop, sv[1], row, CHAN_SERVICE, &authd_ops, w);
	w->asker = asker_new_fd(&w->loop, sv[0], row, NULL, NULL);
	assert_non_null(w->authd);
	assert_non_null(w->asker);
}

static void
close_world(struct world *w)
{
	sasl_abandon(&w->x);
	asker_free(w->asker);
	if (w->authd)
		chan_close(w->authd);
	loop_fini(&w->loop);
}

static enum sasl_input
begin(struct world *w, const char *mech, struct str initial)
{
	static const struct sasl_context context = {
		.service = SVC_SUBMITD,
		.client = "192.0.2.1",
		.secured = true,
	};
	enum sasl_input got = sasl_begin(&w->x, w->asker, &events, w, &context,
					 str_of(mech), initial);

	turns(w);
	return got;
}

static enum sasl_input
line(struct world *w, const char *text)
{
	enum sasl_input got = sasl_line(&w->x, str_of(text));

	turns(w);
	return got;
}

static void
say_more(struct world *w, const char *challenge)
{
	struct msg_sasl_more m = { .challenge = str_of(challenge) };

	chan_send(w->authd, w->tag, &msg_sasl_more_def, &m);
	turns(w);
}

static void
say_fail(struct world *w, bool temp)
{
	struct msg_auth_fail m = { .temp = temp, .text = STR("because") };

	chan_send(w->authd, w->tag, &msg_auth_fail_def, &m);
	turns(w);
}

static void
say_ok(struct world *w)
{
	static const char ticket[TICKET_LEN + 1] =
		"0123456789abcdef0123456789abcdef";
	struct msg_auth_ok m = { .user = STR("al@x.test"),
				 .ticket = str_mem(ticket, TICKET_LEN) };

	chan_send(w->authd, w->tag, &msg_auth_ok_def, &m);
	turns(w);
}

static bool
has_data(const struct world *w, struct str want)
{
	return str_eq(str_mem(w->data, w->ndata), want);
}

static void
test_initial(void **state)
{
	static const struct {
		const char *name, *in; /* NULL: none */
		enum sasl_input want;
		const char *data;
		size_t n;
	} rows[] = {
		{ "none", NULL, SASL_ASKED, "", 0 },
		{ "empty", "=", SASL_ASKED, "", 0 },
		{ "bytes", "AGEAYg==", SASL_ASKED, "\0a\0b", 4 },
		{ "not base64", "!!!!", SASL_BAD, "", 0 },
		{ "padding", "AGEAYg=", SASL_BAD, "", 0 },
		{ "stray bits", "AGEAYh==", SASL_BAD, "", 0 },
		{ "blank", "AGEA Yg==", SASL_BAD, "", 0 },
		{ "cancel is no response", "*", SASL_BAD, "", 0 },
	};
	struct world w;
	size_t i;

	(void)state;
	open_world(&w);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned begins = w.begins + (rows[i].want == SASL_ASKED);

		if (begin(&w, "PLAIN", str_of(rows[i].in)) != rows[i].want ||
		    w.begins != begins)
			fail_msg("%s", rows[i].name);
		if (rows[i].want != SASL_ASKED)
			continue;
		if (!has_data(&w, str_mem(rows[i].data, rows[i].n)) ||
		    w.begin.has_initial != (rows[i].in != NULL))
			fail_msg("%s: data", rows[i].name);
		assert_string_equal(w.mech, "PLAIN");
		assert_string_equal(w.client, "192.0.2.1");
		assert_int_equal(w.begin.secured, 1);
		say_fail(&w, false);
		assert_false(w.temp);
	}
	assert_int_equal(w.fail, 3);
	assert_int_equal(w.cancelled, 0);
	close_world(&w);
}

static void
test_steps(void **state)
{
	struct world w;
	uint32_t first;

	(void)state;
	open_world(&w);
	assert_int_equal(begin(&w, "LOGIN", STR_NULL), SASL_ASKED);
	first = w.number;
	say_more(&w, "Username:");
	assert_string_equal(w.text, "VXNlcm5hbWU6");
	assert_int_equal(line(&w, "YWw="), SASL_ASKED);
	assert_true(has_data(&w, STR("al")));
	say_more(&w, "");
	assert_string_equal(w.text, "");
	assert_int_equal(line(&w, ""), SASL_ASKED);
	assert_true(has_data(&w, STR("")));
	say_ok(&w);
	assert_string_equal(w.text, "al@x.test");
	assert_int_equal(w.more, 2);
	assert_int_equal(w.ok, 1);
	/* the next one has a number of its own */
	assert_int_equal(begin(&w, "LOGIN", STR_NULL), SASL_ASKED);
	assert_int_not_equal(w.number, first);
	say_fail(&w, true);
	assert_true(w.temp);
	assert_string_equal(w.text, "because");
	assert_int_equal(w.fail, 1);
	assert_int_equal(w.cancelled, 0);
	close_world(&w);
}

/* Given up by either side: authd is told, and no event comes. */
static void
test_ends(void **state)
{
	char longest[SASL_LINE_MAX + 5];
	struct world w;

	(void)state;
	open_world(&w);
	memset(longest, 'A', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';

	assert_int_equal(begin(&w, "PLAIN", STR_NULL), SASL_ASKED);
	say_more(&w, "");
	assert_int_equal(line(&w, "*"), SASL_CANCELLED);
	assert_int_equal(w.cancelled, w.number);

	assert_int_equal(begin(&w, "PLAIN", STR_NULL), SASL_ASKED);
	say_more(&w, "");
	assert_int_equal(line(&w, "="), SASL_BAD);
	assert_int_equal(w.cancelled, w.number);

	assert_int_equal(begin(&w, "PLAIN", STR_NULL), SASL_ASKED);
	say_more(&w, "");
	assert_int_equal(line(&w, longest), SASL_BAD);
	assert_int_equal(begin(&w, "PLAIN", str_of(longest)), SASL_BAD);

	assert_int_equal(begin(&w, "PLAIN", STR_NULL), SASL_ASKED);
	sasl_abandon(&w.x);
	sasl_abandon(&w.x);
	turns(&w);
	assert_int_equal(w.cancelled, w.number);
	say_fail(&w, false); /* authd had answered already: dropped */
	assert_int_equal(w.ok + w.fail, 0);
	assert_int_equal(w.more, 3);
	close_world(&w);
}

static void
test_authd_gone(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(begin(&w, "PLAIN", STR("=")), SASL_ASKED);
	chan_close(w.authd);
	w.authd = NULL;
	turns(&w);
	assert_int_equal(w.fail, 1);
	assert_true(w.temp);
	assert_int_equal(begin(&w, "PLAIN", STR("=")), SASL_DOWN);
	assert_int_equal(w.fail, 1);
	close_world(&w);
}

static void
test_tls(void **state)
{
	static const struct tls_facts tls = { .exporter = "0123",
					      .exporter_n = 4 };
	static const struct sasl_context context = { .service = SVC_SUBMITD,
						     .tls = &tls };
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(sasl_begin(&w.x, w.asker, &events, &w, &context,
				    STR("SCRAM-SHA-256-PLUS"), STR_NULL),
			 SASL_ASKED);
	turns(&w);
	assert_string_equal(w.binding, "0123");
	assert_string_equal(w.client, "");
	assert_int_equal(w.begin.secured, 0);
	assert_int_equal(w.begin.endpoint.n, 0);
	close_world(&w);
}

static void
test_announce(void **state)
{
	static const struct {
		const char *list;
		bool secured, tls;
		const char *prefix, *want;
	} rows[] = {
		{ "plain, login", true, false, "", "PLAIN LOGIN" },
		{ "PLAIN LOGIN", false, false, "", "" },
		{ "PLAIN SCRAM-SHA-1", false, false,
		  "AUTH=", "AUTH=SCRAM-SHA-1" },
		{ "PLAIN SCRAM-SHA-1", true, false,
		  "AUTH=", "AUTH=PLAIN AUTH=SCRAM-SHA-1" },
		{ "PLAIN SCRAM-SHA-1", true, true, "", "PLAIN SCRAM-SHA-1" },
		{ "SCRAM-SHA-1 SCRAM-SHA-1-PLUS", true, true, "",
		  "SCRAM-SHA-1 SCRAM-SHA-1-PLUS" },
		{ "SCRAM-SHA-1-PLUS", true, true, "", "SCRAM-SHA-1-PLUS" },
		{ "SCRAM-SHA-1-PLUS", true, false, "", "" },
		{ "", true, true, "", "" },
	};
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 100);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		if (sasl_announce(&out, str_of(rows[i].list), rows[i].secured,
				  rows[i].tls, rows[i].prefix) < 0 ||
		    !str_eq(buf_str(&out), str_of(rows[i].want)))
			fail_msg("%zu: %.*s", i, STR_FMT(buf_str(&out)));
	}
	assert_true(
		sasl_is_offered(STR("PLAIN SCRAM-SHA-1"), STR("scram-sha-1")));
	assert_false(sasl_is_offered(STR("PLAIN SCRAM-SHA-1"), STR("SCRAM")));
	assert_false(sasl_is_offered(STR("PLAIN LOGIN"), STR("PLAIN LOGIN")));
	assert_false(sasl_is_offered(STR("PLAIN"), STR("")));
	buf_fini(&out);
	buf_init(&out, 9);
	(void)!buf_add_c(&out, "250-AUTH");
	assert_int_equal(sasl_announce(&out, STR("PLAIN"), true, false, ""),
			 -1);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initial),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_authd_gone),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_announce),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
