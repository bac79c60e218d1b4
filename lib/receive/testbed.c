/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "frame/registry.h"
#include "receive/testbed.h"

/* Turns without anything to see: enough for a full socket of input and the hops
 * between the processes. */
enum { SETTLED = 24 };

/* --- what frame/daemon.c would do ----------------------------------------- */

static struct testbed *
bed_of(const struct daemon *d)
{
	return LIST_OF(d, struct testbed, d);
}

int
daemon_fd(const struct daemon *d, const char *name, size_t i)
{
	(void)d;
	(void)name;
	(void)i;
	return -1;
}

void
daemon_exit(struct daemon *d, int status)
{
	(void)status;
	bed_of(d)->exited = true;
}

void
daemon_connect_cancel(struct daemon *d, void *arg)
{
	(void)d;
	(void)arg;
}

/* --- router ----------------------------------------------------------------
 */

static bool
is_user(struct str local)
{
	uint64_t n;

	return str_eq(local, STR("alice")) || str_eq(local, STR("bob")) ||
	       str_eq(local, STR("carol")) ||
	       str_ieq(local, STR("postmaster")) ||
	       (str_starts(local, STR("user")) &&
		str_u64(str_from(local, 4), 9999, &n) == 0);
}

static struct msg_routed
route(struct str address)
{
	struct str local, domain = address;

	if (!str_cut(&domain, '@', &local)) {
		local = address;
		domain = STR("own.test");
	}
	if (str_ieq(domain, STR("relay.test")))
		return (struct msg_routed){ .verdict = ROUTE_OK };
	if (!str_ieq(domain, STR("own.test")))
		return (struct msg_routed){ .verdict = ROUTE_PERM,
					    .code = 550,
					    .dsn = STR("5.7.1"),
					    .text = STR(
						    "no mail for elsewhere") };
	if (str_eq(local, STR("temp")))
		return (struct msg_routed){ .verdict = ROUTE_TEMP,
					    .own = 1,
					    .code = 451,
					    .dsn = STR("4.3.0"),
					    .text = STR("table is away") };
	if (is_user(local))
		return (struct msg_routed){ .verdict = ROUTE_OK, .own = 1 };
	return (struct msg_routed){
		.verdict = ROUTE_PERM,
		.own = 1,
		.code = 550,
		.dsn = STR("5.1.1"),
		.text = STR("User unknown in virtual mailbox table")
	};
}

static void
owns(struct chan *c, uint32_t tag, const struct msg_owns *m)
{
	struct msg_owned r = { .verdict = ROUTE_PERM };
	struct str local, domain = m->sender;

	if (str_starts(m->sender, STR("mute@")))
		return;
	if (str_starts(m->sender, STR("temp@"))) {
		r.verdict = ROUTE_TEMP;
		r.text = STR("table is away");
	} else if (str_cut(&domain, '@', &local) && str_eq(local, m->login) &&
		   str_eq(domain, STR("own.test"))) {
		r.verdict = ROUTE_OK;
	}
	chan_send(c, tag, &msg_owned_def, &r);
}

static void
on_router_msg(struct chan *c, void *arg, uint32_t tag,
	      const struct msg_def *def, void *msg)
{
	struct testbed *tb = arg;
	struct msg_route *m = msg;
	struct msg_routed r;

	if (def == &msg_owns_def) {
		owns(c, tag, msg);
		return;
	}
	if (def != &msg_route_def || str_starts(m->address, STR("mute@")))
		return;
	if (str_starts(m->address, STR("drop@"))) {
		tb->router = NULL;
		chan_close(c);
		return;
	}
	r = route(m->address);
	chan_send(c, tag, &msg_routed_def, &r);
}

static void
on_router_close(struct chan *c, void *arg)
{
	struct testbed *tb = arg;

	if (tb->router == c)
		tb->router = NULL;
}

static const struct chan_ops router_ops = { on_router_msg, on_router_close };

/* --- qmgr ------------------------------------------------------------------
 */

static void
qmgr_die(struct testbed *tb)
{
	struct chan *c = tb->qmgr;

	tb->qmgr = NULL;
	if (tb->pipe >= 0)
		close(tb->pipe);
	tb->pipe = -1;
	if (c)
		chan_close(c);
}

static void
refuse(struct testbed *tb, uint32_t tag)
{
	struct msg_refused r = { .code = (uint16_t)tb->refuse_code,
				 .dsn = str_of(tb->refuse_dsn),
				 .text = str_of(tb->refuse_text) };

	chan_send(tb->qmgr, tag, &msg_refused_def, &r);
}

static void
forget_message(struct testbed *tb)
{
	buf_reset(&tb->sender);
	buf_reset(&tb->rcpts);
	buf_reset(&tb->header);
	buf_reset(&tb->body);
	tb->nrcpts = 0;
}

static void
add_rcpts(struct testbed *tb, struct msg_list list)
{
	struct str it = list.raw;
	struct msg_rcpt_in r;

	while (msg_list_next(&it, &msg_rcpt_in_def, &r)) {
		buf_add_str(&tb->rcpts, r.address);
		if (r.notify || r.orcpt.n)
			buf_addf(&tb->rcpts, " %u %.*s", r.notify,
				 STR_FMT(r.orcpt));
		buf_add_byte(&tb->rcpts, '\n');
		tb->nrcpts++;
	}
}

static void
on_stream(struct testbed *tb, uint32_t tag)
{
	struct msg_stream_pipe m;
	int fds[2];

	tb->streams++;
	forget_message(tb);
	if (tb->die_on_stream) {
		qmgr_die(tb);
		return;
	}
	if (tb->refuse_stream) {
		refuse(tb, tag);
		return;
	}
	if (tb->pipe >= 0) { /* one at a time is enough here */
		tb->fault = "a second stream";
		return;
	}
	BUG_ON(pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0);
	tb->pipe = fds[0];
	tb->tag = tag;
	m.fd = fds[1];
	chan_send(tb->qmgr, tag, &msg_stream_pipe_def, &m);
	close(fds[1]);
}

bool
testbed_drain(struct testbed *tb)
{
	char *to;
	ssize_t n;

	while (tb->pipe >= 0 && !tb->stop_pipe) {
		to = buf_reserve(&tb->body, 65536);
		BUG_ON(!to);
		n = read(tb->pipe, to, 65536);
		if (n < 0)
			return false;
		if (n == 0) {
			close(tb->pipe);
			tb->pipe = -1;
			return true;
		}
		tb->body.n += (size_t)n;
	}
	return tb->pipe < 0;
}

static void
check_streamed(struct testbed *tb, const struct msg_commit *m, uint32_t tag)
{
	tb->stop_pipe = false;
	if (!testbed_drain(tb))
		tb->fault = "pipe not closed before COMMIT";
	else if (tag != tb->tag)
		tb->fault = "COMMIT under another tag";
	else if (m->nrcpts != tb->nrcpts || m->header_len != tb->header.n ||
		 m->body_len != tb->body.n)
		tb->fault = "COMMIT counts are wrong";
	else if (m->body_crc != enc_crc32c(0, tb->body.p, tb->body.n))
		tb->fault = "COMMIT crc is wrong";
	else if (m->header.n || m->body.n || m->rcpts.count)
		tb->fault = "streamed COMMIT has content";
}

static void
on_commit(struct testbed *tb, uint32_t tag, const struct msg_commit *m)
{
	struct msg_stored r;
	char id[QUEUE_ID_MAX];

	tb->streamed = m->flags & COMMIT_STREAMED;
	if (tb->streamed) {
		check_streamed(tb, m, tag);
	} else {
		forget_message(tb);
		tb->tag = tag;
		add_rcpts(tb, m->rcpts);
		buf_add_str(&tb->header, m->header);
		buf_add_str(&tb->body, m->body);
	}
	buf_reset(&tb->sender);
	buf_add_str(&tb->sender, m->sender);
	snprintf(tb->dsn, sizeof(tb->dsn), "%u%s%.*s", m->ret,
		 m->envid.n ? " " : "", STR_FMT(m->envid));
	tb->flags = m->flags;
	if (tb->die_on_commit) {
		qmgr_die(tb);
		return;
	}
	if (tb->mute)
		return;
	if (tb->refuse_code && !tb->refuse_stream) {
		refuse(tb, tag);
		return;
	}
	snprintf(id, sizeof(id), "Q%u", ++tb->stored);
	r.id = str_of(id);
	chan_send(tb->qmgr, tag, &msg_stored_def, &r);
}

/* Two messages in the queue: one deferred, one on hold; no others. */
static void
on_queue(struct testbed *tb, uint32_t tag, const struct msg_queue *m)
{
	struct msg_queue_rcpt r = { .address = STR("bob@own.test"),
				    .text = STR("over quota + a") };
	struct msg_queue_row row = { .id = STR("Q8"),
				     .state = QUEUE_DEFERRED,
				     .arrival_us = 1700000000000000,
				     .size = 1234,
				     .sender = STR("alice@own.test") };
	struct msg_queue_done done = { .count = 2 };
	struct buf b;

	buf_init(&b, MSG_FRAME_MAX);
	if (m->verb == QUEUE_LIST) {
		BUG_ON(msg_list_add(&b, &msg_queue_rcpt_def, &r, NULL) < 0);
		row.rcpts = msg_list_of(&b, 1, &msg_queue_rcpt_def);
		chan_send(tb->qmgr, tag, &msg_queue_row_def, &row);
		chan_send(tb->qmgr, tag, &msg_queue_row_def, &row);
		row.id = STR("Q9");
		row.state = QUEUE_HELD;
		row.sender = row.rcpts.raw = STR("");
		row.rcpts.count = 0;
		row.reason = STR("held");
		chan_send(tb->qmgr, tag, &msg_queue_row_def, &row);
	} else if (m->verb != QUEUE_FLUSH || !str_eq(m->id, STR("ALL"))) {
		done = (struct msg_queue_done){
			.status = 1,
			.text = STR("no such message"),
		};
	}
	chan_send(tb->qmgr, tag, &msg_queue_done_def, &done);
	buf_fini(&b);
}

static void
on_qmgr_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	    void *msg)
{
	struct testbed *tb = arg;

	(void)c;
	switch (def->type) {
	case MSG_STREAM:
		on_stream(tb, tag);
		break;
	case MSG_RCPTS:
		add_rcpts(tb, ((struct msg_rcpts *)msg)->rcpts);
		break;
	case MSG_HEADER:
		buf_add_str(&tb->header, ((struct msg_header *)msg)->header);
		break;
	case MSG_COMMIT:
		on_commit(tb, tag, msg);
		break;
	case MSG_ABORT:
		tb->aborted++;
		if (tb->pipe >= 0)
			close(tb->pipe);
		tb->pipe = -1;
		break;
	case MSG_QUEUE:
		if (!tb->mute)
			on_queue(tb, tag, msg);
		break;
	default:
		tb->fault = "unexpected message";
	}
}

static void
on_qmgr_close(struct chan *c, void *arg)
{
	struct testbed *tb = arg;

	if (tb->qmgr == c)
		tb->qmgr = NULL;
}

static const struct chan_ops qmgr_ops = { on_qmgr_msg, on_qmgr_close };

void
testbed_set_pressure(struct testbed *tb, bool on)
{
	struct msg_pressure m = { .on = on };

	tb->pressure = on;
	m.text = on ? STR("Insufficient system storage") : STR("");
	if (tb->qmgr)
		chan_send(tb->qmgr, 0, &msg_pressure_def, &m);
	testbed_settle(tb);
}

/* --- the house -------------------------------------------------------------
 */

void
daemon_connect(struct daemon *d, enum service_id service, unsigned worker,
	       daemon_connect_cb *cb, void *arg)
{
	(void)worker;
	struct testbed *tb = bed_of(d);
	const struct chan_ops *ops =
		service == SVC_ROUTER ? &router_ops : &qmgr_ops;
	const struct chan_row *row = channel_find(d->svc->id, service);
	struct chan *c;
	int fds[2];

	BUG_ON(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0);
	if (service == SVC_AUTHD) {
		testbed_authd(tb, fds[1], row);
	} else if (service == SVC_TLSD_MX || service == SVC_TLSD_USER) {
		testbed_tlsd(tb, fds[1], row);
	} else {
		c = chan_new(&d->loop, fds[1], row, CHAN_SERVICE, ops, tb);
		BUG_ON(!c);
		if (service == SVC_ROUTER)
			tb->router = c;
		else
			tb->qmgr = c;
	}
	cb(arg, fds[0], false);
}

static void
add_params(struct buf *b, const struct param *rows, enum service_id id,
	   const char *overrides)
{
	static const struct {
		const char *name, *value;
	} fixed[] = {
		{ "myhostname", "mx.own.test" },
		{ "myorigin", "own.test" },
		{ "mydomain", "own.test" },
		{ "smtpd_banner", "mx.own.test ESMTP Posthouse" },
		{ "smtpd_client_event_limit_exceptions", "127.0.0.0/8" },
		{ "mail_version", "0" },
		{ "smtpd_error_sleep_time", "0" },
		{ "auth_failure_delay", "0" },
	};
	char line[100];
	struct str value;
	size_t i;

	for (; rows->name; rows++) {
		snprintf(line, sizeof(line), "%s = ", rows->name);
		if (!(rows->users & SVC_BIT(id)) || strstr(overrides, line))
			continue;
		value = str_of(rows->def);
		for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
			if (strcmp(fixed[i].name, rows->name) == 0)
				value = str_of(fixed[i].value);
		BUG_ON(params_put(b, rows, value) < 0);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void
testbed_init(struct testbed *tb, const struct daemon_ops *ops,
	     const char *overrides)
{
	struct timeval tv = { 0, 10 * 1000 };
	struct buf text;
	struct err err;
	size_t i;

	*tb = (struct testbed){ .client = -1, .pipe = -1 };
	buf_init(&tb->got, 16 << 20);
	buf_init(&tb->told, 1 << 20);
	buf_init(&tb->sender, 4096);
	buf_init(&tb->rcpts, 4 << 20);
	buf_init(&tb->header, 16 << 20);
	buf_init(&tb->body, 256 << 20);
	buf_init(&text, 1 << 20);
	for (i = 0; param_sets[i]; i++)
		add_params(&text, param_sets[i], ops->id, overrides);
	buf_add_c(&text, overrides);
	tb->d.svc = &services[ops->id];
	list_init(&tb->d.connects);
	if (loop_init(&tb->d.loop, &err) < 0 ||
	    params_load(&tb->d.params, buf_str(&text), &err) < 0 ||
	    ops->start(&tb->d, &err) < 0)
		BUG("%s", err.text);
	buf_fini(&text);
	tb->w = tb->d.app;
	tb->tick = event_new(tb->d.loop.base, -1, EV_PERSIST, on_tick, tb);
	BUG_ON(!tb->tick || event_add(tb->tick, &tv) < 0);
}

static void
disconnect(struct testbed *tb)
{
	if (tb->client >= 0)
		close(tb->client);
	tb->client = -1;
	buf_reset(&tb->got);
	tb->eaten = 0;
	tb->closed = false;
}

void
testbed_fini(struct testbed *tb)
{
	disconnect(tb);
	testbed_settle(tb);
	worker_free(tb->w);
	if (tb->router)
		chan_close(tb->router);
	qmgr_die(tb);
	if (tb->tlsd)
		chan_close(tb->tlsd);
	if (tb->authd)
		chan_close(tb->authd);
	event_free(tb->tick);
	loop_fini(&tb->d.loop);
	params_fini(&tb->d.params);
	buf_fini(&tb->got);
	buf_fini(&tb->told);
	buf_fini(&tb->sender);
	buf_fini(&tb->rcpts);
	buf_fini(&tb->header);
	buf_fini(&tb->body);
}

static int
new_client(struct testbed *tb)
{
	int fds[2];

	disconnect(tb);
	BUG_ON(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0, fds) < 0);
	tb->client = fds[0];
	return fds[1];
}

void
testbed_connect(struct testbed *tb, const char *ip, bool tls)
{
	struct addr peer;
	struct err err;

	BUG_ON(addr_parse(str_of(ip), &peer, &err) < 0);
	testbed_settle(tb); /* tlsd and authd are there */
	worker_take(tb->w, new_client(tb), &peer, tls);
}

void
testbed_connect_local(struct testbed *tb, uint32_t uid)
{
	worker_take_local(tb->w, new_client(tb), uid);
}

/* True if something came. */
static bool
receive(struct testbed *tb)
{
	char *to;
	ssize_t n;

	if (tb->client < 0 || tb->closed)
		return false;
	to = buf_reserve(&tb->got, 65536);
	BUG_ON(!to);
	n = recv(tb->client, to, 65536, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		tb->closed = true;
		return true;
	}
	tb->got.n += (size_t)n;
	return true;
}

void
testbed_turn(struct testbed *tb)
{
	loop_turn(&tb->d.loop, true);
	testbed_drain(tb);
	receive(tb);
}

void
testbed_settle(struct testbed *tb)
{
	int quiet = 0;
	size_t before;

	while (quiet < SETTLED) {
		before = tb->body.n;
		loop_turn(&tb->d.loop, false);
		testbed_drain(tb);
		if (receive(tb) || tb->body.n != before)
			quiet = 0;
		else
			quiet++;
	}
}

void
testbed_send(struct testbed *tb, struct str bytes)
{
	uint64_t end = clock_mono_ms() + 5000;
	ssize_t n;

	while (bytes.n && !tb->closed && clock_mono_ms() < end) {
		n = send(tb->client, bytes.p, bytes.n,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			bytes = str_from(bytes, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			break;
		testbed_settle(tb);
	}
}

bool
testbed_line(struct testbed *tb, struct str *line)
{
	uint64_t end = clock_mono_ms() + 5000;
	struct str s;
	ptrdiff_t lf;

	while ((lf = str_find(s = str_from(buf_str(&tb->got), tb->eaten),
			      '\n')) < 0) {
		if (tb->closed || clock_mono_ms() > end)
			return false;
		testbed_turn(tb);
	}
	*line = str_head(s, (size_t)lf);
	tb->eaten += (size_t)lf + 1;
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}
