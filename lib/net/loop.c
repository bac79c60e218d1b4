/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/loop.h"

int
loop_init(struct loop *l, struct err *err)
{
	struct event_config *cfg = event_config_new();

	*l = (struct loop){ 0 };
	list_init(&l->dirty);
	if (cfg) {
		/* One thread owns a loop; others wake it by eventfd. */
		event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK |
						   EVENT_BASE_FLAG_IGNORE_ENV);
		l->base = event_base_new_with_config(cfg);
		event_config_free(cfg);
	}
	if (!l->base)
		return err_set(err, ERR_TEMP, ENOMEM, "no event loop");
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

void
loop_fini(struct loop *l)
{
	if (l->base)
		event_base_free(l->base);
	free(l->scratch);
	*l = (struct loop){ 0 };
	list_init(&l->dirty);
}

static void
flush_all(struct loop *l)
{
	struct loop_flush *f;

	while (!list_empty(&l->dirty)) {
		f = LIST_OF(l->dirty.next, struct loop_flush, link);
		list_remove(&f->link);
		f->fn(f);
	}
	log_flush();
}

void
loop_turn(struct loop *l, bool wait)
{
	event_base_loop(l->base, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK));
	flush_all(l);
}

void
loop_run(struct loop *l)
{
	flush_all(l);
	while (!l->stop && event_base_get_num_events(
				   l->base, EVENT_BASE_COUNT_ADDED |
						    EVENT_BASE_COUNT_ACTIVE))
		loop_turn(l, true);
	flush_all(l);
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
	event_base_loopbreak(l->base);
}

void
loop_flush_init(struct loop_flush *f, void (*fn)(struct loop_flush *f))
{
	list_init(&f->link);
	f->fn = fn;
}

void
loop_flush_want(struct loop *l, struct loop_flush *f)
{
	if (list_empty(&f->link))
		list_append(&l->dirty, &f->link);
}

void
loop_flush_cancel(struct loop_flush *f)
{
	list_remove(&f->link);
}
