/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/daemon.h"
#include "frame/msg_control.h"
#include "master.h"

enum { ARGS_MAX = 640 }; /* one worker may have the sockets of all */

/* The command line being built: "NAME=FD" each. */
struct args {
	char text[ARGS_MAX][48];
	int fds[ARGS_MAX];
	unsigned n;
	int close_after[16];
	unsigned nclose;
};

const char *
child_state_name(const struct child *c)
{
	static const char *const names[] = { "down", "starting", "ready",
					     "draining", "failed" };

	return names[c->state];
}

struct child *
child_of(struct master *m, enum service_id id)
{
	struct list *it;

	list_for_each (it, &m->children) {
		struct child *c = LIST_OF(it, struct child, link);

		if (c->svc->id == id && c->state != CHILD_DRAINING)
			return c;
	}
	return NULL;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	if (c->state == CHILD_DOWN && !c->m->stopping)
		child_start(c);
	else if (c->state == CHILD_DRAINING && c->pid > 0)
		kill(c->pid, SIGKILL);
}

struct child *
child_new(struct master *m, const struct service *svc, unsigned worker)
{
	struct child *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct child){ .m = m, .svc = svc, .worker = worker };
	c->timer = evtimer_new(m->loop.base, on_timer, c);
	list_append(&m->children, &c->link);
	return c;
}

static void
close_logs(struct child *c)
{
	while (c->nlogs)
		close(c->log_fds[--c->nlogs]);
}

void
child_free(struct child *c)
{
	list_remove(&c->link);
	event_free(c->timer);
	close_logs(c);
	free(c);
}

/* --- descriptors
 * ---------------------------------------------------------------- */

static void
add_arg(struct args *a, const char *name, int fd, bool ours)
{
	if (fd < 0 || a->n == ARGS_MAX)
		return;
	snprintf(a->text[a->n], sizeof(a->text[0]), "%.32s=%d", name, fd);
	a->fds[a->n++] = fd;
	if (ours && a->nclose < 16)
		a->close_after[a->nclose++] = fd;
}

/* A log channel: the writer's end becomes an argument, logd's end is kept
 * here, so that a new logd can have it. */
static int
add_log(struct child *c, struct args *a, const char *name)
{
	int pair[2], on = 1;

	BUG_ON(c->nlogs == LOGS_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	/* The kernel adds the writer's pid to each frame. */
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	c->log_fds[c->nlogs++] = pair[0];
	add_arg(a, name, pair[1], true);
	return 0;
}

static int
add_fds_of_row(struct child *c, struct args *a)
{
	struct str rest = str_of(c->svc->fds), word;
	struct master *m = c->m;
	char name[32];

	while (str_token(&rest, " ", &word)) {
		if (!str_copy(name, sizeof(name), word))
			continue;
		if (str_starts(word, STR("log_"))) {
			if (add_log(c, a, name) < 0)
				return -1;
		} else if (str_eq(word, STR("syslog"))) {
			add_arg(a, name, syslog_connect(), true);
		} else if (str_eq(word, STR("last_use"))) {
			add_arg(a, name, last_use_open(&m->conf), true);
		} else {
			add_arg(a, name, table_fd(m, name), false);
		}
	}
	return 0;
}

static int
build_args(struct child *c, struct args *a)
{
	struct master *m = c->m;
	int control[2], params;
	struct list *it;

	params = master_params_fd(m, c->svc);
	if (params < 0)
		return -1;
	add_arg(a, "params", params, true);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		return -1;
	add_arg(a, "control", control[1], true);
	c->control = chan_new(&m->loop, control[0], &channels[CH_CONTROL],
			      CHAN_SERVICE, &broker_child_ops, c);
	if (!c->control || add_log(c, a, "log") < 0 || add_fds_of_row(c, a) < 0)
		return -1;
	if (c->svc->root == ROOT_EMPTY)
		add_arg(a, "root", m->empty_dir, false);
	else if (c->svc->root == ROOT_SPOOL)
		add_arg(a, "root", m->spool_dir, false);
	else if (c->svc->root == ROOT_LOG)
		add_arg(a, "root", m->log_dir, false);
	list_for_each (it, &m->listeners) {
		struct listener *l = LIST_OF(it, struct listener, link);

		if (listener_is_of(l, c))
			add_arg(a, l->param, l->fd, false);
	}
	return 0;
}

/* --- start
 * -------------------------------------------------------------------------- */

static void
exec_child(const struct child *c, struct args *a)
{
	static char path_env[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char path[4096], name[64], tz[128] = "";
	char *argv[ARGS_MAX + 2], *env[4] = { path_env, NULL };
	const char *zone = getenv("TZ");
	sigset_t none;
	unsigned i;
	int null;

	if (zone && snprintf(tz, sizeof(tz), "TZ=%s", zone) < (int)sizeof(tz))
		env[1] = tz;
	snprintf(name, sizeof(name), "%s", c->svc->name);
	snprintf(path, sizeof(path), "%s/%s", c->m->opt.bindir, c->svc->name);
	argv[0] = name;
	for (i = 0; i < a->n; i++) {
		argv[i + 1] = a->text[i];
		fcntl(a->fds[i], F_SETFD, 0);
	}
	argv[a->n + 1] = NULL;
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		if (null > 2)
			close(null);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 1; i < 32; i++)
		signal((int)i, SIG_DFL);
	execve(path, argv, env);
	dprintf(STDERR_FILENO, "master: %s: %m\n", path);
	_exit(DAEMON_BAD_CONFIG);
}

static void
start_failed(struct child *c)
{
	struct timeval tv;

	if (c->control)
		chan_close(c->control);
	c->control = NULL;
	close_logs(c);
	c->state = CHILD_DOWN;
	c->backoff_s = c->backoff_s ? c->backoff_s * 2 : BACKOFF_MIN_S;
	if (c->backoff_s > BACKOFF_MAX_S)
		c->backoff_s = BACKOFF_MAX_S;
	tv = (struct timeval){ c->backoff_s, 0 };
	evtimer_add(c->timer, &tv);
}

static void
give_orphans(struct master *m, struct child *logd)
{
	while (!list_empty(&m->orphans)) {
		struct orphan *o =
			LIST_OF(m->orphans.next, struct orphan, link);
		struct msg_log_peer msg = { str_of(o->name), o->fd };

		chan_send(logd->control, 0, &msg_log_peer_def, &msg);
		list_remove(&o->link);
		close(o->fd);
		free(o);
	}
}

void
child_start(struct child *c)
{
	struct master *m = c->m;
	struct child *logd = child_of(m, SVC_LOGD);
	struct args *a = calloc(1, sizeof(*a));
	pid_t pid = -1;
	unsigned i;

	if (!a || build_args(c, a) < 0) {
		log_error("%s: no descriptors: %s", c->svc->name,
			  strerror(errno));
	} else {
		log_flush();
		pid = fork();
		if (pid == 0)
			exec_child(c, a);
		if (pid < 0)
			log_error("%s: fork: %s", c->svc->name,
				  strerror(errno));
	}
	for (i = 0; a && i < a->nclose; i++)
		close(a->close_after[i]);
	free(a);
	if (pid < 0) {
		start_failed(c);
		return;
	}
	c->pid = pid;
	c->state = CHILD_STARTING;
	c->started_ms = clock_mono_ms();
	memset(c->joined, 0, sizeof(c->joined));
	if (logd && logd->control && logd != c)
		child_give_logs(c, logd);
	else if (c->svc->id == SVC_LOGD) {
		struct list *it;

		list_for_each (it, &m->children)
			child_give_logs(LIST_OF(it, struct child, link), c);
		give_orphans(m, c);
	}
}

void
child_give_logs(struct child *c, struct child *logd)
{
	struct str rest = str_of(c->svc->fds), word;
	struct msg_log_peer msg = { str_of(c->svc->name), -1 };
	unsigned i = 0;

	if (!c->nlogs || !logd->control)
		return;
	msg.fd = c->log_fds[i++];
	chan_send(logd->control, 0, &msg_log_peer_def, &msg);
	while (i < c->nlogs && str_token(&rest, " ", &word)) {
		if (!str_starts(word, STR("log_")))
			continue;
		msg.name = str_from(word, 4);
		msg.fd = c->log_fds[i++];
		chan_send(logd->control, 0, &msg_log_peer_def, &msg);
	}
}

void
child_drain(struct child *c)
{
	struct msg_drain msg = { 0 };
	struct timeval tv = { DRAIN_S, 0 };

	if (c->pid <= 0 || c->state == CHILD_DRAINING)
		return;
	c->state = CHILD_DRAINING;
	if (c->control)
		chan_send(c->control, 0, &msg_drain_def, &msg);
	evtimer_add(c->timer, &tv);
}

void
child_retire(struct child *c)
{
	if (c->pid > 0)
		child_drain(c);
	else
		child_free(c);
}

/* --- death
 * -----------------------------------------------------------------------------
 */

static void
log_death(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_warn("%s[%ld] was killed by signal %d (%s)%s", c->svc->name,
			 (long)c->pid, WTERMSIG(status),
			 strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGSYS
				 ? ": a forbidden system call, SIGSYS"
				 : "");
	else if (WEXITSTATUS(status) == DAEMON_BAD_CONFIG)
		log_error("%s[%ld]: bad configuration, it is not started "
			  "again before the next reload",
			  c->svc->name, (long)c->pid);
	else if (WEXITSTATUS(status) != 0)
		log_warn("%s[%ld] exited with status %d", c->svc->name,
			 (long)c->pid, WEXITSTATUS(status));
}

/* While a worker is in back-off, a sibling accepts for it. */
static void
lend_listeners(struct child *c)
{
	struct child *sibling = NULL;
	struct list *it;

	if (c->backoff_s < 2 || !c->svc->listens)
		return;
	list_for_each (it, &c->m->children) {
		struct child *k = LIST_OF(it, struct child, link);

		if (k->svc == c->svc && k->state == CHILD_READY && k->control)
			sibling = k;
	}
	if (!sibling || sibling->pid == c->lent_to)
		return; /* it has them since the last time */
	c->lent_to = sibling->pid;
	list_for_each (it, &c->m->listeners) {
		struct listener *l = LIST_OF(it, struct listener, link);
		struct msg_table msg = { str_of(l->param), l->fd };

		if (l->worker != ALL_WORKERS && listener_is_of(l, c))
			chan_send(sibling->control, 0, &msg_table_def, &msg);
	}
}

static void
restart_later(struct child *c)
{
	uint64_t lived = clock_mono_ms() - c->started_ms;
	struct timeval tv;

	/* One that lived is started again at once; one that did not waits 1,
	 * 2, 4 … 60 s. */
	if (lived >= STABLE_S * 1000)
		c->backoff_s = 0;
	else
		c->backoff_s = c->backoff_s ? c->backoff_s * 2 : BACKOFF_MIN_S;
	if (c->backoff_s > BACKOFF_MAX_S)
		c->backoff_s = BACKOFF_MAX_S;
	c->state = CHILD_DOWN;
	c->restarts++;
	lend_listeners(c);
	tv = (struct timeval){ c->backoff_s, 0 };
	evtimer_add(c->timer, &tv);
}

/* logd has its own duplicate and reads what is left; if it is away, the
 * channel waits for the next one. */
static void
leave_logs(struct child *c)
{
	struct child *logd = child_of(c->m, SVC_LOGD);
	struct orphan *o = NULL;

	if ((!logd || !logd->control) && c->nlogs && c->svc->id != SVC_LOGD)
		o = calloc(1, sizeof(*o));
	if (o) {
		*o = (struct orphan){ .name = c->svc->name,
				      .fd = c->log_fds[0] };
		list_append(&c->m->orphans, &o->link);
		c->log_fds[0] = c->log_fds[--c->nlogs];
	}
	close_logs(c);
}

static void
on_death(struct child *c, int status)
{
	struct master *m = c->m;
	enum child_state was = c->state;
	enum service_id id = c->svc->id;

	log_death(c, status);
	if (c->control) {
		broker_forget(m, c->control);
		chan_close(c->control);
	}
	c->control = NULL;
	c->pid = 0;
	leave_logs(c);
	evtimer_del(c->timer);
	if (m->stopping || was == CHILD_DRAINING) {
		if (was == CHILD_DRAINING && !m->stopping)
			child_free(c);
		else
			c->state = CHILD_DOWN;
	} else if (WIFEXITED(status) &&
		   WEXITSTATUS(status) == DAEMON_BAD_CONFIG) {
		c->state = CHILD_FAILED;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
		   was == CHILD_READY &&
		   clock_mono_ms() - c->started_ms >= RECYCLED_MS) {
		/* A worker that has served its number recycles itself. */
		c->state = CHILD_DOWN;
		c->backoff_s = 0;
		child_start(c);
	} else {
		restart_later(c);
	}
	/* Who waits for this one may have to do with another. */
	broker_serve(m, id);
	master_progress(m);
}

void
children_reap(struct master *m)
{
	struct list *it;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		list_for_each (it, &m->children)
			if (LIST_OF(it, struct child, link)->pid == pid)
				break;
		if (it != &m->children)
			on_death(LIST_OF(it, struct child, link), status);
	}
}
