/* SPDX-License-Identifier: ISC */
/*
 * What the directories hold, merged into the index: read, or told by events
 * (scan_events.c).
 * The index is locked all the while, so that no other process of ours gives
 * a UID to the same file.  lib/store/README.md says which races there are.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/adopt.h"
#include "store/scan_int.h"

enum {
	NAMES_MAX = 1 << 30, /* bytes of names of new files */
	AHEAD = 8,	     /* names fetched from memory before their time */
};

/* --- reading ---------------------------------------------------------------
 */

static int
read_dir(struct scan *s, bool in_new, struct err *err)
{
	int fd = in_new ? s->mb->new : s->mb->cur;
	struct fsx_dir *d = fsx_opendir(fd, ".");
	unsigned char type;
	const char *name;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "%s", in_new ? "new" : "cur");
	if (in_new)
		s->mb->new_reads++;
	else
		s->mb->cur_reads++;
	while (rc == 0 && (errno = 0, name = fsx_readdir(d, &type)))
		if (type == DT_REG || type == DT_UNKNOWN)
			rc = scan_one_file(s, name, in_new, err);
	if (rc == 0 && errno)
		rc = err_sys(err, errno, "%s", in_new ? "new" : "cur");
	fsx_closedir(d);
	return rc;
}

/*
 * A power cut may have kept the UID of a message that a client wrote, and not
 * its way out of tmp/ (append.c), or of one that is imported (adopt.h); there
 * its name is the base up to the sizes.
 */
static bool
rescue(struct mailbox *mb, const struct message *m)
{
	char name[MAILDIR_NAME_MAX + 1], tmp[MAILDIR_NAME_MAX + 1];
	int dir = message_file(mb, m, name);

	if (!str_copy(tmp, sizeof(tmp), adopt_tmp_name(index_base(mb->ix, m))))
		return false;
	if (fsx_rename_new(mb->tmp, tmp, dir, name) < 0)
		return false;
	watch_own(mb, m->disk, name, true);
	mb->unsynced |= names_in(m->disk);
	return true;
}

/* Slots not seen: 0 all are there or noted as gone, 1 some are missing.  sure:
 * they were looked for long enough. */
static int
look_for_missing(struct scan *s, bool only_new, bool sure, struct err *err)
{
	struct mailbox *mb = s->mb;
	const struct message *m;
	int missing = 0;
	size_t i;

	for (i = s->slots; i-- > 0;) {
		if (scan_has(s, i))
			continue;
		m = index_at(mb->ix, i);
		if (m->gone || (only_new && !(m->disk & MESSAGE_IN_NEW)))
			continue;
		if (scan_is_there(mb, m)) {
			scan_set_seen(s, i);
			continue;
		}
		if (errno != ENOENT)
			return err_sys(err, errno, "%s", mb->name);
		missing = 1;
		if (!sure)
			continue;
		if (rescue(mb, m)) {
			scan_set_seen(s, i);
			continue;
		}
		if (scan_note_gone(s, i, err) < 0)
			return -1;
	}
	return missing;
}

/* new/ alone, if no message is missing there; 1: read both. */
static int
read_new(struct scan *s, struct err *err)
{
	struct index_totals t;

	if (read_dir(s, true, err) < 0)
		return -1;
	index_totals(s->mb->ix, &t);
	if (s->in_new == t.in_new)
		return 0;
	return look_for_missing(s, true, false, err);
}

/* A rename by somebody else can hide a file from readdir: those that seem to
 * be missing are looked for once more. */
static int
read_both(struct scan *s, struct err *err)
{
	int missing;

	if (read_dir(s, true, err) < 0 || read_dir(s, false, err) < 0)
		return -1;
	missing = look_for_missing(s, false, false, err);
	if (missing <= 0)
		return missing;
	if (read_dir(s, true, err) < 0 || read_dir(s, false, err) < 0)
		return -1;
	return look_for_missing(s, false, true, err) < 0 ? -1 : 0;
}

/* --- what was found --------------------------------------------------------
 */

static struct str
base_of(const struct scan *s, const struct found *f)
{
	return str_mem(s->names.p + f->at, f->basen);
}

static int
by_base(const void *a, const void *b, void *arg)
{
	const struct sort_item *x = a, *y = b;
	const struct scan *s = arg;

	return str_cmp(base_of(s, &s->found[x->value]),
		       base_of(s, &s->found[y->value]));
}

/* By the seconds the name begins with, then by base. */
static int
sort_found(struct scan *s, struct err *err)
{
	size_t n = s->nfound, i, k;
	struct sort_item *v;

	if (n == 0)
		return 0;
	v = reallocarray(NULL, n, 2 * sizeof(*v));
	if (!v)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	s->arrival_memory = v;
	for (i = 0; i < n; i++)
		v[i] = (struct sort_item){ s->found[i].secs, i };
	v = sort_items(v, v + n, n);
	for (i = 0; i < n; i = k) {
		for (k = i + 1; k < n && v[k].key == v[i].key; k++)
			continue;
		if (k > i + 1)
			qsort_r(v + i, k - i, sizeof(*v), by_base, s);
	}
	s->arrivals = v;
	s->narrivals = n;
	return 0;
}

/*
 * Files of one base among the new: seen twice, or twins.  What
 * scan_split_twin() makes of one comes last: it has room, for it is left out
 * itself.
 */
static int
unite_twins(struct scan *s, struct err *err)
{
	char name[MAILDIR_NAME_MAX + 1];
	size_t i, keep = 0, n = s->narrivals;
	struct sort_item *v = s->arrivals;
	struct found *last, *f;
	struct stat st;
	int rc = 0;

	for (i = 0; rc == 0 && i < n; i++) {
		f = &s->found[v[i].value];
		last = keep ? &s->found[v[keep - 1].value] : NULL;
		if (!last || last->secs != f->secs ||
		    !str_eq(base_of(s, last), base_of(s, f))) {
			v[keep++] = v[i];
			continue;
		}
		if (last->disk == f->disk)
			continue;
		if (!file_name(base_of(s, last), last->disk, name) ||
		    fsx_fstatat(file_dir(s->mb, last->disk), name, &st) < 0) {
			v[keep - 1] = v[i]; /* it was renamed */
			continue;
		}
		if (file_name(base_of(s, f), f->disk, name))
			rc = scan_split_twin(s, name, f->disk, err);
	}
	for (i = n; i < s->nfound; i++)
		v[keep++] = (struct sort_item){ s->found[i].secs, i };
	s->narrivals = keep;
	return rc;
}

static int
add_messages(struct scan *s, struct err *err)
{
	struct mailbox *mb = s->mb;
	struct index_totals t;
	struct index_new a;
	uint32_t uid, recent, first;
	const struct sort_item *v = s->arrivals;
	const struct found *f;
	size_t i;

	index_totals(mb->ix, &t);
	recent = t.recent_from;
	first = t.uidnext;
	for (i = 0; i < s->narrivals; i++) {
		f = &s->found[v[i].value];
		/* In the order of the directory, they lie anywhere. */
		if (i + 2 * AHEAD < s->narrivals)
			__builtin_prefetch(&s->found[v[i + 2 * AHEAD].value]);
		if (i + AHEAD < s->narrivals)
			__builtin_prefetch(
				base_of(s, &s->found[v[i + AHEAD].value]).p);
		a = (struct index_new){
			.base = base_of(s, f),
			.disk = f->disk,
			.flags = f->disk & ~MESSAGE_IN_NEW,
			.wsize = f->wsize,
			.mtime = MESSAGE_NO_TIME,
		};
		uid = index_add(mb->ix, &a);
		if (uid == 0)
			return err_set(err, ERR_TEMP, ENOMEM,
				       "no room for a message");
		/* What others have moved to cur/ is not recent; as the recent
		 * ones are a range, nor is what stands before it. */
		if (!(f->disk & MESSAGE_IN_NEW) && recent >= first)
			recent = uid + 1;
	}
	if (recent != t.recent_from)
		index_set_recent(mb->ix, recent);
	return 0;
}

/*
 * Three ways: what the disk says now, what it said when we looked last, what
 * sessions see.  A letter that somebody else has changed is as on the disk,
 * the others stay as they are.
 */
static void
merge_letters(struct mailbox *mb, size_t slot, uint64_t disk)
{
	const struct message *m = index_at(mb->ix, slot);
	uint64_t now = disk & ~MESSAGE_IN_NEW;
	uint64_t foreign = (m->disk & ~MESSAGE_IN_NEW) ^ now;
	uint64_t flags = (m->flags & ~foreign) | (now & foreign);
	uint32_t keywords = m->keywords;

	if (flags != m->flags)
		index_state(mb->ix, slot, flags, keywords);
	index_named(mb->ix, slot, disk);
	if (flags != now)
		work_due(mb, index_at(mb->ix, slot)->uid);
}

/* The directories' times before they are read. */
static int
stamp_now(struct mailbox *mb, struct index_stamp *now)
{
	int64_t settled =
		(int64_t)clock_wall_us() * 1000 - STAMP_MS * 1000000ll;
	struct stat n, c;

	if (fsx_fstat(mb->new, &n) < 0 || fsx_fstat(mb->cur, &c) < 0)
		return -1;
#define NS(t) ((int64_t)(t).tv_sec * 1000000000 + (t).tv_nsec)
	*now = (struct index_stamp){ NS(n.st_mtim), NS(n.st_ctim),
				     NS(c.st_mtim), NS(c.st_ctim) };
	/* A younger time may be the time of a later change, too. */
	if (now->new_mtime_ns >= settled || now->new_ctime_ns >= settled)
		now->new_mtime_ns = now->new_ctime_ns = 0;
	if (now->cur_mtime_ns >= settled || now->cur_ctime_ns >= settled)
		now->cur_mtime_ns = now->cur_ctime_ns = 0;
	return 0;
}

static bool
same_new(const struct index_stamp *a, const struct index_stamp *b)
{
	return a->new_mtime_ns == b->new_mtime_ns &&
	       a->new_ctime_ns == b->new_ctime_ns &&
	       a->new_ctime_ns + a->new_mtime_ns;
}

static bool
same_cur(const struct index_stamp *a, const struct index_stamp *b)
{
	return a->cur_mtime_ns == b->cur_mtime_ns &&
	       a->cur_ctime_ns == b->cur_ctime_ns &&
	       a->cur_ctime_ns + a->cur_mtime_ns;
}

void
scan_look(struct mailbox *mb)
{
	struct index_stamp seen, now;

	index_stamp(mb->ix, &seen);
	if (stamp_now(mb, &now) < 0)
		return;
	if (!same_new(&seen, &now))
		mb->dirty_new = true;
	if (!same_cur(&seen, &now))
		mb->dirty_cur = true;
}

static bool
stamps_differ(const struct index_stamp *a, const struct index_stamp *b)
{
	return memcmp(a, b, sizeof(*a)) != 0;
}

/* All of it in one commit; stamp: NULL if nothing was read. */
static int
apply(struct scan *s, const struct index_stamp *stamp, struct err *err)
{
	struct mailbox *mb = s->mb;
	struct index_stamp old;
	bool renamed;
	size_t i;

	if (sort_found(s, err) < 0 || unite_twins(s, err) < 0)
		return -1;
	index_stamp(mb->ix, &old);
	if (!s->narrivals && !s->nmoved && !s->ngone &&
	    (!stamp || !stamps_differ(stamp, &old)))
		return 0;
	for (i = 0; i < s->nmoved; i++)
		merge_letters(mb, s->moved[i].slot, s->moved[i].disk);
	for (i = 0; i < s->ngone; i++)
		index_gone(mb->ix, s->gone[i]);
	if (s->narrivals && add_messages(s, err) < 0)
		return -1;
	if (stamp)
		index_set_stamp(mb->ix, stamp);
	/* What the log says of names must not outlive the names; nor its stamp
	 * those that we have changed ourselves behind it. */
	renamed = s->nmoved || mb->unsynced;
	mb->unsynced = NAMES_NEW | NAMES_CUR;
	if (renamed && mailbox_sync_names(mb, false, err) < 0)
		return -1;
	return mailbox_commit(mb, s->narrivals > 0, err);
}

static int
merge_locked(struct scan *s, struct err *err)
{
	struct mailbox *mb = s->mb;
	bool cur = mb->dirty_cur;
	struct index_stamp stamp, old;
	int rc;

	s->slots = index_slots(mb->ix);
	s->seen = calloc(s->slots / 8 + 1, 1);
	if (!s->seen)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (!mb->dirty_new && !cur)
		return scan_take_events(s, err) < 0 ? -1 : apply(s, NULL, err);
	/* What events say is seen in the directory as well. */
	mb->dirty_new = mb->dirty_cur = false;
	buf_reset(&mb->events);
	index_stamp(mb->ix, &old);
	if (stamp_now(mb, &stamp) < 0)
		return err_sys(err, errno, "%s", mb->name);
	rc = cur ? 1 : read_new(s, err);
	if (rc == 0) {
		stamp.cur_mtime_ns = old.cur_mtime_ns;
		stamp.cur_ctime_ns = old.cur_ctime_ns;
	} else if (rc > 0) {
		rc = read_both(s, err);
	}
	return rc < 0 ? -1 : apply(s, &stamp, err);
}

int
scan_merge(struct mailbox *mb, struct err *err)
{
	struct scan s = { .mb = mb };
	int rc;

	if (mailbox_lock(mb, err) < 0) {
		/* Events that stay untaken are asked for again at once. */
		buf_reset(&mb->events);
		mb->dirty_new = mb->dirty_cur = true;
		return mb->deleted ? 0 : -1;
	}
	buf_init(&s.names, NAMES_MAX);
	rc = merge_locked(&s, err);
	index_unlock(mb->ix);
	if (rc < 0)
		mb->dirty_new = mb->dirty_cur = true;
	free(s.seen);
	free(s.shifted);
	free(s.found);
	free(s.arrival_memory);
	free(s.moved);
	free(s.gone);
	buf_fini(&s.names);
	return rc;
}

/*
 * All changes up to the directories' present times have been taken in: who
 * made them held the directory's lock until the event was told, and we have
 * waited for that lock and read the events since.
 */
bool
scan_settle(struct mailbox *mb)
{
	struct index_stamp seen, now;
	struct err err;

	if (mb->deleted || mb->wd_cur < 0 || stamp_now(mb, &now) < 0)
		return true; /* no proof to be had: read at the next opening */
	if (!now.new_mtime_ns || !now.cur_mtime_ns)
		return false;
	index_stamp(mb->ix, &seen);
	if (!stamps_differ(&seen, &now))
		return true;
	if (!same_new(&seen, &now))
		scan_barrier(mb->new);
	if (!same_cur(&seen, &now))
		scan_barrier(mb->cur);
	watch_drain(mb->st);
	if (mb->dirty_new || mb->dirty_cur || mb->events.n)
		return false;
	if (mailbox_sync_names(mb, true, &err) < 0 ||
	    mailbox_lock(mb, &err) < 0)
		return true;
	index_set_stamp(mb->ix, &now);
	if (mailbox_commit(mb, false, &err) < 0)
		log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
	index_unlock(mb->ix);
	return true;
}
