/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io.h"

struct io {
	struct loop *loop;
	struct loop_flush flush; /* wakes threads at the end of a turn */
	struct event *ev;
	int wake; /* eventfd: done is not empty */
	unsigned nthreads;
	pthread_t *thread;
	size_t pending;	      /* the loop's own count */
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t work;
	struct list queue[IO_QUEUES];
	unsigned queued[IO_QUEUES];
	unsigned turn; /* which queue is next */
	unsigned idle;
	struct list done;
	bool stop;
};

/* Up to a batch of jobs of one kind; 0: end.  The caller holds the lock. */
static size_t
take(struct io *io, struct io_job **v)
{
	struct list *q;
	size_t n = 0;
	unsigned i, at = 0;

	for (;;) {
		for (i = 0; i < IO_QUEUES; i++) {
			at = (io->turn + i) % IO_QUEUES;
			if (io->queued[at])
				break;
		}
		if (i < IO_QUEUES)
			break;
		if (io->stop)
			return 0;
		io->idle++;
		pthread_cond_wait(&io->work, &io->lock);
		io->idle--;
	}
	io->turn = (at + 1) % IO_QUEUES;
	q = &io->queue[at];
	do {
		v[n] = LIST_OF(q->next, struct io_job, link);
		list_remove(&v[n]->link);
		n++;
		io->queued[at]--;
	} while (!list_empty(q) && n < v[0]->kind->batch &&
		 LIST_OF(q->next, struct io_job, link)->kind == v[0]->kind);
	return n;
}

static void on_flush(struct loop_flush *f);

static void *
worker(void *arg)
{
	struct io_job *v[IO_BATCH];
	struct io *io = arg;
	uint64_t one = 1;
	size_t n, i;
	bool wake;

	pthread_mutex_lock(&io->lock);
	while ((n = take(io, v))) {
		pthread_mutex_unlock(&io->lock);
		v[0]->kind->run(v, n);
		pthread_mutex_lock(&io->lock);
		wake = list_empty(&io->done);
		for (i = 0; i < n; i++)
			list_append(&io->done, &v[i]->link);
		if (wake) {
			pthread_mutex_unlock(&io->lock);
			(void)!write(io->wake, &one, sizeof(one));
			pthread_mutex_lock(&io->lock);
		}
	}
	pthread_mutex_unlock(&io->lock);
	return NULL;
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	struct io *io = arg;
	struct list done;
	struct io_job *j;
	uint64_t n;

	(void)what;
	(void)!read((int)fd, &n, sizeof(n));
	list_init(&done);
	pthread_mutex_lock(&io->lock);
	if (!list_empty(&io->done)) {
		done = io->done;
		done.next->prev = &done;
		done.prev->next = &done;
		list_init(&io->done);
	}
	pthread_mutex_unlock(&io->lock);
	while (!list_empty(&done)) {
		j = LIST_OF(done.next, struct io_job, link);
		list_remove(&j->link);
		io->pending--;
		j->kind->done(j);
	}
}

static int
start_threads(struct io *io, unsigned n, struct err *err)
{
	sigset_t all, old;
	int rc = 0;

	io->thread = calloc(n, sizeof(*io->thread));
	if (!io->thread)
		return err_sys(err, ENOMEM, "I/O threads");
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (rc == 0 && io->nthreads < n) {
		rc = pthread_create(&io->thread[io->nthreads], NULL, worker,
				    io);
		if (rc == 0)
			io->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return io->nthreads ? 0 : err_sys(err, rc, "I/O threads");
}

int
io_start(struct io **out, struct loop *l, unsigned threads, struct err *err)
{
	struct io *io = calloc(1, sizeof(*io));
	int i;

	*out = NULL;
	if (!io)
		return err_sys(err, ENOMEM, "I/O threads");
	io->loop = l;
	loop_flush_init(&io->flush, on_flush);
	pthread_mutex_init(&io->lock, NULL);
	pthread_cond_init(&io->work, NULL);
	for (i = 0; i < IO_QUEUES; i++)
		list_init(&io->queue[i]);
	list_init(&io->done);
	io->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->wake >= 0)
		io->ev = event_new(l->base, io->wake, EV_READ | EV_PERSIST,
				   on_done, io);
	if (!io->ev || event_add(io->ev, NULL) < 0) {
		io_stop(io);
		return err_sys(err, ENOMEM, "I/O threads");
	}
	if (start_threads(io, threads, err) < 0) {
		io_stop(io);
		return -1;
	}
	*out = io;
	return 0;
}

void
io_stop(struct io *io)
{
	unsigned i;

	if (!io)
		return;
	/* Jobs may lead to more jobs. */
	while (io->pending) {
		struct pollfd p = { io->wake, POLLIN, 0 };

		on_flush(&io->flush);
		poll(&p, 1, -1);
		on_done(io->wake, 0, io);
	}
	loop_flush_cancel(&io->flush);
	pthread_mutex_lock(&io->lock);
	io->stop = true;
	pthread_cond_broadcast(&io->work);
	pthread_mutex_unlock(&io->lock);
	for (i = 0; i < io->nthreads; i++)
		pthread_join(io->thread[i], NULL);
	if (io->ev)
		event_free(io->ev);
	if (io->wake >= 0)
		close(io->wake);
	pthread_cond_destroy(&io->work);
	pthread_mutex_destroy(&io->lock);
	free(io->thread);
	free(io);
}

void
io_submit(struct io *io, enum io_queue queue, const struct io_kind *kind,
	  struct io_job *j)
{
	j->kind = kind;
	list_init(&j->link);
	io->pending++;
	pthread_mutex_lock(&io->lock);
	list_append(&io->queue[queue], &j->link);
	io->queued[queue]++;
	pthread_mutex_unlock(&io->lock);
	loop_flush_want(io->loop, &io->flush);
}

/* One thread for a batch: what this turn of the loop has gathered is written
 * together, and no more threads run than there is work for. */
static void
on_flush(struct loop_flush *f)
{
	struct io *io = LIST_OF(f, struct io, flush);
	unsigned i, want = 0;

	pthread_mutex_lock(&io->lock);
	for (i = 0; i < IO_QUEUES; i++)
		want += (io->queued[i] + IO_BATCH - 1) / IO_BATCH;
	if (want > io->idle)
		want = io->idle;
	pthread_mutex_unlock(&io->lock);
	while (want--)
		pthread_cond_signal(&io->work);
}

size_t
io_pending(const struct io *io)
{
	return io->pending;
}
