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
};

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct msg_client_taken taken = { 0 };
	struct process *p = arg;

	if (def != &msg_client_def)
		return;
	evtimer_del(p->idle);
	chan_send(c, tag, &msg_client_taken_def, &taken);
	session_open(&p->pop3d, msg);
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
	struct process p = { .pop3d = { .on_idle = on_idle } };
	struct err err;

	if (loop_init(&p.loop, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	p.pop3d.loop = &p.loop;
	p.pop3d.arg = &p;
	p.pop3d.timeout_ms =
		(unsigned)params_num(e->params, "pop3_timeout") * 1000;
	list_init(&p.pop3d.sessions);
	/* Without a store each client is told so. */
	p.pop3d.store = store_open(e->root, e->mail,
				   params_str(e->params, "myhostname").p, &err);
	if (!p.pop3d.store)
		log_error("pop3(%s): %s", LOGQ(str_of(e->user)),
			  LOGQ(str_of(err.text)));
	p.idle = evtimer_new(p.loop.base, on_idle_timeout, &p);
	p.spawner = chan_new(&p.loop, e->spawner, &channels[CH_SPAWNER_POP3D],
			     CHAN_SERVICE, &chan_ops, &p);
	if (p.idle && p.spawner)
		serve(&p);
	if (p.spawner)
		chan_close(p.spawner);
	if (p.idle)
		event_free(p.idle);
	if (p.pop3d.store)
		store_close(p.pop3d.store);
	loop_fini(&p.loop);
	log_flush();
	return 0;
}
