/* SPDX-License-Identifier: ISC */
/* Wiring: parameters, root, peers. */
#include <errno.h>
#include <stdlib.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/fsx.h"
#include "base/log.h"
#include "report.h"

enum {
	LOCK_WAIT_S = 10,
	BIG_MAX = 1000, /* each of those has a descriptor */
};

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
		},
		.minfree = (uint64_t)params_num(p, "queue_minfree"),
		.memory = (uint64_t)params_num(p, "qmgr_message_memory_limit"),
		.active_max = (unsigned)params_num(p,
						   "qmgr_message_active_limit"),
		.big_max = BIG_MAX,
		.threads = (unsigned)params_num(p, "qmgr_commit_threads"),
		.targets_max = (unsigned)params_num(p, "default_process_limit"),
		.body_max = (uint64_t)params_num(p, "message_size_limit"),
		.idle_s = (unsigned)params_num(p, "max_idle"),
	};

	return s;
}

/* The words of reports are read anew with each edition of their file, and with
 * all parameters.  Without memory the old ones stay. */
static int
load_reports(struct daemon *d, struct qmgr *q, int fd)
{
	struct report_conf *c;
	struct stat st;
	struct buf file;
	struct err err;
	struct str text;
	char *to;

	buf_init(&file, BOUNCE_FILE_MAX + 1);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		to = buf_reserve(&file, (size_t)st.st_size);
		if (!to)
			log_error("bounce_template_file: larger than %d bytes",
				  BOUNCE_FILE_MAX);
		else if (fsx_pread_all(fd, to, (size_t)st.st_size, 0, &err) < 0)
			log_error("bounce_template_file: %s", err.text);
		else
			file.n = (size_t)st.st_size;
	}
	text = buf_str(&file);
	if (fd < 0 && q->reports)
		text = q->reports->file;
	c = report_conf_new(&d->params, text);
	buf_fini(&file);
	if (!c)
		return -1;
	report_conf_unref(q->reports);
	q->reports = c;
	return 0;
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
	if (!q->router || !q->spawner ||
	    load_reports(d, q, daemon_fd(d, "bounce_templates", 0)) < 0) {
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
	if (load_reports(d, q, -1) < 0)
		log_error("reload: out of memory");
	sites_reload(q);
	upkeep_wake(q); /* queue_minfree */
	smtp_client_start(q, smtp_workers(d));
}

static void
table(struct daemon *d, struct str name, int fd)
{
	(void)name; /* there is one */
	if (load_reports(d, d->app, fd) < 0)
		log_error("bounce_template_file: out of memory");
	close(fd);
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
	.table = table,
	.peer = peer,
	.drain = drain,
};

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &ops);
}
