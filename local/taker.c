/* SPDX-License-Identifier: ISC */
/* taker: from an mbox that spawner hands over, locked, into the Maildir that is
 * this process's root (lib/store/take.h). */
#include <unistd.h>

#include "base/log.h"
#include "entry.h"
#include "frame/msg_spawner.h"
#include "frame/service.h"
#include "store/take.h"

struct taker {
	struct loop loop;
	const struct user_entry *entry;
	struct chan *spawner;
};

static void
on_take(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	void *msg)
{
	const struct msg_take *m = msg;
	struct taker *t = arg;
	struct msg_took took = { 0 };
	struct err err;

	(void)def;
	took.text = STR("");
	if (take_mbox(t->entry->root, m->fd,
		      params_str(t->entry->params, "myhostname").p, &took.count,
		      &err) < 0)
		took.text = str_of(err.text);
	if (took.count)
		log_info("%u messages of %s taken in from the mbox", took.count,
			 LOGQ(str_of(t->entry->user)));
	chan_send(c, tag, &msg_took_def, &took);
	loop_stop(&t->loop);
}

static void
on_closed(struct chan *c, void *arg)
{
	struct taker *t = arg;

	(void)c;
	t->spawner = NULL;
	loop_stop(&t->loop);
}

int
taker_entry(const struct user_entry *e)
{
	static const struct chan_ops ops = { on_take, on_closed };
	struct taker t = { .entry = e };
	struct err err;

	if (loop_init(&t.loop, &err) < 0) {
		log_error("%s", err.text);
		return 75;
	}
	t.spawner = chan_new(&t.loop, e->spawner, &channels[CH_SPAWNER_TAKER],
			     CHAN_SERVICE, &ops, &t);
	if (t.spawner)
		loop_run(&t.loop);
	if (t.spawner)
		chan_close(t.spawner);
	loop_fini(&t.loop);
	return 0;
}
