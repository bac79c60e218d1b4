/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "receive/tls.h"
#include "receive/worker.h"

bool
tls_is_offered(const struct session *s)
{
	return s->w->tls && !s->local && !s->tls &&
	       !(s->w->conf.ehlo & EHLO_NO_STARTTLS) &&
	       tls_client_offers(s->w->tls);
}

struct reply
cmd_starttls(struct session *s, struct str args)
{
	struct reply r;

	if (args.n) /* RFC 3207 4 */
		return reply_now(501, "5.5.4", "Syntax: STARTTLS");
	if (s->tls)
		return reply_now(554, "5.5.1", "Error: TLS already active");
	if (!s->w->tls || s->local || s->w->conf.ehlo & EHLO_NO_STARTTLS)
		return reply_now(502, "5.5.1",
				 "Error: command not implemented");
	if (!tls_is_offered(s))
		return reply_now(454, "4.7.0",
				 "TLS not available due to local problem");
	r = reply_now(220, "2.0.0", "Ready to start TLS");
	r.then = REPLY_TLS;
	return r;
}

/* In Postfix's words, which pflogsumm counts. */
static void
log_summary(const struct session *s)
{
	const struct tls_facts *f = s->tls;
	static const char *const trust[] = {
		[TLS_PEER_NONE] = "Anonymous",
		[TLS_PEER_UNTRUSTED] = "Untrusted",
		[TLS_PEER_TRUSTED] = "Trusted",
	};
	struct buf b;

	if (s->w->conf.tls_loglevel == 0)
		return;
	buf_init(&b, 1000);
	(void)!trace_tls(&b, f, " ");
	log_info("%s TLS connection %s from %s%s%s: %.*s", trust[f->peer],
		 f->resumed ? "reused" : "established", s->who,
		 f->sni[0] ? " to " : "", LOGQ(str_of(f->sni)),
		 STR_FMT(buf_str(&b)));
	buf_fini(&b);
}

static void
fail(struct session *s, const char *why)
{
	log_info("SSL_accept error from %s: %s", s->who, LOGQ(str_of(why)));
	session_lost(s);
}

static void
on_done(void *arg, int fd, const struct tls_facts *facts, unsigned class,
	const char *text)
{
	struct session *s = arg;

	(void)class;
	s->tls_tag = 0;
	if (fd < 0) {
		fail(s, text);
		return;
	}
	s->tls = malloc(sizeof(*s->tls));
	if (!s->tls) {
		close(fd);
		fail(s, "out of memory");
		return;
	}
	*s->tls = *facts;
	log_summary(s);
	session_tls_up(s, fd);
}

int
tls_begin_fd(struct session *s, int fd)
{
	const struct receive_conf *c = &s->w->conf;
	struct err err;

	session_enter(s, SESSION_TLS);
	s->pending = true;
	s->deadline = clock_mono_ms() + c->timeout_ms; /* for make_room() */
	if (tls_client_start_fd(s->w->tls, fd, s->w->r->use, c->tls_ccert,
				c->tls_timeout_ms, on_done, s, &s->tls_tag,
				&err) == 0)
		return 0;
	log_warn("%s: %s", s->who, err.text);
	return -1;
}

bool
tls_begin(struct session *s)
{
	const struct receive_conf *c = &s->w->conf;
	struct err err;

	session_forget(s);
	session_enter(s, SESSION_TLS);
	s->pending = true;
	s->deadline = clock_mono_ms() + c->timeout_ms; /* for make_room() */
	if (tls_client_start(s->w->tls, &s->conn, s->w->r->use, c->tls_ccert,
			     c->tls_timeout_ms, on_done, s, &s->tls_tag,
			     &err) == 0)
		return true;
	fail(s, err.text);
	return false;
}
