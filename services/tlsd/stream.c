/* SPDX-License-Identifier: ISC */
/* The handshake of a stream, and its end. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "facts.h"
#include "outgoing.h"

void
stream_free(struct stream *s)
{
	struct tlsd *t = s->t;
	struct event *const events[] = {
		s->tls_rd,   s->tls_wr,	  s->timer,
		s->plain_rd, s->plain_wr, s->plain_end
	};
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	list_remove(&s->link);
	list_remove(&s->again);
	SSL_free(s->ssl);
	free(s->out);
	if (s->tls >= 0)
		close(s->tls);
	if (s->plain >= 0)
		close(s->plain);
	pump_unstick(s, &s->up, &s->up_at);
	pump_unstick(s, &s->down, &s->down_at);
	free(s);
	if (--t->nstreams == 0 && t->draining && t->drained)
		t->drained(t->arg);
}

/* --- how it ends badly -----------------------------------------------------
 */

static void
refuse(struct tls_asker *a, uint32_t tag, enum tls_fail_class class,
       const char *text)
{
	const struct msg_tls_fail m = {
		.class = (uint8_t) class,
		.text = str_head(str_of(text), TLS_TEXT_MAX),
	};

	(void)chan_send(a->chan, tag, &msg_tls_fail_def, &m);
}

static void
fail(struct stream *s, enum tls_fail_class class, const char *text)
{
	refuse(s->asker, s->tag, class, text);
	stream_free(s);
}

static void
fail_cert(struct stream *s)
{
	long why = SSL_get_verify_result(s->ssl);
	char text[TLS_TEXT_MAX + 1];

	(void)snprintf(text, sizeof(text), "client certificate: %s",
		       SSL_get0_peer_certificate(s->ssl) || why != X509_V_OK
			       ? X509_verify_cert_error_string(why)
			       : "none was given");
	ERR_clear_error();
	fail(s, TLS_FAIL_CERT, text);
}

/* error: what SSL_get_error() said. */
static void
fail_ssl(struct stream *s, int error)
{
	const struct err *key = &s->t->remote.fail;
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);

	if (key->class != ERR_NONE) {
		ERR_clear_error();
		fail(s, TLS_FAIL_LOCAL, key->text);
	} else if (error == SSL_ERROR_ZERO_RETURN || !code) {
		fail(s, TLS_FAIL_CLOSED,
		     s->out ? "the server closed the connection"
			    : "the client closed the connection");
	} else if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
		   (reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
		    reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)) {
		fail_cert(s);
	} else {
		fail(s, TLS_FAIL_HANDSHAKE, openssl_text());
	}
}

/* --- the handshake ---------------------------------------------------------
 */

static int
tell(struct stream *s, int fd, enum tls_peer_cert peer)
{
	struct msg_tls_up m;
	struct facts f;
	int rc;

	facts_fill(&m, &f, s->ssl, s->out ? s->out->digest : s->t->conf.digest);
	m.fd = fd;
	if (s->out)
		m.peer = (uint8_t)peer;
	rc = chan_send(s->asker->chan, s->tag, &msg_tls_up_def, &m);
	close(fd); /* a copy of it travels */
	return rc;
}

static void
done(struct stream *s)
{
	enum tls_peer_cert peer = TLS_PEER_NONE;
	struct err err;
	int fd;

	if (s->out && outgoing_check(s, &peer, &err) < 0) {
		SSL_shutdown(s->ssl);
		(void)pump_send_tls(s);
		fail(s, TLS_FAIL_PEER, err.text);
		return;
	}
	/* Also where a resumed session was to spare it. */
	if (s->client_cert == 2 &&
	    (!SSL_get0_peer_certificate(s->ssl) ||
	     SSL_get_verify_result(s->ssl) != X509_V_OK)) {
		fail_cert(s);
		return;
	}
	fd = pump_open(s);
	if (fd < 0 || tell(s, fd, peer) < 0) {
		fail(s, TLS_FAIL_LOCAL, "out of descriptors or memory");
		return;
	}
	event_free(s->timer);
	s->timer = NULL;
	s->asker = NULL;
	list_remove(&s->link);
	list_append(&s->t->streams, &s->link);
	pump_start(s);
}

static void
handshake(struct stream *s)
{
	int rc, error = SSL_ERROR_NONE;

	s->tls_dry = false;
	s->t->remote.fail.class = ERR_NONE;
	ERR_clear_error();
	rc = SSL_do_handshake(s->ssl);
	if (rc != 1)
		error = SSL_get_error(s->ssl, rc);
	/* An alert, too. */
	if (pump_send_tls(s) < 0 && error != SSL_ERROR_SSL)
		error = SSL_ERROR_ZERO_RETURN;
	if (error == SSL_ERROR_NONE)
		done(s);
	else if (error != SSL_ERROR_WANT_READ)
		fail_ssl(s, error);
}

static void
on_tls_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (s->asker)
		handshake(s);
	else
		pump_tls_readable(s);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fail(arg, TLS_FAIL_TIMEOUT, "the handshake takes too long");
}

/* --- start -----------------------------------------------------------------
 */

/* Asked for, and looked at afterwards: it is no reason to end the handshake. */
static int
take_any(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

/* A ticket is good for one service, with the same demands on the client and
 * the same authorities for its certificate. */
static int
set_session_context(struct stream *s)
{
	struct {
		uint8_t use, client_cert, ca[16];
	} id = { .use = s->use, .client_cert = s->client_cert };

	_Static_assert(sizeof(id) <= SSL_MAX_SID_CTX_LENGTH, "its length");
	memcpy(id.ca, s->t->ca_id, sizeof(id.ca));
	return SSL_set_session_id_context(s->ssl, (const unsigned char *)&id,
					  sizeof(id));
}

static int
prepare_server(struct stream *s, const struct msg_tls_server *m)
{
	struct tlsd *t = s->t;

	s->use = m->use;
	s->client_cert = m->client_cert;
	s->ssl = SSL_new(t->contexts->base);
	if (!s->ssl)
		return -1;
	SSL_set_accept_state(s->ssl);
	if (s->client_cert == 1)
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER, take_any);
	else if (s->client_cert == 2)
		SSL_set_verify(s->ssl,
			       SSL_VERIFY_PEER |
				       SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			       NULL);
	/* An IMAP client opens several connections; others come alone, and
	 * some hosts stumble over a second ticket. */
	SSL_set_num_tickets(s->ssl, s->use == TLS_IMAP ? 2 : 1);
	if (t->tickets.n == 0 || t->conf.session_s == 0) {
		SSL_set_options(s->ssl, SSL_OP_NO_TICKET);
		SSL_set_num_tickets(s->ssl, 0);
	}
	return set_session_context(s) == 1 ? 0 : -1;
}

/* Everything but s->ssl. */
static struct stream *
stream_new(struct tls_asker *a, uint32_t tag, int fd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	*s = (struct stream){
		.t = a->t,
		.asker = a,
		.tag = tag,
		.tls = fd,
		.plain = -1,
	};
	buf_init(&s->up, STREAM_CHUNK);
	buf_init(&s->down, STREAM_DOWN_MAX);
	list_init(&s->again);
	list_append(&a->handshakes, &s->link);
	a->t->nstreams++;
	s->tls_rd = event_new(a->t->loop->base, fd, EV_READ | EV_PERSIST,
			      on_tls_readable, s);
	s->timer = evtimer_new(a->t->loop->base, on_deadline, s);
	if (s->tls_rd && s->timer)
		return s;
	stream_free(s);
	return NULL;
}

/* s->ssl is made: begin. */
static int
start(struct stream *s, uint32_t timeout_ms)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	BIO *bio = BIO_new(s->t->bio);

	if (!bio)
		return -1;
	BIO_set_data(bio, s);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_app_data(s->ssl, s);
	if (event_add(s->tls_rd, NULL) < 0 || event_add(s->timer, &tv) < 0)
		return -1;
	if (s->out) /* it speaks first */
		handshake(s);
	return 0;
}

/* May there be one more?  NULL, or why not. */
static const char *
admit(const struct tlsd *t)
{
	return t->draining		       ? "tlsd is ending"
	       : t->nstreams >= t->max_streams ? "too many connections"
					       : NULL;
}

static void
refuse_fd(struct tls_asker *a, uint32_t tag, int fd, const char *why)
{
	close(fd);
	refuse(a, tag, TLS_FAIL_LOCAL, why);
}

void
stream_start(struct tls_asker *a, uint32_t tag, const struct msg_tls_server *m,
	     int fd)
{
	const char *why =
		a->t->contexts ? admit(a->t) : "there is no certificate";
	struct stream *s;

	if (why) {
		refuse_fd(a, tag, fd, why);
		return;
	}
	s = stream_new(a, tag, fd);
	if (s && prepare_server(s, m) == 0 && start(s, m->timeout_ms) == 0)
		return;
	if (s)
		stream_free(s);
	refuse(a, tag, TLS_FAIL_LOCAL, "out of memory");
}

void
stream_connect(struct tls_asker *a, uint32_t tag,
	       const struct msg_tls_client *m, int fd)
{
	const char *why = admit(a->t);
	struct err err = { .text = "out of memory" };
	struct stream *s;

	if (why) {
		refuse_fd(a, tag, fd, why);
		return;
	}
	s = stream_new(a, tag, fd);
	if (s && outgoing_prepare(s, m, &err) == 0 &&
	    start(s, m->timeout_ms) == 0)
		return;
	if (s)
		stream_free(s);
	refuse(a, tag, TLS_FAIL_LOCAL, err.text);
}
