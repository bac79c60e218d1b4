/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "flight.h"

struct question {
	struct list link; /* in flight.questions */
	struct flight *flight;
	struct chan *asker;
	uint32_t tag;
	struct event *deadline;
};

static struct timeval
ms(unsigned n)
{
	return (struct timeval){ (time_t)(n / 1000),
				 (suseconds_t)(n % 1000 * 1000) };
}

void
answer_send(struct chan *c, uint32_t tag, const struct answer *a)
{
	struct msg_dns_answer m = {
		.status = (uint8_t)a->status,
		.secure = a->secure,
		.ttl = a->ttl,
		.canonical = str_of(a->canonical),
		.text = str_of(a->text),
		.records = msg_list_of(&a->records, a->n, &msg_dns_record_def),
	};

	(void)!chan_send(c, tag, &msg_dns_answer_def, &m);
}

static void
send_failure(struct chan *c, uint32_t tag, const char *text)
{
	struct answer a;

	answer_init(&a);
	answer_fail(&a, DNS_TEMP, "%s", text);
	answer_send(c, tag, &a);
	answer_fini(&a);
}

/* --- questions ----------------------------------------------------------- */

static void
question_free(struct question *q)
{
	struct flight *f = q->flight;

	f->d->questions--;
	if (f->edition && --f->edition->questions == 0)
		loop_flush_want(f->d->loop, &f->d->sweep);
	list_remove(&q->link);
	chan_unref(q->asker);
	if (q->deadline)
		event_free(q->deadline);
	free(q);
}

/* Nobody waits for it any more. */
static void
let_go(struct flight *f)
{
	struct timeval tv = ms(DNSD_LINGER_MS);

	if (!f->edition)
		flight_free(f);
	else
		evtimer_add(f->linger, &tv);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;
	struct flight *f = q->flight;

	(void)fd;
	(void)what;
	send_failure(q->asker, q->tag,
		     "no answer from the name servers in time");
	question_free(q);
	if (list_empty(&f->questions))
		let_go(f);
}

static int
question_new(struct flight *f, struct chan *asker, uint32_t tag)
{
	struct timeval tv = ms(f->d->conf.timeout_ms);
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return -1;
	*q = (struct question){ .flight = f,
				.asker = chan_ref(asker),
				.tag = tag };
	list_append(&f->questions, &q->link);
	f->d->questions++;
	if (f->edition)
		f->edition->questions++;
	q->deadline = evtimer_new(f->d->loop->base, on_deadline, q);
	if (!q->deadline || evtimer_add(q->deadline, &tv) < 0) {
		question_free(q);
		return -1;
	}
	evtimer_del(f->linger);
	return 0;
}

/* --- flights ------------------------------------------------------------- */

void
flight_unshare(struct flight *f)
{
	if (map_get(&f->d->shared, f->key) == f)
		(void)map_del(&f->d->shared, f->key);
}

static void
flight_end(struct flight *f, const struct answer *a)
{
	struct question *q;

	flight_unshare(f);
	while (!list_empty(&f->questions)) {
		q = LIST_OF(f->questions.next, struct question, link);
		answer_send(q->asker, q->tag, a);
		question_free(q);
	}
	if (f->edition)
		f->d->running--;
	list_remove(&f->link);
	if (f->linger)
		event_free(f->linger);
	free(f);
}

static void
flight_fail(struct flight *f, const char *text)
{
	struct answer a;

	answer_init(&a);
	answer_fail(&a, DNS_TEMP, "%s", text);
	flight_end(f, &a);
	answer_fini(&a);
}

void
flight_free(struct flight *f)
{
	/* libunbound answers what is left when its context goes. */
	if (f->edition)
		resolver_cancel(f->edition->resolver, &f->query);
	flight_fail(f, "dnsd ends");
}

static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct flight *f = arg;
	struct dnsd *d = f->d;

	(void)fd;
	(void)what;
	flight_free(f);
	flights_start(d);
}

static void
read_answer(struct flight *f, const struct resolver_answer *r, uint16_t type,
	    struct answer *a)
{
	if (r->bogus) {
		answer_fail(a, DNS_TEMP, "DNSSEC: %s", r->bogus);
		edition_bogus(f->edition);
	} else if (r->rcode) {
		answer_fail(a, DNS_TEMP,
			    "no usable answer from the name servers (%s)",
			    answer_rcode(r->rcode));
	} else {
		answer_read(a, r->packet, type);
		a->secure = r->secure && a->status != DNS_TEMP;
	}
}

/* Does the name server know the root?  Then it has looked. */
static void
on_root(void *arg, const struct resolver_answer *r)
{
	struct flight *f = arg;
	struct dnsd *d = f->d;
	struct answer root;

	answer_init(&root);
	read_answer(f, r, ANSWER_SOA, &root);
	if (root.status == DNS_OK)
		flight_end(f, &f->doubtful);
	else
		flight_fail(f, "the name server has no answer, and does not "
			       "know the root (lame)");
	answer_fini(&root);
	flights_start(d);
}

/*
 * A server that does not resolve and refers to the root looks to us like one
 * that found nothing and does not say who says so, as some resolvers do.
 */
static void
ask_root(struct flight *f, const struct answer *a)
{
	struct err err;

	f->doubtful = *a; /* it has no records */
	f->query.cb = on_root;
	if (resolver_ask(f->edition->resolver, &f->query, ".", ANSWER_SOA,
			 &err) < 0)
		flight_fail(f, err.text);
}

static void
on_answer(void *arg, const struct resolver_answer *r)
{
	struct flight *f = arg;
	struct dnsd *d = f->d;
	struct answer a;

	answer_init(&a);
	read_answer(f, r, f->type, &a);
	if (a.unproved && f->edition->forwards)
		ask_root(f, &a);
	else
		flight_end(f, &a);
	answer_fini(&a);
	flights_start(d);
}

static void
flight_start(struct flight *f)
{
	struct edition *e = f->d->now;
	struct list *it;
	struct err err;

	list_remove(&f->link);
	list_append(&e->flights, &f->link);
	f->edition = e;
	list_for_each (it, &f->questions)
		e->questions++;
	f->d->running++;
	f->query = (struct resolver_query){ .cb = on_answer, .arg = f };
	if (resolver_ask(e->resolver, &f->query, f->name, f->type, &err) < 0)
		flight_fail(f, err.text);
}

/* An answer from the cache comes at once: what it lets start must not start
 * from inside of it. */
void
flights_start(struct dnsd *d)
{
	if (d->starting || !d->now || d->now->probing)
		return;
	d->starting = true;
	while (!list_empty(&d->waiting) && d->running < DNSD_RUNNING_MAX)
		flight_start(LIST_OF(d->waiting.next, struct flight, link));
	d->starting = false;
}

static struct flight *
flight_new(struct dnsd *d, struct str key, const char *name, uint16_t type)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->d = d;
	f->type = type;
	list_init(&f->link);
	list_init(&f->questions);
	memcpy(f->bytes, key.p, key.n);
	f->key = str_mem(f->bytes, key.n);
	memcpy(f->name, name, strlen(name) + 1);
	f->linger = evtimer_new(d->loop->base, on_linger, f);
	if (!f->linger || map_put(&d->shared, f->key, f) < 0) {
		flight_free(f);
		return NULL;
	}
	list_append(&d->waiting, &f->link);
	return f;
}

void
flight_ask(struct dnsd *d, struct chan *c, uint32_t tag, const char *name,
	   uint16_t type)
{
	char bytes[DNS_NAME_MAX + 3];
	size_t n = strlen(name);
	struct flight *f = NULL;
	struct str key;

	memcpy(bytes, &type, 2);
	memcpy(bytes + 2, name, n);
	key = str_mem(bytes, n + 2);
	if (!d->now && !d->renew) {
		send_failure(c, tag, "the resolver cannot be set up");
		return;
	}
	if (d->questions < DNSD_QUESTIONS_MAX) {
		f = map_get(&d->shared, key);
		if (!f)
			f = flight_new(d, key, name, type);
	}
	if (!f || question_new(f, c, tag) < 0) {
		send_failure(c, tag, "too many questions at once");
		if (f && list_empty(&f->questions) && !f->edition)
			flight_free(f);
		return;
	}
	flights_start(d);
}
