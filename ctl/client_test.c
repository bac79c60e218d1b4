/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "frame/msg_control.h"
#include "frame/msg_spawner.h"

/* What the other side has sent before ctl_call() is made; a message of the
 * row's own definition, or raw bytes. */
struct script {
	const struct msg_def *def;
	const void *msg;
	uint32_t tag;
	struct str raw;
};

static void
play(int fd, const struct script *s)
{
	struct err err;
	struct buf b;
	int fds[MSG_FDS_MAX];
	size_t nfds;

	buf_init(&b, MSG_FRAME_MAX);
	if (s->def)
		assert_int_equal(msg_encode(&b, s->def, s->tag, s->msg, fds,
					    &nfds, &err),
				 0);
	else
		buf_add_str(&b, s->raw);
	assert_int_equal(send(fd, b.p, b.n, 0), b.n);
	buf_fini(&b);
}

struct got {
	char text[200];
};

static void
on_msg(void *arg, const struct msg_def *def, void *msg)
{
	struct got *g = arg;
	size_t n = strlen(g->text);

	if (def == &msg_admin_text_def) {
		const struct msg_admin_text *m = msg;

		(void)snprintf(g->text + n, sizeof(g->text) - n, "[%.*s]",
			       STR_FMT(m->text));
	} else if (def == &msg_admin_done_def) {
		const struct msg_admin_done *m = msg;

		(void)snprintf(g->text + n, sizeof(g->text) - n, "done %u",
			       m->status);
	}
}

static const struct msg_admin_text part = { .text = { "a\nb", 3 } };
static const struct msg_admin_done done = { .status = 3 };
static const struct msg_admin backwards = { .verb = 1 };
static const struct msg_connected odd = { .row = 1, .fd = 0 };

static void
test_answers(void **state)
{
	static const struct {
		const char *name;
		struct script s[3];
		unsigned n;
		const char *want, *error;
	} rows[] = {
		{ "reply",
		  { { &msg_admin_done_def, &done, 1, { 0 } } },
		  1,
		  "done 3",
		  NULL },
		{ "part and reply",
		  { { &msg_admin_text_def, &part, 1, { 0 } },
		    { &msg_admin_done_def, &done, 1, { 0 } } },
		  2,
		  "[a\nb]done 3",
		  NULL },
		{ "another tag is passed over",
		  { { &msg_admin_text_def, &part, 7, { 0 } },
		    { &msg_admin_done_def, &done, 1, { 0 } } },
		  2,
		  "done 3",
		  NULL },
		{ "EOF before the reply",
		  { { &msg_admin_text_def, &part, 1, { 0 } } },
		  1,
		  "[a\nb]",
		  "the service closed the connection" },
		{ "garbage",
		  { { NULL, NULL, 0, { "\1\2\3", 3 } } },
		  1,
		  "",
		  "a message that is not in ctl-master" },
		{ "not in the row",
		  { { &msg_admin_def, &backwards, 1, { 0 } } },
		  1,
		  "",
		  "a message that is not in ctl-master" },
		{ "a descriptor that is not there",
		  { { &msg_connected_def, &odd, 1, { 0 } } },
		  1,
		  "",
		  "message msg_connected: field fd: descriptor missing" },
	};
	struct msg_admin ask = { .verb = ADMIN_STATUS };
	struct err err;
	size_t i, k;
	int sv[2];

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct got got = { "" };
		int rc;

		print_message("%s\n", rows[i].name);
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
		for (k = 0; k < rows[i].n; k++)
			play(sv[1], &rows[i].s[k]);
		assert_int_equal(shutdown(sv[1], SHUT_WR), 0);
		rc = ctl_call(sv[0], &channels[CH_CTL_MASTER], &msg_admin_def,
			      &ask, 1000, on_msg, &got, &err);
		assert_int_equal(rc, rows[i].error ? -1 : 0);
		assert_string_equal(got.text, rows[i].want);
		if (rows[i].error)
			assert_string_equal(err.text, rows[i].error);
		close(sv[0]);
		close(sv[1]);
	}
}

static void
on_who(void *arg, const struct msg_def *def, void *msg)
{
	unsigned *rows = arg;

	(void)msg;
	*rows += def == &msg_who_row_def;
}

/* A login that has been taken over: its sessions are nobody's. */
static void
test_forged_session(void **state)
{
	static const struct msg_who_row honest = { .state = STR("READY") };
	static const struct msg_who_row forged = { .user = STR("alice") };
	const struct script s[] = {
		{ &msg_who_row_def, &honest, 1, { 0 } },
		{ &msg_who_row_def, &forged, 1, { 0 } },
	};
	struct msg_who ask = { .user = STR("") };
	unsigned rows = 0;
	struct err err;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	play(sv[1], &s[0]);
	play(sv[1], &s[1]);
	assert_int_equal(ctl_call(sv[0], &channels[CH_CTL_LOGIN], &msg_who_def,
				  &ask, 1000, on_who, &rows, &err),
			 -1);
	assert_int_equal(rows, 1);
	assert_string_equal(err.text, "message msg_who_row: a field that login "
				      "may not set");
	close(sv[0]);
	close(sv[1]);
}

static void
test_time_out(void **state)
{
	struct msg_admin ask = { .verb = ADMIN_STATUS };
	struct got got = { "" };
	struct err err;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	assert_int_equal(ctl_call(sv[0], &channels[CH_CTL_MASTER],
				  &msg_admin_def, &ask, 10, on_msg, &got, &err),
			 -1);
	assert_int_equal(err.class, ERR_TEMP);
	close(sv[0]);
	close(sv[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_forged_session),
		cmocka_unit_test(test_time_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
