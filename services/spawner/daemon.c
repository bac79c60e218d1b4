/* SPDX-License-Identifier: ISC */
/* spawner as a daemon: its jail, its parameters, its tables. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/jail.h"
#include "imapd/entry.h"
#include "local/entry.h"
#include "pop3d/entry.h"
#include "spawner.h"
#include "store/mbox_file.h"
#include "take.h"

enum { FIXED_MAX = 16 * 1024 };

struct app {
	struct spawner spawner;
	struct buf fixed;	  /* values of fixed_names at the start */
	int below[TREES_MAX + 2]; /* for jail_enter(), which closes them */
};

/* What the kernel was told at the start; a reload cannot widen it. */
static const char *const fixed_names[] = {
	"virtual_mailbox_base", "home_parents",	   "first_valid_uid",
	"last_valid_uid",	"first_valid_gid", "last_valid_gid",
	"mail_spool_directory",
};

static void
add_fixed(struct buf *b, const struct params *p)
{
	size_t i;

	for (i = 0; i < sizeof(fixed_names) / sizeof(fixed_names[0]); i++) {
		buf_add_str(b, params_str(p, fixed_names[i]));
		buf_add_byte(b, '\n');
	}
	buf_add_c(b, params_str(p, "home_mailbox").n ? "home" : "spool");
}

static void
add_tree(struct spawner *s, struct str path, bool is_virtual)
{
	struct tree *t = &s->trees[s->ntrees];

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0)
		return;
	if (s->ntrees == TREES_MAX || path.p[0] != '/' ||
	    !str_copy(t->path, sizeof(t->path), path)) {
		log_warn("%.*s: cannot hold mailboxes: too many directories, "
			 "or not an absolute path",
			 STR_FMT(path));
		return;
	}
	t->is_virtual = is_virtual;
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0)
		log_warn("%s: %m: no mail is delivered or served there before "
			 "a restart",
			 t->path);
	else
		s->ntrees++;
}

/* Those who deliver into the spool directory have its group, if that is how it
 * is written to: mail, on most systems. */
static void
add_spool(struct spawner *s, const struct params *p)
{
	struct str path = params_str(p, "mail_spool_directory");
	struct tree *t = &s->spool;
	const char *problem;
	struct stat st;

	t->fd = s->spool_notify = -1;
	if (params_str(p, "home_mailbox").n || path.n == 0 ||
	    !str_copy(t->path, sizeof(t->path), path))
		return;
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0 || fstat(t->fd, &st) < 0) {
		log_warn("%s: %m: mail of system users is deferred until a "
			 "restart",
			 t->path);
		t->path[0] = '\0';
		return;
	}
	problem = mbox_dir_problem(&st);
	if (problem)
		log_warn("mail_spool_directory = %s: %s", t->path, problem);
	/* As root: the way there may be closed to others. */
	s->spool_notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->spool_notify >= 0 &&
	    inotify_add_watch(s->spool_notify, t->path,
			      IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
		close(s->spool_notify);
		s->spool_notify = -1;
	}
	if (st.st_mode & S_IWGRP)
		s->spool_gid = st.st_gid; /* 0, root's, is as none */
}

void
spawner_confine(struct spawner *s, const struct params *p)
{
	struct str rest = params_str(p, "home_parents"), item;

	s->bounds = (struct id_bounds){
		.uid_min = (uint32_t)params_num(p, "first_valid_uid"),
		.uid_max = (uint32_t)params_num(p, "last_valid_uid"),
		.gid_min = (uint32_t)params_num(p, "first_valid_gid"),
		.gid_max = (uint32_t)params_num(p, "last_valid_gid"),
	};
	add_tree(s, params_str(p, "virtual_mailbox_base"), true);
	while (str_token(&rest, ", \t", &item))
		add_tree(s, item, false);
	add_spool(s, p);
}

static int
keep_open(struct app *a, size_t i, const struct tree *t, struct err *err)
{
	a->below[i] = fcntl(t->fd, F_DUPFD_CLOEXEC, 3);
	return a->below[i] < 0 ? err_sys(err, errno, "%s", t->path) : 0;
}

static int
confine(struct daemon *d, struct jail *j, struct err *err)
{
	struct app *a = calloc(1, sizeof(*a));
	size_t i;

	if (!a)
		return err_sys(err, ENOMEM, "spawner");
	d->app = a;
	buf_init(&a->fixed, FIXED_MAX);
	add_fixed(&a->fixed, &d->params);
	spawner_confine(&a->spawner, &d->params);
	for (i = 0; i < a->spawner.ntrees; i++)
		if (keep_open(a, i, &a->spawner.trees[i], err) < 0)
			return -1;
	if (a->spawner.spool.fd >= 0 &&
	    keep_open(a, i++, &a->spawner.spool, err) < 0)
		return -1;
	a->below[i] = -1;
	j->write_below = a->below;
	j->uid_min = a->spawner.bounds.uid_min;
	j->uid_max = a->spawner.bounds.uid_max;
	j->gid_min = a->spawner.bounds.gid_min;
	j->gid_max = a->spawner.bounds.gid_max;
	j->gid_mail = a->spawner.spool_gid;
	return 0;
}

static void
set_service(struct daemon *d, uint8_t service, user_entry_fn *entry,
	    const char *log)
{
	struct spawner *s = &((struct app *)d->app)->spawner;

	s->procs.env[service] = (struct child_env){
		.params = &d->params,
		.entry = entry,
		.log = daemon_fd(d, log, 0),
		.unprivileged = params_bool(&d->params, "jail_unprivileged"),
		.allow_missing =
			str_eq(params_str(&d->params, "sandbox_missing"),
			       STR("allow")),
	};
}

/* What children need of our descriptors: logs, and where mail is. */
static void
sow(struct app *a)
{
	struct spawner *s = &a->spawner;
	int keep[SVC_COUNT + TREES_MAX + 1];
	size_t n = 0, i;

	for (i = 0; i < SVC_COUNT; i++)
		if (s->procs.env[i].entry)
			keep[n++] = s->procs.env[i].log;
	for (i = 0; i < s->ntrees; i++)
		keep[n++] = s->trees[i].fd;
	keep[n++] = s->spool.fd;
	procs_seed(&s->procs, keep, n);
}

static int
start(struct daemon *d, struct err *err)
{
	struct spawner *s = &((struct app *)d->app)->spawner;
	int fd;

	umask(077);
	if (spawner_init(s, &d->loop, &d->params, err) < 0)
		return -1;
	s->arg = d;
	s->procs.limit = (unsigned)params_num(&d->params, "user_process_limit");
	set_service(d, SVC_DELIVER, deliver_entry, "log_deliver");
	set_service(d, SVC_MBOX, mbox_entry, "log_mbox");
	set_service(d, SVC_TAKER, taker_entry, "log_taker");
	set_service(d, SVC_IMAPD, imapd_entry, "log_imapd");
	set_service(d, SVC_POP3D, pop3d_entry, "log_pop3d");
	if (take_init(s, err) < 0)
		return -1;
	fd = daemon_fd(d, "passwd", 0);
	if (fd >= 0 && (fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) >= 0)
		spawner_passwd(s, fd);
	s->authd = asker_new(d, SVC_AUTHD, NULL, NULL, s);
	if (!s->authd)
		return err_sys(err, ENOMEM, "authd");
	sow(d->app);
	return 0;
}

static void
reload(struct daemon *d)
{
	struct app *a = d->app;
	struct spawner *s = &a->spawner;
	struct buf now;

	buf_init(&now, FIXED_MAX);
	add_fixed(&now, &d->params);
	if (!str_eq(buf_str(&now), buf_str(&a->fixed)))
		log_warn("virtual_mailbox_base, home_parents, first_valid_*, "
			 "last_valid_*, mail_spool_directory, or whether "
			 "home_mailbox is empty, were changed: that takes a "
			 "restart");
	buf_fini(&now);
	s->procs.limit = (unsigned)params_num(&d->params, "user_process_limit");
	sow(a);
}

static void
table(struct daemon *d, struct str name, int fd)
{
	if (str_eq(name, STR("passwd")))
		spawner_passwd(&((struct app *)d->app)->spawner, fd);
	else
		close(fd);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	spawner_peer(&((struct app *)d->app)->spawner, row, fd);
}

static void
on_idle(struct spawner *s)
{
	daemon_exit(s->arg, 0);
}

static void
drain(struct daemon *d)
{
	struct spawner *s = &((struct app *)d->app)->spawner;

	if (list_empty(&s->jobs))
		daemon_exit(d, 0);
	s->idle = on_idle;
}

const struct daemon_ops spawner_ops = {
	.id = SVC_SPAWNER,
	.confine = confine,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
	.drain = drain,
};
