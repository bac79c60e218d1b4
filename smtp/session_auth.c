/* SPDX-License-Identifier: ISC */
#include "base/enc.h"
#include "base/log.h"
#include "session_impl.h"

enum {
	STEPS_MAX = 12,	     /* challenges in one login */
	RESPONSE_MAX = 9000, /* octets, 12,000 in base64: RFC 4954 4 */
	COMMAND_MAX = 512,   /* with CR LF; an initial response that would make
			      it longer is sent when asked for */
};

static void
failed(struct session *s, const char *why)
{
	struct fault f;

	f = words_own(s, DELIVER_TEMP, "4.7.0",
		      "SASL authentication failed; cannot authenticate to "
		      "server %s: %s",
		      s->who, why);
	session_ended(s, SESSION_NO_LOGIN, &f);
}

void
auth_fini(struct session *s)
{
	if (s->initial.p)
		explicit_bzero(s->initial.p, s->initial.size);
	buf_fini(&s->initial);
	sasl_free(s->sasl);
	s->sasl = NULL;
}

/* raw in base64 after prefix; "=" is the empty initial response. */
static void
say_response(struct session *s, const char *prefix, struct str raw,
	     const char *empty)
{
	struct buf b;

	buf_init(&b, 2 * RESPONSE_MAX);
	if (raw.n)
		(void)!enc_base64(&b, raw);
	else
		(void)!buf_add_c(&b, empty);
	if (buf_overflown(&b))
		failed(s, "the response is too long");
	else
		session_say_secret(s, prefix, buf_str(&b));
	if (b.p)
		explicit_bzero(b.p, b.size);
	buf_fini(&b);
}

void
auth_begin(struct session *s)
{
	struct err err;
	const char *mech;
	char command[64];

	if (!(s->offers & SESSION_AUTH_OFFER)) {
		failed(s, "the server does not offer authentication");
		return;
	}
	buf_init(&s->initial, RESPONSE_MAX);
	s->sasl = sasl_begin(&s->plan.set->sasl, str_of(s->auth), s->plan.host,
			     s->plan.user, s->plan.password, s->facts, &mech,
			     &s->initial, &s->has_initial, &err);
	if (!s->sasl) {
		failed(s, err.text);
		return;
	}
	session_enter(s, SESSION_AUTH);
	session_expect(s, s->plan.set->helo_ms);
	(void)snprintf(command, sizeof(command), "AUTH %s ", mech);
	if (s->has_initial &&
	    strlen(command) + (s->initial.n + 2) / 3 * 4 + 2 <= COMMAND_MAX) {
		s->has_initial = false;
		say_response(s, command, buf_str(&s->initial), "=");
	} else {
		session_say(s, "AUTH %s", mech);
	}
}

/* The words behind the code of the last line. */
static int
challenge(struct session *s, struct buf *out)
{
	struct str text = buf_str(&s->reply.text), line = STR("");

	while (smtpreply_line(&text, &line))
		;
	return s->reply.cut ? -1 : enc_unbase64(out, str_trim(line));
}

static void
answer_challenge(struct session *s)
{
	struct buf in, out;
	struct err err = { .text = "the challenge cannot be read" };

	buf_init(&in, SMTPREPLY_LINE_MAX);
	buf_init(&out, RESPONSE_MAX);
	if (++s->auth_steps > STEPS_MAX) {
		failed(s, "authentication protocol loop");
	} else if (s->has_initial && !s->auth_asked) {
		say_response(s, "", buf_str(&s->initial), "");
	} else if (challenge(s, &in) < 0 ||
		   sasl_next(s->sasl, buf_str(&in), &out, &err) < 0) {
		failed(s, err.text);
	} else {
		say_response(s, "", buf_str(&out), "");
	}
	s->auth_asked = true;
	if (out.p)
		explicit_bzero(out.p, out.size);
	buf_fini(&in);
	buf_fini(&out);
}

static void
refused(struct session *s)
{
	struct fault f;

	f = words_reply(s, s->plan.set->sasl.soft_bounce,
			"SASL authentication failed; server ", " said");
	session_ended(s, SESSION_NO_LOGIN, &f);
}

void
auth_reply(struct session *s)
{
	struct err err;

	switch (s->reply.code / 100) {
	case 3:
		session_expect(s, s->plan.set->helo_ms);
		answer_challenge(s);
		break;
	case 2:
		if (sasl_finish(s->sasl, &err) < 0) {
			failed(s, err.text);
			break;
		}
		explicit_bzero(s->plan.password, sizeof(s->plan.password));
		auth_fini(s);
		session_is_ready(s);
		break;
	default:
		refused(s);
		break;
	}
}
