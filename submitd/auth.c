/* SPDX-License-Identifier: ISC */
/* AUTH (RFC 4954): the words on the wire.  authd does the rest. */
#include "base/clock.h"
#include "base/log.h"
#include "receive/worker.h"
#include "submitd.h"

enum { TRIES_MAX = 3 };

static bool
is_secured(const struct session *s)
{
	return s->tls ||
	       (s->w->conf.plain_loopback && addr_is_loopback(&s->peer));
}

void
auth_mechs(struct session *s, char *to, size_t size)
{
	const struct receive_conf *c = &s->w->conf;
	struct buf b;

	to[0] = '\0';
	if (c->tls == RECEIVE_TLS_ENCRYPT && !s->tls)
		return;
	buf_init(&b, size - 2);
	if (sasl_announce(&b, c->mechs, is_secured(s), s->tls, "") == 0 && b.n)
		snprintf(to, size, " %.*s", STR_FMT(buf_str(&b)));
	buf_fini(&b);
}

/* --- what authd says ------------------------------------------------------ */

static void
on_more(void *arg, struct str challenge)
{
	session_challenge(arg, challenge);
}

static void
on_ok(void *arg, struct str user, struct str ticket)
{
	struct session *s = arg;

	(void)ticket; /* no process is started for the user */
	session_enter(s, SESSION_READY);
	if (user.n == 0 ||
	    !str_copy(s->login.user, sizeof(s->login.user), user)) {
		s->login.user[0] = '\0';
		session_answer(s, reply_now(454, "4.7.0",
					    "Temporary authentication "
					    "failure"));
		return;
	}
	session_answer(s, reply_now(235, "2.7.0", "Authentication successful"));
}

/* What is left of the time after which a failure is told. */
static unsigned
penalty(const struct session *s)
{
	uint64_t now = clock_mono_ms(),
		 end = s->login.asked + s->w->conf.failure_ms;

	return end > now ? (unsigned)(end - now) : 0;
}

static struct reply
temp_failure(struct session *s, struct str why)
{
	/* Words by which fail2ban knows that it was not the client. */
	log_warn("%s: SASL %s authentication failed: Connection lost to "
		 "authentication server (%s)",
		 s->who, s->login.mech, LOGQ(why));
	return reply_now(454, "4.7.0", "Temporary authentication failure");
}

static void
on_fail(void *arg, const struct msg_auth_fail *why)
{
	struct session *s = arg;
	struct reply r;

	session_enter(s, SESSION_READY);
	if (why->temp) {
		session_answer(s, temp_failure(s, why->text));
		return;
	}
	log_warn("%s: SASL %s authentication failed: %s, sasl_username=%s",
		 s->who, s->login.mech, LOGQ(why->text),
		 why->user.n ? LOGQ(why->user) : "(unavailable)");
	r = reply_now(535, "5.7.8", "Error: authentication failed");
	r.late_ms = penalty(s);
	if (++s->login.failed >= TRIES_MAX)
		r = reply_close(r);
	session_answer(s, r);
}

static const struct sasl_events events = { on_more, on_ok, on_fail };

/* --- what the client says ------------------------------------------------- */

static struct reply
answer(struct session *s, enum sasl_input in)
{
	if (in == SASL_ASKED)
		return reply_later();
	session_enter(s, SESSION_READY);
	if (in == SASL_CANCELLED)
		return reply_now(501, "5.7.0", "Authentication aborted");
	if (in == SASL_BAD)
		return reply_now(501, "5.5.2", "Error: cannot decode base64");
	return temp_failure(s, STR("authd cannot be asked"));
}

/* NULL: this connection may use it. */
static const struct reply *
refuse_mech(struct session *s, struct str mech)
{
	static const struct reply unknown = {
		.code = 504,
		.dsn = "5.5.4",
		.text = "Error: unrecognized authentication type",
	};
	static const struct reply plain = {
		.code = 538,
		.dsn = "5.7.11",
		.text = "Encryption required for requested authentication "
			"mechanism",
	};
	char mechs[140];

	auth_mechs(s, mechs, sizeof(mechs));
	if (mech.n > SASL_MECH_MAX)
		return &unknown;
	if (sasl_is_offered(str_of(mechs), mech))
		return NULL;
	return sasl_is_offered(s->w->conf.mechs, mech) ? &plain : &unknown;
}

/* For the log; it is no longer than one that is known. */
static void
note_mech(struct session *s, struct str mech)
{
	size_t i;

	for (i = 0; i < mech.n; i++)
		s->login.mech[i] = ascii_upper(mech.p[i]);
	s->login.mech[i] = '\0';
}

struct reply
auth_begin(struct session *s, struct str args)
{
	struct sasl_context c = {
		.service = SVC_SUBMITD,
		.client = s->ip,
		.secured = is_secured(s),
		.tls = s->tls,
	};
	const struct reply *no;
	struct str mech, initial;

	if (s->login.user[0]) /* RFC 4954 4 */
		return reply_now(503, "5.5.1", "Error: already authenticated");
	if (!s->esmtp)
		return reply_now(503, "5.5.1", "Error: send EHLO first");
	if (!str_token(&args, " \t", &mech))
		return reply_now(501, "5.5.4", "Syntax: AUTH mechanism");
	initial = str_trim(args);
	if (initial.n == 0)
		initial = STR_NULL;
	no = refuse_mech(s, mech);
	if (no)
		return *no;
	note_mech(s, mech);
	s->login.asked = clock_mono_ms();
	session_enter(s, SESSION_AUTH);
	return answer(s, sasl_begin(&s->login.sasl, s->w->authd, &events, s, &c,
				    str_of(s->login.mech), initial));
}

struct reply
auth_response(struct session *s, struct str line)
{
	s->login.asked = clock_mono_ms();
	return answer(s, sasl_line(&s->login.sasl, line));
}
