/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "session_bed.h"

enum { PATIENCE_MS = 20000, QUIET_MS = 30 };

/* --- the letter ------------------------------------------------------------
 */

struct letter *
bed_letter(const struct bed_letter *from)
{
	struct msg_send m = {
		.id = STR("4F2abc"),
		.transport = STR("smtp"),
		.nexthop = STR("example.com"),
		.sender = str_of(from->sender ? from->sender : ""),
		.flags = from->flags,
		.ret = from->ret,
		.envid = str_of(from->envid ? from->envid : ""),
		.header = str_of(from->header ? from->header : ""),
		.body_fd = from->body_fd ? from->body_fd : -1,
		.body_len = from->body_len,
	};
	struct letter *l = NULL;
	struct msg_send_rcpt r;
	struct err err;
	char name[300];
	struct buf b;
	uint32_t n;

	if (from->body)
		m.body = from->body_n ? str_mem(from->body, from->body_n)
				      : str_of(from->body);
	buf_init(&b, 1u << 20);
	for (n = 0; n < 8 && from->rcpts[n].address; n++) {
		r = (struct msg_send_rcpt){
			.slot = n,
			.address = str_of(from->rcpts[n].address),
			.orcpt = str_of(from->rcpts[n].orcpt
						? from->rcpts[n].orcpt
						: ""),
			.notify = from->rcpts[n].notify,
		};
		if (msg_list_add(&b, &msg_send_rcpt_def, &r, &err) < 0)
			goto out;
	}
	for (; n < from->many; n++) {
		(void)snprintf(name, sizeof(name), "r%0200u@a.test", n);
		r = (struct msg_send_rcpt){ .slot = n,
					    .address = str_of(name) };
		if (msg_list_add(&b, &msg_send_rcpt_def, &r, &err) < 0)
			goto out;
	}
	m.rcpts = msg_list_of(&b, n, &msg_send_rcpt_def);
	l = letter_new(&m);
out:
	buf_fini(&b);
	return l;
}

const char *
bed_result(const struct bed *b, uint32_t i, char text[1024])
{
	static const char *const classes[] = { "OK", "TEMP", "PERM" };
	const struct letter_rcpt *r = &b->letter->rcpts[i];

	if (!r->has_result)
		return "none";
	(void)snprintf(text, 1024, "%s%s %.*s %.*s", r->settled ? "" : "*",
		       classes[r->result.class], STR_FMT(r->result.dsn),
		       STR_FMT(r->result.text));
	return text;
}

/* --- the owner -------------------------------------------------------------
 */

static void
event(struct bed *b, const char *text)
{
	size_t n = strlen(b->events);

	(void)snprintf(b->events + n, sizeof(b->events) - n, "%s%s",
		       n ? " " : "", text);
}

static void
send_all(struct bed *b)
{
	uint32_t *all = calloc(b->letter->nrcpts, sizeof(*all)), i;

	if (!all)
		abort();
	for (i = 0; i < b->letter->nrcpts; i++)
		all[i] = i;
	session_send(b->session, b->letter, all, i);
	free(all);
}

static void
on_ready(void *arg)
{
	struct bed *b = arg;

	event(b, "ready");
	send_all(b);
}

static void
keep_dialog(struct bed *b)
{
	(void)!str_copy(b->dialog, sizeof(b->dialog),
			session_dialog(b->session));
}

static void
on_done(void *arg, bool reusable)
{
	struct bed *b = arg;

	event(b, reusable ? "done" : "done-closed");
	keep_dialog(b);
	if (reusable && b->sends > 1) {
		if (--b->sends == 1 && b->last) {
			letter_free(b->letter);
			b->letter = bed_letter(b->last);
		}
		send_all(b);
		return;
	}
	if (reusable)
		session_quit(b->session);
	b->session = NULL;
}

static void
on_end(void *arg, enum session_end why, const struct fault *f)
{
	static const char *const names[] = {
		[SESSION_LOST] = "lost",     [SESSION_REFUSED] = "refused",
		[SESSION_NO_TLS] = "no-tls", [SESSION_LOCAL] = "local",
		[SESSION_STALE] = "stale",   [SESSION_NO_LOGIN] = "no-login",
	};
	static const char *const classes[] = { "OK", "TEMP", "PERM" };
	struct bed *b = arg;
	char text[800];

	(void)snprintf(text, sizeof(text), "%s(%s %.*s %.*s)", names[why],
		       classes[f->class], STR_FMT(f->dsn), STR_FMT(f->text));
	event(b, text);
	keep_dialog(b);
	b->session = NULL;
}

static const struct session_ops ops = {
	.ready = on_ready,
	.done = on_done,
	.end = on_end,
};

/* --- tlsd -------------------------------------------------------------------
 */

static void
on_tls_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	const struct msg_tls_client *m = msg;
	const struct msg_tls_up up = {
		.fd = m->fd,
		.protocol = STR("TLSv1.3"),
		.cipher = STR("TLS_AES_256_GCM_SHA384"),
		.bits = 256,
		.alg_bits = 256,
		.peer = TLS_PEER_TRUSTED,
	};
	struct msg_tls_fail no = { .class = TLS_FAIL_HANDSHAKE,
				   .text = STR("no shared cipher") };
	struct bed *b = arg;

	(void)def;
	if (b->tlsd_does == BED_TLSD_DIES) {
		b->tlsd = NULL;
		chan_close(c);
	} else if (b->tlsd_does == BED_TLS_WORKS) {
		chan_send(c, tag, &msg_tls_up_def, &up);
	} else {
		if (b->tlsd_does == BED_TLS_UNTRUSTED) {
			no.class = TLS_FAIL_PEER;
			no.text = STR("Server certificate not trusted");
		}
		chan_send(c, tag, &msg_tls_fail_def, &no);
	}
}

static void
on_tls_close(struct chan *c, void *arg)
{
	struct bed *b = arg;

	(void)c;
	b->tlsd = NULL;
}

static void
start_tlsd(struct bed *b)
{
	static const struct chan_ops tls_ops = { on_tls_msg, on_tls_close };
	const struct chan_row *row = &channels[CH_SMTP_TLSD];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) < 0)
		abort();
	b->tlsd = chan_new(&b->loop, fds[1], row, CHAN_SERVICE, &tls_ops, b);
	b->tls = tls_client_new_fd(&b->loop, fds[0], row);
}

/* --- the server ------------------------------------------------------------
 */

static bool
fail(struct bed *b, const char *what, struct str line)
{
	(void)snprintf(b->why, sizeof(b->why), "%s: \"%.*s\", but \"%.*s\"",
		       what, STR_FMT(line),
		       (int)(b->in.n < 200 ? b->in.n : 200), b->in.p);
	return false;
}

void
bed_turn(struct bed *b)
{
	struct pollfd p = { .fd = b->server, .events = POLLIN };
	char piece[65536];
	ssize_t n;

	loop_turn(&b->loop, false);
	if (b->server < 0 || b->deaf || poll(&p, 1, b->patient) <= 0)
		return;
	n = recv(b->server, piece, sizeof(piece), MSG_DONTWAIT);
	if (n > 0)
		(void)!buf_add(&b->in, piece, (size_t)n);
}

/* Turns until the client has said s; false: it did not. */
static bool
await(struct bed *b, struct str s, size_t *at)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;
	ptrdiff_t found;

	do {
		found = str_search(buf_str(&b->in), s);
		if (found >= 0) {
			*at = (size_t)found;
			return true;
		}
		bed_turn(b);
	} while (clock_mono_ms() < until);
	return false;
}

static struct str
unescape(struct str s, struct buf *out)
{
	size_t i;
	char c;

	buf_reset(out);
	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '\\' && i + 1 < s.n) {
			c = s.p[++i];
			c = (char)(c == 'r'   ? '\r'
				   : c == 'n' ? '\n'
				   : c == '0' ? 0
					      : c);
		}
		(void)!buf_add_byte(out, c);
	}
	return buf_str(out);
}

void
bed_say(struct bed *b, struct str s)
{
	ssize_t n;

	while (s.n) {
		n = send(b->server, s.p, s.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			s = str_from(s, (size_t)n);
		else if (!b->session)
			return;
		bed_turn(b);
	}
}

static bool
hear(struct bed *b, struct str want, bool prefix)
{
	struct str got;
	size_t at;
	bool ok;

	if (!await(b, STR("\r\n"), &at))
		return fail(b, "the client should say", want);
	got = str_head(buf_str(&b->in), at);
	ok = prefix ? str_starts(got, want) : str_eq(got, want);
	if (!ok)
		return fail(b, "the client should say", want);
	buf_drop(&b->in, at + 2);
	return true;
}

static bool
hear_octets(struct bed *b, struct str want)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	while (b->in.n < want.n && clock_mono_ms() < until)
		bed_turn(b);
	if (!str_starts(buf_str(&b->in), want))
		return fail(b, "the client should send", want);
	buf_drop(&b->in, want.n);
	return true;
}

static bool
hear_body(struct bed *b, struct str want)
{
	size_t at;

	if (want.n == 0)
		return hear_octets(b, STR(".\r\n"));
	if (!await(b, STR("\r\n.\r\n"), &at))
		return fail(b, "the text should end", want);
	if (!str_eq(str_head(buf_str(&b->in), at + 2), want))
		return fail(b, "the text should be", want);
	buf_drop(&b->in, at + 5);
	return true;
}

static bool
hear_nothing(struct bed *b)
{
	uint64_t until = clock_mono_ms() + QUIET_MS;

	while (clock_mono_ms() < until)
		bed_turn(b);
	return b->in.n == 0 || fail(b, "the client should wait", STR(""));
}

static bool
swallow_chunks(struct bed *b)
{
	struct str line, word;
	bool last = false;
	uint64_t n;
	size_t at;

	while (!last) {
		if (!await(b, STR("\r\n"), &at))
			return fail(b, "a chunk should come", STR(""));
		line = str_head(buf_str(&b->in), at);
		if (!str_token(&line, " ", &word) ||
		    !str_eq(word, STR("BDAT")) ||
		    !str_token(&line, " ", &word) ||
		    str_u64(word, 1u << 20, &n) < 0)
			return fail(b, "BDAT should come", STR(""));
		last = str_eq(line, STR(" LAST"));
		buf_drop(&b->in, at + 2);
		while (b->in.n < n && b->session)
			bed_turn(b);
		if (b->in.n < n)
			return fail(b, "the chunk should come", STR(""));
		buf_drop(&b->in, n);
		b->swallowed += n;
		bed_say(b, STR("250 ok\r\n"));
	}
	return true;
}

static bool
swallow(struct bed *b)
{
	size_t at;

	if (!await(b, STR("\r\n"), &at))
		return fail(b, "a text should come", STR(""));
	if (str_starts(buf_str(&b->in), STR("BDAT ")))
		return swallow_chunks(b);
	if (!await(b, STR("\r\n.\r\n"), &at))
		return fail(b, "the text should end", STR(""));
	b->swallowed = at + 5;
	buf_drop(&b->in, b->swallowed);
	return true;
}

static void
drip(struct bed *b, struct str s)
{
	size_t i;

	for (i = 0; i < s.n && b->session; i++) {
		bed_say(b, str_mem(s.p + i, 1));
		bed_turn(b);
	}
}

static void
flood(struct bed *b, struct str count)
{
	uint64_t n = 0, i;
	struct str piece = STR("220-and so on, and so on, and so on...\r\n");

	(void)!str_u64(count, 1u << 30, &n);
	for (i = 0; i < n && b->session; i += piece.n)
		bed_say(b, piece);
}

void
bed_hang_up(struct bed *b, bool reset)
{
	struct linger linger = { 1, 0 };

	if (reset)
		(void)setsockopt(b->server, SOL_SOCKET, SO_LINGER, &linger,
				 sizeof(linger));
	close(b->server);
	b->server = -1;
}

static bool
step(struct bed *b, struct str line, struct buf *raw)
{
	struct str verb, rest = line;

	if (!str_cut(&rest, ' ', &verb)) {
		verb = line;
		rest = STR("");
	}
	if (str_eq(verb, STR(">"))) {
		bed_say(b, rest);
		bed_say(b, STR("\r\n"));
	} else if (str_eq(verb, STR("raw"))) {
		bed_say(b, unescape(rest, raw));
	} else if (str_eq(verb, STR("drip"))) {
		drip(b, unescape(rest, raw));
	} else if (str_eq(verb, STR("<"))) {
		return hear(b, rest, false);
	} else if (str_eq(verb, STR("<*"))) {
		return hear(b, rest, true);
	} else if (str_eq(verb, STR("body"))) {
		return hear_body(b, unescape(rest, raw));
	} else if (str_eq(verb, STR("octets"))) {
		return hear_octets(b, unescape(rest, raw));
	} else if (str_eq(verb, STR("flood"))) {
		flood(b, rest);
	} else if (str_eq(verb, STR("swallow"))) {
		return swallow(b);
	} else if (str_eq(verb, STR("deaf"))) {
		b->deaf = true;
	} else if (str_eq(verb, STR("nothing"))) {
		return hear_nothing(b);
	} else if (str_eq(verb, STR("close")) || str_eq(verb, STR("reset"))) {
		bed_hang_up(b, verb.p[0] == 'r');
	} else {
		return fail(b, "no such step", line);
	}
	return true;
}

/* --- life ------------------------------------------------------------------
 */

void
bed_init(struct bed *b)
{
	struct err err;

	*b = (struct bed){
		.server = -1,
		.patient = 1,
		.set = {
			.helo_name = STR("us.test"),
			.myhostname = STR("us.test"),
			.always_ehlo = true,
			.helo_ms = 5000,
			.mail_ms = 5000,
			.rcpt_ms = 5000,
			.data_init_ms = 5000,
			.data_xfer_ms = 5000,
			.data_done_ms = 5000,
			.rset_ms = 5000,
			.quit_ms = 5000,
			.skip_5xx_greeting = true,
			.skip_quit_response = true,
			.line_length_limit = 998,
		},
		.plan = {
			.host = "mx.a.test",
			.relay = "mx.a.test[192.0.2.1]:25",
			.nexthop = "a.test",
			.loop_detect = true,
		},
	};
	b->plan.set = &b->set;
	buf_init(&b->in, 16u << 20);
	if (loop_init(&b->loop, &err) < 0)
		abort();
}

void
bed_start(struct bed *b, const struct bed_letter *l)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
		abort();
	b->server = fds[1];
	b->letter = bed_letter(l);
	if (b->tlsd_does != BED_NO_TLSD)
		start_tlsd(b);
	b->session = session_new(&b->loop, fds[0], &b->plan, b->tls, &ops, b);
	if (!b->letter || !b->session)
		abort();
}

bool
bed_run(struct bed *b, const struct bed_letter *l, const char *script)
{
	struct str rest = str_of(script), line;
	uint64_t until;
	struct buf raw;
	bool ok = true;

	bed_start(b, l);
	buf_init(&raw, 1u << 20);
	while (ok && rest.n) {
		if (!str_cut(&rest, '\n', &line)) {
			line = rest;
			rest = STR_NULL;
		}
		ok = step(b, line, &raw);
	}
	buf_fini(&raw);
	until = clock_mono_ms() + PATIENCE_MS;
	while (ok && b->session && clock_mono_ms() < until)
		bed_turn(b);
	if (ok && b->session)
		ok = fail(b, "the session should be over", STR(""));
	bed_turn(b);
	bed_turn(b);
	return ok;
}

void
bed_fini(struct bed *b)
{
	unsigned i;

	session_free(b->session);
	if (b->server >= 0)
		close(b->server);
	/* A session that is closing sees the end of its server. */
	for (i = 0; i < 5; i++)
		loop_turn(&b->loop, false);
	tls_client_free(b->tls);
	if (b->tlsd)
		chan_close(b->tlsd);
	loop_turn(&b->loop, false);
	letter_free(b->letter);
	buf_fini(&b->in);
	loop_fini(&b->loop);
}
