/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "syncer.h"

struct queue {
	struct sync_job *head, **tail;
	unsigned n;
};

struct syncer {
	struct loop *loop;
	syncer_done_cb *done;
	void *arg;
	struct loop_flush flush;
	struct event *wake;
	int wakefd;
	unsigned pending;
	struct queue fresh; /* of this turn; the loop's own */
	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queue todo, ready;
	unsigned idle;		/* threads that wait for work */
	bool batching;		/* one thread has taken a batch */
	uint64_t careful_until; /* clock_mono_ms: an fsync each till then */
	bool quit;
	unsigned nthreads;
	pthread_t threads[SYNCER_THREADS];
};

static void
queue_init(struct queue *q)
{
	*q = (struct queue){ .tail = &q->head };
}

static void
queue_add(struct queue *q, struct sync_job *j)
{
	j->next = NULL;
	*q->tail = j;
	q->tail = &j->next;
	q->n++;
}

static struct sync_job *
queue_pop(struct queue *q)
{
	struct sync_job *j = q->head;

	if (!j)
		return NULL;
	q->head = j->next;
	if (!q->head)
		q->tail = &q->head;
	q->n--;
	return j;
}

/* Move all of from behind to. */
static void
queue_join(struct queue *to, struct queue *from)
{
	if (!from->head)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	to->n += from->n;
	queue_init(from);
}

/* --- threads ------------------------------------------------------------- */

static void
sync_one(struct sync_job *j)
{
	int rc = j->whole ? fsx_syncfs(j->fd) : fsx_fsync(j->fd);

	j->error = rc < 0 ? errno : 0;
}

/* Each file system of the batch once. */
static void
sync_all(struct sync_job *head)
{
	struct sync_job *j, *k;

	for (j = head; j; j = j->next)
		j->error = -1;
	for (j = head; j; j = j->next) {
		if (j->error >= 0)
			continue;
		j->error = fsx_syncfs(j->fd) < 0 ? errno : 0;
		for (k = j->next; k; k = k->next)
			if (k->dev == j->dev)
				k->error = j->error;
	}
}

/* Under lock: hand jobs back to the loop. */
static void
give_back(struct syncer *s, struct queue *q)
{
	bool first = s->ready.n == 0;
	uint64_t one = 1;

	queue_join(&s->ready, q);
	if (first && write(s->wakefd, &one, sizeof(one)) < 0)
		log_warn("eventfd: %m");
}

/* Under lock, which is released for the time of the sync. */
static void
do_batch(struct syncer *s)
{
	struct queue q;
	uint64_t start = clock_mono_ms(), took;

	queue_init(&q);
	queue_join(&q, &s->todo);
	s->batching = true;
	pthread_mutex_unlock(&s->lock);
	if (q.n == 1)
		sync_one(q.head);
	else
		sync_all(q.head);
	took = clock_mono_ms() - start;
	pthread_mutex_lock(&s->lock);
	s->batching = false;
	if (q.n > 1 && took > SYNCER_SLOW_MS)
		s->careful_until = start + took + SYNCER_CAREFUL_MS;
	give_back(s, &q);
}

static void
do_single(struct syncer *s)
{
	struct queue q;

	queue_init(&q);
	queue_add(&q, queue_pop(&s->todo));
	pthread_mutex_unlock(&s->lock);
	sync_one(q.head);
	pthread_mutex_lock(&s->lock);
	give_back(s, &q);
}

static bool
is_careful(const struct syncer *s)
{
	return s->careful_until && clock_mono_ms() < s->careful_until;
}

static void *
thread_main(void *arg)
{
	struct syncer *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		if (s->todo.n && is_careful(s)) {
			do_single(s);
		} else if (s->todo.n && !s->batching) {
			do_batch(s);
		} else if (s->quit && !s->todo.n) {
			break;
		} else {
			s->idle++;
			pthread_cond_wait(&s->work, &s->lock);
			s->idle--;
		}
	}
	/* Those that waited for a batch to end look again. */
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the loop's side ----------------------------------------------------- */

static void
take_ready(struct syncer *s)
{
	struct sync_job *j;
	struct queue q;

	queue_init(&q);
	pthread_mutex_lock(&s->lock);
	queue_join(&q, &s->ready);
	pthread_mutex_unlock(&s->lock);
	while ((j = queue_pop(&q))) {
		s->pending--;
		s->done(s->arg, j);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	if (read((int)fd, &n, sizeof(n)) > 0)
		take_ready(arg);
}

/* Under lock: one thread is enough for batches, all of them for singles. */
static void
want_threads(struct syncer *s)
{
	unsigned want = is_careful(s) ? SYNCER_THREADS : 1;

	while (s->nthreads < want && pthread_create(&s->threads[s->nthreads],
						    NULL, thread_main, s) == 0)
		s->nthreads++;
}

static void
on_flush(struct loop_flush *f)
{
	struct syncer *s = LIST_OF(f, struct syncer, flush);
	struct queue inline_jobs;
	struct sync_job *j;

	queue_init(&inline_jobs);
	pthread_mutex_lock(&s->lock);
	queue_join(&s->todo, &s->fresh);
	want_threads(s);
	if (s->nthreads == 0)
		queue_join(&inline_jobs, &s->todo);
	else if (is_careful(s))
		pthread_cond_broadcast(&s->work);
	else if (s->idle)
		pthread_cond_signal(&s->work);
	if (inline_jobs.n) {
		/* No thread to be had: slower, but as safe. */
		for (j = inline_jobs.head; j; j = j->next)
			sync_one(j);
		give_back(s, &inline_jobs);
	}
	pthread_mutex_unlock(&s->lock);
}

struct syncer *
syncer_new(struct loop *l, syncer_done_cb *done, void *arg, struct err *err)
{
	struct syncer *s = calloc(1, sizeof(*s));

	if (!s)
		goto fail;
	s->loop = l;
	s->done = done;
	s->arg = arg;
	queue_init(&s->fresh);
	queue_init(&s->todo);
	queue_init(&s->ready);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->work, NULL);
	loop_flush_init(&s->flush, on_flush);
	s->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wakefd < 0)
		goto fail;
	s->wake =
		event_new(l->base, s->wakefd, EV_READ | EV_PERSIST, on_wake, s);
	if (s->wake && event_add(s->wake, NULL) == 0)
		return s;
	close(s->wakefd);
	if (s->wake)
		event_free(s->wake);
fail:
	free(s);
	err_set(err, ERR_TEMP, ENOMEM, "no syncer");
	return NULL;
}

void
syncer_free(struct syncer *s)
{
	unsigned i;

	if (s->fresh.n)
		on_flush(&s->flush);
	loop_flush_cancel(&s->flush);
	pthread_mutex_lock(&s->lock);
	s->quit = true;
	pthread_cond_broadcast(&s->work);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < s->nthreads; i++)
		pthread_join(s->threads[i], NULL);
	take_ready(s);
	event_free(s->wake);
	close(s->wakefd);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void
syncer_add(struct syncer *s, struct sync_job *job)
{
	queue_add(&s->fresh, job);
	s->pending++;
	loop_flush_want(s->loop, &s->flush);
}

unsigned
syncer_pending(const struct syncer *s)
{
	return s->pending;
}
