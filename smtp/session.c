/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "session_impl.h"

enum {
	IN_MAX = 16 * 1024, /* replies are taken apart as they come */
	OUT_MAX = 512 * 1024,
	WORDS_MAX = 4096,
	QUIT_LINGER_MS = 5000, /* until QUIT has left */
};

static void on_input(struct conn *c, void *arg);
static void on_drained(struct conn *c, void *arg);
static void on_end(struct conn *c, void *arg, enum conn_end why);

static const struct conn_ops conn_ops = {
	.on_input = on_input,
	.on_drained = on_drained,
	.on_end = on_end,
};

void
session_enter(struct session *s, enum session_state st)
{
	static const char *const names[] = {
		[SESSION_GREETING] = "greeting",
		[SESSION_EHLO] = "ehlo",
		[SESSION_HELO] = "helo",
		[SESSION_STARTTLS] = "starttls",
		[SESSION_HANDSHAKE] = "handshake",
		[SESSION_AUTH] = "auth",
		[SESSION_READY] = "ready",
		[SESSION_MAIL] = "mail",
		[SESSION_QUIT] = "quit",
	};

	log_debug("%s: %s -> %s", s->plan.relay, names[s->state], names[st]);
	s->state = st;
}

/* --- life ------------------------------------------------------------------
 */

void
session_hold(struct session *s)
{
	s->depth++;
}

static void
destroy(struct session *s)
{
	auth_fini(s);
	mail_fini(s);
	if (s->again)
		event_free(s->again);
	explicit_bzero(s->plan.password, sizeof(s->plan.password));
	smtpreply_fini(&s->reply);
	buf_fini(&s->words);
	buf_fini(&s->dialog);
	free(s->facts);
	free(s);
}

void
session_release(struct session *s)
{
	if (--s->depth == 0 && s->dead)
		destroy(s);
}

void
session_free(struct session *s)
{
	if (!s || s->dead)
		return;
	s->dead = true;
	if (s->tls_tag)
		tls_client_cancel(s->tls, s->tls_tag);
	s->tls_tag = 0;
	if (s->conn)
		conn_close(s->conn);
	s->conn = NULL;
	if (!s->depth)
		destroy(s);
}

static void
name_server(struct session *s)
{
	struct str relay = str_of(s->plan.relay);
	ptrdiff_t bracket = str_rfind(relay, ']');

	if (bracket >= 0)
		relay = str_head(relay, (size_t)bracket + 1);
	(void)!str_copy(s->who, sizeof(s->who), relay);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	session_hold(s);
	if (s->state == SESSION_MAIL && s->conn)
		mail_push(s);
	else if (s->state == SESSION_GREETING && s->conn)
		hello_wrapped(s);
	session_release(s);
}

void
session_soon(struct session *s)
{
	event_active(s->again, EV_TIMEOUT, 0);
}

struct session *
session_new(struct loop *l, int fd, const struct session_plan *plan,
	    struct tls_client *tls, const struct session_ops *ops, void *arg)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	s->loop = l;
	s->tls = tls;
	s->ops = ops;
	s->arg = arg;
	s->opened_ms = clock_mono_ms();
	s->plan = *plan;
	name_server(s);
	smtpreply_init(&s->reply);
	buf_init(&s->words, WORDS_MAX);
	buf_init(&s->dialog, SEND_DIALOG_MAX);
	mail_init(s);
	s->again = event_new(l->base, -1, EV_TIMEOUT, on_again, s);
	if (session_attach(s, fd) < 0 || !s->again) {
		session_free(s);
		return NULL;
	}
	hello_begin(s);
	return s;
}

int
session_attach(struct session *s, int fd)
{
	s->conn = conn_new(s->loop, fd, IN_MAX, OUT_MAX, &conn_ops, s);
	return s->conn ? 0 : -1;
}

/* --- deadlines -------------------------------------------------------------
 */

static void
arm(struct session *s)
{
	uint64_t now = clock_mono_ms(), by = s->reply_by;

	if (!s->conn)
		return;
	if (s->phase_by && (!by || s->phase_by < by))
		by = s->phase_by;
	if (!by)
		conn_deadline(s->conn, 0);
	else
		conn_deadline(s->conn, by > now ? (unsigned)(by - now) : 1);
}

void
session_expect(struct session *s, unsigned ms)
{
	s->reply_by = ms ? clock_mono_ms() + ms : 0;
	arm(s);
}

void
session_phase(struct session *s, uint64_t ms)
{
	s->phase_by = ms ? clock_mono_ms() + ms : 0;
	arm(s);
}

/* --- talking ---------------------------------------------------------------
 */

struct buf *
session_line(struct session *s, size_t *at)
{
	struct buf *out = conn_out(s->conn);

	*at = out->n;
	return out;
}

void
session_line_end(struct session *s, size_t at)
{
	struct buf *out = conn_out(s->conn);

	if (!buf_overflown(out))
		dialog_add(s, '>', str_from(buf_str(out), at));
	(void)!buf_add_c(out, "\r\n");
}

void
session_say(struct session *s, const char *fmt, ...)
{
	size_t at;
	struct buf *out = session_line(s, &at);
	va_list ap;

	va_start(ap, fmt);
	(void)!buf_vaddf(out, fmt, ap);
	va_end(ap);
	session_line_end(s, at);
}

void
session_say_secret(struct session *s, const char *prefix, struct str secret)
{
	char shown[80];

	(void)snprintf(shown, sizeof(shown), "%s[%zu octets]", prefix,
		       secret.n);
	dialog_add(s, '>', str_of(shown));
	(void)!conn_write(s->conn, str_of(prefix));
	(void)!conn_write(s->conn, secret);
	(void)!conn_write(s->conn, STR("\r\n"));
}

static void
show_reply(struct session *s)
{
	struct str rest = buf_str(&s->reply.text), line;

	if (s->state == SESSION_AUTH && s->reply.code / 100 == 3) {
		dialog_add(s, '<', STR("334 [...]"));
		return;
	}
	while (str_cut(&rest, '\n', &line))
		dialog_add(s, '<', line);
	dialog_add(s, '<', rest);
}

static void
on_reply(struct session *s)
{
	show_reply(s);
	switch (s->state) {
	case SESSION_GREETING:
	case SESSION_EHLO:
	case SESSION_HELO:
	case SESSION_STARTTLS:
		hello_reply(s);
		break;
	case SESSION_AUTH:
		auth_reply(s);
		break;
	case SESSION_MAIL:
		mail_reply(s);
		break;
	case SESSION_QUIT:
	case SESSION_READY:
	case SESSION_HANDSHAKE:
		session_free(s);
		break;
	}
}

static void
on_input(struct conn *c, void *arg)
{
	struct session *s = arg;
	enum smtpreply_result r;
	size_t used;

	session_hold(s);
	while (!s->dead && s->conn == c && conn_input(c).n) {
		used = smtpreply_feed(&s->reply, conn_input(c), &r);
		conn_consume(c, used);
		if (r == SMTPREPLY_BROKEN) {
			session_broken(s, s->reply.fault);
		} else if (s->state == SESSION_READY) {
			/* "421 Idle too long", or what nobody asked for. */
			session_lost(s, CONN_EOF);
		} else if (r == SMTPREPLY_DONE) {
			on_reply(s);
			smtpreply_reset(&s->reply);
		}
	}
	session_release(s);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	/* In the next turn: a fast reader must not keep the others waiting. */
	if (s->state == SESSION_MAIL && mail_has_more(s))
		session_soon(s);
}

/* --- ends ------------------------------------------------------------------
 */

void
session_ended(struct session *s, enum session_end why, const struct fault *f)
{
	if (s->state == SESSION_QUIT) {
		session_free(s);
		return;
	}
	if (s->txn.l)
		mail_fail(s, f);
	session_hold(s);
	s->ops->end(s->arg, why, f);
	if ((why == SESSION_REFUSED || why == SESSION_NO_LOGIN) && s->conn)
		(void)!conn_write(s->conn, STR("QUIT\r\n"));
	session_free(s);
	session_release(s);
}

static const char *
doing(const struct session *s)
{
	switch (s->state) {
	case SESSION_GREETING:
		return "receiving the initial server greeting";
	case SESSION_EHLO:
		return s->plan.lmtp ? "performing the LHLO handshake"
				    : "performing the EHLO handshake";
	case SESSION_HELO:
		return "performing the HELO handshake";
	case SESSION_STARTTLS:
	case SESSION_HANDSHAKE:
		return "receiving the STARTTLS response";
	case SESSION_AUTH:
		return "performing SASL authentication";
	case SESSION_MAIL:
		return mail_doing(s);
	case SESSION_READY:
	case SESSION_QUIT:
		break;
	}
	return "being idle";
}

void
session_lost(struct session *s, enum conn_end why)
{
	bool late = why == CONN_DEADLINE || why == CONN_STUCK;
	struct fault f;

	f = words_own(s, DELIVER_TEMP, "4.4.2",
		      late ? "conversation with %s timed out while %s"
			   : "lost connection with %s while %s",
		      s->who, doing(s));
	if (s->state == SESSION_MAIL && s->uses > 1 && !s->txn.answered &&
	    !late)
		session_ended(s, SESSION_STALE, &f);
	else
		session_ended(s, SESSION_LOST, &f);
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	struct session *s = arg;

	(void)c;
	session_hold(s);
	session_lost(s, why);
	session_release(s);
}

void
session_broken(struct session *s, const char *what)
{
	struct fault f;

	f = words_own(s, DELIVER_TEMP, "4.5.0",
		      "protocol error: host %s sent %s while %s", s->who, what,
		      doing(s));
	session_ended(s, SESSION_LOST, &f);
}

void
session_fail_local(struct session *s, const char *text)
{
	struct fault f;

	f = words_own(s, DELIVER_TEMP, "4.3.0",
		      "local data error while talking to %s: %s", s->who, text);
	session_ended(s, SESSION_LOCAL, &f);
}

/* --- what the owner sees ---------------------------------------------------
 */

void
session_is_ready(struct session *s)
{
	if (conn_input(s->conn).n) {
		session_broken(s, "more than a reply");
		return;
	}
	session_enter(s, SESSION_READY);
	session_phase(s, 0);
	session_expect(s, 0);
	s->ops->ready(s->arg);
}

void
session_txn_done(struct session *s, bool reusable)
{
	const struct session_ops *ops = s->ops;
	void *arg = s->arg;

	/* What was not asked for would answer the next command. */
	if (conn_input(s->conn).n)
		reusable = false;
	session_enter(s, SESSION_READY);
	session_phase(s, 0);
	session_expect(s, 0);
	session_hold(s);
	ops->done(arg, reusable);
	if (!reusable && !s->dead)
		session_quit(s);
	session_release(s);
}

void
session_send(struct session *s, struct letter *l, const uint32_t *rcpts,
	     uint32_t n)
{
	BUG_ON(s->state != SESSION_READY);
	session_hold(s);
	s->uses++;
	mail_begin(s, l, rcpts, n);
	session_release(s);
}

void
session_set_owner(struct session *s, const struct session_ops *ops, void *arg)
{
	s->ops = ops;
	s->arg = arg;
}

void
session_quit(struct session *s)
{
	const struct settings *set = s->plan.set;

	if (s->dead)
		return;
	if (!s->conn || s->state == SESSION_QUIT ||
	    s->state == SESSION_GREETING || s->txn.l || s->doubt) {
		session_free(s);
		return;
	}
	session_enter(s, SESSION_QUIT);
	session_say(s, "QUIT");
	if (set->skip_quit_response) {
		conn_close_drained(s->conn, QUIT_LINGER_MS);
		s->conn = NULL;
		session_free(s);
		return;
	}
	session_phase(s, 0);
	session_expect(s, set->quit_ms);
}

unsigned
session_uses(const struct session *s)
{
	return s->uses;
}

uint64_t
session_opened_ms(const struct session *s)
{
	return s->opened_ms;
}
