/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/msg_control.h"
#include "master.h"

enum {
	CHANNEL_BUFFER = 1 << 20,
	/* An asker wants one channel to a service, and another when that is
	 * lost.  One that was taken over could take all descriptors of the
	 * service with more. */
	CHANNELS_MAX = 32,
};

static void
refuse(struct chan *asker, uint32_t tag, bool never)
{
	struct msg_unavailable m = { never };

	chan_send(asker, tag, &msg_unavailable_def, &m);
}

/* It died, for once, or has just been started. */
static bool
comes_soon(const struct child *c)
{
	return (c->state == CHILD_STARTING || c->state == CHILD_DOWN) &&
	       c->backoff_s <= BACKOFF_MIN_S;
}

/*
 * Each worker of the asking service has the one of the same number to ask, so
 * that all of them have the same to do whatever is restarted in which order;
 * where that one stays away, and for the administrator, they take turns.
 */
static struct child *
pick(struct master *m, enum service_id id, const struct child *who,
     unsigned wanted)
{
	unsigned workers = master_workers(m, &services[id]), n = 0;
	struct child *ready[WORKERS_MAX];
	struct list *it;

	list_for_each (it, &m->children) {
		struct child *c = LIST_OF(it, struct child, link);
		bool is_own =
			who && workers && c->worker == who->worker % workers;

		if (c->svc->id != id)
			continue;
		if (wanted && c->worker != wanted - 1)
			continue;
		if (c->state == CHILD_READY && c->control && n < WORKERS_MAX) {
			if (is_own)
				return c;
			ready[n++] = c;
		} else if (is_own && comes_soon(c)) {
			return NULL;
		}
	}
	return n ? ready[m->turn++ % n] : NULL;
}

static void
widen(int fd)
{
	int n = CHANNEL_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof(n)) < 0)
		(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
}

static bool
has_too_many(struct child *asker, const struct child *service)
{
	struct joined *j = &asker->joined[service->svc->id][service->worker];

	if (j->to != service->pid)
		*j = (struct joined){ .to = service->pid };
	if (j->n < CHANNELS_MAX) {
		j->n++;
		return false;
	}
	if (j->n == CHANNELS_MAX) {
		j->n++; /* said once */
		log_warn("%s[%ld] has had %u channels to %s, no more",
			 asker->svc->name, (long)asker->pid, CHANNELS_MAX,
			 service->svc->name);
	}
	return true;
}

/* Make the channel and hand out both ends, or refuse; false: nobody is there
 * to serve.  who: the asking child, NULL for the administrator. */
static bool
join(struct master *m, struct chan *asker, struct child *who, uint32_t tag,
     const struct chan_row *row, unsigned worker)
{
	struct child *service =
		pick(m, (enum service_id)row->service, who, worker);
	struct msg_connected to_asker;
	struct msg_peer to_service;
	int pair[2];

	if (!service)
		return false;
	if ((who && has_too_many(who, service)) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		refuse(asker, tag, false);
		return true;
	}
	widen(pair[0]);
	widen(pair[1]);
	to_asker =
		(struct msg_connected){ (uint16_t)(row - channels), pair[0] };
	to_service = (struct msg_peer){ to_asker.row, pair[1] };
	chan_send(service->control, 0, &msg_peer_def, &to_service);
	chan_send(asker, tag, &msg_connected_def, &to_asker);
	close(pair[0]);
	close(pair[1]);
	return true;
}

void
broker_connect(struct master *m, struct chan *asker, struct child *who,
	       uint32_t tag, uint8_t service, unsigned worker)
{
	enum service_id asker_id = who ? who->svc->id : SVC_CTL;
	const struct chan_row *row =
		service < SVC_COUNT ? channel_find(asker_id, service) : NULL;
	struct pending *p;

	if (!row || service == SVC_MASTER) {
		log_warn("%s asked for service %u: not in the channel table",
			 services[asker_id].name, service);
		refuse(asker, tag, true);
		return;
	}
	if (join(m, asker, who, tag, row, worker))
		return;
	p = m->stopping || !who ? NULL : calloc(1, sizeof(*p));
	if (!p) {
		refuse(asker, tag, false);
		return;
	}
	*p = (struct pending){
		.asker = asker,
		.who = who,
		.tag = tag,
		.row = row,
		.worker = worker,
	};
	list_append(&m->pending, &p->link);
}

void
broker_serve(struct master *m, enum service_id service)
{
	struct list *it, *next;

	for (it = m->pending.next; it != &m->pending; it = next) {
		struct pending *p = LIST_OF(it, struct pending, link);

		next = it->next;
		if (p->row->service != service ||
		    !join(m, p->asker, p->who, p->tag, p->row, p->worker))
			continue;
		list_remove(&p->link);
		free(p);
	}
}

void
broker_forget(struct master *m, struct chan *asker)
{
	struct list *it, *next;

	for (it = m->pending.next; it != &m->pending; it = next) {
		struct pending *p = LIST_OF(it, struct pending, link);

		next = it->next;
		if (p->asker == asker) {
			list_remove(&p->link);
			free(p);
		}
	}
}

/* READY of a replacement: its predecessor drains. */
static void
retire_older(struct child *c)
{
	struct list *it, *next;

	/* Those behind it in the list are newer. */
	for (it = c->m->children.next; it != &c->link; it = next) {
		struct child *k = LIST_OF(it, struct child, link);

		next = it->next;
		if (k->svc == c->svc && k->worker == c->worker)
			child_retire(k);
	}
	c->replaces = false;
}

/* Workers that are configured no longer serve until somebody else has their
 * sockets. */
static void
retire_surplus(struct child *c)
{
	unsigned workers = master_workers(c->m, c->svc);
	struct list *it, *next;

	for (it = c->m->children.next; it != &c->m->children; it = next) {
		struct child *k = LIST_OF(it, struct child, link);

		next = it->next;
		if (k->svc == c->svc && workers && k->worker >= workers &&
		    k->worker % workers == c->worker)
			child_retire(k);
	}
}

static void
on_ready(struct child *c)
{
	if (c->state != CHILD_STARTING)
		return;
	c->state = CHILD_READY;
	if (c->replaces)
		retire_older(c);
	retire_surplus(c);
	broker_serve(c->m, c->svc->id);
	master_progress(c->m);
}

static void
on_want(struct child *c, const struct msg_want *w)
{
	struct msg_table t = { w->name, -1 };
	char name[32];

	if (c->svc->id == SVC_LOGD && str_eq(w->name, STR("syslog"))) {
		t.fd = syslog_connect();
		if (t.fd < 0)
			return; /* logd asks again with each line */
		chan_send(c->control, 0, &msg_table_def, &t);
		close(t.fd);
	} else if (str_copy(name, sizeof(name), w->name) &&
		   table_is_of(c->svc, name)) {
		t.fd = table_fd(c->m, name);
		if (t.fd >= 0)
			chan_send(c->control, 0, &msg_table_def, &t);
	}
}

static void
on_msg(struct chan *ch, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	const struct msg_connect *to = msg;
	struct child *c = arg;

	if (def->type == MSG_READY)
		on_ready(c);
	else if (def->type == MSG_CONNECT)
		broker_connect(c->m, ch, c, tag, to->service, to->worker);
	else if (def->type == MSG_WANT)
		on_want(c, msg);
}

/* A child that closes its control channel ends soon; waitpid() tells how. */
static void
on_close(struct chan *ch, void *arg)
{
	struct child *c = arg;

	broker_forget(c->m, ch);
	c->control = NULL;
}

const struct chan_ops broker_child_ops = { on_msg, on_close };
