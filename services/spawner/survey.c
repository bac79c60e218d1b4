/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "survey.h"

struct survey {
	struct chan *asker; /* a reference */
	uint32_t tag;
	unsigned waiting; /* processes, and one for the caller */
	struct msg_who_done done;
};

/* What one process is asked. */
struct part {
	struct survey *survey;
	const struct proc *proc;
	unsigned rows;
};

static void
unref(struct survey *v)
{
	if (--v->waiting)
		return;
	chan_send(v->asker, v->tag, &msg_who_done_def, &v->done);
	chan_unref(v->asker);
	free(v);
}

/* Who it is, spawner knows better than the process does. */
static void
pass_row(struct part *p, const struct msg_who_row *m)
{
	struct msg_who_row row = *m;

	if (p->rows++ >= SURVEY_ROWS_MAX)
		return;
	row.service = p->proc->spec.service;
	row.user = str_of(p->proc->spec.id.user);
	row.pid = (uint32_t)p->proc->pid;
	chan_send(p->survey->asker, p->survey->tag, &msg_who_row_def, &row);
}

/* As many as it may have. */
static void
count(struct survey *v, const struct msg_who_done *m)
{
	v->done.count +=
		m->count < SURVEY_ROWS_MAX ? m->count : SURVEY_ROWS_MAX;
}

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct part *p = arg;
	struct survey *v = p->survey;

	if (def == &msg_who_row_def) {
		pass_row(p, msg);
		return;
	}
	if (def == &msg_who_done_def)
		count(v, msg);
	else
		v->done.silent++;
	free(p);
	unref(v);
}

static void
ask(struct survey *v, struct proc *proc, const struct msg_def *def,
    const void *msg)
{
	struct part *p = malloc(sizeof(*p));

	if (p) {
		*p = (struct part){ .survey = v, .proc = proc };
		if (asker_send(proc->asker, def, msg, SURVEY_MS, on_answer,
			       p)) {
			v->waiting++;
			return;
		}
	}
	free(p);
	v->done.silent++;
}

/* The others have no sessions, and would take the question for a fault. */
static bool
has_sessions(const struct proc *p)
{
	return p->asker &&
	       (p->spec.service == SVC_IMAPD || p->spec.service == SVC_POP3D);
}

static void
ask_all(struct procs *ps, struct chan *asker, uint32_t tag, struct str user,
	const struct msg_def *def, const void *msg)
{
	struct survey *v = malloc(sizeof(*v));
	struct list *it;

	if (!v) {
		struct msg_who_done done = { .silent = ps->n };

		chan_send(asker, tag, &msg_who_done_def, &done);
		return;
	}
	*v = (struct survey){ .asker = chan_ref(asker),
			      .tag = tag,
			      .waiting = 1 };
	list_for_each (it, &ps->list) {
		struct proc *p = LIST_OF(it, struct proc, link);

		if (has_sessions(p) &&
		    (user.n == 0 || str_eq(user, str_of(p->spec.id.user))))
			ask(v, p, def, msg);
	}
	unref(v);
}

void
survey_who(struct procs *ps, struct chan *asker, uint32_t tag,
	   const struct msg_who *m)
{
	ask_all(ps, asker, tag, m->user, &msg_who_def, m);
}

void
survey_kick(struct procs *ps, struct chan *asker, uint32_t tag,
	    const struct msg_kick *m)
{
	struct msg_who_done none = { 0 };

	/* Neither would be everybody. */
	if (m->user.n == 0 && m->session.n == 0)
		chan_send(asker, tag, &msg_who_done_def, &none);
	else
		ask_all(ps, asker, tag, m->user, &msg_kick_def, m);
}
