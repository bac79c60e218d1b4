/* SPDX-License-Identifier: ISC */
/* Destinations: which delivery goes next, who waits, who is dead. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/msg_smtp.h"
#include "message.h"

enum {
	IDLE_MAX = 200, /* sites kept with nothing to do */
	WHY_MAX = 400,	/* what is said of a dead one */
};

static void keep_idle(struct site *s);
static void step(struct site *s);
static void on_timer(evutil_socket_t fd, short what, void *arg);

/* --- transports ----------------------------------------------------------- */

static struct transport *
transport_get(struct qmgr *q, struct str name)
{
	struct transport *t;
	struct list *it;

	list_for_each (it, &q->sites.transports) {
		t = LIST_OF(it, struct transport, link);
		if (str_eq(str_of(t->name), name))
			return t;
	}
	t = calloc(1, sizeof(*t) + name.n + 1);
	if (!t)
		return NULL;
	memcpy(t->name, name.p, name.n);
	list_init(&t->ready);
	site_rule_load(&t->rule, q, t->name);
	list_append(&q->sites.transports, &t->link);
	return t;
}

void
sites_reload(struct qmgr *q)
{
	struct transport *t;
	struct list *it;
	struct site *s;
	size_t i;

	list_for_each (it, &q->sites.transports) {
		t = LIST_OF(it, struct transport, link);
		site_rule_load(&t->rule, q, t->name);
	}
	for (i = 0; (s = map_next(&q->sites.by_key, &i));)
		window_limit(&s->window, &s->transport->rule.window);
}

/* --- sites ---------------------------------------------------------------- */

enum { KEY_MAX = TRANSPORT_MAX + 1 + WHERE_MAX };

static size_t
make_key(struct str transport, struct str nexthop, char key[KEY_MAX])
{
	if (transport.n == 0 || transport.n > TRANSPORT_MAX ||
	    nexthop.n > WHERE_MAX)
		return 0;
	memcpy(key, transport.p, transport.n);
	key[transport.n] = '\0';
	if (nexthop.n)
		memcpy(key + transport.n + 1, nexthop.p, nexthop.n);
	return transport.n + 1 + nexthop.n;
}

struct site *
site_find(struct qmgr *q, struct str transport, struct str nexthop)
{
	char key[KEY_MAX];
	size_t n = make_key(transport, nexthop, key);

	return n ? map_get(&q->sites.by_key, str_mem(key, n)) : NULL;
}

struct site *
site_get(struct qmgr *q, struct str transport, struct str nexthop)
{
	char key[KEY_MAX];
	size_t n = make_key(transport, nexthop, key);
	struct transport *t;
	struct site *s;

	if (!n)
		return NULL;
	s = map_get(&q->sites.by_key, str_mem(key, n));
	if (s)
		return s;
	t = transport_get(q, transport);
	s = t ? calloc(1, sizeof(*s) + n) : NULL;
	if (!s)
		return NULL;
	s->q = q;
	s->transport = t;
	memcpy(s->key_mem, key, n);
	s->key = str_mem(s->key_mem, n);
	s->nexthop = str_from(s->key, transport.n + 1);
	list_init(&s->ready);
	list_init(&s->idle);
	list_init(&s->todo);
	list_init(&s->parked);
	list_init(&s->touched);
	window_reset(&s->window, &t->rule.window, 0);
	if (map_put(&q->sites.by_key, s->key, s) < 0) {
		free(s);
		return NULL;
	}
	keep_idle(s);
	return s;
}

static void
site_free(struct site *s)
{
	struct sites *all = &s->q->sites;

	map_del(&all->by_key, s->key);
	heap_remove(&all->due, &s->due);
	list_remove(&s->ready);
	list_remove(&s->idle);
	free(s->why);
	free(s);
}

static bool
has_nothing(const struct site *s)
{
	return s->state == SITE_ALIVE && !s->ntodo && !s->busy && !s->nparked &&
	       !s->nwoken && !s->building && !heap_has(&s->due);
}

/* Sites with nothing to do are kept for a while: their windows, and which
 * worker has a connection.  The oldest goes. */
static void
keep_idle(struct site *s)
{
	struct sites *all = &s->q->sites;
	struct site *oldest;

	if (!has_nothing(s)) {
		all->nidle -= !list_empty(&s->idle);
		list_remove(&s->idle);
		return;
	}
	if (!list_empty(&s->idle))
		return;
	list_append(&all->idle, &s->idle);
	if (all->nidle++ < IDLE_MAX)
		return;
	all->nidle--;
	oldest = LIST_OF(all->idle.next, struct site, idle);
	list_remove(&oldest->idle);
	if (has_nothing(oldest)) /* no message is just being cut for it */
		site_free(oldest);
}

int
sites_init(struct qmgr *q, struct err *err)
{
	struct sites *all = &q->sites;

	list_init(&all->transports);
	list_init(&all->idle);
	loop_flush_init(&all->dispatch, smtp_dispatch);
	all->timer = evtimer_new(q->loop->base, on_timer, q);
	return all->timer ? 0 : err_sys(err, ENOMEM, "qmgr");
}

void
sites_fini(struct qmgr *q)
{
	struct sites *all = &q->sites;
	struct transport *t;
	struct site *s;
	size_t i;

	loop_flush_cancel(&all->dispatch);
	while ((i = 0, s = map_next(&all->by_key, &i)))
		site_free(s);
	while (!list_empty(&all->transports)) {
		t = LIST_OF(all->transports.next, struct transport, link);
		list_remove(&t->link);
		free(t);
	}
	map_fini(&all->by_key);
	heap_fini(&all->due);
	if (all->timer)
		event_free(all->timer);
}

/* --- time ----------------------------------------------------------------- */

static void
arm_timer(struct qmgr *q)
{
	struct heap_item *top = heap_top(&q->sites.due);
	struct timeval tv;
	uint64_t now, ms;

	if (!top) {
		evtimer_del(q->sites.timer);
		return;
	}
	now = clock_mono_ms();
	ms = top->key > now ? top->key - now : 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(q->sites.timer, &tv);
}

static void
wait_ms(struct site *s, uint64_t ms)
{
	if (heap_set(&s->q->sites.due, &s->due, clock_mono_ms() + ms) < 0)
		log_error("out of memory: %.*s is tried too early",
			  STR_FMT(s->nexthop));
	arm_timer(s->q);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct qmgr *q = arg;
	struct heap_item *top;
	struct site *s;

	(void)fd;
	(void)what;
	while ((top = heap_top(&q->sites.due)) && top->key <= clock_mono_ms()) {
		s = LIST_OF(top, struct site, due);
		heap_remove(&q->sites.due, top);
		if (s->state == SITE_DEAD && s->nparked) {
			s->state = SITE_PROBING;
			s->window.n = 1;
		} else if (s->state == SITE_DEAD) {
			site_enable(s); /* nobody wants to know */
			continue;
		}
		step(s);
	}
	arm_timer(q);
}

/* --- what goes next ------------------------------------------------------- */

static bool
is_ready(const struct site *s)
{
	return s->ntodo && s->state != SITE_DEAD && s->busy < s->window.n &&
	       !heap_has(&s->due);
}

/* Something of this site has changed: may it send, is there room to wake? */
static void
step(struct site *s)
{
	struct qmgr *q = s->q;

	if (!is_ready(s)) {
		list_remove(&s->ready);
	} else if (list_empty(&s->ready)) {
		list_append(&s->transport->ready, &s->ready);
		loop_flush_want(q->loop, &q->sites.dispatch);
	}
	while (s->nparked && !q->draining &&
	       ((s->state == SITE_ALIVE &&
		 s->ntodo + s->nwoken < 2 * s->window.n) ||
		(s->state == SITE_PROBING &&
		 s->ntodo + s->nwoken + s->busy == 0)))
		message_wake(LIST_OF(s->parked.next, struct message, parked));
	keep_idle(s);
}

struct site *
sites_next(struct qmgr *q)
{
	struct transport *t;
	struct list *it;

	list_for_each (it, &q->sites.transports) {
		t = LIST_OF(it, struct transport, link);
		if (list_empty(&t->ready) || t->busy >= t->rule.processes)
			continue;
		/* The others have their turn first. */
		list_remove(&t->link);
		list_append(&q->sites.transports, &t->link);
		return LIST_OF(t->ready.next, struct site, ready);
	}
	return NULL;
}

static bool
is_big(const struct sending *sn)
{
	return sn->a->m->body != QFILE_INLINE;
}

/* It is in todo now. */
static void
count_todo(struct site *s, const struct sending *sn)
{
	s->ntodo++;
	s->nbig += is_big(sn);
	s->todo_bytes += sn->share;
}

void
site_add(struct site *s, struct sending *sn)
{
	list_append(&s->todo, &sn->link);
	count_todo(s, sn);
	step(s);
}

struct sending *
site_drop(struct site *s)
{
	struct sending *sn = LIST_OF(s->todo.next, struct sending, link);

	list_remove(&sn->link);
	s->ntodo--;
	s->nbig -= is_big(sn);
	s->todo_bytes -= sn->share;
	return sn;
}

struct sending *
site_take(struct site *s)
{
	struct sending *sn = site_drop(s);

	s->busy++;
	s->transport->busy++;
	/* To the end of the line. */
	list_remove(&s->ready);
	step(s);
	return sn;
}

void
site_put_back(struct site *s, struct sending *sn)
{
	s->busy--;
	s->transport->busy--;
	list_prepend(&s->todo, &sn->link);
	count_todo(s, sn);
	step(s);
}

/* --- life and death ------------------------------------------------------- */

static void
revive(struct site *s)
{
	heap_remove(&s->q->sites.due, &s->due);
	s->state = SITE_ALIVE;
	s->backoff_ms = 0;
	free(s->why);
	s->why = NULL;
}

/* Messages that were parked while it lived have nothing in the log yet: they
 * are read, find it dead, and come back. */
static void
tell(struct site *s)
{
	struct list *it, *next;
	struct message *m;

	for (it = s->parked.next; s->nuntold && it != &s->parked; it = next) {
		next = it->next;
		m = LIST_OF(it, struct message, parked);
		if (!m->told)
			message_defer(m, m->arrival_us);
	}
}

/* Not to be tried before its time. */
static void
die(struct site *s, struct str why)
{
	const struct retry_rule *r = &s->q->set.retry;
	char *text =
		strndup(why.n ? why.p : "", why.n < WHY_MAX ? why.n : WHY_MAX);

	if (s->state == SITE_ALIVE)
		s->since_us = clock_wall_us();
	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2
				      : (uint32_t)(r->min_us / 1000);
	if (s->backoff_ms > r->max_us / 1000)
		s->backoff_ms = (uint32_t)(r->max_us / 1000);
	s->state = SITE_DEAD;
	if (text) {
		free(s->why);
		s->why = text;
	}
	wait_ms(s, s->backoff_ms);
	smtp_suspend(s);
	tell(s);
}

void
site_done(struct site *s, enum site_end end, struct str why)
{
	const struct window_rule *r = &s->transport->rule.window;
	uint64_t delay_ms = s->transport->rule.rate_delay_ms;

	s->transport->busy--;
	if (!list_empty(&s->transport->ready))
		loop_flush_want(s->q->loop, &s->q->sites.dispatch);
	if (end == SITE_WORKED && s->state != SITE_ALIVE) {
		revive(s);
		window_reset(&s->window, r, 0);
	} else if (end == SITE_WORKED) {
		window_success(&s->window, r, s->busy);
	} else if (s->state == SITE_PROBING) {
		if (end == SITE_SAYS_NOTHING)
			s->backoff_ms /= 2; /* the same again */
		s->busy--;
		die(s, why);
		step(s);
		return;
	} else if (end == SITE_FAILED && s->state == SITE_ALIVE &&
		   window_failure(&s->window, r)) {
		s->busy--;
		die(s, why);
		step(s);
		return;
	}
	s->busy--;
	if (delay_ms && s->state == SITE_ALIVE)
		wait_ms(s, delay_ms);
	step(s);
}

bool
site_has_room(const struct site *s)
{
	return s->ntodo + s->nwoken < 4 * s->window.n;
}

void
site_enable(struct site *s)
{
	if (s->state != SITE_ALIVE) {
		revive(s);
		window_reset(&s->window, &s->transport->rule.window, s->busy);
	}
	step(s);
}

/* --- messages that wait for it -------------------------------------------- */

struct site *
site_of(const struct active *a)
{
	const struct msg_rcpt *first = NULL, *to;
	uint32_t i;

	for (i = 0; i < a->nrcpts; i++) {
		to = &a->rcpts[i].to;
		if (a->rcpts[i].state != QFILE_TODO)
			continue;
		if (to->type != RCPT_REMOTE)
			return NULL;
		if (first && (!str_eq(first->where, to->where) ||
			      !str_eq(first->transport, to->transport)))
			return NULL;
		first = to;
	}
	return first ? site_find(a->m->q, first->transport, first->where)
		     : NULL;
}

/* One site may have what it likes while there is much room, and never the last
 * of it. */
static bool
is_greedy(const struct site *s, const struct message *m)
{
	const struct qmgr *q = s->q;

	return s->ntodo + q->nactive > q->set.active_max ||
	       (m->body != QFILE_INLINE &&
		s->nbig + q->nbig > q->set.big_max) ||
	       s->todo_bytes + q->active_bytes > q->set.memory;
}

bool
site_is_shut(const struct site *s, const struct message *m)
{
	if (s->state == SITE_DEAD)
		return true;
	if (m->woken)
		return false;
	return s->state == SITE_PROBING || s->nparked || is_greedy(s, m);
}

bool
site_may_try(const struct site *s, const struct message *m)
{
	return s->state == SITE_ALIVE ||
	       (s->state == SITE_PROBING && m->woken && m->site == s);
}

void
site_park(struct site *s, struct message *m)
{
	m->site = s;
	list_append(&s->parked, &m->parked);
	s->nparked++;
	s->nuntold += !m->told;
	step(s);
}

void
site_leave(struct message *m)
{
	struct site *s = m->site;

	if (!s)
		return;
	m->site = NULL;
	if (m->woken) {
		m->woken = false;
		s->nwoken--;
	} else {
		list_remove(&m->parked);
		s->nparked--;
		s->nuntold -= !m->told;
	}
	step(s);
}

void
site_woken(struct message *m)
{
	m->woken = true;
	list_remove(&m->parked);
	m->site->nparked--;
	m->site->nuntold -= !m->told;
	m->site->nwoken++;
}

uint64_t
site_next_try_us(const struct message *m)
{
	const struct site *s = m->site;
	uint64_t now = clock_mono_ms();

	if (!s)
		return m->due.key;
	if (s->state != SITE_DEAD || s->due.key <= now)
		return clock_wall_us();
	return clock_wall_us() + (s->due.key - now) * 1000;
}

const char *
site_why(const struct message *m, char out[SITE_WHY_MAX])
{
	struct str why, dsn = STR_NULL;

	out[0] = '\0';
	if (!m->site || m->site->state == SITE_ALIVE)
		return out;
	why = str_of(m->site->why);
	str_cut(&why, ' ', &dsn);
	(void)snprintf(out, SITE_WHY_MAX,
		       "%.*s delivery temporarily suspended: %.*s",
		       STR_FMT(dsn), STR_FMT(why));
	return out;
}
