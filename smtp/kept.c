/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "kept.h"

struct kept_site {
	struct list idle; /* struct kept_one; the last put is in front */
	struct str key;
	char bytes[];
};

struct kept_one {
	struct list link;
	struct heap_item deadline;
	struct kept *kept;
	struct kept_site *site;
	struct session *session;
	struct addr at;
};

static void
drop(struct kept_one *o)
{
	struct kept *k = o->kept;
	struct kept_site *site = o->site;

	list_remove(&o->link);
	heap_remove(&k->by_time, &o->deadline);
	k->n--;
	free(o);
	if (!list_empty(&site->idle))
		return;
	map_del(&k->sites, site->key);
	free(site);
}

static void
on_end(void *arg, enum session_end why, const struct fault *f)
{
	(void)why;
	(void)f;
	drop(arg);
}

static const struct session_ops idle_ops = { .end = on_end };

static void
arm(struct kept *k, uint64_t now)
{
	struct heap_item *top = heap_top(&k->by_time);
	struct timeval tv;
	uint64_t ms;

	if (!top || (k->armed_ms && k->armed_ms <= top->key))
		return;
	ms = top->key > now ? top->key - now : 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(k->timer, &tv);
	k->armed_ms = top->key;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct kept *k = arg;
	uint64_t now = clock_mono_ms();
	struct heap_item *top;

	(void)fd;
	(void)what;
	k->armed_ms = 0;
	while ((top = heap_top(&k->by_time)) && top->key <= now) {
		struct kept_one *o = LIST_OF(top, struct kept_one, deadline);
		struct session *s = o->session;

		drop(o);
		session_quit(s);
	}
	arm(k, now);
}

int
kept_init(struct kept *k, struct loop *l, struct err *err)
{
	*k = (struct kept){ .loop = l };
	k->timer = evtimer_new(l->base, on_timer, k);
	return k->timer ? 0 : err_set(err, ERR_TEMP, ENOMEM, "no memory");
}

void
kept_fini(struct kept *k)
{
	struct heap_item *top;

	while ((top = heap_top(&k->by_time))) {
		struct kept_one *o = LIST_OF(top, struct kept_one, deadline);
		struct session *s = o->session;

		drop(o);
		session_quit(s);
	}
	heap_fini(&k->by_time);
	map_fini(&k->sites);
	if (k->timer)
		event_free(k->timer);
	k->timer = NULL;
}

static struct kept_site *
site_for(struct kept *k, struct str key)
{
	struct kept_site *site = map_get(&k->sites, key);

	if (site)
		return site;
	site = calloc(1, sizeof(*site) + key.n);
	if (!site)
		return NULL;
	list_init(&site->idle);
	memcpy(site->bytes, key.p, key.n);
	site->key = str_mem(site->bytes, key.n);
	if (map_put(&k->sites, site->key, site) < 0) {
		free(site);
		return NULL;
	}
	return site;
}

bool
kept_put(struct kept *k, struct str key, struct session *s,
	 const struct addr *at, unsigned ms)
{
	uint64_t now = clock_mono_ms();
	struct kept_site *site;
	struct kept_one *o;

	if (k->n >= KEPT_MAX || !(o = calloc(1, sizeof(*o))))
		return false;
	site = site_for(k, key);
	if (!site) {
		free(o);
		return false;
	}
	o->kept = k;
	o->site = site;
	o->session = s;
	o->at = *at;
	list_prepend(&site->idle, &o->link);
	k->n++;
	if (heap_set(&k->by_time, &o->deadline, now + ms) < 0) {
		drop(o);
		return false;
	}
	session_set_owner(s, &idle_ops, o);
	arm(k, now);
	return true;
}

struct session *
kept_take(struct kept *k, struct str key, struct addr *at)
{
	struct kept_site *site = map_get(&k->sites, key);
	struct session *s;
	struct kept_one *o;

	if (!site)
		return NULL;
	o = LIST_OF(site->idle.next, struct kept_one, link);
	s = o->session;
	*at = o->at;
	drop(o);
	return s;
}
