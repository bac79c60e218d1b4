/* SPDX-License-Identifier: ISC */
/* An open folder: its index, and the views that follow it. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

enum {
	FEED_MAX = 65536,    /* more: the views look at everything */
	EVENTS_MAX = 262144, /* bytes of names; more: the folder is read */
};

struct mailbox *
mailbox_new(struct store *st, const char *name)
{
	struct mailbox *mb = calloc(1, sizeof(*mb));

	if (!mb)
		return NULL;
	mb->st = st;
	list_init(&mb->link);
	list_init(&mb->views);
	memcpy(mb->name, name, strlen(name) + 1);
	mb->dir = mb->cur = mb->new = mb->tmp = -1;
	mb->wd_cur = mb->wd_new = -1;
	mb->feed_base = 1;
	buf_init(&mb->events, EVENTS_MAX);
	return mb;
}

void
mailbox_free(struct mailbox *mb)
{
	struct err err;

	BUG_ON(!list_empty(&mb->views));
	watch_unbox(mb);
	list_remove(&mb->link);
	if (mb->ix) {
		if (mailbox_sync_names(mb, false, &err) < 0)
			log_warn("%s: %s", mb->name, err.text);
		index_close(mb->ix);
	}
	if (mb->cur >= 0)
		fsx_close(mb->cur);
	if (mb->new >= 0)
		fsx_close(mb->new);
	if (mb->tmp >= 0)
		fsx_close(mb->tmp);
	if (mb->dir >= 0)
		fsx_close(mb->dir);
	buf_fini(&mb->events);
	free(mb->feed);
	free(mb->due);
	free(mb);
}

/* --- what the index tells --------------------------------------------------
 */

static void
on_changed(void *arg, size_t slot)
{
	struct mailbox *mb = arg;
	size_t size;
	uint32_t *v;

	mb->news = true;
	if (list_empty(&mb->views) || mb->nfeed == FEED_MAX) {
		mb->feed_base += mb->nfeed + 1;
		mb->nfeed = 0;
		return;
	}
	if (mb->nfeed == mb->feed_size) {
		size = mb->feed_size ? mb->feed_size * 2 : 64;
		v = realloc(mb->feed, size * sizeof(*v));
		if (!v) { /* the views will look at everything */
			mb->feed_base += mb->nfeed + 1;
			mb->nfeed = 0;
			return;
		}
		mb->feed = v;
		mb->feed_size = size;
	}
	mb->feed[mb->nfeed++] = (uint32_t)slot;
}

static void
on_added(void *arg, size_t slot)
{
	struct mailbox *mb = arg;

	(void)slot;
	mb->news = true;
}

static void
on_reset(void *arg)
{
	struct mailbox *mb = arg;

	log_warn("%s: UIDVALIDITY has changed, sessions must reopen", mb->name);
	watch_unbox(mb);
	mb->deleted = true;
	mb->news = true;
}

static uint32_t
on_fresh_validity(void *arg, uint32_t above, struct err *err)
{
	struct mailbox *mb = arg;

	return store_fresh_validity(mb->st, above, err);
}

const struct index_ops mailbox_index_ops = {
	.changed = on_changed,
	.added = on_added,
	.reset = on_reset,
	.fresh_validity = on_fresh_validity,
};

int
mailbox_lock(struct mailbox *mb, struct err *err)
{
	if (mb->deleted)
		return err_set(err, ERR_PERM, ENOENT, "Mailbox is gone");
	if (index_lock(mb->ix, err) < 0)
		return -1;
	if (!mb->deleted)
		return 0;
	index_unlock(mb->ix);
	return err_set(err, ERR_TEMP, ESTALE, "Mailbox has been replaced");
}

int
mailbox_sync_names(struct mailbox *mb, bool all, struct err *err)
{
	unsigned dirs = mb->unsynced | (all ? mb->unsettled : 0);

	if ((dirs & NAMES_CUR && fsx_fsync(mb->cur) < 0) ||
	    (dirs & NAMES_NEW && fsx_fsync(mb->new) < 0))
		return err_sys(err, errno, "fsync of a folder");
	mb->unsynced &= ~dirs;
	mb->unsettled &= ~dirs;
	return 0;
}

int
mailbox_commit(struct mailbox *mb, bool sync, struct err *err)
{
	if (sync && mailbox_sync_names(mb, false, err) < 0)
		return -1;
	if (index_commit(mb->ix, sync, err) < 0)
		return -1;
	work_touch(mb);
	return 0;
}

int
mailbox_keyword_set_make(struct mailbox *mb, const struct str *names, size_t n,
			 uint32_t *set, struct err *err)
{
	uint32_t *ids;
	size_t i;

	*set = 0;
	if (n == 0)
		return 0;
	ids = calloc(n, sizeof(*ids));
	if (!ids)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		ids[i] = index_keyword_add(mb->ix, names[i]);
		if (ids[i] == KEYWORD_NONE) {
			free(ids);
			return err_set(err, ERR_PERM, ENOSPC,
				       "Too many keywords");
		}
	}
	*set = index_set_make(mb->ix, ids, n);
	free(ids);
	return *set == UINT32_MAX
		       ? err_set(err, ERR_TEMP, ENOMEM, "out of memory")
		       : 0;
}

/* --- looking ---------------------------------------------------------------
 */

size_t
mailbox_slots(const struct mailbox *mb)
{
	return index_slots(mb->ix);
}

const struct message *
mailbox_at(struct mailbox *mb, size_t slot)
{
	/* A slot from before the folder's UIDVALIDITY changed. */
	static const struct message none = { .gone = true };

	return slot < index_slots(mb->ix) ? index_at(mb->ix, slot) : &none;
}

size_t
mailbox_lower(struct mailbox *mb, uint32_t uid)
{
	return index_lower(mb->ix, uid);
}

const struct message *
mailbox_find(struct mailbox *mb, uint32_t uid)
{
	return index_find(mb->ix, uid);
}

struct str
mailbox_base(struct mailbox *mb, uint32_t uid)
{
	const struct message *m = index_find(mb->ix, uid);

	return m ? index_base(mb->ix, m) : STR("");
}

const char *
mailbox_name(const struct mailbox *mb)
{
	return mb->name;
}

bool
mailbox_deleted(const struct mailbox *mb)
{
	return mb->deleted;
}

void
mailbox_totals(const struct mailbox *mb, struct index_totals *out)
{
	index_totals(mb->ix, out);
}

size_t
mailbox_keywords(const struct mailbox *mb)
{
	return index_keywords(mb->ix);
}

const char *
mailbox_keyword(const struct mailbox *mb, uint32_t id)
{
	return index_keyword(mb->ix, id);
}

uint32_t
mailbox_keyword_find(const struct mailbox *mb, struct str name)
{
	return index_keyword_find(mb->ix, name);
}

const uint32_t *
mailbox_keyword_set(const struct mailbox *mb, uint32_t set, size_t *n)
{
	return index_set(mb->ix, set, n);
}

bool
mailbox_has_keyword(const struct mailbox *mb, const struct message *m,
		    uint32_t id)
{
	return index_set_has(mb->ix, m->keywords, id);
}

bool
mailbox_vanished(struct mailbox *mb, uint64_t since, index_range_fn *fn,
		 void *arg)
{
	return index_vanished(mb->ix, since, fn, arg);
}

bool
mailbox_blob(struct mailbox *mb, const struct message *m, enum blob which,
	     struct str *out)
{
	return index_blob(mb->ix, m, which, out);
}

void
mailbox_blob_put(struct mailbox *mb, uint32_t uid, enum blob which,
		 struct str s)
{
	size_t slot = index_lower(mb->ix, uid);
	const struct message *m;

	m = slot < index_slots(mb->ix) ? index_at(mb->ix, slot) : NULL;
	if (mb->deleted || !m || m->uid != uid || m->gone)
		return;
	index_blob_put(mb->ix, slot, which, s);
	work_touch(mb);
}

/* --- file names ------------------------------------------------------------
 */

bool
file_name(struct str base, uint64_t disk, char *out)
{
	uint64_t letters = disk & ~MESSAGE_IN_NEW;
	size_t n = base.n;
	unsigned bit;

	if (n > MAILDIR_NAME_MAX)
		return false;
	memcpy(out, base.p, n);
	if (letters || !(disk & MESSAGE_IN_NEW)) {
		if (n + 3 + (size_t)__builtin_popcountll(letters) >
		    MAILDIR_NAME_MAX)
			return false;
		memcpy(out + n, ":2,", 3);
		n += 3;
	}
	for (bit = 0; letters; bit++, letters >>= 1)
		if (letters & 1)
			out[n++] =
				(char)(bit < 26 ? 'A' + bit : 'a' + bit - 26);
	out[n] = '\0';
	return true;
}

int
message_file(struct mailbox *mb, const struct message *m, char *out)
{
	uint64_t disk = m->disk;

	if (!file_name(index_base(mb->ix, m), disk, out))
		*out = '\0'; /* no file has such a name */
	return file_dir(mb, disk);
}

/* --- views -----------------------------------------------------------------
 */

void
mailbox_watch_add(struct mailbox *mb, struct mailbox_watch *w)
{
	list_append(&mb->views, &w->link);
	w->at = mb->feed_base + mb->nfeed;
	w->holds = false;
}

void
mailbox_watch_remove(struct mailbox_watch *w)
{
	list_remove(&w->link);
}

/* What all views have read is dropped. */
static void
feed_trim(struct mailbox *mb)
{
	uint64_t end = mb->feed_base + mb->nfeed;
	struct list *it;

	list_for_each (it, &mb->views)
		if (LIST_OF(it, struct mailbox_watch, link)->at != end)
			return;
	mb->feed_base = end;
	mb->nfeed = 0;
}

bool
mailbox_feed(struct mailbox *mb, struct mailbox_watch *w, size_t *slot)
{
	uint64_t end = mb->feed_base + mb->nfeed;

	if (w->at == end)
		return false;
	if (w->at < mb->feed_base) {
		*slot = FEED_ALL;
		w->at = end;
	} else {
		*slot = mb->feed[w->at - mb->feed_base];
		w->at++;
	}
	if (w->at == end)
		feed_trim(mb);
	return true;
}

void
mailbox_tell(struct mailbox *mb)
{
	struct list *it;

	if (!mb->news)
		return;
	mb->news = false;
	list_for_each (it, &mb->views) {
		struct mailbox_watch *w =
			LIST_OF(it, struct mailbox_watch, link);

		w->on_change(w);
	}
}

void
mailbox_claim_recent(struct mailbox *mb, uint32_t *from)
{
	struct index_totals t;
	struct err err;

	index_totals(mb->ix, &t);
	*from = t.recent_from;
	if (t.recent_from < t.uidnext) {
		if (mailbox_lock(mb, &err) < 0)
			goto fail;
		index_totals(mb->ix, &t);
		*from = t.recent_from;
		index_set_recent(mb->ix, t.uidnext);
		if (mailbox_commit(mb, false, &err) < 0)
			goto unlock;
		index_unlock(mb->ix);
	}
	mb->claimed = t.uidnext;
	if (t.in_new)
		work_claimed(mb, t.in_new);
	return;
unlock:
	index_unlock(mb->ix);
fail:
	/* The next session is told once more. */
	log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
}

/* --- what others did -------------------------------------------------------
 */

/* Its directories were removed or replaced. */
static int
lost(struct mailbox *mb)
{
	log_info("%s: it is not there any more", mb->name);
	watch_unbox(mb);
	mb->deleted = mb->news = true;
	mailbox_tell(mb);
	return 0;
}

int
mailbox_refresh(struct mailbox *mb, struct err *err)
{
	int rc;

	if (mb->deleted)
		return 0;
	watch_drain(mb->st);
	if (mb->unsure && !store_is_whole(mb))
		return lost(mb);
	mb->unsure = false;
	rc = index_catch_up(mb->ix, err);
	if (rc == 0 && !mb->deleted) {
		if (mb->wd_cur < 0)
			scan_look(mb);
		if (mb->dirty_new || mb->dirty_cur || mb->events.n ||
		    buf_overflown(&mb->events))
			rc = scan_merge(mb, err);
	}
	if (rc < 0 && !store_is_whole(mb))
		return lost(mb);
	mailbox_tell(mb);
	return rc;
}
