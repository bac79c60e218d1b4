/* SPDX-License-Identifier: ISC */
/*
 * The intruder: linked in place of lib/frame/serve.c into a second set of the
 * programs (bin/intruder, never installed).  It runs inside the true jail of
 * each process, before that waits for work, as an attacker would who has taken
 * the process over, and tries what the "if taken over" column of the service
 * table excludes.  What must fail and does is logged "held NAME", what succeeds
 * "BREACH NAME"; the control list, which must succeed, "works NAME" or
 * "BROKEN NAME".  The attempts stand beside this file: intruder_process.c,
 * intruder_files.c, intruder_net.c.
 *
 * Attempts that are answered with death are made one a run: the test gives
 * master a file as standard error, whose first line names the attempt.  The
 * process must then die of SIGSYS; if it does not, "BREACH NAME" is logged.
 */
#include <unistd.h>

#include "base/log.h"
#include "frame/daemon.h"
#include "frame/entry.h"
#include "intruder.h"

static const struct attempt *const themes[] = {
	attempts_process,
	attempts_files,
	attempts_net,
};

static bool
applies(const struct attempt *a, const struct service *svc)
{
	unsigned calls = svc->calls;

	if (svc->root == ROOT_USER)
		calls |= USER_PROCESS;
	return (!a->only || a->only & calls) && !(a->unless & calls);
}

/* What is answered with an error, if at all. */
static void
try_harmless(const struct scene *s, const struct attempt *a)
{
	bool possible;

	if (a->want == DEATH || !applies(a, s->svc))
		return;
	possible = a->try(s);
	if (a->want == HELD)
		log_info("intruder: %s: %s %s", s->svc->name,
			 possible ? "BREACH" : "held", a->name);
	else
		log_info("intruder: %s: %s %s", s->svc->name,
			 possible ? "works" : "BROKEN", a->name);
}

static void
try_deadly(const struct scene *s, const struct attempt *a)
{
	if (a->want != DEATH || !applies(a, s->svc))
		return;
	log_info("intruder: %s: tries %s", s->svc->name, a->name);
	log_flush();
	a->try(s);
	log_info("intruder: %s: BREACH %s: alive", s->svc->name, a->name);
	log_flush();
}

static void
try_all(const struct scene *s)
{
	const struct attempt *a;
	size_t i;

	for (i = 0; i < sizeof(themes) / sizeof(themes[0]); i++)
		for (a = themes[i]; a->name; a++)
			try_harmless(s, a);
	log_flush();
}

/* The attempt of this run that death must answer. */
static void
try_ordered(const struct scene *s)
{
	char line[64] = "";
	struct str name = STR_NULL, rest;
	const struct attempt *a;
	size_t i;

	if (pread(2, line, sizeof(line) - 1, 0) <= 0)
		return;
	rest = str_of(line);
	if (!str_cut(&rest, '\n', &name))
		return;
	for (i = 0; i < sizeof(themes) / sizeof(themes[0]); i++)
		for (a = themes[i]; a->name; a++)
			if (str_eq(str_of(a->name), name))
				try_deadly(s, a);
}

/* --- more channels than anybody needs --------------------------------------
 */

enum { HOARD = 200, HOARD_FAIR = 64 };

struct hoard {
	const struct service *svc;
	unsigned answered, n;
	int fds[HOARD];
};

static void
on_channel(void *arg, int fd, bool never)
{
	struct hoard *h = arg;

	(void)never;
	if (fd >= 0)
		h->fds[h->n++] = fd;
	if (++h->answered < HOARD)
		return;
	log_info("intruder: %s: %s hoard_channels (%u)", h->svc->name,
		 h->n > HOARD_FAIR ? "BREACH" : "held", h->n);
	while (h->n)
		close(h->fds[--h->n]);
}

/* All descriptors of a service, one channel each. */
static void
hoard_channels(struct daemon *d, struct hoard *h)
{
	unsigned id, i;

	h->svc = d->svc;
	for (id = SVC_LOGD; id <= SVC_SPAWNER; id++)
		if (channel_find(d->svc->id, id))
			break;
	for (i = 0; id <= SVC_SPAWNER && i < HOARD; i++)
		daemon_connect(d, id, 0, on_channel, h);
}

/* --- services that are none of ours ----------------------------------------
 */

struct reach {
	const struct service *svc;
	unsigned strangers, answered, refused;
};

static void
on_reached(void *arg, int fd, bool never)
{
	struct reach *r = arg;

	if (fd >= 0)
		close(fd);
	r->refused += fd < 0 && never;
	if (++r->answered == r->strangers)
		log_info("intruder: %s: %s reach_strangers (%u of %u)",
			 r->svc->name,
			 r->refused == r->strangers ? "held" : "BREACH",
			 r->strangers - r->refused, r->strangers);
}

/* keyd for the keys, authd for the hashes, and all others that no row of the
 * channel table gives us. */
static void
reach_strangers(struct daemon *d, struct reach *r)
{
	unsigned id;

	r->svc = d->svc;
	for (id = 0; id < SVC_COUNT; id++)
		r->strangers += !channel_find(d->svc->id, id);
	for (id = 0; id < SVC_COUNT; id++)
		if (!channel_find(d->svc->id, id))
			daemon_connect(d, id, 0, on_reached, r);
}

/* --- after a while ---------------------------------------------------------
 */

struct later {
	struct daemon *d;
	struct scene scene;
	struct hoard hoard;
	struct reach reach;
};

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct later *l = arg;

	(void)fd;
	(void)what;
	try_ordered(&l->scene);
	hoard_channels(l->d, &l->hoard);
	reach_strangers(l->d, &l->reach);
}

void
daemon_serve(struct daemon *d)
{
	struct later l = { .d = d,
			   .scene = { d->svc, daemon_fd(d, "root", 0),
				      daemon_fd(d, "params", 0) } };
	/* When all the others are up as well. */
	struct timeval tv = { 2, 0 };

	if (d->svc->root == ROOT_EMPTY)
		l.scene.root = -1;
	try_all(&l.scene);
	event_base_once(d->loop.base, -1, EV_TIMEOUT, on_timer, &l, &tv);
	loop_run(&d->loop);
}

int
user_serve(user_entry_fn *fn, const struct user_entry *e)
{
	struct scene s = { &services[e->service], e->root, -1 };

	try_all(&s);
	try_ordered(&s);
	return fn(e);
}
