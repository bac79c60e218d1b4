/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/log.h"
#include "session.h"

/* Phases of a sync. */
enum { IDLE, EXPUNGES, FLAGS };

static void
on_change(struct mailbox_watch *w)
{
	struct imap_view *v = LIST_OF(w, struct imap_view, watch);
	struct imap_session *s = LIST_OF(v, struct imap_session, view);

	s->news = true;
	if (s->stage == STAGE_IDLE)
		imap_wake(s);
}

struct message *
imap_view_message(const struct imap_view *v, size_t i)
{
	if (mailbox_deleted(v->mb))
		return NULL;
	return mailbox_find(v->mb, v->v[i].uid);
}

size_t
imap_view_lower(const struct imap_view *v, uint32_t uid)
{
	size_t lo = 0, hi = v->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (v->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Messages the view has not: behind its last. */
static int
take_arrivals(struct imap_view *v)
{
	uint32_t last = v->n ? v->v[v->n - 1].uid : 0;
	size_t i = last ? mailbox_lower(v->mb, last + 1) : 0;
	size_t more = mailbox_count(v->mb) - i, size;
	struct imap_view_msg *p;

	if (mailbox_deleted(v->mb) || more == 0)
		return 0;
	if (v->n + more > v->size) {
		size = v->n + more + v->n / 4 + 16;
		p = realloc(v->v, size * sizeof(*p));
		if (!p)
			return -1;
		v->v = p;
		v->size = size;
	}
	for (; i < mailbox_count(v->mb); i++) {
		struct message *m = mailbox_at(v->mb, i);

		p = &v->v[v->n++];
		*p = (struct imap_view_msg){
			.uid = m->uid,
			.flags = imap_flags_of_store(m->flags),
			.recent = m->fresh,
		};
		v->recent += p->recent;
		if (!v->readonly)
			m->fresh = false; /* told to one session only */
	}
	v->grown = true;
	return 0;
}

int
imap_view_open(struct imap_session *s, struct mailbox *mb, bool readonly,
	       struct err *err)
{
	struct imap_view *v = &s->view;

	*v = (struct imap_view){ .mb = mb, .readonly = readonly };
	list_init(&v->watch.link);
	v->watch.on_change = on_change;
	if (!readonly && mailbox_take_new(mb, err) < 0)
		log_warn("%s: moving new mail to cur: %s", mailbox_name(mb),
			 LOGQ(str_of(err->text)));
	v->mod = mailbox_mod(mb);
	if (take_arrivals(v) < 0) {
		v->mb = NULL;
		return err_set(err, ERR_TEMP, 0, "out of memory");
	}
	v->grown = false;
	mailbox_watch_add(mb, &v->watch);
	return 0;
}

void
imap_view_close(struct imap_session *s)
{
	struct imap_view *v = &s->view;

	if (!v->mb)
		return;
	mailbox_watch_remove(&v->watch);
	mailbox_release(v->mb);
	free(v->v);
	*v = (struct imap_view){ 0 };
}

/* --- the news --------------------------------------------------------------
 */

static void
begin(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct err err;

	if (mailbox_refresh(v->mb, &err) < 0)
		log_warn("%s: %s", mailbox_name(v->mb), LOGQ(str_of(err.text)));
	/* New mail moves as soon as a session that may do so sees it. */
	if (!v->readonly && !mailbox_deleted(v->mb) &&
	    mailbox_mod(v->mb) != v->mod && mailbox_take_new(v->mb, &err) < 0)
		log_warn("%s: moving new mail to cur: %s", mailbox_name(v->mb),
			 LOGQ(str_of(err.text)));
	v->target = mailbox_mod(v->mb);
	v->at = v->keep = 0;
	v->phase = v->target == v->mod && !mailbox_deleted(v->mb) ? IDLE
								  : EXPUNGES;
	s->news = false;
}

static bool
say_expunges(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct buf *out = imap_out(s);

	while (v->at < v->n) {
		if (imap_view_message(v, v->at)) {
			v->v[v->keep++] = v->v[v->at++];
			continue;
		}
		if (imap_full(s)) {
			/* Whole again, in case the session ends here. */
			memmove(v->v + v->keep, v->v + v->at,
				(v->n - v->at) * sizeof(v->v[0]));
			v->n -= v->at - v->keep;
			v->at = v->keep;
			return false;
		}
		v->recent -= v->v[v->at].recent;
		v->at++;
		buf_addf(out, "* %zu EXPUNGE\r\n", v->keep + 1);
	}
	v->n = v->keep;
	return true;
}

static bool
say_flags(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct buf *out = imap_out(s);
	struct message *m;
	uint8_t flags;

	for (; v->at < v->n; v->at++) {
		m = imap_view_message(v, v->at);
		if (!m || m->mod <= v->mod)
			continue;
		flags = imap_flags_of_store(m->flags);
		if (flags == v->v[v->at].flags)
			continue;
		if (imap_full(s))
			return false;
		v->v[v->at].flags = flags;
		buf_addf(out, "* %zu FETCH (", v->at + 1);
		if (s->uid)
			buf_addf(out, "UID %u ", m->uid);
		buf_add_c(out, "FLAGS (");
		imap_put_flags(out, flags, v->v[v->at].recent);
		buf_add_c(out, "))\r\n");
	}
	return true;
}

static void
say_arrivals(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	size_t recent = v->recent;

	if (take_arrivals(v) < 0) {
		imap_bye(s, "Out of memory");
		return;
	}
	if (!v->grown)
		return;
	v->grown = false;
	buf_addf(imap_out(s), "* %zu EXISTS\r\n", v->n);
	if (v->recent != recent)
		buf_addf(imap_out(s), "* %zu RECENT\r\n", v->recent);
}

bool
imap_view_sync(struct imap_session *s, bool expunge_too)
{
	struct imap_view *v = &s->view;

	if (v->phase == IDLE)
		begin(s);
	if (v->phase == EXPUNGES) {
		if (expunge_too && !say_expunges(s))
			return false;
		v->phase = FLAGS;
		v->at = 0;
	}
	if (v->phase == FLAGS) {
		if (!say_flags(s))
			return false;
		say_arrivals(s);
		/* What could not be said is looked for again. */
		v->mod = expunge_too ? v->target : v->mod;
		v->phase = IDLE;
	}
	return true;
}
