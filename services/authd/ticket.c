/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/enc.h"
#include "base/rand.h"
#include "ticket.h"

/* The first bytes find a ticket in the map, so that nothing but their hash is
 * compared in time that depends on content; the rest is compared in constant
 * time. */
enum { KEY_LEN = 8 };

struct ticket {
	struct list link;
	uint64_t until_ms;
	uint8_t service;
	uint8_t bytes[TICKET_LEN];
	char user[USER_MAX + 1];
};

void
tickets_init(struct tickets *t)
{
	*t = (struct tickets){ .n = 0 };
	list_init(&t->by_age);
}

static void
discard(struct tickets *t, struct ticket *k)
{
	map_del(&t->by_key, str_mem(k->bytes, KEY_LEN));
	list_remove(&k->link);
	t->n--;
	explicit_bzero(k, sizeof(*k));
	free(k);
}

static void
discard_old(struct tickets *t, uint64_t now_ms)
{
	struct ticket *k;

	while (!list_empty(&t->by_age)) {
		k = LIST_OF(t->by_age.next, struct ticket, link);
		if (now_ms < k->until_ms)
			return;
		discard(t, k);
	}
}

void
tickets_fini(struct tickets *t)
{
	discard_old(t, UINT64_MAX);
	map_fini(&t->by_key);
}

int
ticket_issue(struct tickets *t, uint8_t service, struct str user,
	     uint64_t now_ms, uint8_t ticket[TICKET_LEN])
{
	struct ticket *k;

	discard_old(t, now_ms);
	if (t->n >= TICKETS_MAX)
		return -1;
	k = calloc(1, sizeof(*k));
	if (!k)
		return -1;
	rand_bytes(k->bytes, TICKET_LEN);
	k->service = service;
	k->until_ms = now_ms + TICKET_LIFE_MS;
	if (!str_copy(k->user, sizeof(k->user), user) ||
	    map_get(&t->by_key, str_mem(k->bytes, KEY_LEN)) ||
	    map_put(&t->by_key, str_mem(k->bytes, KEY_LEN), k) < 0) {
		free(k);
		return -1;
	}
	list_append(&t->by_age, &k->link);
	t->n++;
	memcpy(ticket, k->bytes, TICKET_LEN);
	return 0;
}

bool
ticket_redeem(struct tickets *t, uint8_t service, struct str ticket,
	      uint64_t now_ms, char user[USER_MAX + 1])
{
	struct ticket *k;
	bool good;

	discard_old(t, now_ms);
	if (ticket.n != TICKET_LEN)
		return false;
	k = map_get(&t->by_key, str_head(ticket, KEY_LEN));
	if (!k)
		return false;
	good = enc_equal_const_time(ticket, str_mem(k->bytes, TICKET_LEN));
	if (!good)
		return false;
	good = k->service == service;
	if (good)
		memcpy(user, k->user, sizeof(k->user));
	discard(t, k);
	return good;
}
