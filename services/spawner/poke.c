/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "frame/msg_spawner.h"
#include "poke.h"

enum {
	PLACE_MAX = 3 * PATH_LEN_MAX,
	UNSENT_MAX = 16 * 1024, /* who has not read that is not told more */
};

static bool
is_here(struct str path)
{
	return path.n == 0 || str_eq(path, STR("."));
}

static int
place_of(struct buf *out, const struct child_spec *spec)
{
	(void)!buf_add_c(out, spec->id.home);
	if (!spec->whole_tree && !is_here(str_of(spec->id.mail)))
		(void)!buf_addf(out, "/%s", spec->id.mail);
	return buf_overflown(out) ? -1 : 0;
}

void
poke_enter(struct proc *p)
{
	struct proc *first;
	struct buf b;

	if (p->spec.service != SVC_IMAPD)
		return;
	buf_init(&b, PLACE_MAX);
	if (place_of(&b, &p->spec) == 0 && (p->place.p = malloc(b.n))) {
		p->place.n = b.n;
		memcpy((char *)(uintptr_t)p->place.p, b.p, b.n);
		first = map_get(&p->all->by_place, p->place);
		if (first) {
			p->same_place = first->same_place;
			first->same_place = p;
		} else {
			(void)!map_put(&p->all->by_place, p->place, p);
		}
	}
	buf_fini(&b);
}

void
poke_leave(struct proc *p)
{
	struct proc *at =
		p->place.n ? map_get(&p->all->by_place, p->place) : NULL;

	if (at == p) {
		map_del(&p->all->by_place, p->place);
		at = p->same_place;
		if (at)
			(void)!map_put(&p->all->by_place, at->place, at);
	}
	for (; at; at = at->same_place)
		if (at->same_place == p)
			at->same_place = p->same_place;
	free((char *)(uintptr_t)p->place.p);
}

/* False: nobody reads mail there. */
static bool
tell(struct procs *ps, struct str place, struct str folder)
{
	struct msg_poke m = { .path = folder };
	struct proc *p = map_get(&ps->by_place, place);
	bool found = p != NULL;

	for (; p; p = p->same_place)
		if (p->asker && asker_unsent(p->asker) < UNSENT_MAX)
			(void)!asker_send_part(p->asker, 0, &msg_poke_def, &m);
	return found;
}

void
poke(struct procs *ps, const struct proc *deliver, struct str path)
{
	struct str place;
	struct buf b;
	ptrdiff_t at;

	while (path.n && path.p[path.n - 1] == '/')
		path.n--;
	buf_init(&b, PLACE_MAX);
	if (place_of(&b, &deliver->spec) == 0 &&
	    (is_here(path) || buf_addf(&b, "/%.*s", STR_FMT(path)) == 0)) {
		place = buf_str(&b);
		at = str_rfind(place, '/');
		/* A Maildir++ folder stands in its INBOX's directory. */
		if (!tell(ps, place, STR("")) && at >= 0 &&
		    str_starts(str_from(place, (size_t)at), STR("/.")))
			(void)tell(ps, str_head(place, (size_t)at),
				   str_from(place, (size_t)at + 2));
	}
	buf_fini(&b);
}
