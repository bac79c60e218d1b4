/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <stdlib.h>

#include "sessions.h"

struct session_slot {
	struct list link;
	uint8_t key[SESSION_KEY];
	unsigned n;
	struct {
		uint64_t until_ms;
		unsigned char *der;
		int len;
	} v[SESSION_EACH_MAX]; /* the latest one is the last */
};

static struct str
key_str(const uint8_t key[SESSION_KEY])
{
	return str_mem(key, SESSION_KEY);
}

static void
forget(struct session_slot *slot, unsigned i)
{
	OPENSSL_clear_free(slot->v[i].der, (size_t)slot->v[i].len);
	slot->n--;
	memmove(&slot->v[i], &slot->v[i + 1],
		(slot->n - i) * sizeof(slot->v[0]));
}

static void
slot_free(struct sessions *ss, struct session_slot *slot)
{
	while (slot->n)
		forget(slot, slot->n - 1);
	(void)map_del(&ss->by_key, key_str(slot->key));
	list_remove(&slot->link);
	ss->n--;
	free(slot);
}

static struct session_slot *
slot_new(struct sessions *ss, const uint8_t key[SESSION_KEY])
{
	struct session_slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	memcpy(slot->key, key, SESSION_KEY);
	if (map_put(&ss->by_key, key_str(slot->key), slot) < 0) {
		free(slot);
		return NULL;
	}
	list_append(&ss->all, &slot->link);
	if (++ss->n > SESSION_KEYS_MAX)
		slot_free(ss, LIST_OF(ss->all.next, struct session_slot, link));
	return slot;
}

void
sessions_init(struct sessions *ss)
{
	*ss = (struct sessions){ .n = 0 };
	list_init(&ss->all);
}

void
sessions_flush(struct sessions *ss)
{
	while (!list_empty(&ss->all))
		slot_free(ss, LIST_OF(ss->all.next, struct session_slot, link));
	map_fini(&ss->by_key);
	sessions_init(ss);
}

void
sessions_put(struct sessions *ss, const uint8_t key[SESSION_KEY],
	     SSL_SESSION *session, uint64_t until_ms)
{
	struct session_slot *slot = map_get(&ss->by_key, key_str(key));
	int len = i2d_SSL_SESSION(session, NULL);
	unsigned char *der = NULL;

	if (len <= 0 || len > SESSION_BYTES_MAX)
		return;
	if (!slot)
		slot = slot_new(ss, key);
	if (!slot || !(der = OPENSSL_malloc((size_t)len)))
		return;
	if (slot->n == SESSION_EACH_MAX)
		forget(slot, 0);
	slot->v[slot->n].der = der;
	slot->v[slot->n].len = i2d_SSL_SESSION(session, &der);
	slot->v[slot->n].until_ms = until_ms;
	slot->n++;
	list_remove(&slot->link);
	list_append(&ss->all, &slot->link);
}

SSL_SESSION *
sessions_take(struct sessions *ss, const uint8_t key[SESSION_KEY],
	      uint64_t now_ms)
{
	struct session_slot *slot = map_get(&ss->by_key, key_str(key));
	SSL_SESSION *session = NULL;
	const unsigned char *der;

	while (slot && slot->n && slot->v[0].until_ms <= now_ms)
		forget(slot, 0);
	if (slot && slot->n) {
		der = slot->v[slot->n - 1].der;
		session = d2i_SSL_SESSION(NULL, &der, slot->v[slot->n - 1].len);
		if (!session ||
		    SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
			forget(slot, slot->n - 1);
	}
	if (slot && slot->n == 0)
		slot_free(ss, slot);
	ERR_clear_error();
	return session;
}
