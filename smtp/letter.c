/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/fsx.h"
#include "letter.h"

enum {
	/* What one recipient's faults may take, over all servers that are
	 * tried; equal ones are kept once. */
	FAULT_ROOM = 8192,
	POOL_MIN = 256 * 1024,
};

static int
copy_rcpts(struct letter *l, const struct msg_list *list)
{
	struct letter_rcpt *r = l->rcpts;
	struct str it = list->raw;

	for (; msg_list_next(&it, list->elem, &r->to); r++) {
		r->to.address = pool_str(&l->pool, r->to.address);
		r->to.orcpt = pool_str(&l->pool, r->to.orcpt);
		if (!r->to.address.p || !r->to.orcpt.p)
			return -1;
	}
	return 0;
}

struct letter *
letter_new(struct msg_send *m)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->body_fd = -1;
	pool_init(&l->pool, POOL_MIN + (size_t)m->rcpts.count * FAULT_ROOM);
	l->id = pool_str(&l->pool, m->id);
	l->transport = pool_str(&l->pool, m->transport);
	l->nexthop = pool_str(&l->pool, m->nexthop);
	l->sender = pool_str(&l->pool, m->sender);
	l->envid = pool_str(&l->pool, m->envid);
	l->header = pool_str(&l->pool, m->header);
	l->body = pool_str(&l->pool, m->body);
	l->rcpts = pool_alloc(&l->pool, m->rcpts.count * sizeof(*l->rcpts));
	if (!l->id.p || !l->transport.p || !l->nexthop.p || !l->sender.p ||
	    !l->envid.p || !l->header.p || !l->body.p || !l->rcpts ||
	    copy_rcpts(l, &m->rcpts) < 0) {
		letter_free(l);
		return NULL;
	}
	l->flags = m->flags;
	l->ret = m->ret;
	l->nrcpts = m->rcpts.count;
	l->body_fd = m->body_fd;
	l->body_len = m->body_fd < 0 ? m->body.n : m->body_len;
	m->body_fd = -1;
	return l;
}

void
letter_free(struct letter *l)
{
	if (!l)
		return;
	if (l->body_fd >= 0)
		fsx_close(l->body_fd);
	pool_fini(&l->pool);
	free(l);
}

/* A thousand recipients have the same fault with the same server: the last
 * copy serves again. */
static struct str
keep(struct letter *l, struct str *last, struct str s)
{
	struct str copy;

	if (last->p && str_eq(*last, s))
		return *last;
	copy = pool_str(&l->pool, s);
	if (!copy.p)
		return STR("(no memory to keep the words)");
	*last = copy;
	return copy;
}

static void
set_result(struct letter *l, uint32_t i, const struct letter_server *at,
	   const struct fault *f, bool dsn_taken)
{
	struct letter_rcpt *r = &l->rcpts[i];

	r->result = (struct fault){
		.class = f->class,
		.dsn = keep(l, &l->last.dsn, f->dsn),
		.text = keep(l, &l->last.text, str_head(f->text, TEXT_MAX)),
		.reply = keep(l, &l->last.reply, str_head(f->reply, TEXT_MAX)),
	};
	r->relay = keep(l, &l->last_relay, str_of(at->relay));
	r->mta = keep(l, &l->last_mta, str_of(at->host));
	r->dsn_taken = dsn_taken;
	r->has_result = true;
}

void
letter_settle(struct letter *l, uint32_t rcpt, const struct letter_server *at,
	      const struct fault *f, bool dsn_taken)
{
	if (l->rcpts[rcpt].settled)
		return;
	set_result(l, rcpt, at, f, dsn_taken);
	l->rcpts[rcpt].settled = true;
	l->nsettled++;
}

void
letter_note(struct letter *l, uint32_t rcpt, const struct letter_server *at,
	    const struct fault *f)
{
	const struct letter_rcpt *r = &l->rcpts[rcpt];
	bool later = r->has_result && r->result.class == DELIVER_TEMP;

	if (!r->settled && !(later && f->class == DELIVER_PERM))
		set_result(l, rcpt, at, f, false);
}

void
letter_note_all(struct letter *l, const struct letter_server *at,
		const struct fault *f)
{
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++)
		letter_note(l, i, at, f);
}
