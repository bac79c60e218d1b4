/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/rand.h"
#include "session.h"

enum { ASK_MS = 30000, LINGER_MS = 2000 };

static void on_input(struct conn *c, void *arg);
static void on_end(struct conn *c, void *arg, enum conn_end why);

static const struct conn_ops conn_ops = { on_input, NULL, on_end };

void
session_enter(struct session *s, enum login_state state)
{
	static const char *const names[] = { "READY",	"SASL",	    "CHECKING",
					     "PENALTY", "STARTING", "CLOSED" };

	log_debug("%s: session %s: %s -> %s", s->proto->name, s->id,
		  names[s->state], names[state]);
	s->state = state;
}

/* --- the log, in Dovecot's words ------------------------------------------ */

/* A name as it may stand between "<" and ">" on a line that fail2ban reads:
 * nothing in it can look like another field. */
static const char *
log_user(const struct session *s, char out[USER_MAX + 1])
{
	size_t i;

	for (i = 0; s->user[i]; i++)
		out[i] = strchr("<>,= ", s->user[i]) ? '?' : s->user[i];
	out[i] = '\0';
	return out;
}

static void
log_line_of(const struct session *s, const char *what)
{
	char rip[ADDR_TEXT_MAX], lip[ADDR_TEXT_MAX], user[USER_MAX + 1];

	log_info("%s: %s: user=<%s>,%s rip=%s, lip=%s, session=<%s>",
		 s->proto->name, what, LOGQ(str_of(log_user(s, user))),
		 s->user[0] ? " method=PLAIN," : "", addr_text(&s->peer, rip),
		 addr_text(&s->self, lip), s->id);
}

static void
log_disconnect(const struct session *s, const char *why)
{
	unsigned secs = (unsigned)((clock_mono_ms() - s->begin_ms) / 1000);
	char what[200];
	struct buf b;

	buf_init(&b, sizeof(what) - 1);
	(void)!buf_addf(&b, "Disconnected%s%s", why ? ": " : "",
			why ? why : "");
	if (s->attempts)
		(void)!buf_addf(&b, " (auth failed, %u attempts in %u secs)",
				s->attempts, secs);
	else if (s->tried_plaintext)
		(void)!buf_add_c(&b,
				 " (tried to use disallowed plaintext auth)");
	else
		(void)!buf_addf(&b, " (no auth attempts in %u secs)", secs);
	(void)!str_copy(what, sizeof(what), buf_str(&b));
	buf_fini(&b);
	log_line_of(s, what);
}

/* --- life ---------------------------------------------------------------- */

static unsigned
time_left(const struct session *s)
{
	uint64_t end = s->begin_ms + s->w->conf.timeout_ms;
	uint64_t now = clock_mono_ms();

	return now < end ? (unsigned)(end - now) : 1;
}

static void
make_id(char id[17])
{
	uint8_t raw[9];
	struct buf b;

	rand_bytes(raw, sizeof(raw));
	buf_init(&b, 16);
	(void)!enc_base64(&b, str_mem(raw, sizeof(raw)));
	(void)!str_copy(id, 17, buf_str(&b));
	buf_fini(&b);
}

static void on_penalty(evutil_socket_t fd, short what, void *arg);

struct session *
session_new(struct worker *w, const struct proto *proto, struct client *client,
	    int fd, const struct addr *peer, const struct addr *self)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	s->w = w;
	s->proto = proto;
	s->client = client;
	s->fd = -1;
	s->begin_ms = clock_mono_ms();
	s->peer = *peer;
	s->self = *self;
	s->plaintext = w->conf.plaintext_on_loopback &&
		       addr_is_loopback(peer) && addr_is_loopback(self);
	list_init(&s->link);
	buf_init(&s->pending, LOGIN_INPUT_MAX);
	make_id(s->id);
	s->timer = evtimer_new(w->loop->base, on_penalty, s);
	s->conn = conn_new(w->loop, fd, LOGIN_INPUT_MAX, LOGIN_OUTPUT_MAX,
			   &conn_ops, s);
	if (!s->timer || !s->conn) {
		if (s->timer)
			event_free(s->timer);
		if (s->conn)
			conn_close(s->conn);
		free(s);
		return NULL;
	}
	conn_deadline(s->conn, time_left(s));
	proto->greet(s);
	return s;
}

/* All but the connection, which is closed or given away already. */
static void
release(struct session *s)
{
	struct worker *w = s->w;
	struct client *client = s->client;

	if (s->ask)
		asker_cancel(s->asked, s->ask);
	if (s->fd >= 0)
		close(s->fd);
	if (s->pending.n)
		explicit_bzero(s->pending.p, s->pending.n);
	buf_fini(&s->pending);
	event_free(s->timer);
	list_remove(&s->link);
	free(s);
	worker_session_ended(w, client);
}

void
session_free(struct session *s)
{
	if (s->conn)
		conn_close(s->conn);
	s->conn = NULL;
	release(s);
}

void
session_bye(struct session *s, enum login_say what, const char *why)
{
	s->proto->say(s, what);
	log_disconnect(s, why);
	session_enter(s, LOGIN_CLOSED);
	conn_close_drained(s->conn, LINGER_MS);
	s->conn = NULL;
	release(s);
}

void
session_quit(struct session *s)
{
	log_disconnect(s, "Logged out");
	session_enter(s, LOGIN_CLOSED);
	conn_close_drained(s->conn, LINGER_MS);
	s->conn = NULL;
	release(s);
}

void
session_consume(struct session *s, size_t n)
{
	struct str in = conn_input(s->conn);

	explicit_bzero((void *)(uintptr_t)in.p, n < in.n ? n : in.n);
	conn_consume(s->conn, n);
}

/* --- input --------------------------------------------------------------- */

static void
on_input(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	while (s->state == LOGIN_READY || s->state == LOGIN_SASL) {
		/* The protocol may end the session: then it is gone, and the
		 * answer is false. */
		if (!s->proto->input(s))
			return;
		if (s->errors > LOGIN_ERRORS_MAX) {
			session_bye(s, SAY_BYE_ERRORS,
				    "Too many invalid commands");
			return;
		}
	}
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	struct session *s = arg;

	(void)c;
	if (why == CONN_DEADLINE) {
		session_bye(s, SAY_BYE_TIMEOUT, "Inactivity");
		return;
	}
	log_disconnect(s, why == CONN_STUCK ? "Output stuck" : NULL);
	session_free(s);
}

/* --- who is it ----------------------------------------------------------- */

static void
go_on(struct session *s)
{
	session_enter(s, LOGIN_READY);
	conn_resume(s->conn);
}

static void
say_no(struct session *s)
{
	s->attempts++;
	if (s->attempts >= LOGIN_ATTEMPTS_MAX) {
		s->proto->say(s, SAY_AUTH_FAILED);
		session_bye(s, SAY_BYE_FAILED, NULL);
		return;
	}
	s->proto->say(s, SAY_AUTH_FAILED);
	go_on(s);
}

static void
on_penalty(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	say_no(arg);
}

/* "No" is said a fixed time after the question, however long the answer took
 * to find. */
static void
refuse(struct session *s)
{
	uint64_t due = s->attempt_ms + s->w->conf.failure_ms;
	uint64_t now = clock_mono_ms();
	struct timeval tv = { 0, 0 };

	if (due > now) {
		tv.tv_sec = (time_t)((due - now) / 1000);
		tv.tv_usec = (suseconds_t)((due - now) % 1000 * 1000);
	}
	session_enter(s, LOGIN_PENALTY);
	evtimer_add(s->timer, &tv);
}

static void
say_temporary(struct session *s)
{
	s->proto->say(s, SAY_TEMPORARY);
	go_on(s);
}

static void start_user(struct session *s, struct str ticket);

static void
on_auth_reply(void *arg, const struct msg_def *def, void *msg)
{
	struct session *s = arg;

	s->ask = 0;
	if (def == &msg_auth_ok_def) {
		struct msg_auth_ok *m = msg;

		(void)!str_copy(s->user, sizeof(s->user), m->user);
		start_user(s, m->ticket);
	} else if (def == &msg_auth_fail_def &&
		   !((struct msg_auth_fail *)msg)->temp) {
		refuse(s);
	} else {
		say_temporary(s);
	}
}

void
session_login(struct session *s, struct str user, struct str password)
{
	char rip[ADDR_TEXT_MAX];
	struct msg_auth m = { .service = (uint8_t)s->proto->service,
			      .user = user,
			      .password = password,
			      .client = str_of(addr_text(&s->peer, rip)) };
	bool possible;

	s->attempt_ms = clock_mono_ms();
	possible = str_copy(s->user, sizeof(s->user), user) && user.n &&
		   str_find(user, '\r') < 0 && str_find(user, '\n') < 0 &&
		   password.n <= PASSWORD_MAX;
	conn_pause(s->conn);
	if (!possible) {
		refuse(s);
		return;
	}
	session_enter(s, LOGIN_CHECKING);
	s->asked = s->w->authd;
	s->ask = asker_send(s->asked, &msg_auth_def, &m, ASK_MS, on_auth_reply,
			    s);
	if (!s->ask)
		say_temporary(s);
}

/* --- handing over -------------------------------------------------------- */

/* It did not work: the connection is ours again. */
static bool
take_back(struct session *s)
{
	s->conn = conn_new(s->w->loop, s->fd, LOGIN_INPUT_MAX, LOGIN_OUTPUT_MAX,
			   &conn_ops, s);
	s->fd = -1;
	if (!s->conn || conn_preload(s->conn, buf_str(&s->pending)) < 0) {
		session_free(s);
		return false;
	}
	if (s->pending.n)
		explicit_bzero(s->pending.p, s->pending.n);
	buf_fini(&s->pending);
	conn_deadline(s->conn, time_left(s));
	return true;
}

static void
end_for_all(struct session *s)
{
	log_disconnect(s, "Internal error");
	session_enter(s, LOGIN_CLOSED);
	s->fd = conn_detach(s->conn, &s->pending);
	s->conn = NULL;
	if (s->fd >= 0)
		shutdown(s->fd, SHUT_RDWR);
	release(s);
}

static void
on_start_reply(void *arg, const struct msg_def *def, void *msg)
{
	struct session *s = arg;

	s->ask = 0;
	if (def == &msg_started_def) {
		log_line_of(s, "Login");
		session_enter(s, LOGIN_CLOSED);
		release(s);
		return;
	}
	if (def)
		log_warn("%s: user %s: not started: %s", s->proto->name,
			 LOGQ(str_of(s->user)),
			 LOGQ(((struct msg_spawn_fail *)msg)->text));
	if (!take_back(s))
		return;
	s->proto->say(s, SAY_UNAVAILABLE);
	if (def) {
		go_on(s);
		return;
	}
	/* Nobody knows whether a process has it as well.  Two must not read
	 * from one client: end the connection for both. */
	end_for_all(s);
}

static void
start_user(struct session *s, struct str ticket)
{
	char client[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
	struct msg_start m = {
		.service = (uint8_t)s->proto->service,
		.ticket = ticket,
		.tag = str_of(s->tag),
		.client = str_of(addr_text_port(&s->peer, client)),
		.local = str_of(addr_text_port(&s->self, local)),
	};

	s->fd = conn_detach(s->conn, &s->pending);
	s->conn = NULL;
	if (s->fd < 0) {
		log_disconnect(s, NULL);
		release(s);
		return;
	}
	session_enter(s, LOGIN_STARTING);
	m.pending = buf_str(&s->pending);
	m.fd = s->fd;
	s->asked = s->w->spawner;
	s->ask = asker_send(s->asked, &msg_start_def, &m, ASK_MS,
			    on_start_reply, s);
	if (s->ask)
		return;
	if (!take_back(s))
		return;
	s->proto->say(s, SAY_UNAVAILABLE);
	go_on(s);
}
