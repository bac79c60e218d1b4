/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "entry.h"
#include "frame/msg_spawner.h"
#include "frame/service.h"
#include "peers.h"

struct asker_link {
	struct list link;
	struct peers *peers;
	struct chan *chan;
};

void
peers_pause(struct peers *p, bool pause)
{
	struct list *it;

	p->paused = pause;
	list_for_each (it, &p->askers) {
		struct asker_link *a = LIST_OF(it, struct asker_link, link);

		if (pause)
			chan_pause(a->chan);
		else
			chan_resume(a->chan);
	}
}

void
peers_rest(struct peers *p)
{
	const struct timeval tv = { .tv_sec = DELIVER_IDLE_S };

	if (!list_empty(&p->askers) || p->ops->busy(p->arg))
		return;
	if (p->spawner)
		event_add(p->idle, &tv);
	else
		loop_stop(p->loop);
}

static void
on_request(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	struct asker_link *a = arg;

	a->peers->ops->on_deliver(c, a->peers->arg, tag, def, msg);
}

static void
on_asker_closed(struct chan *c, void *arg)
{
	struct asker_link *a = arg;

	(void)c;
	list_remove(&a->link);
	peers_rest(a->peers);
	free(a);
}

void
peers_drop(struct peers *p, struct chan *c)
{
	struct asker_link *a = chan_arg(c);

	list_remove(&a->link);
	free(a);
	chan_close(c);
	peers_rest(p);
}

static void
on_user_peer(struct peers *p, struct msg_user_peer *m)
{
	static const struct chan_ops ops = { on_request, on_asker_closed };
	struct asker_link *a = calloc(1, sizeof(*a));

	if (!a)
		return; /* qmgr sees EOF and asks again */
	a->peers = p;
	list_init(&a->link);
	a->chan = chan_new(p->loop, m->fd, &channels[CH_QMGR_DELIVER],
			   CHAN_SERVICE, &ops, a);
	m->fd = -1;
	if (!a->chan) {
		free(a);
		return;
	}
	list_append(&p->askers, &a->link);
	event_del(p->idle);
	if (p->paused)
		chan_pause(a->chan);
}

static void
on_spawner(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	struct peers *p = arg;

	if (def == &msg_user_peer_def)
		on_user_peer(p, msg);
	else
		p->ops->on_spawner(c, p->arg, tag, def, msg);
}

static void
on_spawner_closed(struct chan *c, void *arg)
{
	struct peers *p = arg;

	(void)c;
	p->spawner = NULL;
	event_del(p->idle);
	peers_rest(p);
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct peers *p = arg;

	(void)fd;
	(void)what;
	if (!p->ops->busy(p->arg))
		loop_stop(p->loop);
}

int
peers_init(struct peers *p, struct loop *l, int fd, const struct chan_row *row,
	   const struct peers_ops *ops, void *arg, struct err *err)
{
	static const struct chan_ops spawner_ops = { on_spawner,
						     on_spawner_closed };

	*p = (struct peers){ .loop = l, .ops = ops, .arg = arg };
	list_init(&p->askers);
	p->idle = event_new(l->base, -1, 0, on_idle, p);
	p->spawner = chan_new(l, fd, row, CHAN_SERVICE, &spawner_ops, p);
	if (!p->idle || !p->spawner) {
		peers_fini(p);
		return err_sys(err, ENOMEM, "channels");
	}
	peers_rest(p);
	return 0;
}

void
peers_fini(struct peers *p)
{
	struct asker_link *a;

	while (!list_empty(&p->askers)) {
		a = LIST_OF(p->askers.next, struct asker_link, link);
		list_remove(&a->link);
		chan_close(a->chan);
		free(a);
	}
	if (p->spawner)
		chan_close(p->spawner);
	if (p->idle)
		event_free(p->idle);
	p->spawner = NULL;
	p->idle = NULL;
}
