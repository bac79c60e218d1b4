/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/daemon.h"
#include "frame/debug.h"
#include "frame/jail.h"
#include "frame/msg_control.h"

enum { ORPHAN_MS = 5000 };

struct daemon_fd {
	char name[32];
	int fd;
};

struct connect {
	struct list link;
	uint32_t tag;
	daemon_connect_cb *cb;
	void *arg;
};

int
daemon_fd(const struct daemon *d, const char *name, size_t i)
{
	size_t k;

	for (k = 0; k < d->nfds; k++)
		if (strcmp(d->fds[k].name, name) == 0 && i-- == 0)
			return d->fds[k].fd;
	return -1;
}

/* "NAME=FD" each; what is not so was not started by master. */
static int
read_args(struct daemon *d, int argc, char **argv)
{
	struct str name, s;
	uint64_t fd;
	int i;

	d->fds = calloc((size_t)argc + 1, sizeof(*d->fds));
	if (!d->fds)
		return -1;
	for (i = 1; i < argc; i++) {
		struct daemon_fd *f = &d->fds[d->nfds];

		s = str_of(argv[i]);
		if (!str_cut(&s, '=', &name) || str_u64(s, 65535, &fd) < 0 ||
		    !str_copy(f->name, sizeof(f->name), name))
			return -1;
		f->fd = (int)fd;
		d->nfds++;
		if (fcntl(f->fd, F_SETFD, FD_CLOEXEC) < 0)
			return -1;
	}
	return daemon_fd(d, "control", 0) < 0 || daemon_fd(d, "log", 0) < 0 ||
			       daemon_fd(d, "params", 0) < 0
		       ? -1
		       : 0;
}

void
daemon_exit(struct daemon *d, int status)
{
	d->exit_code = status;
	loop_stop(&d->loop);
}

static void
on_orphan_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	log_warn("not finished after %d s, exiting", ORPHAN_MS / 1000);
	daemon_exit(arg, EX_OK);
}

static void
drain(struct daemon *d, bool orphan)
{
	struct timeval tv = { ORPHAN_MS / 1000, 0 };

	if (orphan)
		event_base_once(d->loop.base, -1, EV_TIMEOUT, on_orphan_timeout,
				d, &tv);
	if (d->draining)
		return;
	d->draining = true;
	if (d->ops->drain)
		d->ops->drain(d);
	else
		daemon_exit(d, EX_OK);
}

/* --- the control channel ---------------------------------------------------
 */

static void
connect_done(struct daemon *d, uint32_t tag, int fd, bool never)
{
	struct list *it;

	list_for_each (it, &d->connects) {
		struct connect *c = LIST_OF(it, struct connect, link);

		if (c->tag != tag)
			continue;
		list_remove(&c->link);
		c->cb(c->arg, fd, never);
		free(c);
		return;
	}
	if (fd >= 0)
		close(fd);
}

void
daemon_connect(struct daemon *d, enum service_id service, unsigned worker,
	       daemon_connect_cb *cb, void *arg)
{
	struct msg_connect m = { .service = (uint8_t)service,
				 .worker = (uint8_t)worker };
	struct connect *c = calloc(1, sizeof(*c));

	if (!c || !d->control) {
		free(c);
		cb(arg, -1, false);
		return;
	}
	*c = (struct connect){ .tag = ++d->next_tag, .cb = cb, .arg = arg };
	list_append(&d->connects, &c->link);
	if (chan_send(d->control, c->tag, &msg_connect_def, &m) < 0)
		connect_done(d, c->tag, -1, false);
}

void
daemon_connect_cancel(struct daemon *d, void *arg)
{
	struct list *it, *next;

	for (it = d->connects.next; it != &d->connects; it = next) {
		struct connect *c = LIST_OF(it, struct connect, link);

		next = it->next;
		if (c->arg == arg) {
			list_remove(&c->link);
			free(c);
		}
	}
}

static void
take_config(struct daemon *d, int fd)
{
	struct params fresh;
	struct err err;

	if (params_load_fd(&fresh, fd, &err) < 0) {
		log_error("%s", err.text);
		return;
	}
	params_fini(&d->params);
	d->params = fresh;
	debug_follow(&d->params, d->svc->name);
	if (d->ops->reload)
		d->ops->reload(d);
}

static void
on_control(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	struct daemon *d = arg;

	(void)c;
	switch (def->type) {
	case MSG_CONNECTED: {
		struct msg_connected *m = msg;
		int fd = m->fd;

		m->fd = -1;
		connect_done(d, tag, fd, false);
		break;
	}
	case MSG_UNAVAILABLE:
		connect_done(d, tag, -1,
			     ((struct msg_unavailable *)msg)->never);
		break;
	case MSG_PEER: {
		struct msg_peer *m = msg;
		int fd = m->fd;

		if (m->row >= CH_COUNT || !d->ops->peer ||
		    channels[m->row].service != d->svc->id || d->draining)
			break; /* the channel closes it */
		m->fd = -1;
		d->ops->peer(d, &channels[m->row], fd);
		break;
	}
	case MSG_CONFIG:
		take_config(d, ((struct msg_config *)msg)->fd);
		break;
	case MSG_TABLE:
	case MSG_LOG_PEER: {
		struct msg_table *m = msg;
		int fd = m->fd;

		_Static_assert(sizeof(struct msg_table) ==
				       sizeof(struct msg_log_peer),
			       "name and descriptor both");
		if (!d->ops->table)
			break;
		m->fd = -1;
		d->ops->table(d, m->name, fd);
		break;
	}
	case MSG_DRAIN:
		drain(d, false);
		break;
	default:
		break;
	}
}

static void
on_control_closed(struct chan *c, void *arg)
{
	struct daemon *d = arg;

	(void)c;
	d->control = NULL;
	while (!list_empty(&d->connects))
		connect_done(
			d, LIST_OF(d->connects.next, struct connect, link)->tag,
			-1, false);
	drain(d, true);
}

static const struct chan_ops control_ops = { on_control, on_control_closed };

/* --- start ------------------------------------------------------------------
 */

static int
enter_jail(struct daemon *d, struct err *err)
{
	const struct params *p = &d->params;
	struct jail j = {
		.svc = d->svc,
		.root = daemon_fd(d, "root", 0),
		.uid = (uint32_t)params_num(p, "jail_uid"),
		.gid = (uint32_t)params_num(p, "jail_gid"),
		.keep_ids = params_bool(p, "jail_unprivileged"),
		.allow_missing =
			str_eq(params_str(p, "sandbox_missing"), STR("allow")),
	};

	if (d->ops->confine && d->ops->confine(d, &j, err) < 0)
		return -1;
	return jail_enter(&j, err);
}

static int
as_they_are(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return 0;
}

/* Before it sorts more than 1 KiB for the first time, the C library asks the
 * kernel how much memory there is, which no jail allows; in a thread that does
 * not take signals that ends the process. */
static void
preload_qsort(void)
{
	char v[4096] = { 0 };

	qsort(v, sizeof(v) / 8, 8, as_they_are);
}

int
daemon_main(int argc, char **argv, const struct daemon_ops *ops)
{
	struct daemon d = { .ops = ops, .svc = &services[ops->id] };
	struct msg_ready ready = { 0 };
	struct err err;

	list_init(&d.connects);
	if (read_args(&d, argc, argv) < 0) {
		fprintf(stderr, "%s is started by master, not by hand\n",
			d.svc->name);
		return EX_USAGE;
	}
	log_open(daemon_fd(&d, "log", 0), d.svc->name);
	if (params_load_fd(&d.params, daemon_fd(&d, "params", 0), &err) < 0)
		goto fail;
	debug_follow(&d.params, d.svc->name);
	signal(SIGINT, SIG_IGN); /* ^C in the terminal is master's business */
	signal(SIGHUP, SIG_IGN);
	tzset();
	preload_qsort();
	if (ops->preload)
		ops->preload();
	if (enter_jail(&d, &err) < 0) {
		log_error("jail: %s", err.text);
		return DAEMON_BAD_CONFIG;
	}
	if (loop_init(&d.loop, &err) < 0)
		goto fail;
	d.control =
		chan_new(&d.loop, daemon_fd(&d, "control", 0),
			 &channels[CH_CONTROL], CHAN_ASKER, &control_ops, &d);
	if (!d.control) {
		err_set(&err, ERR_TEMP, ENOMEM, "no control channel");
		goto fail;
	}
	if (ops->start(&d, &err) < 0)
		goto fail;
	chan_send(d.control, 0, &msg_ready_def, &ready);
	daemon_serve(&d);
	if (d.control)
		chan_close(d.control);
	log_flush();
	return d.exit_code;
fail:
	log_error("%s", err.text);
	log_flush();
	return err.class == ERR_PERM ? DAEMON_BAD_CONFIG : EX_TEMPFAIL;
}
