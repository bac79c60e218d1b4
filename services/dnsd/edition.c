/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "edition.h"
#include "flight.h"

static void
set_timer(struct edition *e, unsigned ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
			      (suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(e->timer, &tv);
}

static void
want_renewal(struct dnsd *d)
{
	d->renew = true;
	loop_flush_want(d->loop, &d->sweep);
}

/* --- do the name servers pass DNSSEC on? --------------------------------- */

static void
probed(struct edition *e, bool proved)
{
	struct dnsd *d = e->d;

	e->probing = false;
	e->unproved = !proved;
	evtimer_del(e->timer);
	if (proved && d->warned) {
		log_info("the name servers pass DNSSEC on again");
		d->warned = false;
	}
	flights_start(d);
}

static void
on_probe(void *arg, const struct resolver_answer *a)
{
	struct edition *e = arg;
	struct dnsd *d = e->d;

	if (!a->bogus) {
		probed(e, a->secure);
		return;
	}
	/* It goes on probing, so that nobody asks it. */
	evtimer_del(e->timer);
	if (!d->warned)
		log_warn("the name servers do not pass DNSSEC on: answers "
			 "are taken unchecked (%s)",
			 LOGQ(str_of(a->bogus)));
	d->warned = true;
	d->no_dnssec = true;
	want_renewal(d);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct edition *e = arg;

	(void)fd;
	(void)what;
	if (e->probing) {
		resolver_cancel(e->resolver, &e->probe);
		probed(e, false);
		return;
	}
	e->d->no_dnssec = false;
	want_renewal(e->d);
}

static void
start_probe(struct edition *e)
{
	char zone[DNS_NAME_MAX + 1];
	struct err err;

	if (!resolver_anchor_zone(buf_str(&e->d->anchors), zone, sizeof(zone)))
		return;
	e->probing = true;
	e->probe = (struct resolver_query){ .cb = on_probe, .arg = e };
	set_timer(e, DNSD_PROBE_MS);
	if (resolver_ask(e->resolver, &e->probe, zone, ANSWER_SOA, &err) < 0)
		probed(e, false);
}

void
edition_bogus(struct edition *e)
{
	if (e == e->d->now && e->unproved &&
	    clock_mono_ms() - e->born_ms > DNSD_PROBE_AGAIN_MS)
		want_renewal(e->d);
}

/* --- making -------------------------------------------------------------- */

static void
flight_abandon(struct list *link)
{
	flight_free(LIST_OF(link, struct flight, link));
}

void
edition_free(struct edition *e)
{
	if (!e)
		return;
	if (e->probing)
		resolver_cancel(e->resolver, &e->probe);
	while (!list_empty(&e->flights))
		flight_abandon(e->flights.next);
	list_remove(&e->link);
	if (e->timer)
		event_free(e->timer);
	resolver_free(e->resolver);
	free(e);
}

static struct edition *
edition_new(struct dnsd *d, struct str anchors, struct err *err)
{
	const struct resolv *servers = dnsd_servers(&d->conf, &d->resolv);
	struct resolver_conf c = {
		.forward = d->conf.mode == DNSD_FORWARD ||
			   (d->conf.mode == DNSD_AUTO && servers->n),
		/* resolv.conf says nothing about the root. */
		.servers = d->conf.mode == DNSD_RECURSE ? &d->conf.servers
							: servers,
		.cache = d->conf.cache,
		.anchors = anchors,
	};
	struct edition *e;

	if (c.forward && servers->n == 0) {
		err_set(err, ERR_PERM, 0,
			"dns_mode = forward, and no name server is named");
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	e->d = d;
	e->born_ms = clock_mono_ms();
	e->forwards = c.forward;
	e->validates = anchors.n > 0;
	list_init(&e->link);
	list_init(&e->flights);
	e->timer = evtimer_new(d->loop->base, on_timer, e);
	if (!e->timer)
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else
		e->resolver = resolver_new(d->loop, &c, err);
	if (e->resolver)
		return e;
	edition_free(e);
	return NULL;
}

/* What the file of anchors says may be wrong; better without than not at all.
 */
static struct edition *
make(struct dnsd *d, struct err *err)
{
	struct str anchors = d->no_dnssec ? STR_NULL : buf_str(&d->anchors);
	struct edition *e = edition_new(d, anchors, err);

	if (e || anchors.n == 0)
		return e;
	log_error("dns_trust_anchor_file: DNSSEC cannot be checked: %s",
		  err->text);
	return edition_new(d, STR_NULL, err);
}

static void
retire(struct dnsd *d, struct edition *e)
{
	struct list *it;

	evtimer_del(e->timer);
	list_append(&d->old, &e->link);
	list_for_each (it, &e->flights)
		flight_unshare(LIST_OF(it, struct flight, link));
	loop_flush_want(d->loop, &d->sweep);
}

void
edition_renew(struct dnsd *d)
{
	struct edition *e, *before = d->now;
	struct err err;

	d->renew = false;
	e = make(d, &err);
	if (!e) {
		log_error("%s", err.text);
		return;
	}
	d->now = e;
	if (before)
		retire(d, before);
	if (e->validates && e->forwards)
		start_probe(e);
	else if (d->no_dnssec)
		set_timer(e, DNSD_DNSSEC_AGAIN_MS);
	flights_start(d);
}
