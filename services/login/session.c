/* SPDX-License-Identifier: ISC */
#include <stdio.h>
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

static const char *const state_names[] = { "READY",    "TLS",	  "SASL",
					   "CHECKING", "PENALTY", "STARTING",
					   "CLOSED" };

void
session_enter(struct session *s, enum login_state state)
{
	log_debug("%s: session %s: %s -> %s", s->proto->name, s->id,
		  state_names[s->state], state_names[state]);
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

/* tls_error: why there was no TLS, or NULL. */
static void
log_line_of(const struct session *s, const char *what, const char *tls_error)
{
	char rip[ADDR_TEXT_MAX], lip[ADDR_TEXT_MAX], user[USER_MAX + 1];
	char tls[TLS_TEXT_MAX + 32] = "";

	if (tls_error)
		snprintf(tls, sizeof(tls), " TLS handshaking: %s,", tls_error);
	else if (s->state == LOGIN_TLS)
		snprintf(tls, sizeof(tls), " TLS handshaking,");
	else if (s->tls)
		snprintf(tls, sizeof(tls), " TLS,");
	log_info("%s: %s: user=<%s>,%s%s%s rip=%s, lip=%s,%s session=<%s>",
		 s->proto->name, what, LOGQ(str_of(log_user(s, user))),
		 s->method[0] ? " method=" : "", s->method,
		 s->method[0] ? "," : "", addr_text(&s->peer, rip),
		 addr_text(&s->self, lip), tls, s->id);
}

static void
log_disconnect(const struct session *s, const char *why, const char *tls_error)
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
	log_line_of(s, what, tls_error);
}

void
session_row(const struct session *s, struct chan *c, uint32_t tag)
{
	uint64_t age = clock_mono_ms() - s->begin_ms;
	char client[ADDR_TEXT_MAX];
	struct msg_who_row row = {
		.service = (uint8_t)s->proto->service,
		.pid = (uint32_t)getpid(),
		.session = str_of(s->id),
		.client = str_of(addr_text_port(&s->peer, client)),
		.secured = s->tls != NULL,
		.since = (clock_wall_us() / 1000 - age) / 1000,
		.state = str_of(state_names[s->state]),
	};

	chan_send(c, tag, &msg_who_row_def, &row);
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
static void start_tls(struct session *s);

/* A stream of the client's text becomes the session's connection. */
static int
listen_to(struct session *s, int fd)
{
	s->conn = conn_new(s->w->loop, fd, LOGIN_INPUT_MAX, LOGIN_OUTPUT_MAX,
			   &conn_ops, s);
	if (!s->conn)
		return -1;
	conn_deadline(s->conn, time_left(s));
	return 0;
}

static void on_tls(void *arg, int fd, const struct tls_facts *facts,
		   unsigned class, const char *text);

/* TLS from the first byte.  tlsd is asked even if it offers nothing yet: after
 * a start it may be about to. */
static int
begin_tls(struct session *s, int fd)
{
	struct err err;

	session_enter(s, LOGIN_TLS);
	if (tls_client_start_fd(s->w->tls, fd, s->proto->tls, 0, time_left(s),
				on_tls, s, &s->tls_ask, &err) == 0)
		return 0;
	log_disconnect(s, NULL, err.text);
	return -1;
}

static struct session *
session_alloc(struct worker *w, const struct proto *proto)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->w = w;
	s->proto = proto;
	s->fd = -1;
	s->begin_ms = clock_mono_ms();
	list_init(&s->link);
	buf_init(&s->pending, LOGIN_INPUT_MAX);
	make_id(s->id);
	s->timer = evtimer_new(w->loop->base, on_penalty, s);
	if (!s->timer) {
		free(s);
		return NULL;
	}
	return s;
}

struct session *
session_new(struct worker *w, const struct proto *proto, bool implicit_tls,
	    struct client *client, int fd, const struct addr *peer,
	    const struct addr *self)
{
	struct session *s = session_alloc(w, proto);

	if (!s) {
		close(fd);
		return NULL;
	}
	s->client = client;
	s->peer = *peer;
	s->self = *self;
	s->secured = w->conf.plaintext_on_loopback && addr_is_loopback(peer) &&
		     addr_is_loopback(self);
	if ((implicit_tls ? begin_tls(s, fd) : listen_to(s, fd)) < 0) {
		event_free(s->timer);
		free(s);
		return NULL;
	}
	s->greets = implicit_tls;
	if (!implicit_tls)
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
	if (s->tls_ask)
		tls_client_cancel(s->w->tls, s->tls_ask);
	sasl_abandon(&s->sasl);
	free(s->tls);
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
	log_disconnect(s, why, NULL);
	session_enter(s, LOGIN_CLOSED);
	conn_close_drained(s->conn, LINGER_MS);
	s->conn = NULL;
	release(s);
}

void
session_evict(struct session *s)
{
	static const char why[] = "Too many connections";

	if (s->conn) {
		session_bye(s, SAY_BYE_BUSY, why);
		return;
	}
	log_disconnect(s, why, NULL);
	session_free(s);
}

void
session_quit(struct session *s)
{
	log_disconnect(s, "Logged out", NULL);
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

/* --- TLS ----------------------------------------------------------------- */

bool
session_offers_tls(const struct session *s)
{
	return !s->tls && s->w->tls && tls_client_offers(s->w->tls);
}

static void
tls_failed(struct session *s, const char *text)
{
	log_disconnect(s, NULL, text);
	release(s);
}

/* After STARTTLS was answered and dropped from the input. */
static void
start_tls(struct session *s)
{
	struct err err;

	if (tls_client_start(s->w->tls, &s->conn, s->proto->tls, 0,
			     time_left(s), on_tls, s, &s->tls_ask, &err) < 0)
		tls_failed(s, err.text);
}

/*
 * The session begins anew under TLS (RFC 9051 6.2.1, RFC 2595 4): what was said
 * before, by whomever, is forgotten.  Its limits are not.
 */
static void
on_tls(void *arg, int fd, const struct tls_facts *facts, unsigned class,
       const char *text)
{
	struct session *s = arg;

	(void)class;
	s->tls_ask = 0;
	if (fd < 0) {
		tls_failed(s, LOGQ(str_of(text)));
		return;
	}
	s->tls = malloc(sizeof(*s->tls));
	if (s->tls)
		*s->tls = *facts;
	else
		close(fd);
	if (!s->tls || listen_to(s, fd) < 0) {
		tls_failed(s, "out of memory");
		return;
	}
	s->secured = true;
	s->tag[0] = s->user[0] = s->method[0] = s->pop3_user[0] = '\0';
	s->continued = 0;
	s->utf8 = false;
	session_enter(s, LOGIN_READY);
	if (s->greets)
		s->proto->greet(s);
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
	if (s->state == LOGIN_TLS)
		start_tls(s);
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
	log_disconnect(s, why == CONN_STUCK ? "Output stuck" : NULL, NULL);
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

/* A new attempt to log in, no longer the one before. */
static void
begin_attempt(struct session *s, struct str method)
{
	size_t i;

	s->attempt_ms = clock_mono_ms();
	s->user[0] = '\0';
	(void)!str_copy(s->method, sizeof(s->method), method);
	for (i = 0; s->method[i]; i++)
		s->method[i] = ascii_upper(s->method[i]);
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

	begin_attempt(s, STR("PLAIN"));
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

/* --- SASL ---------------------------------------------------------------- */

void
session_mechanisms(const struct session *s, const char *prefix, struct buf *out)
{
	if (s->secured)
		(void)!sasl_announce(out, s->w->conf.mechanisms, true,
				     s->tls != NULL, prefix);
}

bool
session_offers(const struct session *s, struct str mech)
{
	struct buf list;
	bool offered;

	buf_init(&list, LOGIN_LINE_MAX);
	session_mechanisms(s, "", &list);
	offered = mech.n <= SASL_MECH_MAX &&
		  sasl_is_offered(buf_str(&list), mech);
	buf_fini(&list);
	return offered;
}

bool
session_takes_passwords(const struct session *s)
{
	return session_offers(s, STR("PLAIN"));
}

static void
on_sasl_more(void *arg, struct str challenge)
{
	struct session *s = arg;

	conn_writef(s->conn, "+ %.*s\r\n", STR_FMT(challenge));
	session_enter(s, LOGIN_SASL);
	conn_resume(s->conn);
}

static void
on_sasl_ok(void *arg, struct str user, struct str ticket)
{
	struct session *s = arg;

	(void)!str_copy(s->user, sizeof(s->user), user);
	start_user(s, ticket);
}

static void
on_sasl_fail(void *arg, const struct msg_auth_fail *why)
{
	struct session *s = arg;

	(void)!str_copy(s->user, sizeof(s->user), why->user);
	if (why->temp)
		say_temporary(s);
	else
		refuse(s);
}

static void
after_sasl_input(struct session *s, enum sasl_input got)
{
	if (got == SASL_ASKED)
		return;
	if (got == SASL_DOWN) {
		say_temporary(s);
		return;
	}
	s->errors++;
	s->proto->say(s, got == SASL_BAD ? SAY_SASL_BAD : SAY_SASL_CANCELLED);
	go_on(s);
}

void
session_sasl(struct session *s, struct str mech, struct str initial)
{
	static const struct sasl_events events = { on_sasl_more, on_sasl_ok,
						   on_sasl_fail };
	char rip[ADDR_TEXT_MAX];
	struct sasl_context context = { .service = (uint8_t)s->proto->service,
					.client = addr_text(&s->peer, rip),
					.secured = s->secured,
					.tls = s->tls };

	begin_attempt(s, mech);
	conn_pause(s->conn);
	session_enter(s, LOGIN_CHECKING);
	after_sasl_input(s, sasl_begin(&s->sasl, s->w->authd, &events, s,
				       &context, str_of(s->method), initial));
}

void
session_sasl_line(struct session *s, struct str line)
{
	s->attempt_ms = clock_mono_ms();
	conn_pause(s->conn);
	session_enter(s, LOGIN_CHECKING);
	after_sasl_input(s, sasl_line(&s->sasl, line));
}

/* --- handing over -------------------------------------------------------- */

/* It did not work: the connection is ours again. */
static bool
take_back(struct session *s)
{
	int fd = s->fd;

	s->fd = -1;
	if (listen_to(s, fd) < 0 ||
	    conn_preload(s->conn, buf_str(&s->pending)) < 0) {
		session_free(s);
		return false;
	}
	if (s->pending.n)
		explicit_bzero(s->pending.p, s->pending.n);
	buf_fini(&s->pending);
	return true;
}

static void
end_for_all(struct session *s)
{
	log_disconnect(s, "Internal error", NULL);
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
		log_line_of(s, "Login", NULL);
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
		.secured = s->tls != NULL,
		.session = str_of(s->id),
	};

	s->fd = conn_detach(s->conn, &s->pending);
	s->conn = NULL;
	if (s->fd < 0) {
		log_disconnect(s, NULL, NULL);
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
