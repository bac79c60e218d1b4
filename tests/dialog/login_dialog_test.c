/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "script.h"
#include "session.h"

/*
 * login between a client and two peers that are played here: authd, which
 * knows al@x.test with the password "secret", and spawner, which keeps what it
 * is given.
 */
enum peer_mode { PEER_WORKS, PEER_TEMP, PEER_SILENT, PEER_DIES };

enum { CROWD_MAX = 64 };

struct bed {
	struct loop loop;
	struct worker worker;
	struct chan *authd, *spawner;
	enum peer_mode authd_mode, spawner_mode;
	/* what spawner was handed last */
	bool started;
	int fd;
	char tag[129], pending[PENDING_MAX + 1], client[65];
	size_t npending;
	uint8_t service;
	int crowd[CROWD_MAX]; /* other clients, who say nothing */
	size_t ncrowd;
};

static void
on_auth(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	void *msg)
{
	static const char ticket[TICKET_LEN + 1] =
		"0123456789abcdef0123456789abcdef";
	struct msg_auth_fail no = { .text = STR("no") };
	struct msg_auth_ok yes = { .user = STR("al@x.test"),
				   .ticket = str_mem(ticket, TICKET_LEN) };
	struct msg_auth *m = msg;
	struct bed *b = arg;

	(void)def;
	if (b->authd_mode == PEER_SILENT)
		return;
	if (b->authd_mode == PEER_DIES) {
		b->authd = NULL;
		chan_close(c);
		return;
	}
	no.temp = b->authd_mode == PEER_TEMP;
	if (!no.temp && str_ieq(m->user, STR("al@x.test")) &&
	    str_eq(m->password, STR("secret")))
		chan_send(c, tag, &msg_auth_ok_def, &yes);
	else
		chan_send(c, tag, &msg_auth_fail_def, &no);
}

static void
on_start(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	 void *msg)
{
	struct msg_spawn_fail no = { .class = 1,
				     .dsn = STR("4.3.0"),
				     .text = STR("too many processes") };
	struct msg_started yes = { 0 };
	struct msg_start *m = msg;
	struct bed *b = arg;

	(void)def;
	if (b->spawner_mode == PEER_DIES) {
		b->spawner = NULL;
		chan_close(c);
		return;
	}
	if (b->spawner_mode == PEER_TEMP) {
		chan_send(c, tag, &msg_spawn_fail_def, &no);
		return;
	}
	b->started = true;
	b->service = m->service;
	b->fd = m->fd;
	m->fd = -1;
	b->npending = m->pending.n;
	if (m->pending.n)
		memcpy(b->pending, m->pending.p, m->pending.n);
	assert_true(str_copy(b->tag, sizeof(b->tag), m->tag));
	assert_true(str_copy(b->client, sizeof(b->client), m->client));
	chan_send(c, tag, &msg_started_def, &yes);
}

static void
on_authd_closed(struct chan *c, void *arg)
{
	(void)c;
	((struct bed *)arg)->authd = NULL;
}

static void
on_spawner_closed(struct chan *c, void *arg)
{
	(void)c;
	((struct bed *)arg)->spawner = NULL;
}

static const struct chan_ops authd_ops = { on_auth, on_authd_closed },
			     spawner_ops = { on_start, on_spawner_closed };

static struct asker *
play(struct bed *b, enum channel_id row, const struct chan_ops *ops,
     struct chan **c)
{
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	*c = chan_new(&b->loop, sv[1], &channels[row], CHAN_SERVICE, ops, b);
	return asker_new_fd(&b->loop, sv[0], &channels[row], NULL, NULL);
}

static void
begin(void *arg)
{
	struct bed *b = arg;
	struct err err;

	*b = (struct bed){ .fd = -1 };
	assert_int_equal(loop_init(&b->loop, &err), 0);
	worker_init(&b->worker, &b->loop);
	b->worker.conf = (struct login_conf){
		.plaintext_on_loopback = true,
		.timeout_ms = 60000,
		.sessions = 100,
		.client_sessions = 3,
	};
	b->worker.authd = play(b, CH_LOGIN_AUTHD, &authd_ops, &b->authd);
	b->worker.spawner =
		play(b, CH_LOGIN_SPAWNER, &spawner_ops, &b->spawner);
}

static void
end(void *arg)
{
	struct bed *b = arg;
	int i;

	for (i = 0; i < 5; i++)
		loop_turn(&b->loop, false);
	worker_fini(&b->worker);
	assert_int_equal(b->worker.nsessions, 0);
	asker_free(b->worker.authd);
	asker_free(b->worker.spawner);
	if (b->authd)
		chan_close(b->authd);
	if (b->spawner)
		chan_close(b->spawner);
	if (b->fd >= 0)
		close(b->fd);
	while (b->ncrowd)
		close(b->crowd[--b->ncrowd]);
	loop_fini(&b->loop);
}

static void
turn(void *arg)
{
	loop_turn(&((struct bed *)arg)->loop, false);
}

/* "imap" or "pop3", and the client's address if it is not 127.0.0.1. */
static int
client(void *arg, struct str how)
{
	struct bed *b = arg;
	struct str name, from = STR("127.0.0.1"), to;
	struct addr peer, self;
	struct err err;
	int sv[2];

	assert_true(str_token(&how, " ", &name));
	(void)!str_token(&how, " ", &from);
	to = str_starts(from, STR("127.")) ? STR("127.0.0.1")
					   : STR("192.0.2.25");
	assert_int_equal(addr_parse(from, &peer, &err), 0);
	assert_int_equal(addr_parse(to, &self, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv),
			 0);
	worker_take(&b->worker,
		    str_eq(name, STR("pop3")) ? &login_pop3 : &login_imap,
		    sv[1], &peer, &self);
	return sv[0];
}

static bool
has_started(void *arg)
{
	return ((struct bed *)arg)->started;
}

static enum peer_mode
mode(struct script *s, struct str word)
{
	static const char *const words[] = { "works", "temp", "silent",
					     "dies" };
	size_t i;

	for (i = 0; i < 4; i++)
		if (str_eq(word, str_of(words[i])))
			return (enum peer_mode)i;
	script_fail(s, "works, temp, silent or dies");
}

static void
param(struct bed *b, struct script *s, struct str rest)
{
	static const struct {
		const char *name;
		size_t offset;
	} names[] = {
		{ "timeout_ms", offsetof(struct login_conf, timeout_ms) },
		{ "failure_ms", offsetof(struct login_conf, failure_ms) },
		{ "sessions", offsetof(struct login_conf, sessions) },
		{ "client_sessions",
		  offsetof(struct login_conf, client_sessions) },
	};
	struct str name;
	uint64_t v;
	size_t i;

	if (str_eq(rest, STR("plaintext_logins never"))) {
		b->worker.conf.plaintext_on_loopback = false;
		return;
	}
	for (i = 0;
	     str_cut(&rest, ' ', &name) && i < sizeof(names) / sizeof(names[0]);
	     i++) {
		if (!str_eq(name, str_of(names[i].name)) ||
		    str_u64(rest, UINT32_MAX, &v) < 0) {
			rest = str_mem(name.p, name.n + 1 + rest.n);
			continue;
		}
		*(unsigned *)(void *)((char *)&b->worker.conf +
				      names[i].offset) = (unsigned)v;
		return;
	}
	script_fail(s, "no such parameter");
}

/* "handed TAG PENDING": spawner has the connection. */
static void
handed(struct bed *b, struct script *s, struct str rest)
{
	struct buf want;
	struct str tag;

	if (!str_cut(&rest, ' ', &tag)) {
		tag = rest;
		rest = STR("");
	}
	if (str_eq(tag, STR("-")))
		tag = STR("");
	if (!script_wait(s, has_started))
		script_fail(s, "not handed over");
	buf_init(&want, PENDING_MAX);
	script_unescape(s, rest, &want);
	if (!str_eq(str_of(b->tag), tag) ||
	    !str_eq(str_mem(b->pending, b->npending), buf_str(&want)))
		script_fail(s, "handed over with tag \"%s\", pending \"%.*s\"",
			    b->tag, (int)b->npending, b->pending);
	buf_fini(&want);
	b->started = false;
	/* What the user's process would say. */
	(void)!write(b->fd, "hello from the other side\r\n", 27);
	close(b->fd);
	b->fd = -1;
}

/* "crowd N HOW": N more clients. */
static void
crowd(struct bed *b, struct script *s, struct str rest)
{
	struct str count;
	uint64_t n;

	if (!str_cut(&rest, ' ', &count) || str_u64(count, CROWD_MAX, &n) < 0)
		script_fail(s, "crowd wants a number");
	while (n-- && b->ncrowd < CROWD_MAX)
		b->crowd[b->ncrowd++] = client(b, rest);
}

static void
sessions(const struct bed *b, struct script *s, struct str rest)
{
	uint64_t n;

	if (str_u64(rest, UINT32_MAX, &n) < 0 || n != b->worker.nsessions)
		script_fail(s, "there are %u sessions", b->worker.nsessions);
}

static void
verb(void *arg, struct script *s, struct str verb, struct str rest)
{
	struct bed *b = arg;

	if (str_eq(verb, STR("param")))
		param(b, s, rest);
	else if (str_eq(verb, STR("authd")))
		b->authd_mode = mode(s, rest);
	else if (str_eq(verb, STR("spawner")))
		b->spawner_mode = mode(s, rest);
	else if (str_eq(verb, STR("handed")))
		handed(b, s, rest);
	else if (str_eq(verb, STR("crowd")))
		crowd(b, s, rest);
	else if (str_eq(verb, STR("sessions")))
		sessions(b, s, rest);
	else
		script_fail(s, "unknown verb %.*s", STR_FMT(verb));
}

static const struct script_ops ops = { begin, end, turn, client, verb };

static void
test_dialogues(void **state)
{
	static struct bed bed;

	(void)state;
	assert_true(script_run_all("login", &ops, &bed) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
