/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/pool.h"
#include "entry.h"
#include "frame/msg_spawner.h"
#include "frame/service.h"
#include "mbox.h"
#include "mbox_serve.h"
#include "request.h"

enum { LETTER_MEMORY = 256 * 1024 };

/* A request with its own copy of the message. */
struct letter {
	struct list link;
	struct request *req;
	struct pool pool;
	struct msg_deliver m;
};

struct lease {
	struct list link;
	uint32_t tag;
};

static void work(struct mbox_serve *s);

/* --- letters -------------------------------------------------------------- */

static void
letter_free(struct letter *l)
{
	list_remove(&l->link);
	if (l->m.body_fd >= 0)
		close(l->m.body_fd);
	pool_fini(&l->pool);
	free(l);
}

static struct letter *
letter_new(struct msg_deliver *m, struct request *req)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	list_init(&l->link);
	pool_init(&l->pool, LETTER_MEMORY);
	l->req = req;
	l->m = *m;
	m->body_fd = -1; /* ours now */
	l->m.sender = pool_str(&l->pool, m->sender);
	l->m.header = pool_str(&l->pool, m->header);
	l->m.body = pool_str(&l->pool, m->body);
	l->m.rcpts.raw = pool_str(&l->pool, m->rcpts.raw);
	if (l->m.sender.p && l->m.header.p && l->m.body.p && l->m.rcpts.raw.p)
		return l;
	letter_free(l);
	return NULL;
}

/* Each recipient its copy; err: the same for all (b NULL), or one's own. */
static void
write_letter(struct letter *l, struct mbox_batch *b, const struct err *why)
{
	struct str it = l->m.rcpts.raw;
	struct msg_deliver_rcpt rcpt;
	struct result *r;
	struct err err;

	while (msg_list_next(&it, l->m.rcpts.elem, &rcpt)) {
		r = request_add(l->req, rcpt.slot);
		if (why)
			request_fail(l->req, r, "mailbox", why);
		else if (mbox_append(b, &l->m, &rcpt,
				     (int64_t)(clock_wall_us() / 1000000),
				     &err) < 0)
			request_fail(l->req, r, "mailbox", &err);
	}
}

/* What was written is not there: the sync failed. */
static void
take_back(struct request *req, const struct err *err)
{
	unsigned i;

	for (i = 0; i < req->n; i++)
		if (req->results[i].class == DELIVER_OK)
			request_fail(req, &req->results[i], "mailbox", err);
}

static void
answer_all(struct mbox_serve *s)
{
	struct letter *l;

	while (!list_empty(&s->letters)) {
		l = LIST_OF(s->letters.next, struct letter, link);
		request_answer(l->req, STR("delivered to mailbox"));
		letter_free(l);
	}
}

static void
fail_all(struct mbox_serve *s, const struct err *err)
{
	struct list *it;

	list_for_each (it, &s->letters)
		write_letter(LIST_OF(it, struct letter, link), NULL, err);
	answer_all(s);
}

/* Who asked has not waited so long, or died: the queue has it, and it would be
 * there twice. */
static void
drop_abandoned(struct mbox_serve *s)
{
	struct list *it, *next;

	for (it = s->letters.next; it != &s->letters; it = next) {
		struct letter *l = LIST_OF(it, struct letter, link);

		next = it->next;
		if (chan_is_open(l->req->chan))
			continue;
		request_free(l->req);
		letter_free(l);
	}
}

static void
write_all(struct mbox_serve *s)
{
	const struct msg_poke poke = { .path = STR("") };
	struct mbox_batch b;
	struct list *it;
	struct err err;

	if (mbox_begin(&b, &s->file, s->limit, &err) < 0) {
		fail_all(s, &err);
		return;
	}
	list_for_each (it, &s->letters)
		write_letter(LIST_OF(it, struct letter, link), &b, NULL);
	if (mbox_commit(&b, &err) < 0)
		list_for_each (it, &s->letters)
			take_back(LIST_OF(it, struct letter, link)->req, &err);
	else if (b.size > b.start && s->peers.spawner)
		chan_send(s->peers.spawner, 0, &msg_poke_def, &poke);
	answer_all(s);
}

/* --- leases --------------------------------------------------------------- */

static void
answer_leases(struct mbox_serve *s, int fd, int until, const char *text)
{
	struct msg_leased msg = { fd, until, str_of(text) };
	struct lease *l;

	while (!list_empty(&s->leases)) {
		l = LIST_OF(s->leases.next, struct lease, link);
		if (s->peers.spawner)
			chan_send(s->peers.spawner, l->tag, &msg_leased_def,
				  &msg);
		msg.fd = msg.until = -1; /* to one of them */
		list_remove(&l->link);
		free(l);
	}
}

static void
end_lease(struct mbox_serve *s)
{
	event_free(s->on_return);
	s->on_return = NULL;
	close(s->leased);
	s->leased = -1;
	mbox_file_unlock(&s->file);
}

static void
on_return(evutil_socket_t fd, short what, void *arg)
{
	struct mbox_serve *s = arg;

	(void)fd;
	(void)what;
	end_lease(s);
	event_del(s->retry);
	s->waiting = false;
	s->attempts = 0;
	work(s);
	peers_rest(&s->peers);
}

/* The file is locked; true: and stays so. */
static bool
give_lease(struct mbox_serve *s)
{
	struct stat st;
	int end[2];

	if (list_empty(&s->leases) || !s->peers.spawner ||
	    fsx_fstat(s->file.fd, &st) < 0 || st.st_size == 0 ||
	    pipe2(end, O_CLOEXEC | O_NONBLOCK) < 0) {
		answer_leases(s, -1, -1, "");
		return false;
	}
	s->on_return = event_new(s->loop->base, end[0], EV_READ, on_return, s);
	if (!s->on_return || event_add(s->on_return, NULL) < 0) {
		if (s->on_return)
			event_free(s->on_return);
		s->on_return = NULL;
		close(end[0]);
		answer_leases(s, -1, -1, "out of memory");
	} else {
		s->leased = end[0];
		answer_leases(s, s->file.fd, end[1], "");
	}
	close(end[1]);
	return s->leased >= 0;
}

/* --- the lock ------------------------------------------------------------- */

/* Another file has taken the mailbox's place, which we cannot open: nothing was
 * begun, and who asked gets another process. */
static void
leave(struct mbox_serve *s)
{
	log_info("mailbox %s was replaced or removed: another process takes "
		 "over",
		 s->file.name);
	answer_leases(s, -1, -1, "the mailbox was replaced");
	s->leaving = true;
	if (s->peers.spawner)
		chan_close(s->peers.spawner);
	s->peers.spawner = NULL; /* first: that the next one is another */
	answer_all(s);		 /* without results */
}

static void
give_up(struct mbox_serve *s, const struct err *err)
{
	fail_all(s, err);
	answer_leases(s, -1, -1, err->text);
}

static void
be_patient(struct mbox_serve *s)
{
	const struct timeval tv = { .tv_sec = s->delay_s };
	struct err err;

	if (++s->attempts < s->attempts_max) {
		s->waiting = true;
		event_add(s->retry, &tv);
		return;
	}
	s->attempts = 0;
	err_set(&err, ERR_TEMP, EAGAIN,
		"mailbox %s: locked by another program for too long",
		s->file.name);
	give_up(s, &err);
}

static void
work(struct mbox_serve *s)
{
	struct err err;

	if (s->leaving)
		answer_all(s);
	if (s->leaving || s->waiting ||
	    (list_empty(&s->letters) && list_empty(&s->leases)))
		return;
	if (s->leased >= 0) { /* qmgr is not kept waiting by a large mbox */
		be_patient(s);
		return;
	}
	switch (mbox_file_lock(&s->file, &err)) {
	case MBOX_LOCKED:
		s->attempts = 0;
		drop_abandoned(s);
		if (!list_empty(&s->letters))
			write_all(s);
		if (!give_lease(s))
			mbox_file_unlock(&s->file);
		break;
	case MBOX_BUSY:
		be_patient(s);
		break;
	case MBOX_REPLACED:
		leave(s);
		break;
	case MBOX_FAILED:
		give_up(s, &err);
		break;
	}
	peers_rest(&s->peers);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct mbox_serve *s = arg;

	(void)fd;
	(void)what;
	s->waiting = false;
	work(s);
}

static void
on_work(struct loop_flush *f)
{
	work(LIST_OF(f, struct mbox_serve, work));
}

/* --- requests ------------------------------------------------------------- */

static void
on_deliver(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	struct mbox_serve *s = arg;
	struct request *req = request_new(c, tag, msg);
	struct letter *l = req ? letter_new(msg, req) : NULL;

	(void)def;
	if (!l) {
		if (req)
			request_free(req);
		peers_drop(&s->peers, c);
		return;
	}
	list_append(&s->letters, &l->link);
	loop_flush_want(s->loop, &s->work);
}

static void
on_spawner(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	struct lease *l = calloc(1, sizeof(*l));
	struct msg_leased none = { -1, -1, STR("out of memory") };
	struct mbox_serve *s = arg;

	(void)def; /* LEASE */
	(void)msg;
	if (!l) {
		chan_send(c, tag, &msg_leased_def, &none);
		return;
	}
	l->tag = tag;
	list_append(&s->leases, &l->link);
	loop_flush_want(s->loop, &s->work);
}

static bool
is_busy(void *arg)
{
	struct mbox_serve *s = arg;

	return !list_empty(&s->letters) || !list_empty(&s->leases) ||
	       s->leased >= 0;
}

/* --- begin and end -------------------------------------------------------- */

static bool
in_list(struct str list, struct str word)
{
	struct str item;

	while (str_token(&list, ", \t", &item))
		if (str_eq(item, word))
			return true;
	return false;
}

int
mbox_serve_init(struct mbox_serve *s, struct loop *l, int spawner, int dir,
		const char *name, int fd, const struct params *p,
		struct err *err)
{
	static const struct peers_ops ops = { on_deliver, on_spawner, is_busy };
	struct str locks = params_str(p, "mailbox_delivery_lock");

	*s = (struct mbox_serve){
		.loop = l,
		.limit = (uint64_t)params_num(p, "mailbox_size_limit"),
		.attempts_max =
			(unsigned)params_num(p, "deliver_lock_attempts"),
		.delay_s = (unsigned)params_num(p, "deliver_lock_delay"),
		.leased = -1,
	};
	list_init(&s->letters);
	list_init(&s->leases);
	loop_flush_init(&s->work, on_work);
	if (mbox_file_init(&s->file, dir, name, fd, err) < 0)
		return -1;
	s->file.use_fcntl = in_list(locks, STR("fcntl"));
	s->file.use_dotlock = in_list(locks, STR("dotlock"));
	s->file.stale_s = (unsigned)params_num(p, "stale_lock_time");
	if (peers_init(&s->peers, l, spawner, &channels[CH_SPAWNER_MBOX], &ops,
		       s, err) < 0)
		return -1;
	s->retry = evtimer_new(l->base, on_retry, s);
	if (s->retry)
		return 0;
	mbox_serve_fini(s);
	return err_sys(err, ENOMEM, "mailbox");
}

void
mbox_serve_fini(struct mbox_serve *s)
{
	struct letter *l;

	loop_flush_cancel(&s->work);
	if (s->leased >= 0)
		end_lease(s);
	while (!list_empty(&s->letters)) {
		l = LIST_OF(s->letters.next, struct letter, link);
		request_free(l->req);
		letter_free(l);
	}
	answer_leases(s, -1, -1, "the process ends");
	peers_fini(&s->peers);
	if (s->retry)
		event_free(s->retry);
}

int
mbox_entry(const struct user_entry *e)
{
	struct mbox_serve s;
	struct loop l;
	struct err err;

	if (loop_init(&l, &err) < 0 ||
	    mbox_serve_init(&s, &l, e->spawner, e->root, e->mail, e->mbox,
			    e->params, &err) < 0) {
		log_error("%s", err.text);
		return 75;
	}
	loop_run(&l);
	mbox_serve_fini(&s);
	loop_fini(&l);
	return 0;
}
