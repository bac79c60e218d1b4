/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/msg_control.h"
#include "master.h"

/* --- verbs
 * ---------------------------------------------------------------------- */

static void
say(struct chan *c, uint32_t tag, struct str text)
{
	struct msg_admin_text m = { str_head(text, 32768) };

	if (text.n)
		chan_send(c, tag, &msg_admin_text_def, &m);
}

static void
done(struct chan *c, uint32_t tag, uint8_t status, const char *text)
{
	struct msg_admin_done m = { status, str_of(text) };

	chan_send(c, tag, &msg_admin_done_def, &m);
}

static void
admin_status(struct master *m, struct chan *c, uint32_t tag)
{
	struct list *it;
	struct buf b;

	buf_init(&b, 32768);
	buf_addf(&b, "%-8s %6s %7s %-9s %9s %8s\n", "SERVICE", "WORKER", "PID",
		 "STATE", "UP(S)", "RESTARTS");
	list_for_each (it, &m->children) {
		struct child *k = LIST_OF(it, struct child, link);
		uint64_t up = k->pid ? clock_mono_ms() - k->started_ms : 0;

		buf_addf(&b, "%-8s %6u %7ld %-9s %9llu %8u\n", k->svc->name,
			 k->worker, (long)k->pid, child_state_name(k),
			 (unsigned long long)(up / 1000), k->restarts);
	}
	say(c, tag, buf_str(&b));
	buf_fini(&b);
	done(c, tag, 0, m->up ? "running" : "starting");
}

static void
admin_reload(struct master *m, struct chan *c, uint32_t tag)
{
	struct buf problems;
	int rc;

	buf_init(&problems, 32768);
	rc = master_reload(m, &problems);
	say(c, tag, buf_str(&problems));
	buf_fini(&problems);
	if (rc < 0)
		done(c, tag, 64,
		     "not reloaded: the running configuration stays");
	else
		done(c, tag, 0, "reloaded");
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct master *m = arg;

	if (def->type == MSG_CONNECT) {
		broker_connect(m, c, NULL, tag,
			       ((struct msg_connect *)msg)->service, 0);
		return;
	}
	switch (((struct msg_admin *)msg)->verb) {
	case ADMIN_RELOAD:
		admin_reload(m, c, tag);
		break;
	case ADMIN_STOP:
		done(c, tag, 0, "stopping");
		master_stop(m, 0);
		break;
	case ADMIN_STATUS:
		admin_status(m, c, tag);
		break;
	default:
		done(c, tag, 64, "unknown verb");
	}
}

static void
on_close(struct chan *c, void *arg)
{
	broker_forget(arg, c);
}

static const struct chan_ops admin_ops = { on_msg, on_close };

/* --- control.sock
 * ------------------------------------------------------------------ */

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred;
	socklen_t len = sizeof(cred);

	(void)what;
	if (client < 0) {
		/* Out of descriptors: the next tick looks again. */
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			event_del(m->ev_ctl);
		return;
	}
	/* The file's mode lets in root and the admin group; look again. */
	if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
	    (cred.uid != 0 && cred.uid != geteuid())) {
		log_warn("control.sock: uid %u refused", cred.uid);
		close(client);
		return;
	}
	chan_new(&m->loop, client, &channels[CH_CTL_MASTER], CHAN_SERVICE,
		 &admin_ops, m);
}

/* The pid file is locked as long as this master lives. */
static int
lock_pid_file(struct master *m, struct buf *out)
{
	const char *path = config_get(&m->conf, "pid_file").p;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	struct stat at, of;

	if (fd < 0) {
		buf_addf(out, "pid_file: %s: %s\n", path, strerror(errno));
		return -1;
	}
	/* Whoever ends takes its file away: what we have locked may be that
	 * one, and the next master would lock another. */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &of) < 0 ||
	    stat(path, &at) < 0 || at.st_ino != of.st_ino ||
	    at.st_dev != of.st_dev) {
		buf_addf(out, "%s: another master of this instance runs\n",
			 path);
		close(fd);
		return -1;
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
		log_warn("%s: %s", path, strerror(errno));
	m->pid_fd = fd;
	snprintf(m->pid_path, sizeof(m->pid_path), "%s", path);
	return 0;
}

int
admin_open(struct master *m, struct buf *out)
{
	const char *dir = config_get(&m->conf, "socket_directory").p;
	struct unix_place place = { .path = m->control_path,
				    .type = SOCK_SEQPACKET,
				    .mode = 0600,
				    .gid = (gid_t)-1,
				    .backlog = 16 };
	struct err err;

	(void)!mkdir(dir, 0755);
	if (lock_pid_file(m, out) < 0)
		return -1;
	snprintf(m->control_path, sizeof(m->control_path), "%s/control.sock",
		 dir);
	m->control_sock = unix_listen(&place, &err);
	if (m->control_sock < 0) {
		buf_addf(out, "%s\n", err.text);
		return -1;
	}
	m->ev_ctl = event_new(m->loop.base, m->control_sock,
			      EV_READ | EV_PERSIST, on_accept, m);
	return m->ev_ctl ? event_add(m->ev_ctl, NULL) : -1;
}

void
admin_close(struct master *m)
{
	if (m->ev_ctl)
		event_free(m->ev_ctl);
	m->ev_ctl = NULL;
	if (m->control_sock >= 0) {
		close(m->control_sock);
		unlink(m->control_path);
	}
	m->control_sock = -1;
	if (m->pid_fd >= 0) {
		unlink(m->pid_path);
		close(m->pid_fd);
	}
	m->pid_fd = -1;
}
