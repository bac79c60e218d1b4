/* SPDX-License-Identifier: ISC */
/* The asking side of tlsd, over socket pairs; tlsd's and master's parts are
 * played here. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "frame/tls_client.h"

struct world {
	struct daemon d;
	struct tls_client *t;
	int tlsd; /* the service's end of the channel, -1: none */
	struct conn *conn;
	int client; /* the far end of the client's connection */
	unsigned done, changes;
	int fd; /* what done was given */
	unsigned class;
	struct tls_facts facts;
	char text[TLS_TEXT_MAX + 1];
	bool free_in_done;
};

/* A frame tlsd received. */
struct asked {
	uint32_t tag;
	int fd;
	struct msg_tls_server m;
};

static daemon_connect_cb *connect_cb;
static void *connect_arg;

/* In place of frame/daemon.c. */
void
daemon_connect(struct daemon *d, enum service_id service, unsigned worker,
	       daemon_connect_cb *cb, void *arg)
{
	(void)worker;
	(void)d;
	assert_int_equal(service, SVC_TLSD_USER);
	connect_cb = cb;
	connect_arg = arg;
}

void
daemon_connect_cancel(struct daemon *d, void *arg)
{
	(void)d;
	if (arg == connect_arg)
		connect_cb = NULL;
}

static void
turns(struct world *w)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_turn(&w->d.loop, false);
}

static void
on_done(void *arg, int fd, const struct tls_facts *facts, unsigned class,
	const char *text)
{
	struct world *w = arg;

	w->done++;
	w->fd = fd;
	w->class = class;
	if (facts)
		w->facts = *facts;
	assert_true(str_copy(w->text, sizeof(w->text), str_of(text)));
	assert_true((fd >= 0) == (facts != NULL));
	if (w->free_in_done) {
		struct tls_client *t = w->t;

		w->free_in_done = false;
		w->t = NULL;
		tls_client_free(t);
	}
}

static void
on_changed(void *arg)
{
	((struct world *)arg)->changes++;
}

static void
on_input(struct conn *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	(void)c;
	(void)arg;
	(void)why;
	fail_msg("the connection was not to end by itself");
}

static const struct conn_ops conn_ops = { on_input, NULL, on_end };

/* A client that is connected. */
static void
accept_client(struct world *w, size_t out_limit)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	w->client = sv[0];
	w->conn = conn_new(&w->d.loop, sv[1], 1000, out_limit, &conn_ops, w);
	assert_non_null(w->conn);
}

static void
open_world(struct world *w)
{
	struct err err;
	int sv[2];

	*w = (struct world){ .fd = -1 };
	w->d.svc = &services[SVC_LOGIN];
	assert_int_equal(loop_init(&w->d.loop, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	w->tlsd = sv[1];
	w->t = tls_client_new_fd(&w->d.loop, sv[0], &channels[CH_LOGIN_TLSD]);
	assert_non_null(w->t);
	accept_client(w, 1000);
}

static void
close_world(struct world *w)
{
	tls_client_free(w->t);
	if (w->conn)
		conn_close(w->conn);
	if (w->fd >= 0)
		close(w->fd);
	if (w->tlsd >= 0)
		close(w->tlsd);
	close(w->client);
	loop_fini(&w->d.loop);
}

static int
start(struct world *w, unsigned timeout_ms, uint32_t *tag)
{
	struct err err;

	return tls_client_start(w->t, &w->conn, TLS_IMAP, 1, timeout_ms,
				on_done, w, tag, &err);
}

/* The next request that reached tlsd; -1: none. */
static int
take(struct world *w, struct asked *q)
{
	_Alignas(8) char space[CMSG_SPACE(sizeof(int))];
	char frame[MSG_FRAME_MAX];
	struct iovec iov = { frame, sizeof(frame) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space,
			     .msg_controllen = sizeof(space) };
	struct cmsghdr *cm;
	uint16_t type;
	struct err err;
	ssize_t n;

	turns(w);
	n = recvmsg(w->tlsd, &mh, MSG_DONTWAIT);
	if (n <= 0)
		return -1;
	cm = CMSG_FIRSTHDR(&mh);
	if (!cm)
		return -1;
	memcpy(&q->fd, CMSG_DATA(cm), sizeof(int));
	assert_int_equal(msg_peek(str_mem(frame, (size_t)n), &type, &q->tag),
			 0);
	assert_int_equal(type, MSG_TLS_SERVER);
	assert_int_equal(msg_decode(str_mem(frame, (size_t)n),
				    &msg_tls_server_def, &q->m, &q->fd, 1,
				    &err),
			 0);
	return 0;
}

static void
answer(struct world *w, uint32_t tag, const struct msg_def *def,
       const void *msg)
{
	_Alignas(8) char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr mh = { 0 };
	struct iovec iov;
	struct err err;
	struct buf b;
	int fds[MSG_FDS_MAX];
	size_t nfds;

	buf_init(&b, MSG_FRAME_MAX);
	assert_int_equal(msg_encode(&b, def, tag, msg, fds, &nfds, &err), 0);
	iov = (struct iovec){ b.p, b.n };
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (nfds) {
		struct cmsghdr *cm;

		mh.msg_control = space;
		mh.msg_controllen = sizeof(space);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), fds, sizeof(int));
	}
	assert_int_equal(sendmsg(w->tlsd, &mh, 0), b.n);
	buf_fini(&b);
	turns(w);
}

static void
answer_up(struct world *w, uint32_t tag)
{
	struct msg_tls_up m = {
		.protocol = STR("TLSv1.3"),
		.cipher = STR("TLS_AES_256_GCM_SHA384"),
		.bits = 256,
		.alg_bits = 256,
		.kex = STR("X25519"),
		.auth = STR("ECDSA (P-256)"),
		.hash = STR("SHA256"),
		.resumed = 1,
		.sni = STR("mail.example.org"),
		.peer = TLS_PEER_TRUSTED,
		.peer_cn = STR("client"),
		.peer_issuer = STR("CA"),
		.peer_fingerprint = STR("AB:CD"),
		.exporter = { "0\0001", 3 },
		.unique = STR("u"),
	};
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	m.fd = sv[0];
	answer(w, tag, &msg_tls_up_def, &m);
	close(sv[0]);
	close(sv[1]);
}

static bool
is_eof(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

static void
test_up(void **state)
{
	struct world w;
	struct asked q = { .fd = -1 };
	uint32_t tag;
	char text[20];

	(void)state;
	open_world(&w);
	assert_int_equal(conn_write(w.conn, STR("220 Ready\r\n")), 0);
	assert_int_equal(start(&w, 1000, &tag), 0);
	assert_null(w.conn);
	assert_int_equal(recv(w.client, text, sizeof(text), 0), 11);
	assert_memory_equal(text, "220 Ready\r\n", 11);
	assert_int_equal(take(&w, &q), 0);
	assert_int_equal(q.tag, tag);
	assert_int_equal(q.m.use, TLS_IMAP);
	assert_int_equal(q.m.client_cert, 1);
	assert_int_equal(q.m.timeout_ms, 1000);
	/* Nothing of the client's bytes was eaten, and once it is answered
	 * the only copy of the connection is tlsd's. */
	assert_int_equal(send(w.client, "\x16", 1, 0), 1);
	assert_int_equal(recv(q.fd, text, sizeof(text), 0), 1);
	close(q.fd);
	answer_up(&w, q.tag);
	assert_true(is_eof(w.client));
	assert_int_equal(w.done, 1);
	assert_true(w.fd >= 0);
	assert_string_equal(w.facts.protocol, "TLSv1.3");
	assert_string_equal(w.facts.cipher, "TLS_AES_256_GCM_SHA384");
	assert_int_equal(w.facts.bits, 256);
	assert_string_equal(w.facts.kex, "X25519");
	assert_string_equal(w.facts.auth, "ECDSA (P-256)");
	assert_string_equal(w.facts.hash, "SHA256");
	assert_true(w.facts.resumed);
	assert_string_equal(w.facts.sni, "mail.example.org");
	assert_int_equal(w.facts.peer, TLS_PEER_TRUSTED);
	assert_string_equal(w.facts.peer_cn, "client");
	assert_string_equal(w.facts.peer_issuer, "CA");
	assert_string_equal(w.facts.peer_fingerprint, "AB:CD");
	assert_int_equal(w.facts.exporter_n, 3);
	assert_memory_equal(w.facts.exporter, "0\0001", 3);
	assert_int_equal(w.facts.endpoint_n, 0);
	assert_int_equal(w.facts.unique_n, 1);
	answer_up(&w, q.tag); /* twice: nobody waits for it */
	assert_int_equal(w.done, 1);
	close_world(&w);
}

static void
test_fail(void **state)
{
	struct msg_tls_fail m = { TLS_FAIL_TIMEOUT, STR("too slow") };
	struct world w;
	struct asked q = { .fd = -1 };
	uint32_t tag;

	(void)state;
	open_world(&w);
	assert_int_equal(start(&w, 1000, &tag), 0);
	assert_int_equal(take(&w, &q), 0);
	close(q.fd);
	w.free_in_done = true;
	answer(&w, q.tag, &msg_tls_fail_def, &m);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.fd, -1);
	assert_int_equal(w.class, TLS_FAIL_TIMEOUT);
	assert_string_equal(w.text, "too slow");
	close_world(&w);
}

/* What came in clear text is never taken for what came under TLS. */
static void
test_injection(void **state)
{
	struct world w;
	struct asked q = { .fd = -1 };
	uint32_t tag;

	(void)state;
	open_world(&w);
	assert_int_equal(send(w.client, "RSET\r\n", 6, 0), 6);
	turns(&w);
	assert_int_equal(start(&w, 1000, &tag), -1);
	assert_null(w.conn);
	assert_true(is_eof(w.client));
	assert_int_equal(take(&w, &q), -1);
	assert_int_equal(w.done, 0);
	close_world(&w);
}

/* A client that does not read gets no TLS behind half an answer. */
static void
test_output_stuck(void **state)
{
	enum { BIG = 4 * 1024 * 1024 };
	static char big[BIG];
	struct world w;
	struct asked q = { .fd = -1 };
	uint32_t tag;

	(void)state;
	open_world(&w);
	conn_close(w.conn);
	close(w.client);
	accept_client(&w, BIG);
	assert_int_equal(conn_write(w.conn, str_mem(big, BIG)), 0);
	assert_int_equal(start(&w, 1000, &tag), -1);
	assert_null(w.conn);
	assert_int_equal(take(&w, &q), -1);
	close_world(&w);
}

static void
test_offer(void **state)
{
	struct msg_tls_offer on = { 1 }, off = { 0 };
	struct world w;

	(void)state;
	open_world(&w);
	assert_false(tls_client_offers(w.t));
	answer(&w, 0, &msg_tls_offer_def, &on);
	assert_true(tls_client_offers(w.t));
	answer(&w, 0, &msg_tls_offer_def, &off);
	assert_false(tls_client_offers(w.t));
	answer(&w, 0, &msg_tls_offer_def, &on);
	close(w.tlsd);
	w.tlsd = -1;
	turns(&w);
	assert_false(tls_client_offers(w.t));
	close_world(&w);
}

static void
test_cancel(void **state)
{
	struct world w;
	struct asked q = { .fd = -1 };
	uint32_t tag;
	char c;

	(void)state;
	open_world(&w);
	assert_int_equal(start(&w, 1000, &tag), 0);
	assert_int_equal(take(&w, &q), 0);
	tls_client_cancel(w.t, tag);
	assert_int_equal(recv(q.fd, &c, 1, MSG_DONTWAIT), 0); /* tlsd sees it */
	assert_true(is_eof(w.client));
	close(q.fd);
	tls_client_cancel(w.t, tag);
	tls_client_cancel(w.t, tag + 1);
	answer_up(&w, q.tag); /* its stream is closed, see the leak check */
	assert_int_equal(w.done, 0);
	close_world(&w);
	assert_int_equal(w.done, 0);
}

static void
join(struct world *w)
{
	int fds[2], i;

	for (i = 0; !connect_cb && i < 100; i++) {
		usleep(10000);
		turns(w);
	}
	assert_non_null(connect_cb);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	w->tlsd = fds[1];
	connect_cb(connect_arg, fds[0], false);
	connect_cb = NULL;
	turns(w);
}

/* tlsd dies with a handshake under way, and one comes while it is away. */
static void
test_tlsd_dies(void **state)
{
	struct msg_tls_offer on = { 1 };
	struct world w;
	struct asked q = { .fd = -1 };
	uint32_t tag;

	(void)state;
	open_world(&w);
	tls_client_free(w.t);
	close(w.tlsd);
	w.t = tls_client_new(&w.d, SVC_TLSD_USER, on_changed, &w);
	assert_non_null(w.t);
	join(&w);
	answer(&w, 0, &msg_tls_offer_def, &on);
	answer(&w, 0, &msg_tls_offer_def, &on); /* says nothing new */
	assert_int_equal(w.changes, 1);
	assert_int_equal(start(&w, 1000, &tag), 0);
	assert_int_equal(take(&w, &q), 0);
	close(q.fd);
	close(w.tlsd);
	turns(&w);
	assert_int_equal(w.changes, 2);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.fd, -1);
	assert_int_equal(w.class, TLS_FAIL_LOCAL);

	close(w.client);
	accept_client(&w, 1000);
	assert_int_equal(start(&w, 1000, &tag), 0);
	join(&w);
	assert_int_equal(take(&w, &q), 0);
	assert_int_equal(q.tag, tag);
	close(q.fd);
	answer_up(&w, q.tag);
	assert_int_equal(w.done, 2);
	assert_true(w.fd >= 0);
	close_world(&w);
}

/* What is under way when the client is freed is told so. */
static void
test_client_freed(void **state)
{
	struct world w;
	uint32_t tag;

	(void)state;
	open_world(&w);
	assert_int_equal(start(&w, 1000, &tag), 0);
	close_world(&w);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.class, TLS_FAIL_LOCAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_output_stuck),
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_tlsd_dies),
		cmocka_unit_test(test_client_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
