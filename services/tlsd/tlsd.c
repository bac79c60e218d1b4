/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "bio.h"
#include "stream.h"

/* --- what is offered -------------------------------------------------------
 */

static void
tell_offer(struct tls_asker *a)
{
	const struct msg_tls_offer m = { .on = a->t->offering };

	(void)chan_send(a->chan, 0, &msg_tls_offer_def, &m);
}

static void
set_offering(struct tlsd *t)
{
	bool on = t->contexts && !t->draining;
	struct list *it;

	if (on == t->offering)
		return;
	t->offering = on;
	list_for_each (it, &t->askers)
		tell_offer(LIST_OF(it, struct tls_asker, link));
}

/* From what there is now; streams and handshakes keep their old ones. */
static void
make_contexts(struct tlsd *t)
{
	struct contexts *cs = NULL;
	struct err err;

	if (t->keys && t->keys->n) {
		cs = contexts_new(&t->conf, t->keys, t->ca, &tlsd_hooks, &err);
		if (!cs)
			log_error("TLS is not offered: %s", err.text);
	}
	contexts_free(t->contexts);
	t->contexts = cs;
	set_offering(t);
}

void
tlsd_configure(struct tlsd *t, const struct tls_conf *conf)
{
	t->conf = *conf;
	make_contexts(t);
}

/* --- authorities of clients' certificates ----------------------------------
 */

static X509_STORE *
parse_ca(struct str pem)
{
	X509_STORE *store = X509_STORE_new();
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	unsigned n = 0;
	X509 *cert;

	while (store && bio &&
	       (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		n += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	BIO_free(bio);
	ERR_clear_error();
	if (n)
		return store;
	log_error("smtpd_tls_CAfile: no certificate is in it");
	X509_STORE_free(store);
	return NULL;
}

static int
read_fd(int fd, struct buf *b)
{
	struct stat st;
	ssize_t n;
	char *to;

	if (fstat(fd, &st) < 0 || st.st_size > TLSD_CA_MAX)
		return -1;
	while (b->n < (size_t)st.st_size) {
		to = buf_reserve(b, (size_t)st.st_size - b->n);
		n = to ? pread(fd, to, (size_t)st.st_size - b->n, (off_t)b->n)
		       : -1;
		if (n <= 0)
			return -1;
		b->n += (size_t)n;
	}
	return 0;
}

void
tlsd_ca(struct tlsd *t, int fd)
{
	unsigned char id[EVP_MAX_MD_SIZE] = { 0 };
	struct buf pem;

	buf_init(&pem, TLSD_CA_MAX);
	X509_STORE_free(t->ca);
	t->ca = NULL;
	if (read_fd(fd, &pem) < 0)
		log_error("smtpd_tls_CAfile: cannot be read");
	else if (pem.n)
		t->ca = parse_ca(buf_str(&pem));
	if (t->ca)
		EVP_Digest(pem.p, pem.n, id, NULL, EVP_sha256(), NULL);
	memcpy(t->ca_id, id, sizeof(t->ca_id));
	buf_fini(&pem);
	close(fd);
	make_contexts(t);
}

/* --- keyd ------------------------------------------------------------------
 */

static void
take_chain(struct tlsd *t, const struct msg_key_chain *m)
{
	struct err err;

	if (!t->pending || m->set != t->pending->set || m->key == 0) {
		keyset_free(t->pending);
		t->pending = keyset_new(m->set);
	}
	if (!t->pending || m->key != t->pending->n) {
		log_warn("keyd: chain %u of set %u is out of order", m->key,
			 m->set);
		return;
	}
	if (keyset_add(t->pending, &t->remote, m, &err) < 0)
		log_error("%s", err.text);
}

static void
take_set(struct tlsd *t, const struct msg_key_set *m)
{
	struct keyset *ks = t->pending;

	t->pending = NULL;
	if (m->keys == 0 && ks) {
		keyset_free(ks);
		ks = NULL;
	}
	if (m->keys != 0 && (!ks || ks->set != m->set || ks->n != m->keys)) {
		log_warn("keyd: set %u is not complete", m->set);
		keyset_free(ks);
		return;
	}
	keyset_free(t->keys);
	t->keys = ks;
	make_contexts(t);
	ERR_clear_error();
}

void
tlsd_on_keyd_note(void *arg, const struct msg_def *def, void *msg)
{
	struct tlsd *t = arg;

	switch (def->type) {
	case MSG_KEY_CHAIN:
		take_chain(t, msg);
		break;
	case MSG_KEY_SET:
		take_set(t, msg);
		break;
	case MSG_KEY_TICKETS:
		ticket_keys_set(&t->tickets, msg);
		break;
	default:
		break;
	}
}

/* While keyd is away the last set stays: sessions are resumed without it. */
void
tlsd_on_keyd_state(void *arg, bool up)
{
	const struct msg_key_watch m = { 0 };
	struct tlsd *t = arg;

	keyset_free(t->pending);
	t->pending = NULL;
	if (up)
		(void)asker_send_part(t->keyd, 0, &msg_key_watch_def, &m);
}

static void
drop_remote(struct tlsd *t)
{
	if (t->remote_end)
		event_free(t->remote_end);
	t->remote_end = NULL;
	remote_channel(&t->remote, -1);
}

/* Between questions nothing comes but a late answer and the end. */
static void
on_remote_end(evutil_socket_t fd, short what, void *arg)
{
	struct tlsd *t = arg;

	(void)fd;
	(void)what;
	if (remote_late(&t->remote) == 0)
		return;
	drop_remote(t);
	if (t->remote_lost)
		t->remote_lost(t->arg);
}

void
tlsd_remote(struct tlsd *t, int fd)
{
	drop_remote(t);
	t->remote_end = event_new(t->loop->base, fd, EV_READ | EV_PERSIST,
				  on_remote_end, t);
	if (!t->remote_end || event_add(t->remote_end, NULL) < 0)
		log_error("no event for the channel to keyd");
	remote_channel(&t->remote, fd);
}

/* --- askers ----------------------------------------------------------------
 */

static void
asker_ended(struct tls_asker *a)
{
	/* Nobody waits for these any more. */
	while (!list_empty(&a->handshakes))
		stream_free(LIST_OF(a->handshakes.next, struct stream, link));
	list_remove(&a->link);
	free(a);
}

static void
on_asker_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	     void *msg)
{
	struct msg_tls_server *m = msg;
	int fd;

	(void)c;
	if (def != &msg_tls_server_def)
		return;
	fd = m->fd;
	m->fd = -1;
	stream_start(arg, tag, m, fd);
}

static void
on_asker_close(struct chan *c, void *arg)
{
	(void)c;
	asker_ended(arg);
}

static const struct chan_ops asker_ops = { on_asker_msg, on_asker_close };

void
tlsd_peer(struct tlsd *t, const struct chan_row *row, int fd)
{
	struct tls_asker *a = calloc(1, sizeof(*a));

	if (!a) {
		close(fd);
		return;
	}
	a->t = t;
	list_init(&a->link);
	list_init(&a->handshakes);
	a->chan = chan_new(t->loop, fd, row, CHAN_SERVICE, &asker_ops, a);
	if (!a->chan) {
		free(a);
		return;
	}
	list_append(&t->askers, &a->link);
	tell_offer(a);
}

/* --- life ------------------------------------------------------------------
 */

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct tlsd *t = arg;
	struct list now;

	(void)fd;
	(void)what;
	/* Those that ask again now come in the next turn. */
	list_init(&now);
	while (!list_empty(&t->again)) {
		struct list *l = t->again.next;

		list_remove(l);
		list_append(&now, l);
	}
	while (!list_empty(&now)) {
		struct stream *s = LIST_OF(now.next, struct stream, again);

		list_remove(&s->again);
		pump_tls_readable(s);
	}
}

int
tlsd_init(struct tlsd *t, struct loop *l, unsigned max_streams, struct err *err)
{
	t->loop = l;
	t->max_streams = max_streams;
	list_init(&t->askers);
	list_init(&t->streams);
	list_init(&t->again);
	buf_init(&t->out, STREAM_DOWN_MAX);
	if (remote_init(&t->remote, err) < 0)
		return -1;
	t->bio = bio_method();
	t->chunk = malloc(STREAM_CHUNK);
	t->again_timer = evtimer_new(l->base, on_again, t);
	if (t->bio && t->chunk && t->again_timer)
		return 0;
	tlsd_fini(t);
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

void
tlsd_fini(struct tlsd *t)
{
	struct tls_asker *a;

	t->drained = NULL;
	while (!list_empty(&t->askers)) {
		a = LIST_OF(t->askers.next, struct tls_asker, link);
		chan_close(a->chan);
		asker_ended(a);
	}
	while (!list_empty(&t->streams))
		stream_free(LIST_OF(t->streams.next, struct stream, link));
	asker_free(t->keyd);
	contexts_free(t->contexts);
	keyset_free(t->keys);
	keyset_free(t->pending);
	ticket_keys_wipe(&t->tickets);
	X509_STORE_free(t->ca);
	drop_remote(t);
	remote_fini(&t->remote);
	BIO_meth_free(t->bio);
	if (t->again_timer)
		event_free(t->again_timer);
	free(t->chunk);
	buf_fini(&t->out);
}

void
tlsd_drain(struct tlsd *t)
{
	t->draining = true;
	set_offering(t);
	if (t->nstreams == 0 && t->drained)
		t->drained(t->arg);
}
