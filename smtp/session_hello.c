/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/log.h"
#include "session_impl.h"

/* Everything up to the first MAIL ends within this many times
 * smtp_helo_timeout. */
enum { HELLO_PHASE = 4 };

static void
refused(struct session *s, struct fault f)
{
	session_ended(s, SESSION_REFUSED, &f);
}

static void
refused_to_talk(struct session *s, bool soft)
{
	refused(s, words_reply(s, soft, "host ", " refused to talk to me"));
}

static void
expect_more_than(struct session *s)
{
	session_broken(s, "more than a reply");
}

/* --- TLS -------------------------------------------------------------------
 */

/* In Postfix's words, which pflogsumm counts. */
static void
log_tls(const struct session *s)
{
	const struct tls_facts *f = s->facts;
	static const char *const trust[] = {
		[TLS_PEER_NONE] = "Anonymous",
		[TLS_PEER_UNTRUSTED] = "Untrusted",
		[TLS_PEER_TRUSTED] = "Trusted",
		[TLS_PEER_VERIFIED] = "Verified",
	};
	struct buf b;

	if (s->plan.tls.loglevel == 0)
		return;
	buf_init(&b, 1000);
	(void)!buf_addf(&b, "%s with cipher %s (%u/%u bits)", f->protocol,
			f->cipher, f->bits, f->alg_bits);
	if (f->kex[0])
		(void)!buf_addf(&b, " key-exchange %s", f->kex);
	if (f->auth[0])
		(void)!buf_addf(&b, " server-signature %s", f->auth);
	if (f->hash[0])
		(void)!buf_addf(&b, " server-digest %s", f->hash);
	log_info("%s TLS connection %s to %s: %s", trust[f->peer],
		 f->resumed ? "reused" : "established", s->plan.relay,
		 buf_cstr(&b));
	buf_fini(&b);
}

static void
forget_offers(struct session *s)
{
	s->offers = 0;
	s->size_limit = 0;
	s->auth[0] = '\0';
}

static void say_hello(struct session *s);

static void
tls_failed(struct session *s, unsigned class, const char *text)
{
	struct fault f;

	log_info("SSL_connect error to %s: %s", s->plan.relay,
		 LOGQ(str_of(text)));
	if (class == TLS_FAIL_LOCAL) {
		session_fail_local(s, text);
		return;
	}
	if (class == TLS_FAIL_PEER)
		f = words_own(s, DELIVER_TEMP, "4.7.5", "%s", text);
	else
		f = words_own(s, DELIVER_TEMP, "4.7.5",
			      "Cannot start TLS: handshake failure");
	session_ended(s, SESSION_NO_TLS, &f);
}

static void
tls_up(struct session *s, int fd, const struct tls_facts *facts)
{
	s->facts = malloc(sizeof(*s->facts));
	if (session_attach(s, fd) < 0 || !s->facts) {
		session_fail_local(s, "out of memory");
		return;
	}
	*s->facts = *facts;
	log_tls(s);
	session_phase(s, (uint64_t)HELLO_PHASE * s->plan.set->helo_ms);
	if (s->plan.tls.wrapper) {
		session_enter(s, SESSION_GREETING);
		session_expect(s, s->plan.set->helo_ms);
	} else {
		say_hello(s);
	}
}

static void
on_tls(void *arg, int fd, const struct tls_facts *facts, unsigned class,
       const char *text)
{
	struct session *s = arg;

	session_hold(s);
	s->tls_tag = 0;
	if (fd < 0)
		tls_failed(s, class, text);
	else
		tls_up(s, fd, facts);
	session_release(s);
}

static void
start_tls(struct session *s)
{
	struct msg_tls_client ask;
	struct err err;
	struct fault f;

	forget_offers(s); /* said in clear text: RFC 3207 4.2 */
	session_enter(s, SESSION_HANDSHAKE);
	if (!s->tls) {
		session_fail_local(s, "TLS is not available");
		return;
	}
	tls_plan_ask(&s->plan.tls, &ask);
	if (tls_client_connect(s->tls, &s->conn, &ask, s->plan.tls.timeout_ms,
			       on_tls, s, &s->tls_tag, &err) == 0)
		return;
	if (err.class == ERR_TEMP) {
		session_fail_local(s, err.text);
		return;
	}
	f = words_own(s, DELIVER_TEMP, "4.7.0",
		      "host %s sent data in plain text after STARTTLS", s->who);
	log_warn("%s: possible attack: data in plain text after STARTTLS",
		 s->plan.relay);
	session_ended(s, SESSION_LOST, &f);
}

static bool
tls_is_required(const struct session *s)
{
	return s->plan.tls.level >= TLS_ENCRYPT;
}

static void
after_hello(struct session *s)
{
	uint8_t level = s->plan.tls.level;

	if (level == TLS_PLAN_NONE && s->plan.tls.note_offer && !s->facts &&
	    s->offers & SESSION_STARTTLS_OFFER)
		log_info("Host offered STARTTLS: [%s]", s->plan.host);
	if (level != TLS_PLAN_NONE && !s->facts) {
		if (s->offers & SESSION_STARTTLS_OFFER) {
			session_enter(s, SESSION_STARTTLS);
			session_say(s, "STARTTLS");
			session_expect(s, s->plan.tls.timeout_ms);
			return;
		}
		if (tls_is_required(s)) {
			refused(s, words_own(s, DELIVER_TEMP, "4.7.4",
					     "TLS is required, but was not "
					     "offered by host %s",
					     s->who));
			return;
		}
	}
	if (s->plan.has_auth)
		auth_begin(s);
	else
		session_is_ready(s);
}

static void
on_starttls(struct session *s)
{
	if (s->reply.code / 100 == 2) {
		start_tls(s);
	} else if (s->reply.code == 421) {
		refused_to_talk(s, true);
	} else if (tls_is_required(s)) {
		refused(s, words_reply(s, false, "TLS is required, but host ",
				       " refused to start TLS"));
	} else {
		/* RFC 3207 4: go on without. */
		s->offers &= ~(unsigned)SESSION_STARTTLS_OFFER;
		s->plan.tls.level = TLS_PLAN_NONE;
		after_hello(s);
	}
}

/* --- EHLO ------------------------------------------------------------------
 */

static void
add_auth(struct session *s, struct str words)
{
	size_t n = strlen(s->auth);

	words = str_trim(words);
	if (n + 1 + words.n + 1 > sizeof(s->auth))
		return; /* nobody has so many */
	if (n)
		s->auth[n++] = ' ';
	(void)!str_copy(s->auth + n, sizeof(s->auth) - n, words);
}

static void
take_keyword(struct session *s, struct str line)
{
	static const struct {
		const char *word;
		unsigned offer;
	} words[] = {
		{ "PIPELINING", SESSION_PIPELINING },
		{ "SIZE", SESSION_SIZE },
		{ "8BITMIME", SESSION_8BITMIME },
		{ "SMTPUTF8", SESSION_SMTPUTF8 },
		{ "DSN", SESSION_DSN },
		{ "CHUNKING", SESSION_CHUNKING },
		{ "STARTTLS", SESSION_STARTTLS_OFFER },
		{ "AUTH", SESSION_AUTH_OFFER },
	};
	struct str word;
	size_t i;

	/* "AUTH=LOGIN" comes from an old draft. */
	if (!str_token(&line, " =", &word))
		return;
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!str_ieq(word, str_of(words[i].word)) ||
		    s->plan.set->discard & words[i].offer)
			continue;
		s->offers |= words[i].offer;
		if (words[i].offer == SESSION_AUTH_OFFER)
			add_auth(s, str_from(line, 1));
		if (words[i].offer == SESSION_SIZE &&
		    (!str_token(&line, " ", &word) ||
		     str_u64(word, UINT64_MAX, &s->size_limit) < 0))
			s->size_limit = 0;
	}
}

static bool
is_myself(struct session *s, struct str line)
{
	struct str name;
	struct fault f;

	if (!s->plan.loop_detect || s->plan.lmtp ||
	    !str_token(&line, " ", &name) ||
	    !str_ieq(name, s->plan.set->myhostname))
		return false;
	log_warn("host %s replied to HELO/EHLO with my own hostname %.*s",
		 s->plan.relay, STR_FMT(s->plan.set->myhostname));
	f = words_own(s, s->plan.best_mx ? DELIVER_PERM : DELIVER_TEMP,
		      s->plan.best_mx ? "5.4.6" : "4.4.6",
		      "mail for %s loops back to myself", s->plan.nexthop);
	refused(s, f);
	return true;
}

static void
take_hello(struct session *s, bool extended)
{
	struct str text = buf_str(&s->reply.text), line;

	forget_offers(s);
	if (!smtpreply_line(&text, &line) || is_myself(s, line))
		return;
	while (extended && smtpreply_line(&text, &line))
		take_keyword(s, line);
	/* RFC 6531 3.1: who offers SMTPUTF8 must take 8 bits. */
	if (s->offers & SESSION_SMTPUTF8)
		s->offers |= SESSION_8BITMIME;
	if (conn_input(s->conn).n)
		expect_more_than(s);
	else
		after_hello(s);
}

static void
say_helo(struct session *s)
{
	session_enter(s, SESSION_HELO);
	session_say(s, "HELO %.*s", STR_FMT(s->plan.set->helo_name));
	session_expect(s, s->plan.set->helo_ms);
}

static void
say_hello(struct session *s)
{
	const struct settings *set = s->plan.set;

	if (!s->plan.lmtp && !s->facts &&
	    (set->never_ehlo || (!set->always_ehlo && !s->esmtp))) {
		say_helo(s);
		return;
	}
	session_enter(s, SESSION_EHLO);
	session_say(s, "%s %.*s", s->plan.lmtp ? "LHLO" : "EHLO",
		    STR_FMT(set->helo_name));
	session_expect(s, set->helo_ms);
}

/* --- the greeting ----------------------------------------------------------
 */

static void
on_greeting(struct session *s)
{
	const struct settings *set = s->plan.set;
	struct str text = buf_str(&s->reply.text), line, word;

	if (s->reply.code / 100 != 2) {
		refused_to_talk(s, set->skip_5xx_greeting);
		return;
	}
	if (conn_input(s->conn).n) {
		expect_more_than(s);
		return;
	}
	while (smtpreply_line(&text, &line))
		while (str_token(&line, " ", &word))
			if (str_ieq(word, STR("ESMTP")))
				s->esmtp = true;
	say_hello(s);
}

void
hello_begin(struct session *s)
{
	const struct settings *set = s->plan.set;

	session_phase(s, (uint64_t)HELLO_PHASE * set->helo_ms);
	session_expect(s, set->helo_ms);
	if (s->plan.tls.wrapper)
		session_soon(s);
}

void
hello_wrapped(struct session *s)
{
	if (s->plan.tls.wrapper && !s->facts)
		start_tls(s);
}

void
hello_reply(struct session *s)
{
	bool ok = s->reply.code / 100 == 2;

	switch (s->state) {
	case SESSION_GREETING:
		on_greeting(s);
		break;
	case SESSION_EHLO:
		if (ok)
			take_hello(s, true);
		else if (s->plan.lmtp || s->reply.code == 421)
			refused_to_talk(s, false);
		else if (conn_input(s->conn).n)
			expect_more_than(s);
		else
			say_helo(s);
		break;
	case SESSION_HELO:
		if (ok)
			take_hello(s, false);
		else
			refused_to_talk(s, false);
		break;
	default:
		on_starttls(s);
		break;
	}
}
