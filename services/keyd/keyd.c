/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "keyd.h"
#include "sign.h"

enum {
	TICK_S = 10,
	REFUSED_EVERY_MS = 60 * 1000,
	DATES_EVERY_MS = 3600 * 1000,
	WANT_EVERY_MS = 60 * 1000,
	TABLE_MAX = 64 * 1024 * 1024,
};

struct peer {
	struct list link;
	struct keyd *keyd;
	struct chan *chan;
	size_t group; /* as a server; that of mx has KEYS_OUT as well */
	bool watches;
};

static bool
has_group(const struct peer *p, size_t group)
{
	return p->group == group || (group == KEYS_OUT && p->group == 0);
}

/* --- what a tlsd is told ------------------------------------------------- */

static int
send_chain(struct chan *c, const struct key_set *s, uint16_t i, bool out)
{
	const struct key_ref *r = &s->v[i];
	struct msg_key_chain m = { .set = s->id,
				   .key = i,
				   .fallback = r->names[0] == '\0',
				   .out = out,
				   .names = str_of(r->names) };
	struct buf certs;
	struct err err;
	size_t k;
	int rc = 0;

	buf_init(&certs, MSG_FRAME_MAX);
	for (k = 0; rc == 0 && k < r->chain->n; k++) {
		struct msg_key_der d = { r->chain->der[k] };

		rc = msg_list_add(&certs, &msg_key_der_def, &d, &err);
	}
	m.certs = msg_list_of(&certs, (uint32_t)r->chain->n, &msg_key_der_def);
	if (rc == 0)
		rc = chan_send(c, 0, &msg_key_chain_def, &m);
	buf_fini(&certs);
	return rc;
}

static void
send_set(struct peer *p, size_t group)
{
	const struct key_set *s = p->keyd->keys.set[group];
	bool out = group == KEYS_OUT;
	struct msg_key_set done = { .set = s->id, .keys = s->n, .out = out };
	uint16_t i;

	for (i = 0; i < s->n; i++)
		if (send_chain(p->chan, s, i, out) < 0)
			return; /* the channel is gone */
	chan_send(p->chan, 0, &msg_key_set_def, &done);
}

static void
send_tickets(struct peer *p, size_t group)
{
	const struct tickets *t = &p->keyd->tickets[group];
	struct msg_key_tickets m;
	struct buf list;
	struct err err;
	size_t i;
	int rc = 0;

	buf_init(&list, 1024);
	for (i = 0; rc == 0 && i < t->n; i++) {
		struct msg_key_ticket one = {
			.name = str_mem(t->v[i].name, KEY_TICKET_NAME),
			.secret = str_mem(t->v[i].secret, KEY_TICKET_SECRET),
		};

		rc = msg_list_add(&list, &msg_key_ticket_def, &one, &err);
	}
	m.keys = msg_list_of(&list, (uint32_t)t->n, &msg_key_ticket_def);
	if (rc == 0)
		chan_send(p->chan, 0, &msg_key_tickets_def, &m);
	if (list.p)
		explicit_bzero(list.p, list.size);
	buf_fini(&list);
}

static void
tell(struct keyd *k, size_t group, void (*what)(struct peer *p, size_t group))
{
	struct list *it;

	list_for_each (it, &k->peers) {
		struct peer *p = LIST_OF(it, struct peer, link);

		if (has_group(p, group) && p->watches)
			what(p, group);
	}
}

/* --- ticket keys --------------------------------------------------------- */

/*
 * A key seals for half of the life of a ticket and opens for as long again,
 * twice: a ticket lives at least as long as it was told.
 */
static void
rotate(struct keyd *k, size_t group, uint64_t now)
{
	struct tickets *t = &k->tickets[group];

	if (k->ticket_life_s == 0) {
		if (t->n == 0)
			return;
		explicit_bzero(t->v, sizeof(t->v));
		t->n = 0;
	} else {
		memmove(&t->v[1], &t->v[0],
			(KEY_TICKETS_MAX - 1) * sizeof(t->v[0]));
		rand_bytes(&t->v[0], sizeof(t->v[0]));
		if (t->n < KEY_TICKETS_MAX)
			t->n++;
		t->next_ms = now + (uint64_t)k->ticket_life_s * 500;
	}
	tell(k, group, send_tickets);
}

/* --- questions ----------------------------------------------------------- */

/* At most one line a minute: a tlsd that was taken over could fill the log. */
static void
refuse(struct peer *p, uint32_t tag, const char *why)
{
	struct msg_key_refused m = { .text = str_of(why) };
	struct keyd *k = p->keyd;
	uint64_t now = clock_mono_ms();

	chan_send(p->chan, tag, &msg_key_refused_def, &m);
	k->refused++;
	if (now < k->refused_until_ms)
		return;
	k->refused_until_ms = now + REFUSED_EVERY_MS;
	log_warn("refused to sign for %s: %s (%u since the last line)",
		 chan_row(p->chan)->name, why, k->refused);
	k->refused = 0;
}

/* Numbers of sets are unique over all groups. */
static EVP_PKEY *
find_key(const struct peer *p, const struct msg_key_sign *m)
{
	EVP_PKEY *key = NULL;
	size_t i;

	for (i = 0; i < KEYS_GROUPS && !key; i++)
		if (has_group(p, i))
			key = keys_find(&p->keyd->keys, i, m->set, m->key);
	return key;
}

static void
on_sign(struct peer *p, uint32_t tag, const struct msg_key_sign *m)
{
	EVP_PKEY *key = find_key(p, m);
	struct msg_key_signed reply;
	struct buf sig;
	struct err err;

	if (!key) {
		refuse(p, tag, "no such key");
		return;
	}
	buf_init(&sig, KEY_SIGNATURE_MAX);
	if (sign_data(key, m->scheme, m->data, &sig, &err) < 0) {
		refuse(p, tag, err.text);
	} else {
		reply.signature = buf_str(&sig);
		chan_send(p->chan, tag, &msg_key_signed_def, &reply);
	}
	buf_fini(&sig);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct peer *p = arg;
	size_t i;

	(void)c;
	if (def == &msg_key_sign_def) {
		on_sign(p, tag, msg);
	} else if (def == &msg_key_watch_def && !p->watches) {
		p->watches = true;
		for (i = 0; i < KEYS_GROUPS; i++)
			if (has_group(p, i))
				send_set(p, i);
		send_tickets(p, p->group);
	}
}

static void
on_close(struct chan *c, void *arg)
{
	struct peer *p = arg;

	(void)c;
	list_remove(&p->link);
	free(p);
}

static const struct chan_ops peer_ops = { on_msg, on_close };

void
keyd_peer(struct keyd *k, const struct chan_row *row, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return;
	}
	p->keyd = k;
	/* Who asks is known by the row of the channel, which master chose. */
	p->group = row == &channels[CH_TLSD_MX_KEYD] ? 0 : 1;
	p->chan = chan_new(k->loop, fd, row, CHAN_SERVICE, &peer_ops, p);
	if (!p->chan) {
		free(p);
		return;
	}
	list_append(&k->peers, &p->link);
}

/* --- the table ----------------------------------------------------------- */

/* The bytes behind a sealed descriptor; nobody can change them meanwhile. */
static int
map_table(int fd, struct str *bytes, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS), want = F_SEAL_SHRINK | F_SEAL_WRITE;
	struct stat st;
	void *p;

	*bytes = STR_NULL;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "table of keys");
	if (seals < 0 || (seals & want) != want)
		return err_set(err, ERR_PERM, EINVAL,
			       "table of keys: not sealed");
	if (st.st_size > TABLE_MAX)
		return err_set(err, ERR_PERM, EFBIG,
			       "table of keys: more than %d MB",
			       TABLE_MAX >> 20);
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, errno, "table of keys");
	*bytes = str_mem(p, (size_t)st.st_size);
	return 0;
}

void
keyd_table(struct keyd *k, struct str name, int fd)
{
	static const char *const groups[KEYS_GROUPS] = { "port 25",
							 "people's programs",
							 "other hosts" };
	int64_t now = (int64_t)(clock_wall_us() / 1000000);
	struct str bytes = STR_NULL;
	struct err err;
	int changed;
	size_t i;

	if (!str_eq(name, STR("keys"))) {
		close(fd);
		return;
	}
	changed = map_table(fd, &bytes, &err);
	if (changed == 0)
		changed =
			keys_take(&k->keys, bytes, now, clock_mono_ms(), &err);
	if (bytes.n)
		munmap((void *)(uintptr_t)bytes.p, bytes.n);
	close(fd);
	if (changed < 0) {
		log_error("tls: %s; keeping the keys of before", err.text);
		return;
	}
	for (i = 0; i < KEYS_GROUPS; i++) {
		if (!(changed & 1 << i))
			continue;
		if (k->keys.set[i]->n == 0)
			log_warn("tls: no certificate is left for %s",
				 groups[i]);
		tell(k, i, send_set);
	}
	keys_warn_expiry(&k->keys, now);
}

/* --- life ---------------------------------------------------------------- */

void
keyd_tick(struct keyd *k, uint64_t now)
{
	size_t i;

	for (i = 0; i < KEYS_OUT; i++)
		if (now >= k->tickets[i].next_ms)
			rotate(k, i, now);
	keys_drop_old(&k->keys, now);
	if (k->keys.not_yet && k->want_table && now >= k->want_ms) {
		k->want_ms = now + WANT_EVERY_MS;
		k->want_table(k->want_arg);
	}
	if (now >= k->dates_ms) {
		k->dates_ms = now + DATES_EVERY_MS;
		keys_warn_expiry(&k->keys,
				 (int64_t)(clock_wall_us() / 1000000));
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	keyd_tick(arg, clock_mono_ms());
}

void
keyd_configure(struct keyd *k, struct str myhostname, unsigned life_s)
{
	size_t i;

	if (!str_copy(k->keys.myhostname, sizeof(k->keys.myhostname),
		      myhostname))
		log_warn("myhostname is too long");
	if (life_s == k->ticket_life_s)
		return;
	k->ticket_life_s = life_s;
	for (i = 0; i < KEYS_OUT; i++)
		rotate(k, i, clock_mono_ms());
}

int
keyd_init(struct keyd *k, struct loop *l, struct err *err)
{
	struct timeval tv = { TICK_S, 0 };

	*k = (struct keyd){ .loop = l };
	list_init(&k->peers);
	if (keys_init(&k->keys, err) < 0)
		return -1;
	k->tick = event_new(l->base, -1, EV_PERSIST, on_tick, k);
	if (!k->tick || event_add(k->tick, &tv) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return 0;
}

void
keyd_fini(struct keyd *k)
{
	while (!list_empty(&k->peers)) {
		struct peer *p = LIST_OF(k->peers.next, struct peer, link);

		list_remove(&p->link);
		chan_close(p->chan);
		free(p);
	}
	if (k->tick)
		event_free(k->tick);
	keys_fini(&k->keys);
	explicit_bzero(k->tickets, sizeof(k->tickets));
}
