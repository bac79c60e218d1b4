/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_SEED_H
#define SPAWNER_SEED_H

#include <sys/types.h>

#include "child.h"

/*
 * A copy of spawner as it was at its start, from which the users' processes are
 * forked.  What a parent writes after a fork leaves the child with a page of
 * its own, for as long as it lives: spawner writes all the time, the seed
 * nothing.  Its children are spawner's (CLONE_PARENT), which hears of their
 * end. It is as privileged as spawner, and talks to nobody else; it ends with
 * it.
 */
typedef void seed_child_fn(const struct child_spec *spec,
			   const struct child_env *env, int spawner, int birth);

/* The descriptor by which it is asked, -1 with errno.  keep: the n that
 * children will need, with room for one more; their order changes.  *pid: the
 * seed's, a child of ours to be reaped. */
int seed_start(int *keep, size_t n, pid_t *pid);

/* The new process; -1 with errno: then the seed is to be closed, as it may have
 * forked.  spec and env (which stands where it stood at seed_start()) and the
 * descriptors are those of child_main(). */
pid_t seed_fork(int seed, seed_child_fn *child, const struct child_spec *spec,
		const struct child_env *env, int spawner, int birth);

#endif
