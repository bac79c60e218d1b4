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
#include "outgoing.h"

/* --- what is offered -------------------------------------------------------
 */

static bool
can_offer(const struct tls_asker *a)
{
	return !a->t->draining && (a->connects || a->t->contexts);
}

static void
tell_offer(struct tls_asker *a)
{
	const struct msg_tls_offer m = { .on = can_offer(a) };

	a->offered = m.on;
	(void)chan_send(a->chan, 0, &msg_tls_offer_def, &m);
}

static void
tell_offers(struct tlsd *t)
{
	struct list *it;

	list_for_each (it, &t->askers) {
		struct tls_asker *a = LIST_OF(it, struct tls_asker, link);

		if (a->offered != can_offer(a))
			tell_offer(a);
	}
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
	tell_offers(t);
}

void
tlsd_configure(struct tlsd *t, const struct tls_conf *conf)
{
	t->conf = *conf;
	outgoing_reset(t);
	make_contexts(t);
}

/* --- authorities -----------------------------------------------------------
 */

/* One certificate that cannot be read hides itself alone. */
static X509_STORE *
parse_ca(struct str pem, const char *what)
{
	X509_STORE *store = X509_STORE_new();
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	unsigned n = 0, bad = 0;
	X509 *cert;

	while (store && bio) {
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (cert)
			n += X509_STORE_add_cert(store, cert) == 1;
		else if (ERR_GET_REASON(ERR_peek_last_error()) ==
			 PEM_R_NO_START_LINE)
			break;
		else
			bad++;
		X509_free(cert);
		ERR_clear_error();
	}
	BIO_free(bio);
	ERR_clear_error();
	if (bad)
		log_error("%s: %u certificates cannot be read", what, bad);
	if (n)
		return store;
	log_error("%s: no certificate is in it", what);
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

/* Takes fd; id gets a digest of the content, NULL: none wanted. */
static X509_STORE *
read_ca(int fd, const char *what, uint8_t id[16])
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
	X509_STORE *ca = NULL;
	struct buf pem;

	buf_init(&pem, TLSD_CA_MAX);
	if (read_fd(fd, &pem) < 0)
		log_error("%s: cannot be read", what);
	else if (pem.n)
		ca = parse_ca(buf_str(&pem), what);
	if (ca)
		EVP_Digest(pem.p, pem.n, digest, NULL, EVP_sha256(), NULL);
	if (id)
		memcpy(id, digest, 16);
	buf_fini(&pem);
	close(fd);
	return ca;
}

void
tlsd_ca(struct tlsd *t, int fd)
{
	X509_STORE_free(t->ca);
	t->ca = read_ca(fd, "authorities of clients", t->ca_id);
	make_contexts(t);
}

void
tlsd_server_ca(struct tlsd *t, int fd)
{
	X509_STORE_free(t->server_ca);
	t->server_ca = read_ca(fd, "authorities of servers", NULL);
	outgoing_reset(t);
}

/* --- keyd ------------------------------------------------------------------
 */

static void
take_chain(struct tlsd *t, const struct msg_key_chain *m)
{
	struct keyset **pending = m->out ? &t->out_pending : &t->pending;
	struct err err;

	if (!*pending || m->set != (*pending)->set || m->key == 0) {
		keyset_free(*pending);
		*pending = keyset_new(m->set);
	}
	if (!*pending || m->key != (*pending)->n) {
		log_warn("keyd: chain %u of set %u is out of order", m->key,
			 m->set);
		return;
	}
	if (keyset_add(*pending, &t->remote, m, &err) < 0)
		log_error("%s", err.text);
}

static void
take_set(struct tlsd *t, const struct msg_key_set *m)
{
	struct keyset **pending = m->out ? &t->out_pending : &t->pending;
	struct keyset **keys = m->out ? &t->out_keys : &t->keys;
	struct keyset *ks = *pending;

	*pending = NULL;
	if (m->keys == 0 && ks) {
		keyset_free(ks);
		ks = NULL;
	}
	if (m->keys != 0 && (!ks || ks->set != m->set || ks->n != m->keys)) {
		log_warn("keyd: set %u is not complete", m->set);
		keyset_free(ks);
		return;
	}
	keyset_free(*keys);
	*keys = ks;
	if (m->out)
		outgoing_reset(t);
	else
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
	keyset_free(t->out_pending);
	t->pending = t->out_pending = NULL;
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
	struct msg_tls_server *server = msg;
	struct msg_tls_client *client = msg;
	int fd;

	(void)c;
	if (def == &msg_tls_server_def) {
		fd = server->fd;
		server->fd = -1;
		stream_start(arg, tag, server, fd);
	} else if (def == &msg_tls_client_def) {
		fd = client->fd;
		client->fd = -1;
		stream_connect(arg, tag, client, fd);
	}
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
	a->connects = row == &channels[CH_SMTP_TLSD];
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
	list_init(&t->out_contexts);
	sessions_init(&t->sessions);
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
	keyset_free(t->out_keys);
	keyset_free(t->out_pending);
	ticket_keys_wipe(&t->tickets);
	outgoing_reset(t);
	X509_STORE_free(t->ca);
	X509_STORE_free(t->server_ca);
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
	tell_offers(t);
	if (t->nstreams == 0 && t->drained)
		t->drained(t->arg);
}
