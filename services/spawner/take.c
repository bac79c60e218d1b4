/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "frame/msg_spawner.h"
#include "place.h"
#include "poke.h"
#include "take.h"

enum {
	LEASE_MS = 300 * 1000,
	TAKE_MS = 3600 * 1000,
};

struct take {
	struct list link;
	struct spawner *s;
	struct child_spec mbox, taker;
	struct proc_waiter waiter;
	struct proc *proc;     /* the taker, while it is asked */
	struct msg_take files; /* -1: none */
	struct stat st;	       /* of the mbox, once it is lent */
	struct list waiting;   /* of struct take_wait */
	struct event *timer;   /* then they wait no longer */
	bool again;	       /* more has come meanwhile */
};

static void take_run(struct take *t);

/* --- is there anything to be taken? --------------------------------------- */

/* The mbox of this reader's user; sure: only if something stands there. */
static bool
find_mbox(struct spawner *s, const struct child_spec *reader, bool sure,
	  struct child_spec *mbox)
{
	const struct identity *id = &reader->id;
	struct err err;
	struct stat st;

	*mbox = (struct child_spec){ 0 };
	if (!params_bool(s->params, "mbox_take_in") ||
	    str_ends(params_str(s->params, "home_mailbox"), STR("/")) ||
	    place_local(s, str_of(id->user), mbox, &err) < 0 ||
	    mbox->id.uid != id->uid || place_check(s, mbox, &err) < 0)
		return false;
	if (!mbox->in_spool) /* in a home that only the user can look into */
		return !sure;
	return fsx_fstatat(s->spool.fd, mbox->id.mail, &st) == 0 && st.st_size;
}

static struct take *
find_take(struct spawner *s, const struct child_spec *reader)
{
	struct list *it;

	list_for_each (it, &s->takes) {
		struct take *t = LIST_OF(it, struct take, link);

		if (strcmp(t->taker.id.user, reader->id.user) == 0 &&
		    strcmp(t->taker.id.home, reader->id.home) == 0 &&
		    strcmp(t->taker.id.mail, reader->id.mail) == 0)
			return t;
	}
	return NULL;
}

/* --- one taking ------------------------------------------------------------
 */

static void
release(struct take *t)
{
	struct take_wait *w;

	while (!list_empty(&t->waiting)) {
		w = LIST_OF(t->waiting.next, struct take_wait, link);
		list_remove(&w->link);
		w->fn(w);
	}
}

static void
close_files(struct take *t)
{
	if (t->files.fd >= 0)
		close(t->files.fd);
	if (t->files.until >= 0)
		close(t->files.until);
	t->files.fd = t->files.until = -1;
}

/* It is tried at each login and each look: said when there is news. */
static void
say_why(struct take *t, const char *why)
{
	const struct identity *id = &t->mbox.id;
	struct complaints *c = &t->s->complaints;
	struct buf key;

	buf_init(&key, 3 * PATH_LEN_MAX);
	buf_add(&key, id->home, strlen(id->home) + 1);
	buf_add(&key, id->mail, strlen(id->mail) + 1);
	buf_add_c(&key, t->taker.id.user);
	if (!why)
		complain_no_more(c, buf_str(&key));
	else if (buf_overflown(&key) ||
		 complain(c, buf_str(&key), &t->st, clock_mono_ms()))
		log_warn("mbox of %s: not taken in: %s",
			 LOGQ(str_of(t->taker.id.user)), LOGQ(str_of(why)));
	buf_fini(&key);
}

static void
end(struct take *t, const char *why)
{
	struct child_spec mbox;

	say_why(t, why);
	close_files(t);
	release(t);
	if (t->again && !why && find_mbox(t->s, &t->taker, false, &mbox)) {
		t->again = false;
		t->mbox = mbox;
		take_run(t);
		return;
	}
	list_remove(&t->link);
	event_free(t->timer);
	free(t);
}

static void
end_with(struct take *t, struct str text)
{
	char why[TEXT_MAX + 1];

	if (!str_copy(why, sizeof(why), text))
		why[0] = '\0';
	end(t, why[0] ? why : NULL);
}

static void
on_took(void *arg, const struct msg_def *def, void *msg)
{
	const struct msg_took *m = msg;
	struct take *t = arg;
	struct proc *p = t->proc;

	t->proc = NULL;
	proc_retire(p); /* it ends now */
	if (!def) {
		end(t, "the process died");
		return;
	}
	if (m->count)
		poke(&t->s->procs, p, STR(""));
	end_with(t, m->text);
}

static void
on_taker(struct proc_waiter *w, struct proc *p, const struct err *err)
{
	struct take *t = LIST_OF(w, struct take, waiter);

	t->proc = p;
	if (!p)
		end(t, err->text);
	else if (asker_send(p->asker, &msg_take_def, &t->files, TAKE_MS,
			    on_took, t))
		close_files(t); /* the lock is the taker's */
	else
		end(t, "the process cannot be asked");
}

static void
on_leased(void *arg, const struct msg_def *def, void *msg)
{
	struct msg_leased *m = msg;
	struct take *t = arg;

	if (def != &msg_leased_def) {
		end(t, "the mbox's process does not answer");
		return;
	}
	t->files = (struct msg_take){ m->fd, m->until };
	m->fd = m->until = -1; /* ours now */
	if (t->files.fd >= 0 && fstat(t->files.fd, &t->st) < 0)
		log_warn("mbox of %s: %m", LOGQ(str_of(t->taker.id.user)));
	if (t->files.fd < 0 || t->files.until < 0) {
		end_with(t, m->text);
		return;
	}
	t->waiter.fn = on_taker;
	procs_get(&t->s->procs, &t->taker, &t->waiter);
}

static void
on_mbox(struct proc_waiter *w, struct proc *p, const struct err *err)
{
	struct take *t = LIST_OF(w, struct take, waiter);
	const struct msg_lease lease = { 0 };

	if (!p)
		end(t, err->text);
	else if (!asker_send(p->asker, &msg_lease_def, &lease, LEASE_MS,
			     on_leased, t))
		end(t, "the mbox's process cannot be asked");
}

static void
take_run(struct take *t)
{
	memset(&t->st, 0, sizeof(t->st));
	t->waiter.fn = on_mbox;
	procs_get(&t->s->procs, &t->mbox, &t->waiter);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	release(arg);
}

/* Whoever began it, and however long ago: nobody waits longer. */
static void
wait_for(struct take *t, struct take_wait *w)
{
	const struct timeval tv = { .tv_sec = TAKE_WAIT_S };

	if (list_empty(&t->waiting))
		evtimer_add(t->timer, &tv);
	list_append(&t->waiting, &w->link);
}

static bool
begin(struct spawner *s, const struct child_spec *reader, bool sure,
      struct take_wait *w)
{
	struct take *t = find_take(s, reader);
	struct child_spec mbox;

	if (t) {
		t->again = true;
		if (w)
			wait_for(t, w);
		return true;
	}
	if (!find_mbox(s, reader, sure, &mbox) || !(t = calloc(1, sizeof(*t))))
		return false;
	t->timer = evtimer_new(s->loop->base, on_timer, t);
	if (!t->timer) {
		free(t);
		return false;
	}
	t->s = s;
	t->mbox = mbox;
	t->taker = *reader;
	t->taker.service = SVC_TAKER;
	t->files.fd = t->files.until = -1;
	list_init(&t->waiting);
	list_append(&s->takes, &t->link);
	if (w)
		wait_for(t, w);
	take_run(t);
	return true;
}

bool
take_before(struct spawner *s, const struct child_spec *reader,
	    struct take_wait *w)
{
	return begin(s, reader, false, w);
}

/* --- for who has an imapd --------------------------------------------------
 */

/* user n 0: all of them. */
static void
for_readers(struct spawner *s, struct str user, bool sure)
{
	struct list *it, *next;

	for (it = s->procs.list.next; it != &s->procs.list; it = next) {
		struct proc *p = LIST_OF(it, struct proc, link);

		next = it->next;
		if (p->spec.service == SVC_IMAPD && p->state == PROC_RUNNING &&
		    (user.n == 0 || str_eq(user, str_of(p->spec.id.user))))
			(void)!begin(s, &p->spec, sure, NULL);
	}
}

/* The process of an mbox has written to it. */
static void
on_delivery(struct procs *ps, const struct proc *p)
{
	struct spawner *s = LIST_OF(ps, struct spawner, procs);

	for_readers(s, str_of(p->spec.id.user), false);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for_readers(arg, STR_NULL, true);
}

/* Somebody else delivered to, or rewrote, a file in the spool directory. */
static void
on_spool(evutil_socket_t fd, short what, void *arg)
{
	char p[4096]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *e;
	ssize_t n, at;

	(void)what;
	while ((n = read(fd, p, sizeof(p))) > 0)
		for (at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const void *)(p + at);
			if (e->len)
				for_readers(arg, str_of(e->name), true);
		}
}

static int
watch_spool(struct spawner *s, struct err *err)
{
	if (s->spool_notify < 0) {
		log_warn("%s: not watched: looked at every %d s", s->spool.path,
			 TAKE_LOOK_S);
		return 0;
	}
	s->spool_watch = event_new(s->loop->base, s->spool_notify,
				   EV_READ | EV_PERSIST, on_spool, s);
	if (!s->spool_watch || event_add(s->spool_watch, NULL) < 0)
		return err_sys(err, ENOMEM, "spool directory");
	return 0;
}

int
take_init(struct spawner *s, struct err *err)
{
	const struct timeval tv = { .tv_sec = TAKE_LOOK_S };

	s->procs.on_delivery = on_delivery;
	if (!s->spool.path[0])
		return 0;
	s->look = event_new(s->loop->base, -1, EV_PERSIST, on_look, s);
	if (!s->look || event_add(s->look, &tv) < 0)
		return err_sys(err, ENOMEM, "spool directory");
	return watch_spool(s, err);
}

void
take_fini(struct spawner *s)
{
	if (s->look)
		event_free(s->look);
	if (s->spool_watch)
		event_free(s->spool_watch);
}
