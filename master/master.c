/* SPDX-License-Identifier: ISC */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/daemon.h"
#include "frame/msg_control.h"
#include "master.h"

enum { STAGES = 4, TICK_S = 1 };

/* --- start
 * ---------------------------------------------------------------------- */

static void
start_stage(struct master *m)
{
	unsigned w;
	size_t i;

	for (i = SVC_LOGD; i <= SVC_SPAWNER; i++) {
		const struct service *svc = &services[i];

		if (svc->stage != m->stage)
			continue;
		for (w = 0; w < master_workers(m, svc); w++) {
			struct child *c = child_new(m, svc, w);

			if (c)
				child_start(c);
		}
	}
}

/* All children of a stage are in this state (or gone, for CHILD_DOWN). */
static bool
stage_is(struct master *m, unsigned stage, enum child_state state)
{
	struct list *it;

	list_for_each (it, &m->children) {
		struct child *c = LIST_OF(it, struct child, link);

		if (c->svc->stage != stage)
			continue;
		if (state == CHILD_DOWN ? c->pid > 0 : c->state != state)
			return false;
	}
	return true;
}

static void stop_stage(struct master *m);

void
master_progress(struct master *m)
{
	struct list *it;

	if (m->stopping) {
		while (m->stage < STAGES && stage_is(m, m->stage, CHILD_DOWN)) {
			if (m->stage == 0) {
				loop_stop(&m->loop);
				return;
			}
			m->stage--;
			stop_stage(m);
		}
		return;
	}
	if (m->up)
		return;
	list_for_each (it, &m->children)
		if (LIST_OF(it, struct child, link)->state == CHILD_FAILED) {
			fprintf(stderr,
				"master: %s does not accept its "
				"configuration, see the log\n",
				LIST_OF(it, struct child, link)->svc->name);
			master_stop(m, DAEMON_BAD_CONFIG);
			return;
		}
	while (stage_is(m, m->stage, CHILD_READY)) {
		if (++m->stage == STAGES) {
			m->up = true;
			log_info("daemon started -- version %s, configuration "
				 "%s",
				 POSTHOUSE_VERSION, m->opt.confdir);
			notify("READY=1");
			return;
		}
		start_stage(m);
	}
}

/* --- stop
 * ------------------------------------------------------------------------- */

/* Those who do not finish in time lose control (they end within 5 s), then
 * their life. */
static void
on_stop_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	struct list *it;

	(void)fd;
	(void)what;
	list_for_each (it, &m->children) {
		struct child *c = LIST_OF(it, struct child, link);

		if (c->svc->stage == m->stage && c->pid > 0) {
			log_warn("%s[%ld] does not end, killed", c->svc->name,
				 (long)c->pid);
			kill(c->pid, SIGKILL);
		}
	}
}

static void
stop_stage(struct master *m)
{
	struct timeval tv = { STOP_STAGE_MS / 1000, 0 };
	struct list *it;

	list_for_each (it, &m->children) {
		struct child *c = LIST_OF(it, struct child, link);

		if (c->svc->stage != m->stage)
			continue;
		evtimer_del(c->timer);
		child_drain(c);
		/* Sessions do not keep a stopping system alive for long: EOF
		 * on control gives them 5 s. */
		if (c->control) {
			chan_close(c->control);
			c->control = NULL;
		}
	}
	tv.tv_sec += 2;
	evtimer_add(m->ev_stop, &tv);
}

void
master_stop(struct master *m, int exit_code)
{
	if (m->stopping)
		return;
	log_info("stopping");
	notify("STOPPING=1");
	m->stopping = true;
	m->exit_code = exit_code;
	m->stage = STAGES - 1;
	stop_stage(m);
	master_progress(m);
}

/* --- reload
 * ------------------------------------------------------------------------ */

/* There is one of the same worker that is to be replaced. */
static bool
has_older(const struct child *c)
{
	struct list *it;

	for (it = c->m->children.next; it != &c->link; it = it->next) {
		struct child *k = LIST_OF(it, struct child, link);

		if (k->svc == c->svc && k->worker == c->worker &&
		    k->state != CHILD_DRAINING)
			return true;
	}
	return false;
}

static void
reload_child(struct child *c)
{
	struct master *m = c->m;
	unsigned workers = master_workers(m, c->svc);
	struct msg_config msg;
	struct child *fresh;

	if (c->svc->id == SVC_MASTER || c->state == CHILD_DRAINING)
		return;
	if (c->worker >= workers && workers && c->svc->listens && c->pid > 0)
		return; /* until another is READY with its sockets */
	/* One worker less; or a replacement that has not come up by now, of
	 * the configuration before: the one it was to replace gets another. */
	if (c->worker >= workers || (c->replaces && has_older(c))) {
		child_retire(c);
		return;
	}
	if (c->state == CHILD_FAILED) {
		c->backoff_s = 0;
		child_start(c);
		return;
	}
	if (c->pid <= 0)
		return; /* takes it when it starts */
	if (c->svc->reload == RELOAD_REPLACE) {
		fresh = child_new(m, c->svc, c->worker);
		if (!fresh)
			return;
		fresh->replaces = true;
		child_start(fresh);
		return;
	}
	msg.fd = master_params_fd(m, c->svc);
	if (msg.fd >= 0 && c->control)
		chan_send(c->control, 0, &msg_config_def, &msg);
	if (msg.fd >= 0)
		close(msg.fd);
}

static void
add_workers(struct master *m, const struct service *svc)
{
	struct list *it;
	unsigned w;

	for (w = 0; w < master_workers(m, svc); w++) {
		list_for_each (it, &m->children) {
			struct child *c = LIST_OF(it, struct child, link);

			/* One that drains will not serve again. */
			if (c->svc == svc && c->worker == w &&
			    c->state != CHILD_DRAINING)
				break;
		}
		if (it == &m->children) {
			struct child *c = child_new(m, svc, w);

			if (c)
				child_start(c);
		}
	}
}

int
master_reload(struct master *m, struct buf *out)
{
	struct config fresh, old = m->conf;
	struct list *it, *next, *last;
	size_t i;

	if (!m->up || m->stopping) {
		buf_add_c(out, "not while starting or stopping\n");
		return -1;
	}
	if (master_load(m, &fresh, out) < 0)
		return -1;
	m->conf = fresh;
	if (listeners_update(m, out) < 0) {
		m->conf = old;
		config_fini(&fresh);
		return -1;
	}
	config_fini(&old);
	notify("RELOADING=1");
	tables_init(m);
	tables_watch(m);
	/* Children added on the way stand behind the last one of today. */
	last = m->children.prev;
	for (it = m->children.next;; it = next) {
		bool end = it == last; /* it may be freed */

		next = it->next;
		reload_child(LIST_OF(it, struct child, link));
		if (end)
			break;
	}
	for (i = SVC_LOGD; i <= SVC_SPAWNER; i++)
		add_workers(m, &services[i]);
	log_info("reloaded -- configuration %s", m->opt.confdir);
	notify("READY=1");
	return 0;
}

/* --- signals and life
 * ------------------------------------------------------------ */

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct master *m = arg;
	struct buf problems;

	(void)what;
	if (sig == SIGCHLD) {
		children_reap(m);
	} else if (sig == SIGHUP) {
		buf_init(&problems, 32768);
		if (master_reload(m, &problems) < 0) {
			struct str rest = buf_str(&problems), line;

			while (str_token(&rest, "\n", &line))
				log_error("%.*s", STR_FMT(line));
			log_error("not reloaded: the running configuration "
				  "stays");
		}
		buf_fini(&problems);
	} else {
		master_stop(m, 0);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	tables_watch(m);
	if (m->ev_ctl)
		event_add(m->ev_ctl, NULL);
}

static int
add_events(struct master *m)
{
	struct timeval tick = { TICK_S, 0 };
	struct event_base *b = m->loop.base;

	m->ev_term = evsignal_new(b, SIGTERM, on_signal, m);
	m->ev_int = evsignal_new(b, SIGINT, on_signal, m);
	m->ev_hup = evsignal_new(b, SIGHUP, on_signal, m);
	m->ev_chld = evsignal_new(b, SIGCHLD, on_signal, m);
	m->ev_tick = event_new(b, -1, EV_PERSIST, on_tick, m);
	m->ev_stop = evtimer_new(b, on_stop_timeout, m);
	return event_add(m->ev_term, NULL) < 0 ||
			       event_add(m->ev_int, NULL) < 0 ||
			       event_add(m->ev_hup, NULL) < 0 ||
			       event_add(m->ev_chld, NULL) < 0 ||
			       event_add(m->ev_tick, &tick) < 0
		       ? -1
		       : 0;
}

/* master's own lines go through logd as well. */
static void
open_log(struct master *m)
{
	struct child *self = calloc(1, sizeof(*self));
	int pair[2], on = 1;

	if (!self ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(self);
		return;
	}
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	*self = (struct child){ .m = m,
				.svc = &services[SVC_MASTER],
				.pid = 0,
				.state = CHILD_READY };
	self->log_fds[self->nlogs++] = pair[0];
	self->timer = evtimer_new(m->loop.base, NULL, NULL);
	list_append(&m->children, &self->link);
	log_open(pair[1], "master");
}

static int
begin(struct master *m, struct buf *problems)
{
	struct err err;

	m->patient_until_ms = clock_mono_ms() + BIND_PATIENCE_MS;
	if (master_load(m, &m->conf, problems) < 0)
		return DAEMON_BAD_CONFIG;
	if (loop_init(&m->loop, &err) < 0 || add_events(m) < 0)
		return EX_OSERR;
	if (admin_open(m, problems) < 0)
		return EX_TEMPFAIL;
	if (master_prepare(m, problems) < 0)
		return DAEMON_BAD_CONFIG;
	open_log(m);
	given_complain(&m->given);
	return 0;
}

int
master_run(const struct options *opt)
{
	struct master m = { .opt = *opt, .control_sock = -1, .pid_fd = -1 };
	struct buf problems;
	size_t i;

	list_init(&m.children);
	list_init(&m.listeners);
	list_init(&m.pending);
	list_init(&m.orphans);
	for (i = 0; i < MASTER_TABLES; i++)
		m.tables[i].memfd = -1;
	log_open(-1, "master");
	/* Users' processes that outlive their spawner are reaped here. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	given_read(&m.given);
	buf_init(&problems, 65536);
	m.exit_code = begin(&m, &problems);
	if (problems.n)
		fwrite(problems.p, 1, problems.n, stderr);
	buf_fini(&problems);
	if (m.exit_code == 0) {
		start_stage(&m);
		loop_run(&m.loop);
	}
	listeners_close(&m);
	if (m.control_sock >= 0 || m.pid_fd >= 0)
		admin_close(&m);
	return m.exit_code;
}
