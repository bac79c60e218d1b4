/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "frame/msg_router.h"
#include "router.h"
#include "testbed_defaults.h"

static const char conf[] = SENDING_DEFAULTS
	"myorigin = host.test\nrecipient_delimiter = +\n"
	"mydestination = host.test\n"
	"first_valid_uid = 1000\nlast_valid_uid = 59999\n"
	"local_recipient_maps = unix:passwd.byname\nalias_maps =\n"
	"virtual_alias_maps = inline:{{team@box.test=v@box.test,w@box.test}, "
	"{x@far.test=y@far.test}}\n"
	"virtual_alias_domains =\nvirtual_alias_expansion_limit = 1000\n"
	"virtual_alias_recursion_limit = 1000\n"
	"virtual_mailbox_domains = box.test, down.test, many.test\n"
	"virtual_mailbox_maps = inline:{v@box.test=box/v/, w@box.test=box/w/, "
	"@many.test=many/} hash:/nowhere/x\n"
	"smtpd_sender_login_maps =\n";

struct fixture {
	struct loop loop;
	struct params params;
	struct router router;
	int fd; /* the asker's end */
	char frame[MSG_FRAME_MAX];
	char msg[MSG_STRUCT_MAX] __attribute__((aligned(16)));
};

static void
open_router(struct fixture *f, enum channel_id row)
{
	struct err err;
	int fds[2];

	if (loop_init(&f->loop, &err) < 0 ||
	    params_load(&f->params, str_of(conf), &err) < 0 ||
	    router_init(&f->router, &f->loop, &f->params, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	router_peer(&f->router, &channels[row], fds[0]);
	f->fd = fds[1];
}

static void
close_router(struct fixture *f)
{
	router_fini(&f->router);
	params_fini(&f->params);
	loop_fini(&f->loop);
	close(f->fd);
}

static void
ask(struct fixture *f, const struct msg_def *def, uint32_t tag, const void *m)
{
	struct err err;
	struct buf b;
	size_t nfds;

	buf_init(&b, MSG_FRAME_MAX);
	if (msg_encode(&b, def, tag, m, NULL, &nfds, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(send(f->fd, b.p, b.n, MSG_NOSIGNAL), b.n);
	buf_fini(&b);
	loop_turn(&f->loop, true);
}

/* The next frame; it must be of this type and tag. */
static void *
answer(struct fixture *f, const struct msg_def *def, uint32_t tag)
{
	uint16_t type = 0;
	uint32_t got = 0;
	struct err err;
	ssize_t n;

	while ((n = recv(f->fd, f->frame, sizeof(f->frame), MSG_DONTWAIT)) < 0)
		loop_turn(&f->loop, true);
	assert_true(n > 0);
	assert_int_equal(msg_peek(str_mem(f->frame, (size_t)n), &type, &got),
			 0);
	assert_int_equal(type, def->type);
	assert_int_equal(got, tag);
	if (msg_decode(str_mem(f->frame, (size_t)n), def, f->msg, NULL, 0,
		       &err) < 0)
		fail_msg("%s", err.text);
	return f->msg;
}

static void
give_passwd(struct fixture *f, const char *text)
{
	int fd = memfd_create("passwd", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	router_passwd(&f->router, fd);
}

static void
check_route(struct fixture *f, const char *address, int verdict, int own,
	    int code, const char *text)
{
	struct msg_route q = { .address = str_of(address) };
	struct msg_routed *a;

	ask(f, &msg_route_def, 7, &q);
	a = answer(f, &msg_routed_def, 7);
	if (a->verdict != verdict || a->own != own || a->code != code ||
	    !str_eq(a->text, str_of(text)))
		fail_msg("%s: verdict %d own %d: %d %.*s %.*s", address,
			 a->verdict, a->own, a->code, STR_FMT(a->dsn),
			 STR_FMT(a->text));
}

static void
test_route(void **state)
{
	struct fixture f;

	(void)state;
	open_router(&f, CH_SMTPD_ROUTER);
	/* Before the list of users came nobody is unknown. */
	check_route(&f, "alice@host.test", ROUTE_TEMP, 1, 451,
		    "Temporary lookup failure");
	give_passwd(&f, "alice:x:1000:1000::/:/\n");
	check_route(&f, "alice@host.test", ROUTE_OK, 1, 0, "");
	check_route(&f, "postmaster", ROUTE_PERM, 1, 550,
		    "User unknown in local recipient table");
	check_route(&f, "bob@host.test", ROUTE_PERM, 1, 550,
		    "User unknown in local recipient table");
	give_passwd(&f, "bob:x:1000:1000::/:/\n");
	check_route(&f, "bob@host.test", ROUTE_OK, 1, 0, "");
	check_route(&f, "alice@host.test", ROUTE_PERM, 1, 550,
		    "User unknown in local recipient table");
	check_route(&f, "v@box.test", ROUTE_OK, 1, 0, "");
	check_route(&f, "team@box.test", ROUTE_OK, 1, 0, "");
	check_route(&f, "none@down.test", ROUTE_TEMP, 1, 451,
		    "Temporary lookup failure");
	check_route(&f, "a@far.test", ROUTE_OK, 0, 0, "");
	close_router(&f);
}

static void
check_owns(struct fixture *f, const char *login, const char *sender,
	   int verdict, const char *text)
{
	struct msg_owns q = { .login = str_of(login),
			      .sender = str_of(sender) };
	struct msg_owned *a;

	ask(f, &msg_owns_def, 5, &q);
	a = answer(f, &msg_owned_def, 5);
	assert_int_equal(a->verdict, verdict);
	assert_true(str_eq(a->text, str_of(text)));
}

static void
test_owns(void **state)
{
	struct fixture f;

	(void)state;
	open_router(&f, CH_SUBMITD_ROUTER);
	give_passwd(&f, "alice:x:1000:1000::/:/\n");
	check_owns(&f, "alice", "alice@host.test", ROUTE_OK, "");
	check_owns(&f, "alice", "v@box.test", ROUTE_PERM,
		   "not owned by user alice");
	check_owns(&f, "alice", "none@down.test", ROUTE_TEMP,
		   "Temporary lookup failure");
	close_router(&f);
}

static void
test_reload(void **state)
{
	struct params p;
	struct fixture f;
	struct err err;
	struct buf b;

	(void)state;
	open_router(&f, CH_SMTPD_ROUTER);
	give_passwd(&f, "alice:x:1000:1000::/:/\n");
	buf_init(&b, 20000);
	assert_int_equal(buf_addf(&b, "%smydestination = new.test\n", conf), 0);
	assert_int_equal(params_load(&p, buf_str(&b), &err), 0);
	assert_int_equal(router_reload(&f.router, &p, &err), 0);
	params_fini(&p);
	check_route(&f, "alice@new.test", ROUTE_OK, 1, 0, "");
	check_route(&f, "alice@host.test", ROUTE_OK, 0, 0, "");
	/* What cannot be opened changes nothing. */
	assert_int_equal(buf_add_c(&b, "mydestination = no:such\n"), 0);
	assert_int_equal(params_load(&p, buf_str(&b), &err), 0);
	assert_int_equal(router_reload(&f.router, &p, &err), -1);
	params_fini(&p);
	check_route(&f, "alice@new.test", ROUTE_OK, 1, 0, "");
	buf_fini(&b);
	close_router(&f);
}

static void
add_in(struct buf *b, const char *address, const char *orcpt)
{
	struct msg_rcpt_in in = { .address = str_of(address),
				  .orcpt = str_of(orcpt),
				  .notify = NOTIFY_FAILURE };
	struct err err;

	if (msg_list_add(b, &msg_rcpt_in_def, &in, &err) < 0)
		fail_msg("%s", err.text);
}

static void
test_expand(void **state)
{
	static const struct {
		int type;
		const char *where, *address, *original;
	} want[] = {
		{ RCPT_VIRTUAL, "box/v/", "v@box.test", "team@box.test" },
		{ RCPT_VIRTUAL, "box/w/", "w@box.test", "team@box.test" },
		{ RCPT_LOCAL, "alice", "alice+x@host.test",
		  "alice+x@host.test" },
		{ RCPT_REMOTE, "far.test", "y@far.test", "x@far.test" },
	};
	struct msg_expand q = { .sender = STR("s@far.test") };
	struct msg_expanded *a;
	struct msg_rcpt m;
	struct fixture f;
	struct buf b;
	struct str it;
	size_t i;

	(void)state;
	open_router(&f, CH_QMGR_ROUTER);
	give_passwd(&f, "alice:x:1000:1000::/:/\n");
	buf_init(&b, MSG_FRAME_MAX);
	add_in(&b, "team@box.test", "rfc822;team");
	add_in(&b, "v@box.test", "rfc822;v");
	add_in(&b, "alice+x@host.test", "");
	add_in(&b, "x@far.test", "rfc822;x");
	q.rcpts = msg_list_of(&b, 4, &msg_rcpt_in_def);
	q.count = 4;
	ask(&f, &msg_expand_def, 9, &q);
	a = answer(&f, &msg_expanded_def, 9);
	assert_int_equal(a->temp, 0);
	assert_int_equal(a->rcpts.count, 4);
	it = a->rcpts.raw;
	for (i = 0; i < 4; i++) {
		assert_true(msg_list_next(&it, &msg_rcpt_def, &m));
		assert_int_equal(m.type, want[i].type);
		assert_true(str_eq(m.where, str_of(want[i].where)));
		assert_true(str_eq(m.address, str_of(want[i].address)));
		assert_true(str_eq(m.original, str_of(want[i].original)));
		assert_int_equal(m.notify, NOTIFY_FAILURE);
	}
	assert_true(str_eq(m.orcpt, STR("rfc822;x")));
	assert_true(str_eq(m.transport, STR("smtp")));
	/* One table down: nothing of the message is decided. */
	add_in(&b, "x@down.test", "");
	q.rcpts = msg_list_of(&b, 5, &msg_rcpt_in_def);
	q.count = 5;
	ask(&f, &msg_expand_def, 10, &q);
	a = answer(&f, &msg_expanded_def, 10);
	assert_int_equal(a->temp, 1);
	assert_true(str_eq(a->text, STR("Temporary lookup failure")));
	assert_int_equal(a->rcpts.count, 0);
	buf_fini(&b);
	close_router(&f);
}

/* More recipients than fit one frame, in and out. */
static void
test_parts(void **state)
{
	struct msg_expand_part part, *p;
	struct msg_expand q = { .sender = STR("") };
	struct msg_expanded *a;
	struct fixture f;
	char address[100];
	uint32_t count = 0, parts = 0;
	struct buf b;
	int i, k;

	(void)state;
	open_router(&f, CH_QMGR_ROUTER);
	buf_init(&b, MSG_FRAME_MAX);
	for (k = 0; k < 5; k++) {
		buf_reset(&b);
		for (i = 0; i < 500; i++) {
			snprintf(address, sizeof(address),
				 "a-recipient-number-%d-%d@far.test", k, i);
			add_in(&b, address, "");
		}
		part.rcpts = msg_list_of(&b, 500, &msg_rcpt_in_def);
		q.rcpts = part.rcpts;
		if (k < 4)
			ask(&f, &msg_expand_part_def, 3, &part);
	}
	q.count = 2500;
	ask(&f, &msg_expand_def, 3, &q);
	for (;;) {
		uint16_t type;
		uint32_t tag;
		char head[MSG_HEAD];

		while (recv(f.fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT) <
		       0)
			loop_turn(&f.loop, true);
		assert_int_equal(
			msg_peek(str_mem(head, sizeof(head)), &type, &tag), 0);
		if (type == MSG_EXPANDED)
			break;
		p = answer(&f, &msg_expanded_part_def, 3);
		count += p->rcpts.count;
		parts++;
	}
	a = answer(&f, &msg_expanded_def, 3);
	assert_true(parts > 2);
	assert_int_equal(count + a->rcpts.count, 2500);
	/* Without its parts a request is not expanded. */
	ask(&f, &msg_expand_def, 4, &q);
	a = answer(&f, &msg_expanded_def, 4);
	assert_int_equal(a->temp, 1);
	assert_int_equal(a->rcpts.count, 0);
	buf_fini(&b);
	close_router(&f);
}

/* An asker that sends parts without end loses its channel, not we ours. */
static void
test_flood(void **state)
{
	struct msg_expand_part part;
	struct fixture f;
	struct buf b;
	char c;
	int i;

	(void)state;
	open_router(&f, CH_QMGR_ROUTER);
	buf_init(&b, MSG_FRAME_MAX);
	for (i = 0; i < 1000; i++)
		add_in(&b, "x@far.test", "");
	part.rcpts = msg_list_of(&b, 1000, &msg_rcpt_in_def);
	for (i = 0; i < 11; i++)
		ask(&f, &msg_expand_part_def, 3, &part);
	assert_int_equal(recv(f.fd, &c, 1, MSG_DONTWAIT), 0);
	assert_true(list_empty(&f.router.askers));
	buf_fini(&b);
	close_router(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_route),  cmocka_unit_test(test_reload),
		cmocka_unit_test(test_expand), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_flood),  cmocka_unit_test(test_owns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
