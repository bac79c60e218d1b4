/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "authsock.h"
#include "authsock_parse.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/rand.h"
#include "frame/sasl_client.h"

enum { AUTHSOCK_OUTPUT_MAX = 1024 * 1024, MECHANISMS_MAX = 1000 };

struct authsock {
	struct list link;
	struct worker *w;
	struct conn *conn;
	struct list requests; /* oldest first */
	unsigned nrequests;
	bool has_version;
	bool draining;
};

struct request {
	struct list link;
	struct authsock *a;
	uint32_t id;
	bool waits; /* for the client's CONT */
	struct sasl_exchange sasl;
	uint64_t asked_ms;
	struct event *timer;	 /* "no" is said when it fires */
	char user[USER_MAX + 1]; /* who failed */
};

/* --- what we say --------------------------------------------------------- */

/* A value, escaped as the protocol wants it. */
static void
add_value(struct buf *out, const char *name, struct str value)
{
	size_t i;

	(void)!buf_addf(out, "\t%s=", name);
	for (i = 0; i < value.n; i++) {
		char c = value.p[i];
		const char *at = c ? strchr("\001\t\r\n", c) : NULL;

		if (at || !c)
			(void)!buf_addf(out, "\001%c",
					at ? "1trn"[at - "\001\t\r\n"] : '0');
		else
			(void)!buf_add_byte(out, c);
	}
}

/* Postfix and Exim choose among them by these words. */
static void
add_mechanism(struct buf *out, struct str mech)
{
	bool scram = str_starts(mech, STR("SCRAM-"));

	(void)!buf_addf(out, "MECH\t%.*s\t%s\n", STR_FMT(mech),
			scram ? "mutual-auth" : "plaintext");
}

/* What channel one could be bound to, this protocol does not say: no -PLUS. */
static void
list_mechanisms(const struct authsock *a, struct buf *list)
{
	buf_init(list, MECHANISMS_MAX);
	(void)!sasl_announce(list, a->w->conf.mechanisms, true, false, "");
}

static void
greet(struct authsock *a)
{
	struct buf *out = conn_out(a->conn), list;
	struct str rest, mech;
	uint8_t cookie[16];

	rand_bytes(cookie, sizeof(cookie));
	(void)!buf_add_c(out, "VERSION\t1\t2\n");
	list_mechanisms(a, &list);
	rest = buf_str(&list);
	while (str_token(&rest, " ", &mech))
		add_mechanism(out, mech);
	buf_fini(&list);
	(void)!buf_addf(out, "SPID\t%d\nCUID\t%u\nCOOKIE\t", (int)getpid(),
			++a->w->last_cuid);
	(void)!enc_hex(out, str_mem(cookie, sizeof(cookie)));
	(void)!buf_add_c(out, "\nDONE\n");
}

static void
say_fail(struct authsock *a, uint32_t id, bool temp, struct str user)
{
	struct buf *out = conn_out(a->conn);

	(void)!buf_addf(out, "FAIL\t%u", id);
	if (user.n)
		add_value(out, "user", user);
	/* The word of version 1.1, and that of later ones. */
	(void)!buf_add_c(out, temp ? "\ttemp\tcode=temp_fail\n" : "\n");
}

/* --- requests ------------------------------------------------------------ */

static struct request *
find(struct authsock *a, uint32_t id)
{
	struct list *it;

	list_for_each (it, &a->requests) {
		struct request *r = LIST_OF(it, struct request, link);

		if (r->id == id)
			return r;
	}
	return NULL;
}

static void
request_free(struct request *r)
{
	sasl_abandon(&r->sasl);
	event_free(r->timer);
	list_remove(&r->link);
	r->a->nrequests--;
	free(r);
}

/* Soon, so that what is said now still goes out. */
static void
leave_if_done(struct authsock *a)
{
	if (a->draining && a->nrequests == 0)
		conn_deadline(a->conn, 1);
}

/* The answer was said. */
static void
request_done(struct request *r)
{
	struct authsock *a = r->a;

	request_free(r);
	leave_if_done(a);
}

static void
fail(struct request *r, bool temp)
{
	say_fail(r->a, r->id, temp, str_of(r->user));
	request_done(r);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fail(arg, false);
}

/* "No" comes a fixed time after the question, as in a session. */
static void
fail_later(struct request *r)
{
	uint64_t due = r->asked_ms + r->a->w->conf.failure_ms;
	uint64_t now = clock_mono_ms();
	struct timeval tv = { 0, 0 };

	if (due > now) {
		tv.tv_sec = (time_t)((due - now) / 1000);
		tv.tv_usec = (suseconds_t)((due - now) % 1000 * 1000);
	}
	evtimer_add(r->timer, &tv);
}

static void
on_more(void *arg, struct str challenge)
{
	struct request *r = arg;

	r->waits = true;
	conn_writef(r->a->conn, "CONT\t%u\t%.*s\n", r->id, STR_FMT(challenge));
}

static void
on_ok(void *arg, struct str user, struct str ticket)
{
	struct request *r = arg;
	struct buf *out = conn_out(r->a->conn);

	(void)ticket;
	(void)!buf_addf(out, "OK\t%u", r->id);
	add_value(out, "user", user);
	(void)!buf_add_byte(out, '\n');
	request_done(r);
}

static void
on_fail(void *arg, const struct msg_auth_fail *why)
{
	struct request *r = arg;

	(void)!str_copy(r->user, sizeof(r->user), why->user);
	if (why->temp)
		fail(r, true);
	else
		fail_later(r);
}

/* Room for one more: one whose client does not go on gives way.  False: all
 * are being answered. */
static bool
make_room(struct authsock *a)
{
	struct list *it;

	if (a->nrequests < AUTHSOCK_REQUESTS_MAX)
		return true;
	list_for_each (it, &a->requests) {
		struct request *r = LIST_OF(it, struct request, link);

		if (!r->waits)
			continue;
		say_fail(a, r->id, true, STR(""));
		request_free(r);
		return true;
	}
	return false;
}

static struct request *
request_new(struct authsock *a, uint32_t id)
{
	struct request *r;

	if (!make_room(a))
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->timer = evtimer_new(a->w->loop->base, on_due, r);
	if (!r->timer) {
		free(r);
		return NULL;
	}
	r->a = a;
	r->id = id;
	list_append(&a->requests, &r->link);
	a->nrequests++;
	return r;
}

static void
after_input(struct request *r, enum sasl_input got)
{
	if (got == SASL_BAD)
		fail_later(r);
	else if (got != SASL_ASKED)
		fail(r, got == SASL_DOWN);
}

/* The peer's word, or addresses between which main.cf allows passwords. */
static bool
is_secured(const struct authsock *a, const struct authsock_line *l,
	   const struct addr *client)
{
	struct addr self;
	struct err err;

	return l->secured ||
	       (a->w->conf.plaintext_on_loopback && addr_is_loopback(client) &&
		(l->lip.n == 0 || (addr_parse(l->lip, &self, &err) == 0 &&
				   addr_is_loopback(&self))));
}

static void
begin(struct authsock *a, const struct authsock_line *l)
{
	static const struct sasl_events events = { on_more, on_ok, on_fail };
	struct sasl_context context = { .service = SVC_LOGIN };
	char rip[ADDR_TEXT_MAX];
	struct request *r = request_new(a, l->id);
	struct addr client;
	struct buf list;
	struct err err;

	if (!r) {
		say_fail(a, l->id, true, STR(""));
		return;
	}
	context.secured = l->secured;
	if (addr_parse(l->rip, &client, &err) == 0) {
		context.client = addr_text(&client, rip);
		context.secured = is_secured(a, l, &client);
	}
	r->asked_ms = clock_mono_ms();
	list_mechanisms(a, &list);
	if (l->mech.n <= SASL_MECH_MAX &&
	    sasl_is_offered(buf_str(&list), l->mech))
		after_input(r, sasl_begin(&r->sasl, a->w->authd, &events, r,
					  &context, l->mech,
					  l->data.p && !l->data.n ? STR("=")
								  : l->data));
	else
		fail(r, false);
	buf_fini(&list);
}

static void
go_on(struct authsock *a, const struct authsock_line *l)
{
	struct request *r = find(a, l->id);

	if (!r) { /* it gave way to others, or was never there */
		say_fail(a, l->id, true, STR(""));
	} else if (r->waits) {
		r->waits = false;
		r->asked_ms = clock_mono_ms();
		after_input(r, sasl_line(&r->sasl, l->data));
	}
}

/* --- a connection -------------------------------------------------------- */

static int
breach(struct err *err, const char *what)
{
	return err_set(err, ERR_PERM, 0, "%s", what);
}

static int
command(struct authsock *a, const struct authsock_line *l, struct err *err)
{
	struct request *r;

	if (!a->has_version && l->verb != AUTHSOCK_VERSION)
		return breach(err, "VERSION comes first");
	switch (l->verb) {
	case AUTHSOCK_VERSION:
		if (l->major != 1)
			return breach(err, "not version 1");
		a->has_version = true;
		break;
	case AUTHSOCK_CPID:
		break;
	case AUTHSOCK_AUTH:
		if (find(a, l->id))
			return breach(err, "a request has the number of "
					   "another");
		begin(a, l);
		break;
	case AUTHSOCK_CONT:
		go_on(a, l);
		break;
	case AUTHSOCK_CANCEL:
		r = find(a, l->id);
		if (r)
			request_done(r);
		break;
	}
	return 0;
}

static void
authsock_free(struct authsock *a)
{
	struct worker *w = a->w;

	while (!list_empty(&a->requests))
		request_free(LIST_OF(a->requests.next, struct request, link));
	list_remove(&a->link);
	conn_close(a->conn);
	free(a);
	worker_authsock_ended(w);
}

static void
on_input(struct conn *c, void *arg)
{
	struct authsock *a = arg;
	struct authsock_line l;
	struct str in, line;
	struct err err;

	for (;;) {
		in = conn_input(c);
		line = in;
		if (!str_cut(&in, '\n', &line)) {
			if (in.n < AUTHSOCK_LINE_MAX)
				return;
			breach(&err, "a line is too long");
			break;
		}
		if (authsock_parse(line, &l, &err) < 0 ||
		    command(a, &l, &err) < 0)
			break;
		explicit_bzero((void *)(uintptr_t)line.p, line.n);
		conn_consume(c, line.n + 1);
	}
	log_warn("auth_socket: connection closed: %s", err.text);
	authsock_free(a);
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	(void)c;
	(void)why;
	authsock_free(arg);
}

void
authsock_take(struct worker *w, int fd)
{
	static const struct conn_ops ops = { on_input, NULL, on_end };
	struct authsock *a = NULL;

	if (w->nauthsocks >= AUTHSOCK_CONNS_MAX) {
		log_warn("auth_socket: too many connections");
		goto fail;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		goto fail;
	list_init(&a->requests);
	a->w = w;
	a->conn = conn_new(w->loop, fd, AUTHSOCK_LINE_MAX, AUTHSOCK_OUTPUT_MAX,
			   &ops, a);
	if (!a->conn) {
		free(a);
		return;
	}
	list_append(&w->authsocks, &a->link);
	w->nauthsocks++;
	greet(a);
	return;
fail:
	close(fd);
}

void
authsock_drain(struct worker *w)
{
	struct list *it;

	list_for_each (it, &w->authsocks) {
		struct authsock *a = LIST_OF(it, struct authsock, link);

		a->draining = true;
		leave_if_done(a);
	}
}

void
authsock_end_all(struct worker *w)
{
	while (!list_empty(&w->authsocks))
		authsock_free(
			LIST_OF(w->authsocks.next, struct authsock, link));
}
