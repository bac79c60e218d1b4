/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "frame/asker.h"

enum { RECONNECT_MS = 200 };

struct request {
	struct list link; /* in asker.waiting until it is sent */
	struct heap_item deadline;
	uint32_t tag;
	bool sent;
	bool bound; /* its parts went over this connection: no other will do */
	asker_reply_cb *cb;
	void *arg;
	/* While it waits: the encoded frame. */
	const struct msg_def *def;
	void *copy; /* struct ++ its bytes, see keep() */
};

struct asker {
	struct daemon *d; /* NULL: made by asker_new_fd() */
	struct loop *loop;
	enum service_id service;
	unsigned worker;
	const struct chan_row *row;
	struct chan *chan;
	asker_note_cb *note;
	asker_state_cb *state;
	void *arg;
	uint32_t last_tag;
	struct map by_tag;
	struct list waiting;
	struct heap deadlines;
	struct event *retry, *timer;
	bool dead; /* a fixed channel that is gone */
};

static void on_msg(struct chan *c, void *arg, uint32_t tag,
		   const struct msg_def *def, void *msg);
static void on_close(struct chan *c, void *arg);
static void on_retry(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

static const struct chan_ops asker_ops = { on_msg, on_close };

static struct asker *
asker_alloc(struct loop *l, const struct chan_row *row, asker_state_cb *state,
	    void *arg)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->loop = l;
	a->row = row;
	a->state = state;
	a->arg = arg;
	list_init(&a->waiting);
	a->retry = evtimer_new(l->base, on_retry, a);
	a->timer = evtimer_new(l->base, on_timer, a);
	if (!a->retry || !a->timer) {
		asker_free(a);
		return NULL;
	}
	return a;
}

static void
retry_later(struct asker *a)
{
	struct timeval tv = { 0, RECONNECT_MS * 1000 };

	evtimer_add(a->retry, &tv);
}

static struct request *
find(struct asker *a, uint32_t tag)
{
	return map_get(&a->by_tag, MAP_KEY(tag));
}

/* --- keeping a message that has to wait --------------------------------- */

/*
 * A copy of the struct with all its slices behind it, so that it can be sent
 * later; descriptors are duplicated.  One allocation.
 */
static void *
keep(const struct msg_def *def, const void *msg)
{
	size_t n = (def->size + 15u) & ~(size_t)15, i;
	char *copy, *to;

	for (i = 0; i < def->nfields; i++) {
		const struct msg_field *f = &def->fields[i];
		const char *at = (const char *)msg + f->offset;

		if (f->kind == MSG_STR || f->kind == MSG_BYTES)
			n += ((const struct str *)(const void *)at)->n;
		else if (f->kind == MSG_LIST)
			n += ((const struct msg_list *)(const void *)at)->raw.n;
	}
	copy = malloc(n);
	if (!copy)
		return NULL;
	memcpy(copy, msg, def->size);
	to = copy + ((def->size + 15u) & ~(size_t)15);
	for (i = 0; i < def->nfields; i++) {
		const struct msg_field *f = &def->fields[i];
		char *at = copy + f->offset;
		struct str *s = NULL;

		if (f->kind == MSG_STR || f->kind == MSG_BYTES)
			s = (struct str *)(void *)at;
		else if (f->kind == MSG_LIST)
			s = &((struct msg_list *)(void *)at)->raw;
		else if (f->kind == MSG_FD && *(int *)(void *)at >= 0)
			*(int *)(void *)at =
				fcntl(*(int *)(void *)at, F_DUPFD_CLOEXEC, 3);
		if (s && s->n) {
			memcpy(to, s->p, s->n);
			s->p = to;
			to += s->n;
		}
	}
	return copy;
}

static void
wipe(const struct msg_def *def, void *copy)
{
	const struct str *s;
	size_t i;

	for (i = 0; i < def->nfields; i++) {
		const struct msg_field *f = &def->fields[i];

		if (f->kind != MSG_STR && f->kind != MSG_BYTES)
			continue;
		s = (const struct str *)(void *)((char *)copy + f->offset);
		if (s->n)
			explicit_bzero((void *)(uintptr_t)s->p, s->n);
	}
}

static void
drop_copy(struct request *r)
{
	if (r->copy)
		msg_close_fds(r->def, r->copy);
	if (r->copy && r->def->flags & MSG_SECRET)
		wipe(r->def, r->copy);
	free(r->copy);
	r->copy = NULL;
}

/* --- requests --------------------------------------------------------------
 */

static void
forget(struct asker *a, struct request *r)
{
	map_del(&a->by_tag, MAP_KEY(r->tag));
	heap_remove(&a->deadlines, &r->deadline);
	list_remove(&r->link);
	drop_copy(r);
}

static void
fail(struct asker *a, struct request *r)
{
	forget(a, r);
	r->cb(r->arg, NULL, NULL);
	free(r);
}

static void
arm_timer(struct asker *a)
{
	struct heap_item *top = heap_top(&a->deadlines);
	uint64_t now;
	struct timeval tv;

	if (!top) {
		evtimer_del(a->timer);
		return;
	}
	now = clock_mono_ms();
	now = top->key > now ? top->key - now : 0;
	tv = (struct timeval){ (time_t)(now / 1000),
			       (suseconds_t)(now % 1000 * 1000) };
	evtimer_add(a->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct asker *a = arg;
	struct heap_item *top;

	(void)fd;
	(void)what;
	while ((top = heap_top(&a->deadlines)) && top->key <= clock_mono_ms()) {
		struct request *r = LIST_OF(top, struct request, deadline);

		log_warn("%s: no answer in time", a->row->name);
		fail(a, r);
	}
	arm_timer(a);
}

static void
send_waiting(struct asker *a)
{
	struct request *r;

	while (a->chan && !list_empty(&a->waiting) &&
	       chan_inflight(a->chan) < a->row->inflight) {
		r = LIST_OF(a->waiting.next, struct request, link);
		list_remove(&r->link);
		if (chan_send(a->chan, r->tag, r->def, r->copy) < 0) {
			fail(a, r);
			continue;
		}
		r->sent = true;
		drop_copy(r);
	}
}

uint32_t
asker_tag(struct asker *a)
{
	do
		a->last_tag++;
	while (a->last_tag == 0 || find(a, a->last_tag));
	return a->last_tag;
}

static uint32_t
enqueue(struct asker *a, uint32_t tag, const struct msg_def *def,
	const void *msg, unsigned deadline_ms, asker_reply_cb *cb, void *arg)
{
	struct request *r;
	bool now;

	if (a->dead || a->by_tag.n >= ASKER_QUEUE_MAX || find(a, tag))
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return 0;
	*r = (struct request){ .tag = tag, .cb = cb, .arg = arg, .def = def };
	list_init(&r->link);
	now = a->chan && list_empty(&a->waiting) &&
	      chan_inflight(a->chan) < a->row->inflight;
	if (map_put(&a->by_tag, MAP_KEY(r->tag), r) < 0)
		goto fail;
	if (now) {
		if (chan_send(a->chan, tag, def, msg) < 0)
			goto fail;
		r->sent = true;
	} else {
		r->copy = keep(def, msg);
		if (!r->copy)
			goto fail;
		list_append(&a->waiting, &r->link);
	}
	if (deadline_ms) {
		if (heap_set(&a->deadlines, &r->deadline,
			     clock_mono_ms() + deadline_ms) < 0)
			goto fail;
		if (heap_top(&a->deadlines) == &r->deadline)
			arm_timer(a);
	}
	return tag;
fail:
	forget(a, r);
	free(r);
	return 0;
}

uint32_t
asker_send(struct asker *a, const struct msg_def *def, const void *msg,
	   unsigned deadline_ms, asker_reply_cb *cb, void *arg)
{
	return enqueue(a, asker_tag(a), def, msg, deadline_ms, cb, arg);
}

int
asker_send_part(struct asker *a, uint32_t tag, const struct msg_def *def,
		const void *msg)
{
	return a->chan ? chan_send(a->chan, tag, def, msg) : -1;
}

uint32_t
asker_send_tagged(struct asker *a, uint32_t tag, const struct msg_def *def,
		  const void *msg, unsigned deadline_ms, asker_reply_cb *cb,
		  void *arg)
{
	/* Parts have gone already, on this connection: it cannot wait for
	 * another one. */
	if (!a->chan)
		return 0;
	tag = enqueue(a, tag, def, msg, deadline_ms, cb, arg);
	if (tag)
		find(a, tag)->bound = true;
	return tag;
}

void
asker_cancel(struct asker *a, uint32_t tag)
{
	struct request *r = find(a, tag);

	if (!r)
		return;
	forget(a, r);
	free(r);
}

size_t
asker_unsent(const struct asker *a)
{
	return a->chan ? chan_queued(a->chan) : 0;
}

bool
asker_is_up(const struct asker *a)
{
	return a->chan != NULL;
}

unsigned
asker_pending(const struct asker *a)
{
	return (unsigned)a->by_tag.n;
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct asker *a = arg;
	struct request *r = find(a, tag);

	if (r && r->sent && def->flags & MSG_PART) {
		r->cb(r->arg, def, msg);
	} else if (r && r->sent && def->flags & MSG_REPLY) {
		forget(a, r);
		r->cb(r->arg, def, msg);
		free(r);
	} else if (!(def->flags & (MSG_PART | MSG_REPLY)) && tag == 0 &&
		   a->note) {
		a->note(a->arg, def, msg);
	}
	if (chan_is_open(c))
		send_waiting(a);
}

/* What was sent has failed; what still waits is sent over the next channel. */
static void
fail_sent(struct asker *a, bool all)
{
	struct request *r;
	size_t i = 0;

	/* A callback may change the map: start over after each. */
	while ((r = map_next(&a->by_tag, &i))) {
		if (!r->sent && !r->bound && !all)
			continue;
		fail(a, r);
		i = 0;
	}
}

static void
on_close(struct chan *c, void *arg)
{
	struct asker *a = arg;

	(void)c;
	a->chan = NULL;
	if (!a->d)
		a->dead = true;
	else
		retry_later(a);
	fail_sent(a, a->dead);
	if (a->state)
		a->state(a->arg, false);
}

static void
on_connected(void *arg, int fd, bool never)
{
	struct asker *a = arg;

	if (never)
		BUG("no channel to %s in the table", services[a->service].name);
	if (fd >= 0)
		a->chan = chan_new(a->loop, fd, a->row, CHAN_ASKER, &asker_ops,
				   a);
	if (!a->chan) {
		retry_later(a);
		return;
	}
	if (a->state)
		a->state(a->arg, true);
	send_waiting(a);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct asker *a = arg;

	(void)fd;
	(void)what;
	daemon_connect(a->d, a->service, a->worker, on_connected, a);
}

struct asker *
asker_new_worker(struct daemon *d, enum service_id service, unsigned worker,
		 asker_note_cb *note, asker_state_cb *state, void *arg)
{
	struct asker *a = asker_alloc(
		&d->loop, channel_find(d->svc->id, service), state, arg);

	if (!a)
		return NULL;
	BUG_ON(!a->row);
	a->d = d;
	a->service = service;
	a->worker = worker;
	a->note = note;
	daemon_connect(d, service, worker, on_connected, a);
	return a;
}

struct asker *
asker_new(struct daemon *d, enum service_id service, asker_note_cb *note,
	  asker_state_cb *state, void *arg)
{
	return asker_new_worker(d, service, 0, note, state, arg);
}

struct asker *
asker_new_fd(struct loop *l, int fd, const struct chan_row *row,
	     asker_state_cb *state, void *arg)
{
	struct asker *a = asker_alloc(l, row, state, arg);

	if (!a) {
		close(fd);
		return NULL;
	}
	a->chan = chan_new(l, fd, row, CHAN_ASKER, &asker_ops, a);
	if (!a->chan) {
		asker_free(a);
		return NULL;
	}
	return a;
}

void
asker_set_note(struct asker *a, asker_note_cb *note)
{
	a->note = note;
}

void
asker_free(struct asker *a)
{
	if (!a)
		return;
	a->dead = true;
	if (a->d)
		daemon_connect_cancel(a->d, a);
	if (a->chan)
		chan_close(a->chan);
	a->chan = NULL;
	fail_sent(a, true);
	if (a->retry)
		event_free(a->retry);
	if (a->timer)
		event_free(a->timer);
	heap_fini(&a->deadlines);
	map_fini(&a->by_tag);
	free(a);
}
