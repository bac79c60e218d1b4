/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "workers.h"

enum { THREADS_MAX = 32 };

struct workers {
	pthread_mutex_t lock; /* over ready, the queues, done, stop */
	pthread_cond_t wake;
	struct list ready; /* struct work_queue with something to do */
	struct list done;
	bool stop;
	unsigned limit, queues;
	pthread_t thread[THREADS_MAX];
	unsigned nthreads;
	int fd; /* eventfd: something is in done */
	struct event *rd;
};

/* --- threads -------------------------------------------------------------- */

/* The next job of the queue whose turn it is, or NULL: stop. */
static struct work *
take_job(struct workers *p)
{
	struct work_queue *q;
	struct work *w = NULL;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && list_empty(&p->ready))
		pthread_cond_wait(&p->wake, &p->lock);
	if (!p->stop) {
		q = LIST_OF(p->ready.next, struct work_queue, ready);
		w = LIST_OF(q->todo.next, struct work, link);
		list_remove(&w->link);
		q->n--;
		list_remove(&q->ready);
		if (q->n)
			list_append(&p->ready, &q->ready);
	}
	pthread_mutex_unlock(&p->lock);
	return w;
}

static void *
work_thread(void *arg)
{
	struct workers *p = arg;
	uint64_t one = 1;
	struct work *w;
	bool first;

	while ((w = take_job(p))) {
		w->run(w);
		pthread_mutex_lock(&p->lock);
		first = list_empty(&p->done);
		list_append(&p->done, &w->link);
		pthread_mutex_unlock(&p->lock);
		if (first)
			(void)!write(p->fd, &one, sizeof(one));
	}
	return NULL;
}

static int
start_threads(struct workers *p, unsigned n, struct err *err)
{
	sigset_t all, before;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->nthreads < n && rc == 0) {
		rc = pthread_create(&p->thread[p->nthreads], NULL, work_thread,
				    p);
		if (rc == 0)
			p->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? err_sys(err, rc, "thread") : 0;
}

/* --- the loop's side ------------------------------------------------------ */

static void
give_back(struct workers *p)
{
	struct work *w;

	for (;;) {
		pthread_mutex_lock(&p->lock);
		w = list_empty(&p->done)
			    ? NULL
			    : LIST_OF(p->done.next, struct work, link);
		if (w)
			list_remove(&w->link);
		pthread_mutex_unlock(&p->lock);
		if (!w)
			return;
		w->done(w);
	}
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	(void)!read(fd, &count, sizeof(count));
	give_back(arg);
}

struct workers *
workers_new(struct loop *l, unsigned threads, unsigned limit, struct err *err)
{
	struct workers *p = calloc(1, sizeof(*p));

	if (!p) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	list_init(&p->ready);
	list_init(&p->done);
	p->limit = limit;
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->fd < 0) {
		err_sys(err, errno, "eventfd");
		goto fail;
	}
	p->rd = event_new(l->base, p->fd, EV_READ | EV_PERSIST, on_done, p);
	if (!p->rd || event_add(p->rd, NULL) < 0) {
		err_set(err, ERR_TEMP, ENOMEM, "no event");
		goto fail;
	}
	if (start_threads(p, threads < THREADS_MAX ? threads : THREADS_MAX,
			  err) < 0)
		goto fail;
	return p;
fail:
	workers_free(p);
	return NULL;
}

void
workers_free(struct workers *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	while (p->nthreads)
		pthread_join(p->thread[--p->nthreads], NULL);
	give_back(p);
	if (p->rd)
		event_free(p->rd);
	if (p->fd >= 0)
		close(p->fd);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void
work_queue_open(struct workers *p, struct work_queue *q)
{
	list_init(&q->ready);
	list_init(&q->todo);
	q->n = 0;
	p->queues++;
}

void
work_queue_close(struct workers *p, struct work_queue *q)
{
	struct list dropped = LIST_INIT(dropped);
	struct work *w;

	pthread_mutex_lock(&p->lock);
	list_remove(&q->ready);
	while (!list_empty(&q->todo)) {
		w = LIST_OF(q->todo.next, struct work, link);
		list_remove(&w->link);
		list_append(&dropped, &w->link);
	}
	q->n = 0;
	pthread_mutex_unlock(&p->lock);
	p->queues--;
	while (!list_empty(&dropped)) {
		w = LIST_OF(dropped.next, struct work, link);
		list_remove(&w->link);
		w->done(w);
	}
}

unsigned
work_queue_share(struct workers *p)
{
	unsigned share = p->queues ? p->limit / p->queues : p->limit;

	return share ? share : 1;
}

int
work_submit(struct workers *p, struct work_queue *q, struct work *w)
{
	int rc = -1;

	pthread_mutex_lock(&p->lock);
	if (q->n < work_queue_share(p)) {
		list_append(&q->todo, &w->link);
		if (q->n++ == 0)
			list_append(&p->ready, &q->ready);
		pthread_cond_signal(&p->wake);
		rc = 0;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}
