/* SPDX-License-Identifier: ISC */
/* What events tell of the directories: each name is looked at. */
#include "base/fsx.h"
#include "store/scan_int.h"

enum { ROUNDS = 4 }; /* of looking again for what is renamed */

void
scan_barrier(int dir)
{
	struct fsx_dir *d = fsx_opendir(dir, ".");

	if (!d)
		return;
	(void)fsx_readdir(d, NULL);
	fsx_closedir(d);
}

static int
one_event(struct scan *s, bool in_new, bool came, struct str name,
	  struct err *err)
{
	struct mailbox *mb = s->mb;
	char text[MAILDIR_NAME_MAX + 1], known[MAILDIR_NAME_MAX + 1];
	const struct moved *v;
	struct maildir_name p;
	struct stat st;
	ssize_t slot;

	if (!str_copy(text, sizeof(text), name) || maildir_parse(name, &p) < 0)
		return 0;
	if (came) {
		if (fsx_fstatat(in_new ? mb->new : mb->cur, text, &st) < 0 ||
		    !S_ISREG(st.st_mode))
			return 0; /* gone again: told by another event */
		return scan_one_file(s, text, in_new, err);
	}
	slot = index_by_base(mb->ix, p.base);
	if (slot < 0 || (size_t)slot >= s->slots)
		return 0;
	(void)message_file(mb, index_at(mb->ix, (size_t)slot), known);
	v = scan_has(s, (size_t)slot) ? scan_find_moved(s, (size_t)slot) : NULL;
	if (strcmp(known, text) != 0 && (!v || scan_is_there_moved(s, v)))
		return 0;
	s->seen[slot / 8] &= (uint8_t) ~(1 << slot % 8);
	return scan_note_gone(s, (size_t)slot, err);
}

/* Of those that went, keep the ones that came nowhere. */
static void
keep_gone(struct scan *s)
{
	const struct message *m;
	size_t i, keep = 0;

	for (i = 0; i < s->ngone; i++) {
		m = index_at(s->mb->ix, s->gone[i]);
		if (!scan_has(s, s->gone[i]) && !m->gone &&
		    !scan_is_there(s->mb, m))
			s->gone[keep++] = s->gone[i];
	}
	s->ngone = keep;
}

int
scan_take_events(struct scan *s, struct err *err)
{
	struct mailbox *mb = s->mb;
	bool in_new, came;
	struct str rest, name;
	struct buf all;
	int round, rc = 0;

	for (round = 0; rc == 0 && round < ROUNDS; round++) {
		all = mb->events;
		buf_init(&mb->events, all.limit);
		rest = buf_str(&all);
		while (rc == 0 && watch_next(&rest, &in_new, &came, &name))
			rc = one_event(s, in_new, came, name, err);
		buf_fini(&all);
		keep_gone(s);
		if (s->ngone) {
			/* Of a rename, the other half may not be told yet. */
			scan_barrier(mb->new);
			scan_barrier(mb->cur);
		}
		watch_drain(mb->st);
		if (mb->events.n == 0)
			break;
	}
	keep_gone(s);
	return rc;
}
