/* SPDX-License-Identifier: ISC */
/*
 * Written behind: file names follow flags, new mail that a session has seen
 * moves to cur/, and when a folder has been left in peace for a while, what
 * makes the next opening cheap.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

enum {
	DUE_MS = 2000,	       /* flags change oftener than once */
	AGAIN_MS = 30000,      /* after an error of the disk: renames */
	FLUSH_AGAIN_MS = 1000, /* and syncs */
	CALM_MS = 5000,	       /* no change for so long: idle */
	PORTION = 1000,	       /* renames a call, and for a sync */
	DUE_MAX = 65536,       /* more: all messages are looked at */
	MANY = 1000,
	ROUNDS = 8, /* of looking where files are, at the end */
};

/* --- what is due -----------------------------------------------------------
 */

void
work_touch(struct mailbox *mb)
{
	mb->touched = clock_mono_ms() + 1;
}

static void
due_begin(struct mailbox *mb)
{
	if (!mb->due_ms)
		mb->due_ms = clock_mono_ms() + DUE_MS;
}

void
work_all(struct mailbox *mb)
{
	due_begin(mb);
	mb->due_all = true;
	mb->due_slot = 0;
}

void
work_due(struct mailbox *mb, uint32_t uid)
{
	uint32_t *v;
	size_t size;

	due_begin(mb);
	if (mb->due_all && mb->due_slot == 0)
		return;
	if (mb->ndue == mb->due_size) {
		size = mb->due_size ? mb->due_size * 2 : 64;
		v = size > DUE_MAX ? NULL : realloc(mb->due, size * sizeof(*v));
		if (!v) {
			work_all(mb);
			return;
		}
		mb->due = v;
		mb->due_size = size;
	}
	mb->due[mb->ndue++] = uid;
}

/* They stand behind the others, nearly always. */
void
work_claimed(struct mailbox *mb, uint64_t n)
{
	const struct message *m;
	size_t i;

	if (n > MANY) {
		work_all(mb);
		return;
	}
	for (i = index_slots(mb->ix); n && i-- > 0;) {
		m = index_at(mb->ix, i);
		if (m->gone || !(m->disk & MESSAGE_IN_NEW))
			continue;
		n--;
		work_due(mb, m->uid);
	}
}

/* The name that a message's file should have. */
static uint64_t
wanted(const struct mailbox *mb, const struct message *m)
{
	if (m->disk & MESSAGE_IN_NEW && m->uid >= mb->claimed &&
	    m->flags == (m->disk & ~MESSAGE_IN_NEW))
		return m->disk;
	return m->flags;
}

/* The next message that is due; NULL: no more. */
static const struct message *
next_due(struct mailbox *mb)
{
	const struct message *m;

	while (mb->due_at < mb->ndue) {
		m = index_find(mb->ix, mb->due[mb->due_at++]);
		if (m && m->disk != wanted(mb, m))
			return m;
	}
	while (mb->due_all && mb->due_slot < index_slots(mb->ix)) {
		m = index_at(mb->ix, mb->due_slot++);
		if (!m->gone && m->disk != wanted(mb, m))
			return m;
	}
	mb->ndue = mb->due_at = mb->due_slot = 0;
	mb->due_all = false;
	mb->due_ms = 0;
	if (mb->due_size > 1024) {
		free(mb->due);
		mb->due = NULL;
		mb->due_size = 0;
	}
	return NULL;
}

/* --- the sweep -------------------------------------------------------------
 */

struct sweep {
	size_t slot[PORTION];
	uint64_t disk[PORTION];
	size_t n;
	uint32_t again[PORTION]; /* UIDs */
	size_t nagain;
	int code; /* errno of one of those that no scan can help */
};

/* A message that is due twice; the index learns of it behind the sweep. */
static bool
was_renamed(const struct sweep *s, size_t slot)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->slot[i] == slot)
			return true;
	return false;
}

/* A message whose flags change often is due often. */
static bool
failed_already(const struct sweep *s, uint32_t uid)
{
	size_t i;

	for (i = 0; i < s->nagain; i++)
		if (s->again[i] == uid)
			return true;
	return false;
}

static void
rename_one(struct mailbox *mb, const struct message *m, struct sweep *s)
{
	char from[MAILDIR_NAME_MAX + 1], to[MAILDIR_NAME_MAX + 1];
	uint64_t disk = m->disk, want = wanted(mb, m);
	uint32_t uid = m->uid;
	size_t slot = index_lower(mb->ix, uid);
	int dir = message_file(mb, m, from);

	if (!file_name(index_base(mb->ix, m), want, to))
		return; /* it keeps its name */
	if (fsx_rename_new(dir, from, file_dir(mb, want), to) < 0) {
		if (was_renamed(s, slot))
			return;
		/* Somebody else was there; the scan says who. */
		if (errno == ENOENT || errno == EEXIST)
			mb->dirty_new = mb->dirty_cur = true;
		else
			s->code = errno;
		s->again[s->nagain++] = uid;
		return;
	}
	watch_own(mb, disk, from, false);
	watch_own(mb, want, to, true);
	mb->unsynced |= names_in(disk) | names_in(want);
	s->slot[s->n] = slot;
	s->disk[s->n++] = want;
}

/*
 * Those that could not be renamed: after the scan, or after a while, so that a
 * disk that is full or gone does not keep us busy.
 */
static void
sweep_again(struct mailbox *mb, const struct sweep *s)
{
	size_t i;

	for (i = 0; i < s->nagain; i++)
		work_due(mb, s->again[i]);
	mb->due_ms = clock_mono_ms() + (s->code ? AGAIN_MS : DUE_MS);
	if (s->code)
		log_warn("%s: flags are not in the names of files: %s",
			 mb->name, strerror(s->code));
}

/* A portion; false: that is all for now. */
static bool
sweep(struct mailbox *mb)
{
	const struct message *m = NULL;
	struct sweep s = { .n = 0 };
	struct err err;
	size_t i;

	if (mailbox_lock(mb, &err) < 0) {
		mb->due_ms = clock_mono_ms() + AGAIN_MS;
		return false;
	}
	while (s.n + s.nagain < PORTION && (m = next_due(mb)))
		if (!failed_already(&s, m->uid))
			rename_one(mb, m, &s);
	for (i = 0; i < s.n; i++)
		index_named(mb->ix, s.slot[i], s.disk[i]);
	if (s.n) {
		if (mailbox_sync_names(mb, false, &err) < 0 ||
		    mailbox_commit(mb, false, &err) < 0) {
			log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
			mb->dirty_new = mb->dirty_cur = true;
		}
	}
	index_unlock(mb->ix);
	watch_drain(mb->st);
	if (s.nagain)
		sweep_again(mb, &s);
	return m && !s.nagain;
}

/* --- syncing, and peace ----------------------------------------------------
 */

void
work_flush(struct mailbox *mb)
{
	struct err err;

	if (mailbox_sync_names(mb, false, &err) < 0 ||
	    index_flush(mb->ix, &err) < 0)
		log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
}

/* Slots of gone messages go when every view has told. */
static void
compact(struct mailbox *mb)
{
	struct index_totals t;
	struct list *it;

	index_totals(mb->ix, &t);
	if (t.gone == 0)
		return;
	list_for_each (it, &mb->views) {
		struct mailbox_watch *w =
			LIST_OF(it, struct mailbox_watch, link);

		if (w->holds || w->at != mb->feed_base + mb->nfeed)
			return;
	}
	index_compact(mb->ix);
	mb->due_slot = 0;
	list_for_each (it, &mb->views) {
		struct mailbox_watch *w =
			LIST_OF(it, struct mailbox_watch, link);

		w->on_compact(w);
	}
}

/* Nothing has happened for a while. */
static void
rest(struct mailbox *mb)
{
	struct err err;

	if (mailbox_refresh(mb, &err) < 0)
		log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
	if (mb->deleted)
		return;
	compact(mb);
	tmp_sweep(mb);
	(void)scan_settle(mb);
	work_flush(mb);
	index_checkpoint(mb->ix);
	summary_note(mb);
	index_trim(mb->ix);
	mb->touched = 0;
}

static int
sooner(int ms, uint64_t at, uint64_t now)
{
	int left = at <= now ? 0 : (int)(at - now);

	return ms < 0 || left < ms ? left : ms;
}

/* One folder's portion; when it is due again, or -1. */
static int
work_box(struct mailbox *mb)
{
	uint64_t now = clock_mono_ms();
	int ms = -1, due;

	if (mb->due_ms && mb->due_ms <= now && sweep(mb))
		mb->due_ms = now; /* more of it */
	if (mb->touched && (!mb->due_ms || mb->due_ms > now) &&
	    now >= mb->touched + CALM_MS)
		rest(mb);
	if (index_flush_due(mb->ix) == 0)
		work_flush(mb);
	due = index_flush_due(mb->ix);
	if (due >= 0)
		ms = due ? due : FLUSH_AGAIN_MS;
	if (mb->due_ms)
		ms = sooner(ms, mb->due_ms, now);
	if (mb->touched)
		ms = sooner(ms, mb->touched + CALM_MS, now);
	return ms;
}

/* What inotify told while something else was done, also of another folder: its
 * descriptor will not say so again.  Files that are to be renamed are looked
 * for also when nobody has the folder open. */
static void
take_told(struct mailbox *mb)
{
	struct err err;

	if ((mb->refs || mb->due_ms) &&
	    (mb->dirty_new || mb->dirty_cur || mb->events.n) &&
	    mailbox_refresh(mb, &err) < 0)
		log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
}

void
store_work(struct store *st, int *ms)
{
	struct mailbox *mb;
	struct list *it;
	int one;

	*ms = -1;
	list_for_each (it, &st->boxes) {
		mb = LIST_OF(it, struct mailbox, link);
		if (mb->deleted)
			continue;
		take_told(mb);
		one = work_box(mb);
		if (one >= 0 && (*ms < 0 || one < *ms))
			*ms = one;
	}
	list_for_each (it, &st->boxes) {
		mb = LIST_OF(it, struct mailbox, link);
		if (mb->refs && !mb->deleted && mb->events.n)
			*ms = 0;
	}
	if (*ms < 0)
		summary_write(st);
}

/* All that is due.  Where somebody else was at work, what is left is due again
 * when the scan has told where the files are. */
static void
sweep_all(struct mailbox *mb)
{
	struct err err;
	int i;

	for (i = 0; i < ROUNDS && !mb->deleted; i++) {
		while (sweep(mb))
			;
		if (!mb->dirty_new && !mb->dirty_cur && !mb->events.n)
			break;
		if (mailbox_refresh(mb, &err) < 0) {
			log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
			break;
		}
	}
	mb->due_ms = 0;
}

void
work_finish(struct mailbox *mb, bool wait)
{
	const struct timespec moment = { .tv_nsec = (STAMP_MS + 5) * 1000000l };

	if (mb->deleted)
		return;
	sweep_all(mb);
	if (mb->deleted)
		return;
	tmp_sweep(mb);
	if (!scan_settle(mb) && wait) {
		nanosleep(&moment, NULL);
		(void)scan_settle(mb);
	}
	work_flush(mb);
	index_checkpoint(mb->ix);
	summary_note(mb);
	mb->touched = 0;
}

void
store_finish(struct store *st)
{
	struct mailbox *mb;
	struct list *it;

	list_for_each (it, &st->boxes) {
		mb = LIST_OF(it, struct mailbox, link);
		work_finish(mb, true);
	}
	summary_write(st);
}
