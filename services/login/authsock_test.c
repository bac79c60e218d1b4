/* SPDX-License-Identifier: ISC */
/* auth_socket as Postfix and Exim use it; its peers are played. */
#include "base/unit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "authsock.h"
#include "authsock_parse.h"
#include "login_bed.h"

/* "\0al\0secret", "\0al\0wrong" */
#define RIGHT "AGFsAHNlY3JldA=="
#define WRONG "AGFsAHdyb25n"

struct peer {
	struct bed bed;
	int fd;
	char got[65536];
	size_t ngot;
	bool closed;
};

static void
receive(struct peer *p)
{
	ssize_t n;

	bed_turns(&p->bed, 8);
	do {
		n = recv(p->fd, p->got + p->ngot, sizeof(p->got) - 1 - p->ngot,
			 0);
		if (n > 0)
			p->ngot += (size_t)n;
	} while (n > 0);
	p->closed = n == 0 || (n < 0 && errno != EAGAIN);
	p->got[p->ngot] = '\0';
}

static void
say(struct peer *p, const char *text)
{
	p->ngot = 0;
	assert_int_equal(send(p->fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
	receive(p);
}

static void
expect(struct peer *p, const char *text, const char *want)
{
	say(p, text);
	assert_string_equal(p->got, want);
	assert_false(p->closed);
}

static void
join(struct peer *p)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
				    0, sv),
			 0);
	p->fd = sv[0];
	p->ngot = 0;
	authsock_take(&p->bed.worker, sv[1]);
	receive(p);
}

static void
open_peer(struct peer *p)
{
	bed_init(&p->bed);
	join(p);
	expect(p, "VERSION\t1\t1\nCPID\t77\n", "");
}

static void
close_peer(struct peer *p)
{
	close(p->fd);
	bed_turns(&p->bed, 4);
	assert_int_equal(p->bed.worker.nauthsocks, 0);
	bed_fini(&p->bed);
}

static void
test_greeting(void **state)
{
	static const char want[] = "VERSION\t1\t2\n"
				   "MECH\tPLAIN\tplaintext\n"
				   "MECH\tLOGIN\tplaintext\n"
				   "MECH\tSCRAM-SHA-256\tmutual-auth\n"
				   "SPID\t";
	static struct peer p;
	struct str rest, line, value;
	uint64_t n;

	(void)state;
	bed_init(&p.bed);
	join(&p);
	assert_memory_equal(p.got, want, strlen(want));
	rest = str_of(p.got + strlen(want));
	assert_true(str_cut(&rest, '\n', &line));
	assert_int_equal(str_u64(line, UINT32_MAX, &n), 0);
	assert_int_equal(n, getpid());
	assert_true(str_cut(&rest, '\n', &line));
	assert_true(str_starts(line, STR("CUID\t")));
	assert_true(str_cut(&rest, '\n', &value));
	assert_true(str_starts(value, STR("COOKIE\t")));
	assert_int_equal(value.n, strlen("COOKIE\t") + 32);
	assert_true(str_eq(rest, STR("DONE\n")));
	close_peer(&p);
}

static void
test_plain(void **state)
{
	static struct peer p;

	(void)state;
	open_peer(&p);
	expect(&p, "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tresp=" RIGHT "\n",
	       "OK\t1\tuser=al\n");
	assert_int_equal(p.bed.last.service, SVC_LOGIN);
	assert_string_equal(p.bed.client, "");
	assert_int_equal(p.bed.last.secured, 0);
	expect(&p, "AUTH\t2\tPLAIN\tresp=" WRONG "\n", "FAIL\t2\tuser=al\n");
	/* an empty response is one: none is another thing */
	expect(&p, "AUTH\t3\tPLAIN\tresp=\n", "FAIL\t3\n");
	expect(&p, "AUTH\t4\tPLAIN\n", "CONT\t4\t\n");
	expect(&p, "CONT\t4\t" RIGHT "\n", "OK\t4\tuser=al\n");
	expect(&p, "AUTH\t5\tCRAM-MD5\n", "FAIL\t5\n");
	expect(&p, "AUTH\t5\tSCRAM-SHA-256-PLUS\n", "FAIL\t5\n");
	expect(&p, "AUTH\t5\tplain\tresp=!\n", "FAIL\t5\n");
	close_peer(&p);
}

static void
test_where_from(void **state)
{
	static const struct {
		const char *params, *client;
		bool secured;
	} rows[] = {
		{ "rip=192.0.2.1\tlip=192.0.2.2", "192.0.2.1", false },
		{ "rip=192.0.2.1\tsecured", "192.0.2.1", true },
		{ "rip=192.0.2.1\tsecured=tls", "192.0.2.1", true },
		{ "rip=127.0.0.1\tlip=127.0.0.1", "127.0.0.1", true },
		{ "rip=::1", "::1", true },
		{ "rip=127.0.0.1\tlip=192.0.2.1", "127.0.0.1", false },
		{ "rip=somewhere", "", false },
		{ "rip=::ffff:192.0.2.1", "192.0.2.1", false },
	};
	static struct peer p;
	char line[200], want[40];
	unsigned i;

	(void)state;
	open_peer(&p);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line),
			 "AUTH\t%u\tPLAIN\tservice=smtp\t%s\tresp=" RIGHT "\n",
			 i, rows[i].params);
		snprintf(want, sizeof(want), "OK\t%u\tuser=al\n", i);
		expect(&p, line, want);
		if (strcmp(p.bed.client, rows[i].client) != 0 ||
		    p.bed.last.secured != rows[i].secured)
			fail_msg("%s: %s %d", rows[i].params, p.bed.client,
				 p.bed.last.secured);
	}
	close_peer(&p);
}

/* What happens to one does not touch the others. */
static void
test_many_at_a_time(void **state)
{
	static struct peer p;

	(void)state;
	open_peer(&p);
	expect(&p, "AUTH\t1\tLOGIN\nAUTH\t2\tLOGIN\n",
	       "CONT\t1\t\nCONT\t2\t\n");
	expect(&p, "CONT\t1\tYWw=\nCONT\t2\tYg==\n",
	       "CONT\t1\tUGFzc3dvcmQ6\nCONT\t2\tUGFzc3dvcmQ6\n");
	expect(&p, "AUTH\t3\tPLAIN\tresp=not base64\n", "FAIL\t3\n");
	expect(&p, "CONT\t9\tYQ==\n", "FAIL\t9\ttemp\tcode=temp_fail\n");
	expect(&p, "CONT\t2\t=\n", "FAIL\t2\n");
	expect(&p, "CONT\t1\tc2VjcmV0\n", "OK\t1\tuser=al\n");
	expect(&p, "AUTH\t4\tLOGIN\n", "CONT\t4\t\n");
	p.bed.cancelled = 0;
	expect(&p, "CANCEL\t4\nCANCEL\t5\n", "");
	assert_int_equal(p.bed.cancelled, 1);
	close_peer(&p);
}

/* Those that nobody goes on with make room, the oldest first. */
static void
test_limit(void **state)
{
	char line[80];
	static struct peer p;
	unsigned i;

	(void)state;
	open_peer(&p);
	for (i = 1; i <= AUTHSOCK_REQUESTS_MAX; i++) {
		snprintf(line, sizeof(line), "AUTH\t%u\tLOGIN\n", i);
		say(&p, line);
	}
	p.bed.cancelled = 0;
	expect(&p, "AUTH\t100\tPLAIN\tresp=" RIGHT "\n",
	       "FAIL\t1\ttemp\tcode=temp_fail\nOK\t100\tuser=al\n");
	assert_int_equal(p.bed.cancelled, 1);
	expect(&p, "CONT\t2\tYWw=\n", "CONT\t2\tUGFzc3dvcmQ6\n");
	close(p.fd);
	bed_turns(&p.bed, 80);
	assert_int_equal(p.bed.cancelled, AUTHSOCK_REQUESTS_MAX);
	join(&p);
	say(&p, "VERSION\t1\t1\n");
	p.bed.silent = true;
	for (i = 1; i <= AUTHSOCK_REQUESTS_MAX; i++) {
		snprintf(line, sizeof(line), "AUTH\t%u\tLOGIN\n", i);
		expect(&p, line, "");
	}
	expect(&p, "AUTH\t100\tLOGIN\n", "FAIL\t100\ttemp\tcode=temp_fail\n");
	close_peer(&p);
}

static void
test_not_the_protocol(void **state)
{
	static const char *const rows[] = {
		"AUTH\t1\tPLAIN\n",
		"VERSION\t2\t0\n",
		"VERSION\t1\t1\nAUTH\t1\tLOGIN\nAUTH\t1\tLOGIN\n",
		"VERSION\t1\t1\nHELO\n",
		"VERSION\t1\t1\nAUTH\n",
		"\n",
	};
	static struct peer p;
	static char longest[AUTHSOCK_LINE_MAX + 1];
	size_t i;

	(void)state;
	bed_init(&p.bed);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		join(&p);
		say(&p, rows[i]);
		if (!p.closed)
			fail_msg("%s", rows[i]);
		close(p.fd);
	}
	join(&p);
	memset(longest, 'A', sizeof(longest) - 1);
	say(&p, longest);
	assert_true(p.closed);
	close_peer(&p);
}

static void
test_authd_gone(void **state)
{
	static struct peer p;

	(void)state;
	open_peer(&p);
	expect(&p, "AUTH\t1\tLOGIN\n", "CONT\t1\t\n");
	chan_close(p.bed.authd);
	p.bed.authd = NULL;
	expect(&p, "CONT\t1\tYWw=\n", "FAIL\t1\ttemp\tcode=temp_fail\n");
	expect(&p, "AUTH\t2\tLOGIN\n", "FAIL\t2\ttemp\tcode=temp_fail\n");
	close_peer(&p);
}

static void
test_drain(void **state)
{
	static struct peer p;
	int idle;

	(void)state;
	open_peer(&p);
	idle = p.fd;
	join(&p);
	say(&p, "VERSION\t1\t1\nAUTH\t1\tLOGIN\n");
	authsock_drain(&p.bed.worker);
	usleep(5000);
	receive(&p);
	assert_false(p.closed);
	assert_int_equal(p.bed.worker.nauthsocks, 1);
	expect(&p, "CONT\t1\tYWw=\n", "CONT\t1\tUGFzc3dvcmQ6\n");
	say(&p, "CONT\t1\tc2VjcmV0\n");
	assert_string_equal(p.got, "OK\t1\tuser=al\n");
	usleep(5000);
	receive(&p);
	assert_true(p.closed);
	close(idle);
	close_peer(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_where_from),
		cmocka_unit_test(test_many_at_a_time),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_not_the_protocol),
		cmocka_unit_test(test_authd_gone),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
