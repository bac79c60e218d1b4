/* SPDX-License-Identifier: ISC */
#include "base/unit.h"

#include <unistd.h>

#include "script.h"
#include "session.h"

/*
 * login between a client and three peers that are played here: authd, which
 * knows al@x.test with the password "secret"; spawner, which keeps what it is
 * given; and tlsd, whose TLS changes no byte.  Under SCRAM authd asks "more?"
 * and wants "secret".
 */
enum peer_mode { PEER_WORKS, PEER_TEMP, PEER_SILENT, PEER_DIES };

enum { CROWD_MAX = 64 };

struct bed {
	struct loop loop;
	struct worker worker;
	struct chan *authd, *spawner, *tlsd;
	enum peer_mode authd_mode, spawner_mode, tlsd_mode;
	struct msg_sasl_begin sasl; /* begun last; its strings are gone */
	char mech[SASL_MECH_MAX + 1], sasl_user[USER_MAX + 1];
	unsigned cancelled;
	/* what spawner was handed last */
	bool started;
	int fd;
	char tag[129], pending[PENDING_MAX + 1], client[65];
	size_t npending;
	uint8_t service, secured;
	int crowd[CROWD_MAX]; /* other clients, who say nothing */
	size_t ncrowd;
};

static void
answer_auth(struct bed *b, struct chan *c, uint32_t tag, struct str user,
	    struct str password)
{
	static const char ticket[TICKET_LEN + 1] =
		"0123456789abcdef0123456789abcdef";
	struct msg_auth_fail no = { .text = STR("no"), .user = user };
	struct msg_auth_ok yes = { .user = STR("al@x.test"),
				   .ticket = str_mem(ticket, TICKET_LEN) };

	no.temp = b->authd_mode == PEER_TEMP;
	if (!no.temp && str_ieq(user, STR("al@x.test")) &&
	    str_eq(password, STR("secret")))
		chan_send(c, tag, &msg_auth_ok_def, &yes);
	else
		chan_send(c, tag, &msg_auth_fail_def, &no);
}

static void
ask_more(struct chan *c, uint32_t tag, const char *challenge)
{
	struct msg_sasl_more m = { .challenge = str_of(challenge) };

	chan_send(c, tag, &msg_sasl_more_def, &m);
}

/* The client's response: data, or what comes with the first message. */
static void
answer_sasl(struct bed *b, struct chan *c, uint32_t tag, struct str data,
	    bool has_data)
{
	struct str authzid, user;

	if (!has_data) {
		ask_more(c, tag, strcmp(b->mech, "LOGIN") ? "" : "Username:");
	} else if (strcmp(b->mech, "PLAIN") == 0) {
		if (!str_cut(&data, '\0', &authzid) ||
		    !str_cut(&data, '\0', &user) || authzid.n)
			user = data = STR("");
		answer_auth(b, c, tag, user, data);
	} else if (!b->sasl_user[0]) {
		assert_true(str_copy(b->sasl_user, sizeof(b->sasl_user), data));
		ask_more(c, tag,
			 strcmp(b->mech, "LOGIN") ? "more?" : "Password:");
	} else {
		answer_auth(b, c, tag, str_of(b->sasl_user), data);
	}
}

static void
on_auth(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	void *msg)
{
	struct msg_auth *m = msg;
	struct bed *b = arg;

	if (def == &msg_sasl_cancel_def)
		b->cancelled++;
	if (def == &msg_sasl_begin_def) {
		b->sasl = *(struct msg_sasl_begin *)msg;
		assert_true(str_copy(b->mech, sizeof(b->mech), b->sasl.mech));
		b->sasl_user[0] = '\0';
	}
	if (b->authd_mode == PEER_SILENT || def == &msg_sasl_cancel_def)
		return;
	if (b->authd_mode == PEER_DIES) {
		b->authd = NULL;
		chan_close(c);
		return;
	}
	if (def == &msg_auth_def) {
		answer_auth(b, c, tag, m->user, m->password);
	} else if (def == &msg_sasl_begin_def) {
		answer_sasl(b, c, tag, b->sasl.initial, b->sasl.has_initial);
	} else {
		answer_sasl(b, c, tag, ((struct msg_sasl_step *)msg)->response,
			    true);
	}
}

/* The same stream goes back. */
static void
on_tls(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct msg_tls_fail no = { .class = TLS_FAIL_HANDSHAKE,
				   .text = STR("wrong version number") };
	struct msg_tls_up yes = { .protocol = STR("TLSv1.3"),
				  .exporter = STR("0123") };
	struct msg_tls_server *m = msg;
	struct bed *b = arg;

	(void)def;
	yes.fd = m->fd;
	if (b->tlsd_mode == PEER_WORKS) {
		chan_send(c, tag, &msg_tls_up_def, &yes);
	} else if (b->tlsd_mode == PEER_TEMP) {
		chan_send(c, tag, &msg_tls_fail_def, &no);
	} else if (b->tlsd_mode == PEER_DIES) {
		b->tlsd = NULL;
		chan_close(c);
	} else if (b->ncrowd < CROWD_MAX) { /* it shakes hands for ever */
		b->crowd[b->ncrowd++] = m->fd;
		m->fd = -1;
	}
}

static void
offer(struct bed *b, bool on)
{
	struct msg_tls_offer m = { .on = on };

	chan_send(b->tlsd, 0, &msg_tls_offer_def, &m);
	while (tls_client_offers(b->worker.tls) != on)
		loop_turn(&b->loop, false);
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
	b->secured = m->secured;
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

static void
on_tlsd_closed(struct chan *c, void *arg)
{
	(void)c;
	((struct bed *)arg)->tlsd = NULL;
}

static const struct chan_ops authd_ops = { on_auth, on_authd_closed },
			     spawner_ops = { on_start, on_spawner_closed },
			     tlsd_ops = { on_tls, on_tlsd_closed };

/* The asker's end. */
static int
play(struct bed *b, enum channel_id row, const struct chan_ops *ops,
     struct chan **c)
{
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	*c = chan_new(&b->loop, sv[1], &channels[row], CHAN_SERVICE, ops, b);
	return sv[0];
}

static struct asker *
play_asked(struct bed *b, enum channel_id row, const struct chan_ops *ops,
	   struct chan **c)
{
	return asker_new_fd(&b->loop, play(b, row, ops, c), &channels[row],
			    NULL, NULL);
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
		.mechanisms =
			STR("PLAIN LOGIN SCRAM-SHA-256-PLUS SCRAM-SHA-256"),
		.timeout_ms = 60000,
		.sessions = 100,
		.client_sessions = 3,
	};
	b->worker.authd = play_asked(b, CH_LOGIN_AUTHD, &authd_ops, &b->authd);
	b->worker.spawner =
		play_asked(b, CH_LOGIN_SPAWNER, &spawner_ops, &b->spawner);
	b->worker.tls = tls_client_new_fd(
		&b->loop, play(b, CH_LOGIN_TLSD, &tlsd_ops, &b->tlsd),
		&channels[CH_LOGIN_TLSD]);
	assert_non_null(b->worker.tls);
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
	tls_client_free(b->worker.tls);
	if (b->authd)
		chan_close(b->authd);
	if (b->spawner)
		chan_close(b->spawner);
	if (b->tlsd)
		chan_close(b->tlsd);
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

/* "imap", "pop3", "imaps" or "pop3s", and the client's address if it is not
 * 127.0.0.1. */
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
		    str_starts(name, STR("pop3")) ? &login_pop3 : &login_imap,
		    str_ends(name, STR("s")), sv[1], &peer, &self);
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
	if (str_eq(rest, STR("auth_mechanisms SCRAM-SHA-256"))) {
		b->worker.conf.mechanisms = STR("SCRAM-SHA-256");
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

/* What authd was told with the last mechanism. */
static void
sasl(const struct bed *b, struct script *s, struct str rest)
{
	char got[100];

	snprintf(got, sizeof(got), "%s secured=%d binding=%d cancelled=%u",
		 b->mech, b->sasl.secured, b->sasl.exporter.n > 0,
		 b->cancelled);
	if (!str_eq(str_of(got), rest))
		script_fail(s, "%s", got);
}

static void
tlsd(struct bed *b, struct script *s, struct str rest)
{
	if (str_eq(rest, STR("offers")))
		offer(b, true);
	else if (str_eq(rest, STR("withdraws")))
		offer(b, false);
	else
		b->tlsd_mode = mode(s, rest);
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
	else if (str_eq(verb, STR("tlsd")))
		tlsd(b, s, rest);
	else if (str_eq(verb, STR("sasl")))
		sasl(b, s, rest);
	else if (str_eq(verb, STR("secured")) && b->secured)
		;
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
