/* SPDX-License-Identifier: ISC */
#include "frame/daemon.h"
#include "frame/entry.h"

void
daemon_serve(struct daemon *d)
{
	loop_run(&d->loop);
}

int
user_serve(user_entry_fn *fn, const struct user_entry *e)
{
	return fn(e);
}
