/* SPDX-License-Identifier: ISC */
#include <crypt.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/enc.h"
#include "hasher.h"

enum { THREADS_MAX = 32 };

struct hasher {
	pthread_mutex_t lock; /* over todo, waiting, done, stop */
	pthread_cond_t wake;
	struct list todo, done;
	unsigned waiting, limit;
	bool stop;
	pthread_t thread[THREADS_MAX];
	unsigned nthreads;
	int fd; /* eventfd: something is in done */
	struct event *rd;
};

static bool
matches(const char *password, const char *hash, struct crypt_data *data)
{
	struct str got, want = str_of(hash);
	bool same;

	memset(data, 0, sizeof(*data));
	got = str_of(crypt_r(password, hash, data));
	/* crypt(5): a failure begins with "*", which no hash does. */
	same = got.n && got.p[0] != '*' && enc_equal_const_time(got, want);
	explicit_bzero(data, sizeof(*data));
	return same;
}

bool
hash_matches(const char *password, const char *hash)
{
	struct crypt_data *data = malloc(sizeof(*data));
	bool same = data && matches(password, hash, data);

	free(data);
	return same;
}

/* The next job, or NULL: stop. */
static struct hash_job *
take_job(struct hasher *h)
{
	struct hash_job *j = NULL;

	pthread_mutex_lock(&h->lock);
	while (!h->stop && list_empty(&h->todo))
		pthread_cond_wait(&h->wake, &h->lock);
	if (!h->stop) {
		j = LIST_OF(h->todo.next, struct hash_job, link);
		list_remove(&j->link);
		h->waiting--;
	}
	pthread_mutex_unlock(&h->lock);
	return j;
}

static void *
hash_thread(void *arg)
{
	struct crypt_data *data = malloc(sizeof(*data));
	struct hasher *h = arg;
	struct hash_job *j;
	uint64_t one = 1;

	while ((j = take_job(h))) {
		j->match = data && matches(j->password, j->hash, data);
		explicit_bzero(j->password, sizeof(j->password));
		explicit_bzero(j->hash, sizeof(j->hash));
		pthread_mutex_lock(&h->lock);
		list_append(&h->done, &j->link);
		pthread_mutex_unlock(&h->lock);
		(void)!write(h->fd, &one, sizeof(one));
	}
	free(data);
	return NULL;
}

static void
give_back(struct hasher *h)
{
	struct hash_job *j;

	for (;;) {
		pthread_mutex_lock(&h->lock);
		j = list_empty(&h->done)
			    ? NULL
			    : LIST_OF(h->done.next, struct hash_job, link);
		if (j)
			list_remove(&j->link);
		pthread_mutex_unlock(&h->lock);
		if (!j)
			return;
		j->done(j);
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

static int
start_threads(struct hasher *h, unsigned n, struct err *err)
{
	sigset_t all, before;
	int rc = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (h->nthreads < n && rc == 0) {
		rc = pthread_create(&h->thread[h->nthreads], NULL, hash_thread,
				    h);
		if (rc == 0)
			h->nthreads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? err_sys(err, rc, "hashing thread") : 0;
}

struct hasher *
hasher_new(struct loop *l, unsigned threads, unsigned limit, struct err *err)
{
	struct hasher *h = calloc(1, sizeof(*h));

	if (!h) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->wake, NULL);
	list_init(&h->todo);
	list_init(&h->done);
	h->limit = limit;
	h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->fd < 0) {
		err_sys(err, errno, "eventfd");
		goto fail;
	}
	h->rd = event_new(l->base, h->fd, EV_READ | EV_PERSIST, on_done, h);
	if (!h->rd || event_add(h->rd, NULL) < 0) {
		err_set(err, ERR_TEMP, ENOMEM, "no event");
		goto fail;
	}
	if (start_threads(h, threads < THREADS_MAX ? threads : THREADS_MAX,
			  err) < 0)
		goto fail;
	return h;
fail:
	hasher_free(h);
	return NULL;
}

void
hasher_free(struct hasher *h)
{
	struct hash_job *j;

	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_broadcast(&h->wake);
	pthread_mutex_unlock(&h->lock);
	while (h->nthreads)
		pthread_join(h->thread[--h->nthreads], NULL);
	while (!list_empty(&h->todo)) {
		j = LIST_OF(h->todo.next, struct hash_job, link);
		explicit_bzero(j->password, sizeof(j->password));
		explicit_bzero(j->hash, sizeof(j->hash));
		list_remove(&j->link);
		list_append(&h->done, &j->link);
	}
	give_back(h);
	if (h->rd)
		event_free(h->rd);
	if (h->fd >= 0)
		close(h->fd);
	pthread_cond_destroy(&h->wake);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

int
hasher_submit(struct hasher *h, struct hash_job *j)
{
	int rc = -1;

	j->match = false;
	pthread_mutex_lock(&h->lock);
	if (h->waiting < h->limit) {
		h->waiting++;
		list_append(&h->todo, &j->link);
		pthread_cond_signal(&h->wake);
		rc = 0;
	}
	pthread_mutex_unlock(&h->lock);
	return rc;
}
