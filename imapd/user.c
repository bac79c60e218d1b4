/* SPDX-License-Identifier: ISC */
/* The process of one user: entry from spawner, sessions, store. */
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "entry.h"
#include "frame/rawlog.h"
#include "frame/service.h"
#include "net/chan.h"
#include "order.h"

enum { LINGER_S = 10, STACK_USED = 256 * 1024 };

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct imap_user *u = arg;

	(void)fd;
	(void)what;
	store_poll(u->store);
	imap_user_work(u);
}

/* Watched by now, or to be looked at the more often. */
static int
watch(struct imap_user *u)
{
	int fd = store_watch_fd(u->store);
	int ms = store_is_watched(u->store) ? STORE_POLL_MS : STORE_BLIND_MS;
	struct timeval next = { ms / 1000, 0 };

	if (fd >= 0 && !u->watch) {
		u->watch = event_new(u->loop.base, fd, EV_READ | EV_PERSIST,
				     on_watch, u);
		if (!u->watch || event_add(u->watch, NULL) < 0)
			return -1;
	}
	return evtimer_add(u->poll, &next);
}

static void
on_poll(evutil_socket_t fd, short what, void *arg)
{
	imap_order_age(arg);
	on_watch(fd, what, arg);
	if (watch(arg) < 0)
		log_warn("out of memory");
}

/* What a search or a folder's first scan needed of the stack is given back.
 * Below it is nothing of ours for far more than that. */
static void
trim_stack(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	here = here / page * page - page; /* calls from here have some, too */
	(void)madvise((char *)here - STACK_USED, STACK_USED, MADV_DONTNEED);
}

static void
on_work(evutil_socket_t fd, short what, void *arg)
{
	struct imap_user *u = arg;
	struct timeval again;
	int ms;

	(void)fd;
	(void)what;
	store_work(u->store, &ms);
	if (ms < 0) {
		/* Nobody does anything: most processes are so, most of the
		 * time. */
		malloc_trim(0);
		trim_stack();
		return;
	}
	again = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	evtimer_add(u->work, &again);
}

void
imap_user_work(struct imap_user *u)
{
	static const struct timeval soon = { 0, 0 };

	if (u->work)
		evtimer_add(u->work, &soon);
}

static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	struct imap_user *u = arg;

	(void)fd;
	(void)what;
	if (u->nsessions)
		return;
	if (autoexpunge_is_busy(u->autoexpunge))
		imap_user_session_gone(u);
	else
		loop_stop(&u->loop);
}

void
imap_user_session_gone(struct imap_user *u)
{
	static const struct timeval linger = { LINGER_S, 0 };

	autoexpunge_want(u->autoexpunge);
	if (u->nsessions == 0)
		evtimer_add(u->linger, &linger);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct imap_user *u = arg;
	struct msg_client_taken taken = { .blind = !u->watch };

	if (def == &msg_client_def) {
		imap_control_client(arg, msg);
		chan_send(c, tag, &msg_client_taken_def, &taken);
	} else if (def == &msg_who_def) {
		imap_control_who(arg, c, tag);
	} else if (def == &msg_kick_def) {
		imap_control_kick(arg, c, tag, msg);
	} else {
		imap_control_poke(arg, ((struct msg_poke *)msg)->path);
	}
}

/* spawner is gone: so is the house, or it starts anew. */
static void
on_close(struct chan *c, void *arg)
{
	struct imap_user *u = arg;
	struct list *it;

	(void)c;
	u->spawner = NULL;
	while ((it = u->sessions.next) != &u->sessions)
		imap_shut_down(LIST_OF(it, struct imap_session, link));
	loop_stop(&u->loop);
}

static const struct chan_ops chan_ops = { on_msg, on_close };

static int
start(struct imap_user *u, const struct user_entry *e, struct err *err)
{
	u->name = e->user;
	log_set_user("imap", e->user);
	u->max_sessions = (size_t)params_num(e->params, "imap_session_limit");
	u->max_userip =
		(size_t)params_num(e->params, "mail_max_userip_connections");
	u->params = e->params;
	u->root = e->root;
	u->append_limit = (uint64_t)params_num(e->params, "imap_append_limit");
	u->compress = params_num(e->params, "imap_compress") != 0 &&
		      !rawlog_wants(e->params, e->user);
	u->timeout_ms = (unsigned)params_num(e->params, "imap_timeout") * 1000;
	if (loop_init(&u->loop, err) < 0)
		return -1;
	u->store = store_open(e->root, e->mail,
			      params_str(e->params, "myhostname").p, err);
	if (!u->store)
		return -1;
	u->linger = evtimer_new(u->loop.base, on_linger, u);
	u->work = evtimer_new(u->loop.base, on_work, u);
	u->poll = evtimer_new(u->loop.base, on_poll, u);
	if (!u->linger || !u->work || !u->poll || watch(u) < 0)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	u->spawner = chan_new(&u->loop, e->spawner, &channels[CH_SPAWNER_IMAPD],
			      CHAN_SERVICE, &chan_ops, u);
	if (!u->spawner)
		return err_set(err, ERR_TEMP, 0, "no channel to spawner");
	imap_user_session_gone(u); /* somebody should come soon */
	u->autoexpunge =
		autoexpunge_new(&u->loop, u->store, e->root, e->user,
				params_str(e->params, "imap_autoexpunge"));
	return 0;
}

static void
stop(struct imap_user *u)
{
	if (u->spawner)
		chan_close(u->spawner);
	if (u->watch)
		event_free(u->watch);
	if (u->poll)
		event_free(u->poll);
	if (u->linger)
		event_free(u->linger);
	if (u->work)
		event_free(u->work);
	autoexpunge_free(u->autoexpunge);
	imap_order_drop(u);
	if (u->store) {
		store_finish(u->store);
		store_close(u->store);
	}
	loop_fini(&u->loop);
}

int
imapd_entry(const struct user_entry *e)
{
	struct imap_user u = { 0 };
	struct err err;
	int status = 0;

	list_init(&u.sessions);
	list_init(&u.loop.dirty);
	if (start(&u, e, &err) < 0) {
		log_error("imap(%s): %s", e->user, err.text);
		status = 75;
	} else {
		loop_run(&u.loop);
	}
	stop(&u);
	return status;
}
