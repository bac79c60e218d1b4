/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "frame/msg_router.h"
#include "report.h"

enum { EXPAND_MS = 60 * 1000 };

static void store_run(struct io_job **v, size_t n);
static void store_done(struct io_job *j);

static const struct io_kind store_kind = { store_run, store_done, 1 };

/* --- who is told what ----------------------------------------------------- */

static bool
is_double_bounce(const struct active *a)
{
	return str_ieq(a->sender, a->m->q->reports->double_bounce);
}

bool
report_wants_success(const struct active *a, const struct msg_rcpt *to)
{
	return to->notify & NOTIFY_SUCCESS && to->type != RCPT_DISCARD &&
	       a->sender.n && !is_double_bounce(a);
}

uint64_t
report_lifetime(const struct active *a)
{
	const struct report_conf *c = a->m->q->reports;

	return a->sender.n ? c->lifetime_us : c->bounce_lifetime_us;
}

uint64_t
report_limit(const struct message *m)
{
	const struct report_conf *c = m->q->reports;
	uint64_t wait = m->bounce ? c->bounce_lifetime_us : c->lifetime_us;

	if (c->warn_us && c->warn_us < wait && !(m->flags & QFILE_WARNED))
		wait = c->warn_us;
	return m->arrival_us + wait + 1;
}

bool
report_has(const struct active *a, const struct rcpt *r, enum bounce_kind kind)
{
	unsigned notify = r->to.notify & (NOTIFY_NEVER | NOTIFY_SUCCESS |
					  NOTIFY_FAILURE | NOTIFY_DELAY);

	switch (kind) {
	case BOUNCE_FAILURE:
		return r->state == QFILE_GAVE_UP &&
		       (!notify || notify & NOTIFY_FAILURE);
	case BOUNCE_DELAY:
		return r->state == QFILE_TODO &&
		       (!notify || notify & NOTIFY_DELAY);
	case BOUNCE_SUCCESS:
		return r->state == QFILE_SENT ||
		       (r->to.notify & NOTIFY_EXPANDED &&
			!(a->m->flags & QFILE_EXPANDED));
	default:
		return false;
	}
}

static bool
any_has(const struct active *a, enum bounce_kind kind)
{
	uint32_t i;

	for (i = 0; i < a->nrcpts; i++)
		if (report_has(a, &a->rcpts[i], kind))
			return true;
	return false;
}

static void
plan(struct report *r, enum bounce_kind kind, bool notice, struct str to)
{
	struct child *c = &r->child[r->n++];

	BUG_ON(r->n > QFILE_CHILDREN);
	c->r = r;
	c->kind = kind;
	c->notice = notice;
	c->to = to;
	c->sender = notice ? r->conf->double_bounce : STR_NULL;
	buf_init(&c->rcpts, QFILE_ENV_MAX / 2);
	buf_init(&c->text, SIZE_MAX);
	c->rec.rc = c->rec.body_fd = -1;
}

static void
plan_failure(struct report *r)
{
	const struct active *a = r->a;
	char id[QID_MAX];

	qid_text(a->m->id, id);
	if (!any_has(a, BOUNCE_FAILURE))
		return;
	if (is_double_bounce(a)) {
		log_line(LOG_WARN_, id,
			 "undeliverable double bounce: discarded");
	} else if (a->sender.n) {
		plan(r, BOUNCE_FAILURE, false, a->sender);
		if (r->conf->classes & NOTICE_BOUNCE)
			plan(r, BOUNCE_FAILURE, true, r->conf->bounce_to);
	} else if (r->conf->classes & NOTICE_2BOUNCE) {
		plan(r, BOUNCE_FAILURE, true, r->conf->bounce2_to);
	} else {
		log_line(LOG_WARN_, id, "undeliverable bounce: discarded");
	}
}

/* Once a message; not beside a failure, which tells its sender as well. */
static void
plan_delay(struct report *r, uint64_t now)
{
	const struct active *a = r->a;
	struct message *m = a->m;

	if (r->n || !r->conf->warn_us || m->flags & QFILE_WARNED ||
	    now < m->arrival_us + r->conf->warn_us)
		return;
	if (!a->sender.n || is_double_bounce(a) || !any_has(a, BOUNCE_DELAY)) {
		m->flags |= QFILE_WARNED; /* nobody wants to know */
		r->a->slot.flags |= QFILE_WARNED;
		return;
	}
	plan(r, BOUNCE_DELAY, false, a->sender);
	if (r->conf->classes & NOTICE_DELAY)
		plan(r, BOUNCE_DELAY, true, r->conf->delay_to);
	r->flags |= QFILE_WARNED;
}

static void
plan_success(struct report *r)
{
	const struct active *a = r->a;

	if (!any_has(a, BOUNCE_SUCCESS) || !a->sender.n || is_double_bounce(a))
		return;
	plan(r, BOUNCE_SUCCESS, false, a->sender);
	r->flags |= QFILE_EXPANDED;
}

static bool
report_is_planned(const struct report *r, enum bounce_kind kind)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (r->child[i].kind == kind)
			return true;
	return false;
}

/* What nobody is to be told of has nothing to wait for. */
static void
settle_silent(struct report *r)
{
	bool failure = report_is_planned(r, BOUNCE_FAILURE);
	bool success = report_is_planned(r, BOUNCE_SUCCESS);
	struct active *a = r->a;
	struct rcpt *to;

	for (to = a->rcpts; to < a->rcpts + a->nrcpts; to++)
		if (to->state == QFILE_GAVE_UP &&
		    !(failure && report_has(a, to, BOUNCE_FAILURE)))
			message_settle(a, to, QFILE_REPORTED, 0);
		else if (to->state == QFILE_SENT && !success)
			message_settle(a, to, QFILE_DONE, 0);
}

/* --- where it goes -------------------------------------------------------- */

static void
go_on(struct report *r)
{
	struct active *a = r->a;

	if (r->asking)
		return;
	list_remove(&r->link);
	if (r->failed)
		message_reported(a, false);
	else
		io_submit(a->m->q->io, IO_STORE, &store_kind, &a->job);
}

static void
give_up(struct child *c, const char *why)
{
	char id[QID_MAX];

	if (!c->r->failed)
		log_line(LOG_WARN_, qid_text(c->r->a->m->id, id),
			 "a report waits: %s", why);
	c->r->failed = true;
}

static bool
add_rcpts(struct child *c, const struct msg_list *l)
{
	if (l->count > RCPTS_MAX - c->nrcpts)
		return false;
	c->nrcpts += l->count;
	return buf_add_str(&c->rcpts, l->raw) == 0;
}

/* Those that router knows to fail have failed already: the report's own fate
 * is decided when it is sent. */
static void
judge(struct child *c)
{
	struct str it = buf_str(&c->rcpts);
	struct msg_rcpt to;
	uint32_t i, discards = 0;

	c->states = calloc(c->nrcpts + 1u, 1);
	if (!c->states || c->nrcpts == 0) {
		give_up(c, c->states ? "no recipients" : "out of memory");
		return;
	}
	for (i = 0; i < c->nrcpts && msg_list_next(&it, &msg_rcpt_def, &to);
	     i++) {
		if (to.type == RCPT_ERROR && !str_starts(to.dsn, STR("4")))
			c->states[i] = QFILE_GAVE_UP;
		else if (to.type == RCPT_DISCARD)
			c->states[i] = QFILE_DONE;
		discards += to.type == RCPT_DISCARD;
	}
	c->dropped = discards == c->nrcpts;
}

static void
on_expanded(void *arg, const struct msg_def *def, void *msg)
{
	struct child *c = arg;
	struct msg_expanded *e = msg;

	if (def == &msg_expanded_part_def) {
		if (!add_rcpts(c, &((struct msg_expanded_part *)msg)->rcpts))
			c->rcpts.overflown = true;
		return;
	}
	c->router_tag = 0;
	c->r->asking--;
	if (def != &msg_expanded_def || e->temp)
		give_up(c, "its recipient cannot be looked up now");
	else if (!add_rcpts(c, &e->rcpts) || buf_overflown(&c->rcpts))
		give_up(c, "too many recipients");
	else
		judge(c);
	go_on(c->r);
}

static void
ask(struct child *c)
{
	struct msg_rcpt_in to = { .address = c->to };
	struct msg_expand msg = { .sender = c->sender, .count = 1 };
	struct qmgr *q = c->r->a->m->q;
	struct buf b;

	buf_init(&b, 2 * ADDRESS_MAX);
	if (!q->draining &&
	    msg_list_add(&b, &msg_rcpt_in_def, &to, NULL) == 0) {
		msg.rcpts = msg_list_of(&b, 1, &msg_rcpt_in_def);
		c->router_tag = asker_send(q->router, &msg_expand_def, &msg,
					   EXPAND_MS, on_expanded, c);
	}
	buf_fini(&b);
	if (c->router_tag)
		c->r->asking++;
	else
		give_up(c, "router cannot be asked now");
}

bool
report_start(struct active *a, uint64_t now)
{
	struct qmgr *q = a->m->q;
	struct report *r = calloc(1, sizeof(*r));
	unsigned i;

	report_free(a->report);
	a->report = r;
	if (!r) {
		message_reported(a, false);
		return true;
	}
	r->a = a;
	list_init(&r->link);
	r->conf = report_conf_ref(q->reports);
	plan_failure(r);
	plan_delay(r, now);
	plan_success(r);
	settle_silent(r);
	if (r->n == 0) {
		report_free(r);
		a->report = NULL;
		return false;
	}
	list_append(&q->reporting, &r->link);
	r->asking = 1; /* this loop's own */
	for (i = 0; i < r->n; i++)
		ask(&r->child[i]);
	r->asking--;
	go_on(r);
	return true;
}

void
reports_drain(struct qmgr *q)
{
	struct report *r;
	unsigned i;

	while (!list_empty(&q->reporting)) {
		r = LIST_OF(q->reporting.next, struct report, link);
		for (i = 0; i < r->n; i++)
			if (r->child[i].router_tag) {
				asker_cancel(q->router, r->child[i].router_tag);
				r->child[i].router_tag = 0;
			}
		r->asking = 0;
		r->failed = true;
		go_on(r);
	}
}

void
report_free(struct report *r)
{
	struct child *c;

	if (!r)
		return;
	list_remove(&r->link);
	for (c = r->child; c < r->child + r->n; c++) {
		if (c->router_tag)
			asker_cancel(r->a->m->q->router, c->router_tag);
		buf_fini(&c->rcpts);
		buf_fini(&c->text);
		free(c->states);
	}
	report_conf_unref(r->conf);
	free(r);
}

/* --- on disk -------------------------------------------------------------- */

/* A text that is too large for a frame has its body in a file. */
static int
write_body(struct spool *sp, struct spool_new *rec, struct str body,
	   struct err *err)
{
	if (spool_body_create(sp, rec->head.id, &rec->body_fd, err) < 0)
		return -1;
	rec->head.body = QFILE_BODY;
	rec->head.body_len = body.n;
	rec->head.body_crc = enc_crc32c(0, body.p, body.n);
	return fsx_write_all(rec->body_fd, body.p, body.n, err);
}

static int
make(struct child *c, struct err *err)
{
	struct message *m = c->r->a->m;
	struct spool_new *rec = &c->rec;

	*rec = (struct spool_new){
		.head = { .id = spool_next_id(m->q->spool),
			  .arrival_us = clock_wall_us(),
			  .nrcpts = c->nrcpts },
		.msg = { .state = QFILE_HELD,
			 .reason = QFILE_CHILD,
			 .parent = m->id },
		.rcpt_state = c->states,
		.sender = c->sender,
		.rcpts = buf_str(&c->rcpts),
		.body_fd = -1,
		.rc = -1,
	};
	if (!rec->head.id)
		return err_set(err, ERR_TEMP, 0, "no queue id");
	if (report_write(c, err) < 0)
		return -1;
	if (c->text.n <= COMMIT_INLINE_MAX)
		return 0;
	rec->body = STR_NULL;
	return write_body(m->q->spool, rec,
			  str_from(buf_str(&c->text), rec->header.n), err);
}

/* Not one without the others. */
static void
undo(struct report *r)
{
	struct spool *sp = r->a->m->q->spool;
	struct child *c;
	struct err err;

	for (c = r->child; c < r->child + r->n; c++) {
		if (c->rec.rc == 0)
			/* What stays is removed at the next start. */
			(void)!spool_remove(sp, c->rec.head.id,
					    (enum qfile_body)c->rec.head.body,
					    true, true, &err);
		else if (c->rec.head.body == QFILE_BODY)
			spool_body_discard(sp, c->rec.head.id);
	}
}

static void
store_run(struct io_job **v, size_t n)
{
	struct active *a = LIST_OF(v[0], struct active, job);
	struct report *r = a->report;
	struct spool_new *rec[QFILE_CHILDREN];
	struct child *c;
	size_t k = 0;
	int rc = 0;

	(void)n;
	for (c = r->child; rc == 0 && c < r->child + r->n; c++) {
		if (c->dropped)
			continue;
		rc = make(c, &r->err);
		rec[k++] = &c->rec;
	}
	if (rc == 0)
		spool_store(a->m->q->spool, rec, k);
	for (c = r->child; c < r->child + r->n; c++) {
		if (c->dropped)
			continue;
		if (c->rec.body_fd >= 0)
			fsx_close(c->rec.body_fd);
		if (rc == 0 && c->rec.rc < 0) {
			r->err = c->rec.err;
			rc = -1;
		}
	}
	r->failed = rc < 0;
	if (r->failed)
		undo(r);
}

static void
store_done(struct io_job *j)
{
	struct active *a = LIST_OF(j, struct active, job);
	struct report *r = a->report;
	char id[QID_MAX];
	unsigned i;

	if (r->failed) {
		log_line(LOG_ERROR_, qid_text(a->m->id, id),
			 "a report waits: %s", r->err.text);
		for (i = 0; i < r->n; i++)
			if (r->child[i].rec.sync_failed)
				qmgr_disk_failed(a->m->q);
	}
	message_reported(a, !r->failed);
}

void
report_settle(struct report *r)
{
	bool failure = report_is_planned(r, BOUNCE_FAILURE);
	struct active *a = r->a;
	struct rcpt *to;
	unsigned i;

	a->slot.reports++;
	for (i = 0; i < r->n; i++)
		a->slot.child[i] =
			r->child[i].dropped ? 0 : r->child[i].rec.head.id;
	for (to = a->rcpts; to < a->rcpts + a->nrcpts; to++)
		if (failure && report_has(a, to, BOUNCE_FAILURE))
			message_settle(a, to, QFILE_REPORTED, a->slot.reports);
		else if (to->state == QFILE_SENT)
			message_settle(a, to, QFILE_DONE, a->slot.reports);
	a->slot.flags |= r->flags;
}

int
report_release(struct report *r, struct err *err)
{
	const struct qfile_msg slot = { .seq = 2, .state = QFILE_ACTIVE };
	struct child *c;

	for (c = r->child; c < r->child + r->n; c++)
		if (!c->dropped && spool_mark(r->a->m->q->spool, &c->rec.head,
					      NULL, 0, &slot, err) < 0)
			return -1;
	return 0;
}

void
report_announce(struct report *r)
{
	static const char *const kinds[] = {
		[BOUNCE_FAILURE] = "non-delivery",
		[BOUNCE_DELAY] = "delay",
		[BOUNCE_SUCCESS] = "delivery status",
	};
	char id[QID_MAX], child[QID_MAX];
	struct child *c;

	for (c = r->child; c < r->child + r->n; c++) {
		qid_text(r->a->m->id, id);
		if (c->dropped) {
			log_line(LOG_INFO_, id, "%s notification: discarded",
				 kinds[c->kind]);
			continue;
		}
		log_line(LOG_INFO_, id, "%s %s notification: %s",
			 c->notice ? "postmaster" : "sender", kinds[c->kind],
			 qid_text(c->rec.head.id, child));
		message_born(r->a->m->q, &c->rec.head);
	}
}
