/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/map.h"
#include "frame/tls_client.h"

/* tlsd keeps the deadline of the handshake; this much later nobody waits for
 * tlsd itself any more. */
enum { GRACE_MS = 5000 };

struct tls_client {
	struct asker *asker;
	struct map by_tag; /* struct start */
	bool offers;
	bool told; /* by tlsd, once at least */
	void (*changed)(void *arg);
	void *arg;
};

/* A handshake nobody has told us the end of yet. */
struct start {
	struct tls_client *client;
	int fd; /* the same socket that tlsd has, to end it by */
	uint32_t tag;
	tls_done_cb *done;
	void *arg;
};

static void
set_offers(struct tls_client *t, bool on)
{
	if (t->told && t->offers == on)
		return;
	t->told = true;
	t->offers = on;
	if (t->changed)
		t->changed(t->arg);
}

static void
on_note(void *arg, const struct msg_def *def, void *msg)
{
	if (def == &msg_tls_offer_def)
		set_offers(arg, ((struct msg_tls_offer *)msg)->on);
}

static void
on_state(void *arg, bool up)
{
	struct tls_client *t = arg;

	if (!up && t->offers)
		set_offers(t, false); /* told anew at the next connection */
}

static struct tls_client *
client_alloc(void (*changed)(void *arg), void *arg)
{
	struct tls_client *t = calloc(1, sizeof(*t));

	if (t) {
		t->changed = changed;
		t->arg = arg;
	}
	return t;
}

struct tls_client *
tls_client_new(struct daemon *d, enum service_id service,
	       void (*changed)(void *arg), void *arg)
{
	struct tls_client *t = client_alloc(changed, arg);

	if (!t)
		return NULL;
	t->asker = asker_new(d, service, on_note, on_state, t);
	if (!t->asker) {
		free(t);
		return NULL;
	}
	return t;
}

struct tls_client *
tls_client_new_fd(struct loop *l, int fd, const struct chan_row *row)
{
	struct tls_client *t = client_alloc(NULL, NULL);

	if (!t) {
		close(fd);
		return NULL;
	}
	t->asker = asker_new_fd(l, fd, row, on_state, t);
	if (!t->asker) {
		free(t);
		return NULL;
	}
	asker_set_note(t->asker, on_note);
	return t;
}

void
tls_client_free(struct tls_client *t)
{
	if (!t)
		return;
	t->changed = NULL;
	asker_free(t->asker);
	map_fini(&t->by_tag);
	free(t);
}

bool
tls_client_offers(const struct tls_client *t)
{
	return t->offers;
}

/* --- answers ---------------------------------------------------------------
 */

static size_t
copy_binding(uint8_t to[TLS_BINDING_MAX], struct str s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	return s.n;
}

#define COPY(member) (void)!str_copy(f->member, sizeof(f->member), m->member)

/* The bounds of the message are those of the arrays. */
static void
copy_facts(struct tls_facts *f, const struct msg_tls_up *m)
{
	*f = (struct tls_facts){
		.bits = m->bits,
		.alg_bits = m->alg_bits,
		.resumed = m->resumed,
		.peer = m->peer,
	};
	COPY(protocol);
	COPY(cipher);
	COPY(kex);
	COPY(auth);
	COPY(hash);
	COPY(sni);
	COPY(peer_cn);
	COPY(peer_issuer);
	COPY(peer_fingerprint);
	f->exporter_n = copy_binding(f->exporter, m->exporter);
	f->endpoint_n = copy_binding(f->endpoint, m->endpoint);
	f->unique_n = copy_binding(f->unique, m->unique);
}

static void
on_up(struct start *s, struct msg_tls_up *m)
{
	struct tls_facts facts;
	int fd = m->fd;

	m->fd = -1;
	copy_facts(&facts, m);
	s->done(s->arg, fd, &facts, 0, "");
}

static void
on_fail(struct start *s, const struct msg_tls_fail *m)
{
	char text[TLS_TEXT_MAX + 1];

	(void)!str_copy(text, sizeof(text), m->text);
	s->done(s->arg, -1, NULL, m->class, text);
}

static void
on_reply(void *arg, const struct msg_def *def, void *msg)
{
	struct start *s = arg;

	/* Before the callback, which may free the client. */
	close(s->fd);
	map_del(&s->client->by_tag, MAP_KEY(s->tag));
	if (def == &msg_tls_up_def)
		on_up(s, msg);
	else if (def == &msg_tls_fail_def)
		on_fail(s, msg);
	else
		s->done(s->arg, -1, NULL, TLS_FAIL_LOCAL,
			"TLS is not available");
	free(s);
}

/* --- requests --------------------------------------------------------------
 */

/* Takes fd in every case; m has it as well. */
static int
ask(struct tls_client *t, int fd, const struct msg_def *def, const void *m,
    unsigned timeout_ms, tls_done_cb *done, void *arg, uint32_t *tag,
    struct err *err)
{
	struct start *s = calloc(1, sizeof(*s));

	if (!s)
		goto fail;
	*s = (struct start){ .client = t, .fd = fd, .done = done, .arg = arg };
	s->tag = asker_send(t->asker, def, m, timeout_ms + GRACE_MS, on_reply,
			    s);
	if (!s->tag)
		goto fail;
	if (map_put(&t->by_tag, MAP_KEY(s->tag), s) < 0) {
		asker_cancel(t->asker, s->tag);
		goto fail;
	}
	*tag = s->tag;
	return 0;
fail:
	free(s);
	close(fd);
	return err_set(err, ERR_TEMP, EAGAIN, "tlsd cannot be asked");
}

int
tls_client_start_fd(struct tls_client *t, int fd, enum tls_use use,
		    unsigned client_cert, unsigned timeout_ms,
		    tls_done_cb *done, void *arg, uint32_t *tag,
		    struct err *err)
{
	const struct msg_tls_server m = {
		.use = (uint8_t)use,
		.client_cert = (uint8_t)client_cert,
		.timeout_ms = timeout_ms,
		.fd = fd,
	};

	return ask(t, fd, &msg_tls_server_def, &m, timeout_ms, done, arg, tag,
		   err);
}

/* The socket of a connection on which TLS is to begin; -1. */
static int
detach(struct conn **conn, struct err *err)
{
	struct conn *c = *conn;
	struct buf input;
	int fd;

	*conn = NULL;
	if (conn_input(c).n) {
		/* In clear text, by whoever sits between: CVE-2011-0411. */
		conn_close(c);
		return err_set(err, ERR_PERM, EPROTO,
			       "input was sent before TLS");
	}
	fd = conn_detach(c, &input);
	buf_fini(&input);
	if (fd < 0)
		return err_set(err, ERR_TEMP, EPIPE,
			       "the connection is gone or does not take the "
			       "answer");
	return fd;
}

int
tls_client_start(struct tls_client *t, struct conn **conn, enum tls_use use,
		 unsigned client_cert, unsigned timeout_ms, tls_done_cb *done,
		 void *arg, uint32_t *tag, struct err *err)
{
	int fd = detach(conn, err);

	if (fd < 0)
		return -1;
	return tls_client_start_fd(t, fd, use, client_cert, timeout_ms, done,
				   arg, tag, err);
}

int
tls_client_connect(struct tls_client *t, struct conn **conn,
		   const struct msg_tls_client *w, unsigned timeout_ms,
		   tls_done_cb *done, void *arg, uint32_t *tag, struct err *err)
{
	struct msg_tls_client m = *w;

	m.timeout_ms = timeout_ms;
	m.fd = detach(conn, err);
	if (m.fd < 0)
		return -1;
	return ask(t, m.fd, &msg_tls_client_def, &m, timeout_ms, done, arg, tag,
		   err);
}

void
tls_client_cancel(struct tls_client *t, uint32_t tag)
{
	struct start *s = map_del(&t->by_tag, MAP_KEY(tag));

	if (!s)
		return;
	asker_cancel(t->asker, tag);
	/* tlsd sees the client go: what nobody waits for any more must not
	 * keep a place there. */
	(void)shutdown(s->fd, SHUT_RDWR);
	close(s->fd);
	free(s);
}
