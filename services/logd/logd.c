/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "format.h"
#include "frame/msg_control.h"
#include "logd.h"
#include "sink.h"

enum { FRAMES_A_TURN = 8 };

struct logd {
	struct daemon *d;
	struct sink sink;
	struct loop_flush flush;
	struct list sources;
	struct buf line;
	bool json, want_socket;
	char syslog_name[64], mailbox_name[64], host[256];
	char frames[FRAMES_A_TURN][LOG_FRAME_MAX]; /* being read */
};

/* One log channel: a process, or the processes of one kind of a user. */
struct source {
	struct list link;
	struct logd *g;
	struct event *ev;
	struct loop_flush late;
	bool last; /* read after all others of a turn */
	char name[32];
	bool mailbox; /* its lines are in Dovecot's words */
};

static void
source_free(struct source *s)
{
	evutil_socket_t fd = event_get_fd(s->ev);

	loop_flush_cancel(&s->late);
	list_remove(&s->link);
	event_free(s->ev);
	close(fd);
	free(s);
}

static void
on_flush(struct loop_flush *f)
{
	struct logd *g = LIST_OF(f, struct logd, flush);
	struct msg_want want = { STR("syslog") };

	sink_flush(&g->sink);
	if (g->want_socket && g->d->control)
		chan_send(g->d->control, 0, &msg_want_def, &want);
	g->want_socket = false;
}

static void
write_record(struct logd *g, const struct log_sender *from,
	     const struct log_record *r)
{
	uint64_t now = clock_wall_us();

	if (g->sink.kind == SINK_SYSLOG) {
		buf_reset(&g->line);
		format_syslog(&g->line, from, r, now);
		if (!sink_datagram(&g->sink, buf_str(&g->line)))
			g->want_socket = true;
	} else if (g->json) {
		format_json(sink_lines(&g->sink), from, r, now);
	} else {
		format_text(sink_lines(&g->sink), from, r, now, g->host);
	}
	loop_flush_want(&g->d->loop, &g->flush);
}

/* The kernel says which process wrote (SO_PASSCRED, set by master). */
static long
sender_pid(struct msghdr *mh)
{
	struct cmsghdr *cm;
	struct ucred cred;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm))
		if (cm->cmsg_level == SOL_SOCKET &&
		    cm->cmsg_type == SCM_CREDENTIALS &&
		    cm->cmsg_len == CMSG_LEN(sizeof(cred))) {
			memcpy(&cred, CMSG_DATA(cm), sizeof(cred));
			return cred.pid;
		}
	return 0;
}

static void
take_frame(struct source *s, struct msghdr *mh, size_t n)
{
	bool alone = s->mailbox && s->g->mailbox_name[0];
	struct log_sender from = {
		.syslog_name = alone ? s->g->mailbox_name : s->g->syslog_name,
		.name = s->name,
		.pid = sender_pid(mh),
		.alone = alone,
	};
	struct str rest = str_mem(mh->msg_iov->iov_base, n);
	struct log_record r;
	bool malformed;

	while (format_next(&rest, &r, &malformed))
		write_record(s->g, &from, &r);
	if (malformed) {
		r = (struct log_record){ LOG_WARN_, STR_NULL,
					 STR("sent a malformed log frame") };
		write_record(s->g, &from, &r);
	}
}

/* What waits, up to a number of frames, so that no sender starves the others;
 * an empty frame is EOF: the last writer is gone. */
static void
read_source(struct source *s)
{
	_Alignas(8) char space[FRAMES_A_TURN][CMSG_SPACE(sizeof(struct ucred))];
	struct mmsghdr mm[FRAMES_A_TURN] = { 0 };
	struct iovec iov[FRAMES_A_TURN];
	bool gone = false;
	int i, n;

	for (i = 0; i < FRAMES_A_TURN; i++) {
		iov[i] = (struct iovec){ s->g->frames[i], LOG_FRAME_MAX };
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
		mm[i].msg_hdr.msg_control = space[i];
		mm[i].msg_hdr.msg_controllen = sizeof(space[i]);
	}
	n = recvmmsg(event_get_fd(s->ev), mm, FRAMES_A_TURN,
		     MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		gone = true;
	for (i = 0; i < n && !gone; i++) {
		gone = mm[i].msg_len == 0;
		if (!gone)
			take_frame(s, &mm[i].msg_hdr, mm[i].msg_len);
	}
	if (gone)
		source_free(s);
}

static void
on_late(struct loop_flush *f)
{
	read_source(LIST_OF(f, struct source, late));
}

/* Programs that read the log want a message's "client=" before its "from=": of
 * what has come meanwhile, qmgr's lines are the answer to the others'. */
static void
on_source(evutil_socket_t fd, short what, void *arg)
{
	struct source *s = arg;

	(void)fd;
	(void)what;
	if (s->last)
		loop_flush_want(&s->g->d->loop, &s->late);
	else
		read_source(s);
}

static void
add_source(struct logd *g, struct str name, int fd)
{
	struct source *s = calloc(1, sizeof(*s));
	struct str shown = name;

	/* By Postfix's name for it the programs that read logs know it. */
	if (str_eq(name, STR("submitd")))
		shown = STR("submission/smtpd");
	if (!s || !str_copy(s->name, sizeof(s->name), shown))
		goto fail;
	s->g = g;
	loop_flush_init(&s->late, on_late);
	s->last = str_eq(name, STR("qmgr"));
	s->mailbox = str_eq(name, STR("login")) || str_eq(name, STR("authd")) ||
		     str_eq(name, STR("imapd")) || str_eq(name, STR("pop3d"));
	s->ev = event_new(g->d->loop.base, fd, EV_READ | EV_PERSIST, on_source,
			  s);
	if (!s->ev || event_add(s->ev, NULL) < 0)
		goto fail;
	list_append(&g->sources, &s->link);
	return;
fail:
	if (s && s->ev)
		event_free(s->ev);
	free(s);
	close(fd);
}

static void
configure(struct logd *g)
{
	const struct params *p = &g->d->params;
	struct str file = params_str(p, "maillog_file");
	ptrdiff_t slash = str_rfind(file, '/');

	g->json = str_eq(params_str(p, "log_format"), STR("json"));
	str_copy(g->syslog_name, sizeof(g->syslog_name),
		 params_str(p, "syslog_name"));
	str_copy(g->mailbox_name, sizeof(g->mailbox_name),
		 params_str(p, "mailbox_syslog_name"));
	str_copy(g->host, sizeof(g->host), params_str(p, "myhostname"));
	/* The file is in log_directory, which is this process's root. */
	sink_open(&g->sink, file.n ? file.p + (slash + 1) : "");
	if (g->sink.kind == SINK_SYSLOG && g->sink.fd < 0)
		g->want_socket = true;
	loop_flush_want(&g->d->loop, &g->flush);
}

static void
logd_table(struct daemon *d, struct str name, int fd)
{
	struct logd *g = d->app;

	if (str_eq(name, STR("syslog")))
		sink_set_socket(&g->sink, fd);
	else
		add_source(g, name, fd);
}

static int
logd_start(struct daemon *d, struct err *err)
{
	struct logd *g = calloc(1, sizeof(*g));
	int fd = daemon_fd(d, "syslog", 0);

	if (!g)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->app = g;
	g->d = d;
	list_init(&g->sources);
	buf_init(&g->line, 8192);
	loop_flush_init(&g->flush, on_flush);
	sink_init(&g->sink, daemon_fd(d, "root", 0));
	configure(g);
	if (fd >= 0)
		sink_set_socket(&g->sink, fd);
	return 0;
}

static void
logd_reload(struct daemon *d)
{
	configure(d->app);
}

/* master is gone or stops: the last lines of the others are still read. */
static void
logd_finish(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct logd *g = d->app;

	(void)fd;
	(void)what;
	while (!list_empty(&g->sources))
		source_free(LIST_OF(g->sources.next, struct source, link));
	sink_fini(&g->sink);
	daemon_exit(d, 0);
}

static void
logd_drain(struct daemon *d)
{
	struct timeval tv = { 0, 500 * 1000 };

	event_base_once(d->loop.base, -1, EV_TIMEOUT, logd_finish, d, &tv);
}

const struct daemon_ops logd_ops = {
	.id = SVC_LOGD,
	.start = logd_start,
	.reload = logd_reload,
	.table = logd_table,
	.drain = logd_drain,
};
