/* SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "entry.h"
#include "frame/service.h"
#include "session.h"

struct process {
	struct pop3d pop3d;
	struct loop loop;
	struct chan *spawner;
	struct event *idle;
	struct event *work;
};

static void
on_who(struct process *p, struct chan *c, uint32_t tag)
{
	struct msg_who_done done = { .count = p->pop3d.nsessions };
	struct list *it;

	list_for_each (it, &p->pop3d.sessions)
		user_session_row(&LIST_OF(it, struct session, link)->who, c,
				 tag, STR("INBOX"));
	chan_send(c, tag, &msg_who_done_def, &done);
}

static void
on_kick(struct process *p, struct chan *c, uint32_t tag,
	const struct msg_kick *m)
{
	struct msg_who_done done = { 0 };
	struct list *it, *next;

	for (it = p->pop3d.sessions.next; it != &p->pop3d.sessions; it = next) {
		struct session *s = LIST_OF(it, struct session, link);

		next = it->next;
		if (!user_session_is_meant(&s->who, m))
			continue;
		session_bye(s, "Disconnected by the administrator.",
			    "Kicked by the administrator");
		done.count++;
	}
	chan_send(c, tag, &msg_who_done_def, &done);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct msg_client_taken taken = { 0 };
	struct process *p = arg;

	if (def == &msg_client_def) {
		evtimer_del(p->idle);
		chan_send(c, tag, &msg_client_taken_def, &taken);
		session_open(&p->pop3d, msg);
	} else if (def == &msg_who_def) {
		on_who(p, c, tag);
	} else {
		on_kick(p, c, tag, msg);
	}
}

/* Spawner is gone: so is who could end us.  RFC 1939 6: nothing is deleted
 * from a session that did not QUIT. */
static void
on_close(struct chan *c, void *arg)
{
	struct process *p = arg;

	(void)c;
	p->spawner = NULL;
	loop_stop(&p->loop);
}

static const struct chan_ops chan_ops = { on_msg, on_close };

static void
on_idle(struct pop3d *d)
{
	struct timeval tv = { POP3D_IDLE_S, 0 };

	evtimer_add(((struct process *)d->arg)->idle, &tv);
}

static void
on_idle_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	loop_stop(&((struct process *)arg)->loop);
}

static void
on_work(struct pop3d *d)
{
	const struct timeval now = { 0 };

	evtimer_add(((struct process *)d->arg)->work, &now);
}

static void
on_work_due(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	struct timeval tv;
	int ms;

	(void)fd;
	(void)what;
	store_work(p->pop3d.store, &ms);
	if (ms < 0)
		return;
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	evtimer_add(p->work, &tv);
}

static void
serve(struct process *p)
{
	on_idle(&p->pop3d); /* if spawner sends nobody after all */
	loop_run(&p->loop);
	while (!list_empty(&p->pop3d.sessions))
		session_close(
			LIST_OF(p->pop3d.sessions.next, struct session, link),
			"Shutting down");
}

int
pop3d_entry(const struct user_entry *e)
{
	struct process p = { .pop3d = { .on_idle = on_idle,
					.on_work = on_work } };
	struct err err;

	if (loop_init(&p.loop, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	p.pop3d.loop = &p.loop;
	p.pop3d.arg = &p;
	pop3_conf_init(&p.pop3d.conf, e->params);
	p.pop3d.params = e->params;
	p.pop3d.root = e->root;
	list_init(&p.pop3d.sessions);
	/* Without a store each client is told so. */
	log_set_user("pop3", e->user);
	p.pop3d.store = store_open(e->root, e->mail,
				   params_str(e->params, "myhostname").p, &err);
	if (!p.pop3d.store)
		log_error("pop3(%s): %s", LOGQ(str_of(e->user)),
			  LOGQ(str_of(err.text)));
	else
		(void)store_watch_fd(p.pop3d.store); /* see scan_settle() */
	p.work = evtimer_new(p.loop.base, on_work_due, &p);
	p.idle = evtimer_new(p.loop.base, on_idle_timeout, &p);
	p.spawner = chan_new(&p.loop, e->spawner, &channels[CH_SPAWNER_POP3D],
			     CHAN_SERVICE, &chan_ops, &p);
	if (p.work && p.idle && p.spawner)
		serve(&p);
	if (p.spawner)
		chan_close(p.spawner);
	if (p.idle)
		event_free(p.idle);
	if (p.work)
		event_free(p.work);
	if (p.pop3d.store) {
		store_finish(p.pop3d.store);
		store_close(p.pop3d.store);
	}
	loop_fini(&p.loop);
	log_flush();
	return 0;
}
