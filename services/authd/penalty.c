/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/buf.h"
#include "base/enc.h"
#include "base/rand.h"
#include "penalty.h"

struct penalty_record {
	struct list link; /* penalty_table.idle, while nobody refers to it */
	uint64_t id;
	enum penalty_kind kind;
	unsigned refs;	/* tries that point here */
	unsigned busy;	/* of them, being looked at (gates) */
	unsigned nwait; /* in waiting */
	struct list waiting;
	struct heap_item due;
	unsigned failures; /* since the last success, or silence */
	uint64_t failed_ms, ready_ms;
	uint64_t recent[PENALTY_RECENT];
	unsigned next_recent;
};

/* --- records -------------------------------------------------------------- */

void
penalties_init(struct penalties *p)
{
	size_t i;

	*p = (struct penalties){ .records_max = PENALTY_RECORDS };
	rand_bytes(p->key, sizeof(p->key));
	for (i = 0; i < PENALTY_KINDS; i++)
		list_init(&p->tables[i].idle);
}

static void
discard(struct penalties *p, struct penalty_record *r)
{
	map_del(&p->tables[r->kind].map, MAP_KEY(r->id));
	list_remove(&r->link);
	free(r);
}

void
penalties_fini(struct penalties *p)
{
	struct penalty_table *t;

	for (t = p->tables; t < p->tables + PENALTY_KINDS; t++) {
		while (!list_empty(&t->idle))
			discard(p, LIST_OF(t->idle.next, struct penalty_record,
					   link));
		BUG_ON(t->map.n);
		map_fini(&t->map);
	}
	heap_fini(&p->due);
}

/* The record of this id, made if it is new; NULL: no memory. */
static struct penalty_record *
record(struct penalties *p, enum penalty_kind kind, uint64_t id)
{
	struct penalty_table *t = &p->tables[kind];
	struct penalty_record *r = map_get(&t->map, MAP_KEY(id));

	if (r)
		return r;
	if (t->map.n >= p->records_max) {
		if (list_empty(&t->idle))
			return NULL;
		discard(p, LIST_OF(t->idle.next, struct penalty_record, link));
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->id = id;
	r->kind = kind;
	list_init(&r->waiting);
	list_init(&r->link);
	if (map_put(&t->map, MAP_KEY(r->id), r) < 0) {
		free(r);
		return NULL;
	}
	list_append(&t->idle, &r->link);
	return r;
}

static void
ref(struct penalty_record *r)
{
	list_remove(&r->link);
	r->refs++;
}

static void
unref(struct penalties *p, struct penalty_record *r)
{
	if (--r->refs == 0)
		list_append(&p->tables[r->kind].idle, &r->link);
}

/* --- who it is ------------------------------------------------------------ */

enum { ID_MAX = 1 + 16 + 256 };

static void
id_add(uint8_t id[ID_MAX], size_t *n, struct str part)
{
	size_t room = ID_MAX - *n, take = part.n < room ? part.n : room;

	if (take)
		memcpy(id + *n, part.p, take);
	*n += take;
}

/* host: of fixed length for one family, and the families differ in length. */
static uint64_t
make_id(const struct penalties *p, enum penalty_kind kind, struct str host,
	struct str user)
{
	uint8_t id[ID_MAX] = { (uint8_t)kind, (uint8_t)host.n };
	size_t n = 2;

	id_add(id, &n, host);
	id_add(id, &n, user);
	return enc_siphash(p->key, id, n);
}

/* The bytes that stand for a client; false: an exception. */
static bool
client_of(const struct penalties *p, struct str text, struct addr *a,
	  struct str *host)
{
	size_t i;

	*host = STR_NULL;
	if (addr_parse(text, a, NULL) < 0)
		return false;
	addr_unmap(a);
	*host = a->sa.sa_family == AF_INET ? str_mem(&a->in.sin_addr, 4)
					   : str_mem(&a->in6.sin6_addr, 8);
	for (i = 0; i < p->nexempt; i++)
		if (addr_net_has(&p->exempt[i], a))
			return false;
	return true;
}

uint64_t
penalty_digest(const struct penalties *p, struct str user, struct str password)
{
	struct buf b;
	uint64_t d;

	buf_init(&b, user.n + password.n + 1);
	if (buf_add_str(&b, user) < 0 || buf_add_byte(&b, '\0') < 0 ||
	    buf_add_str(&b, password) < 0)
		rand_bytes(&d, sizeof(d)); /* like no other */
	else
		d = enc_siphash(p->key, b.p, b.n);
	if (b.n)
		explicit_bzero(b.p, b.n);
	buf_fini(&b);
	return d ? d : 1;
}

/* --- delays --------------------------------------------------------------- */

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* 0, 0, 2, 4, 8 s ... */
static uint64_t
gate_delay(const struct penalties *p, const struct penalty_record *gate)
{
	uint64_t max = gate->kind == PENALTY_LOCAL
			       ? least(p->max_ms, PENALTY_USER_MAX_MS)
			       : p->max_ms;

	if (gate->failures < 2)
		return 0;
	return gate->failures > 20
		       ? max
		       : least(max, 1000ull << (gate->failures - 1));
}

/* 0, 0, 0, 1, 2, 4 s. */
static uint64_t
user_delay(const struct penalties *p, const struct penalty_record *user)
{
	uint64_t max = least(p->max_ms, PENALTY_USER_MAX_MS);

	if (user->failures < 3)
		return 0;
	return user->failures > 20
		       ? max
		       : least(max, 1000ull << (user->failures - 3));
}

static void
forget_old(struct penalty_record *r, uint64_t now_ms)
{
	if (r->failures && now_ms - r->failed_ms >= PENALTY_FORGET_MS)
		r->failures = 0;
}

static void
count_failure(struct penalty_record *r, uint64_t digest, uint64_t now_ms)
{
	size_t i;

	for (i = 0; digest && i < PENALTY_RECENT; i++)
		if (r->recent[i] == digest)
			return;
	r->recent[r->next_recent++ % PENALTY_RECENT] = digest;
	r->failures++;
	r->failed_ms = now_ms;
}

/* --- gates ---------------------------------------------------------------- */

/* Who goes next, and when; NULL: nobody before one that is busy is done. */
static struct penalty_try *
first_of(const struct penalties *p, const struct penalty_record *gate,
	 uint64_t *when_ms)
{
	unsigned room = gate->failures ? 1 : PENALTY_FREE;
	struct penalty_try *best = NULL;
	struct list *it;

	if (p->max_ms && gate->busy >= room)
		return NULL;
	list_for_each (it, &gate->waiting) {
		struct penalty_try *t = LIST_OF(it, struct penalty_try, link);

		if (!best || t->not_before_ms < best->not_before_ms)
			best = t;
	}
	if (!best)
		return NULL;
	*when_ms = best->not_before_ms > gate->ready_ms ? best->not_before_ms
							: gate->ready_ms;
	if (!p->max_ms)
		*when_ms = 0;
	return best;
}

/* After each change of a gate.  Memory fails only where the heap grows; then
 * somebody waits until the next change. */
static void
schedule(struct penalties *p, struct penalty_record *gate)
{
	uint64_t when;

	if (first_of(p, gate, &when))
		(void)!heap_set(&p->due, &gate->due, when);
	else if (heap_has(&gate->due))
		heap_remove(&p->due, &gate->due);
}

static void
go(struct penalties *p, struct penalty_try *t)
{
	list_remove(&t->link);
	t->parked = false;
	t->gate->nwait--;
	t->gate->busy++;
	p->parked--;
}

/* Too many wait already for the last of them to wait as well. */
static bool
is_full(const struct penalties *p, const struct penalty_record *gate,
	uint64_t now_ms)
{
	uint64_t wait = gate_delay(p, gate) * (gate->nwait - 1);

	if (gate->ready_ms > now_ms)
		wait += gate->ready_ms - now_ms;
	return p->parked > PENALTY_PARKED_ALL ||
	       gate->nwait > PENALTY_PARKED_MAX || wait > PENALTY_WAIT_MAX_MS;
}

/* The records a try depends on, referred to; false: no memory. */
static bool
find_records(struct penalties *p, struct penalty_try *t, struct str client,
	     struct str user)
{
	struct addr addr;
	struct str host;
	bool common = !client_of(p, client, &addr, &host);
	struct penalty_record *known;

	t->known = make_id(p, PENALTY_KNOWN, host, user);
	known = map_get(&p->tables[PENALTY_KNOWN].map, MAP_KEY(t->known));
	if (common)
		t->gate = record(p, PENALTY_LOCAL,
				 make_id(p, PENALTY_LOCAL, host, user));
	else if (known)
		t->gate = known;
	else
		t->gate = record(p, PENALTY_CLIENT,
				 make_id(p, PENALTY_CLIENT, host, STR_NULL));
	if (!t->gate)
		return false;
	ref(t->gate);
	if (known && common) {
		/* Used again: it stays in memory. */
		ref(known);
		unref(p, known);
	}
	t->user = record(p, PENALTY_USER,
			 make_id(p, PENALTY_USER, STR_NULL, user));
	if (!t->user) {
		unref(p, t->gate);
		t->gate = NULL;
		return false;
	}
	ref(t->user);
	return true;
}

static void
release(struct penalties *p, struct penalty_try *t)
{
	struct penalty_record *gate = t->gate;

	unref(p, t->user);
	t->gate = t->user = NULL;
	schedule(p, gate);
	unref(p, gate);
}

enum penalty_answer
penalty_enter(struct penalties *p, struct penalty_try *t, struct str client,
	      struct str user, uint64_t now_ms)
{
	uint64_t when;

	*t = (struct penalty_try){ .not_before_ms = now_ms };
	list_init(&t->link);
	if (!p->max_ms)
		return PENALTY_GO;
	if (!find_records(p, t, client, user))
		return PENALTY_REFUSED;
	forget_old(t->gate, now_ms);
	forget_old(t->user, now_ms);
	if (t->gate->id != t->known &&
	    !map_get(&p->tables[PENALTY_KNOWN].map, MAP_KEY(t->known)))
		t->not_before_ms += user_delay(p, t->user);
	list_append(&t->gate->waiting, &t->link);
	t->parked = true;
	t->gate->nwait++;
	p->parked++;
	if (first_of(p, t->gate, &when) == t && when <= now_ms) {
		go(p, t);
		schedule(p, t->gate);
		return PENALTY_GO;
	}
	if (is_full(p, t->gate, now_ms)) {
		penalty_cancel(p, t, now_ms);
		return PENALTY_REFUSED;
	}
	schedule(p, t->gate);
	return PENALTY_PARKED;
}

static void
note_right(struct penalties *p, struct penalty_try *t)
{
	struct penalty_record *known;

	t->gate->failures = 0;
	t->gate->ready_ms = 0;
	known = record(p, PENALTY_KNOWN, t->known);
	if (known && known != t->gate) {
		ref(known);
		unref(p, known);
	}
}

void
penalty_leave(struct penalties *p, struct penalty_try *t,
	      enum penalty_result result, uint64_t digest, uint64_t now_ms)
{
	if (!t->gate)
		return;
	BUG_ON(t->parked);
	t->gate->busy--;
	if (result == PENALTY_RIGHT)
		note_right(p, t);
	if (result == PENALTY_WRONG) {
		count_failure(t->gate, digest, now_ms);
		count_failure(t->user, digest, now_ms);
		t->gate->ready_ms = now_ms + gate_delay(p, t->gate);
	}
	release(p, t);
}

void
penalty_cancel(struct penalties *p, struct penalty_try *t, uint64_t now_ms)
{
	if (t->gate && t->parked)
		go(p, t);
	penalty_leave(p, t, PENALTY_UNDECIDED, 0, now_ms);
}

struct penalty_try *
penalty_due(struct penalties *p, uint64_t now_ms)
{
	struct heap_item *top = heap_top(&p->due);
	struct penalty_record *gate;
	struct penalty_try *t;
	uint64_t when;

	if (!top || top->key > now_ms)
		return NULL;
	gate = LIST_OF(top, struct penalty_record, due);
	t = first_of(p, gate, &when);
	BUG_ON(!t);
	go(p, t);
	schedule(p, gate);
	return t;
}

int64_t
penalty_next(const struct penalties *p, uint64_t now_ms)
{
	struct heap_item *top = heap_top(&p->due);

	if (!top)
		return -1;
	return top->key > now_ms ? (int64_t)(top->key - now_ms) : 0;
}

size_t
penalties_configure(struct penalties *p, uint64_t max_ms, struct str exceptions)
{
	struct penalty_record *r;
	struct str item;
	size_t i, kind, bad = 0;

	p->max_ms = max_ms;
	p->nexempt = 0;
	while (str_token(&exceptions, ", \t", &item)) {
		if (p->nexempt < PENALTY_NETS_MAX &&
		    addr_net_parse(item, &p->exempt[p->nexempt], NULL) == 0)
			p->nexempt++;
		else
			bad++;
	}
	for (kind = 0; kind < PENALTY_KINDS; kind++)
		for (i = 0; (r = map_next(&p->tables[kind].map, &i));)
			schedule(p, r);
	return bad;
}
