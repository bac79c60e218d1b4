/* SPDX-License-Identifier: ISC */
/* Wiring: parameters, root, peers. */
#include <errno.h>
#include <stdlib.h>

#include "message.h"

enum { LOCK_WAIT_S = 10 };

static struct settings
read_settings(const struct params *p)
{
	const uint64_t us = 1000000;
	struct settings s = {
		.retry = {
			.min_us = us * (uint64_t)params_num(
					       p, "minimal_backoff_time"),
			.max_us = us * (uint64_t)params_num(
					       p, "maximal_backoff_time"),
			.lifetime_us = us * (uint64_t)params_num(
						    p,
						    "maximal_queue_lifetime"),
		},
		.minfree = (uint64_t)params_num(p, "queue_minfree"),
		.memory = (uint64_t)params_num(p, "qmgr_message_memory_limit"),
		.active_max = (unsigned)params_num(p,
						   "qmgr_message_active_limit"),
		.threads = (unsigned)params_num(p, "qmgr_commit_threads"),
		.targets_max = (unsigned)params_num(p, "default_process_limit"),
		.body_max = (uint64_t)params_num(p, "message_size_limit"),
		.idle_s = (unsigned)params_num(p, "max_idle"),
	};

	return s;
}

static struct asker *
open_worker(struct worker *w, unsigned n, asker_note_cb *note,
	    asker_state_cb *state)
{
	return asker_new_worker(smtp_client_arg(w), SVC_SMTP, n, note, state,
				w);
}

static unsigned
smtp_workers(const struct daemon *d)
{
	return (unsigned)params_num(&d->params, "smtp_workers");
}

static int
start(struct daemon *d, struct err *err)
{
	struct settings set = read_settings(&d->params);
	struct qmgr *q = calloc(1, sizeof(*q));

	if (!q)
		return err_sys(err, ENOMEM, "qmgr");
	if (qmgr_init(q, &d->loop, daemon_fd(d, "root", 0), &set, LOCK_WAIT_S,
		      err) < 0) {
		free(q);
		return -1;
	}
	q->router = asker_new(d, SVC_ROUTER, NULL, NULL, q);
	q->spawner = asker_new(d, SVC_SPAWNER, NULL, NULL, q);
	if (!q->router || !q->spawner) {
		qmgr_fini(q);
		free(q);
		return err_sys(err, ENOMEM, "qmgr");
	}
	d->app = q;
	q->sites.params = &d->params;
	q->smtp.arg = d;
	q->smtp.open = open_worker;
	smtp_client_start(q, smtp_workers(d));
	message_schedule(q);
	return 0;
}

/* The number of threads stays until the next start. */
static void
reload(struct daemon *d)
{
	struct qmgr *q = d->app;

	q->set = read_settings(&d->params);
	sites_reload(q);
	upkeep_wake(q); /* queue_minfree */
	smtp_client_start(q, smtp_workers(d));
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	qmgr_peer(d->app, row, fd);
}

static void
on_drained(void *arg)
{
	struct daemon *d = arg;

	daemon_exit(d, 0);
}

static void
drain(struct daemon *d)
{
	qmgr_drain(d->app, on_drained, d);
}

static const struct daemon_ops ops = {
	.id = SVC_QMGR,
	.start = start,
	.reload = reload,
	.peer = peer,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &ops);
}
