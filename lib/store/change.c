/* SPDX-License-Identifier: ISC */
/* Flags and keywords, expunge. */
#include <errno.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

/* --- flags -----------------------------------------------------------------
 */

/* Sets of keywords before and after; a folder has few of them. */
enum { SETS = 16 };
struct change {
	struct mailbox *mb;
	const struct flag_change *c;
	uint32_t *ids; /* of c's keywords that exist */
	size_t nids;
	uint32_t from[SETS], to[SETS];
	size_t nsets;
};

static bool
is_named(const struct change *ch, uint32_t id)
{
	size_t i;

	for (i = 0; i < ch->nids; i++)
		if (ch->ids[i] == id)
			return true;
	return false;
}

/* UINT32_MAX: no memory. */
static uint32_t
make_set(struct change *ch, uint32_t old)
{
	struct index *ix = ch->mb->ix;
	const uint32_t *had;
	size_t i, nhad, n = 0;
	uint32_t *ids, set;

	if (ch->c->how == FLAGS_SET)
		return index_set_make(ix, ch->ids, ch->nids);
	had = index_set(ix, old, &nhad);
	ids = calloc(nhad + ch->nids + 1, sizeof(*ids));
	if (!ids)
		return UINT32_MAX;
	for (i = 0; i < nhad; i++)
		if (!is_named(ch, had[i]))
			ids[n++] = had[i];
	for (i = 0; ch->c->how == FLAGS_ADD && i < ch->nids; i++)
		ids[n++] = ch->ids[i];
	set = n ? index_set_make(ix, ids, n) : 0;
	free(ids);
	return set;
}

static uint32_t
new_set(struct change *ch, uint32_t old)
{
	uint32_t set;
	size_t i;

	if (ch->c->how != FLAGS_SET && ch->nids == 0)
		return old;
	for (i = 0; i < ch->nsets; i++)
		if (ch->from[i] == old)
			return ch->to[i];
	set = make_set(ch, old);
	i = ch->nsets < SETS ? ch->nsets++ : old % SETS;
	ch->from[i] = old;
	ch->to[i] = set;
	return set;
}

static uint64_t
new_flags(const struct flag_change *c, uint64_t old)
{
	/* PASSED is nothing that IMAP knows without its keyword. */
	static const uint64_t imap = MAILDIR_DRAFT | MAILDIR_FLAGGED |
				     MAILDIR_REPLIED | MAILDIR_SEEN |
				     MAILDIR_TRASHED;

	switch (c->how) {
	case FLAGS_ADD:
		return old | c->flags;
	case FLAGS_REMOVE:
		return old & ~c->flags;
	case FLAGS_SET:
		break;
	}
	return (old & ~imap) | c->flags;
}

static int
find_keywords(struct change *ch, struct err *err)
{
	const struct flag_change *c = ch->c;
	size_t i;

	if (c->nkeywords == 0)
		return 0;
	ch->ids = calloc(c->nkeywords, sizeof(*ch->ids));
	if (!ch->ids)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < c->nkeywords; i++) {
		uint32_t id =
			c->how == FLAGS_REMOVE
				? index_keyword_find(ch->mb->ix, c->keywords[i])
				: index_keyword_add(ch->mb->ix, c->keywords[i]);

		if (id != KEYWORD_NONE && !is_named(ch, id))
			ch->ids[ch->nids++] = id;
		else if (id == KEYWORD_NONE && c->how != FLAGS_REMOVE)
			return err_set(err, ERR_PERM, ENOSPC,
				       "Too many keywords");
	}
	return 0;
}

static int
change_locked(struct change *ch, const uint32_t *uids, size_t n,
	      struct err *err)
{
	struct index *ix = ch->mb->ix;
	const struct message *m;
	uint32_t keywords, seen;
	uint64_t flags;
	size_t i, slot = 0, done = 0, slots = index_slots(ix);

	if (find_keywords(ch, err) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		/* Mostly they follow each other. */
		if (i && slot + 1 < slots &&
		    index_at(ix, slot + 1)->uid == uids[i])
			slot++;
		else
			slot = index_lower(ix, uids[i]);
		if (slot == slots)
			break;
		m = index_at(ix, slot);
		if (m->uid != uids[i] || m->gone)
			continue;
		if (ch->c->refused && m->modseq > ch->c->since) {
			ch->c->refused(ch->c->arg, i);
			continue;
		}
		seen = m->keywords;
		flags = new_flags(ch->c, m->flags);
		keywords = new_set(ch, seen);
		if (keywords == UINT32_MAX)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		m = index_at(ix, slot);
		if (flags == m->flags && keywords == m->keywords)
			continue;
		if (flags != m->flags)
			work_due(ch->mb, uids[i]);
		index_state(ix, slot, flags, keywords);
		done++;
	}
	return done ? mailbox_commit(ch->mb, false, err) : 0;
}

int
mailbox_change(struct mailbox *mb, const uint32_t *uids, size_t n,
	       const struct flag_change *c, struct err *err)
{
	struct change ch = { .mb = mb, .c = c };
	int rc;

	if (n == 0)
		return 0;
	if (mailbox_lock(mb, err) < 0)
		return -1;
	rc = change_locked(&ch, uids, n, err);
	index_unlock(mb->ix);
	free(ch.ids);
	mailbox_tell(mb);
	return rc;
}

/* --- expunge ---------------------------------------------------------------
 */

/* Unlink those whose files are where we think; *lost: some are not. */
static int
unlink_files(struct mailbox *mb, const uint32_t *uids, size_t n, size_t *slots,
	     size_t *nslots, bool *lost, struct err *err)
{
	char name[MAILDIR_NAME_MAX + 1];
	size_t i, slot, all = index_slots(mb->ix);
	const struct message *m;
	uint64_t disk;
	int dir;

	*nslots = 0;
	*lost = false;
	for (i = 0; i < n; i++) {
		slot = index_lower(mb->ix, uids[i]);
		if (slot == all)
			break;
		m = index_at(mb->ix, slot);
		if (m->uid != uids[i] || m->gone)
			continue;
		disk = m->disk;
		dir = message_file(mb, m, name);
		if (fsx_unlink(dir, name) < 0) {
			if (errno != ENOENT)
				return err_sys(err, errno, "%s", mb->name);
			*lost = true;
			continue;
		}
		watch_own(mb, disk, name, false);
		mb->unsynced |= names_in(disk);
		slots[(*nslots)++] = slot;
	}
	return 0;
}

/*
 * What was unlinked is gone, also if something failed behind it.
 *
 * The names are durable before the log speaks of them: were the log's word to
 * outlive a name, the file would be there without a UID, and come back as new
 * mail.  The log's word itself is not waited for.  If a power cut takes it, the
 * file is missing and the directory has another time than was ever noted as
 * seen (what notes times stands behind it in the log, and goes as well), so
 * that the next opening finds out that the message is gone: as if another
 * program had removed it, under a new modseq.
 */
static int
expunge_locked(struct mailbox *mb, const uint32_t *uids, size_t n,
	       size_t *slots, bool *lost, struct err *err)
{
	size_t nslots, i;
	struct err sync;
	int rc = unlink_files(mb, uids, n, slots, &nslots, lost, err);

	if (nslots == 0)
		return rc;
	if (mailbox_sync_names(mb, false, &sync) < 0) {
		if (rc == 0)
			*err = sync;
		rc = -1;
	}
	for (i = 0; i < nslots; i++)
		index_gone(mb->ix, slots[i]);
	if (index_commit(mb->ix, false, &sync) < 0) {
		if (rc == 0)
			*err = sync;
		mb->dirty_new = mb->dirty_cur = true;
		return -1;
	}
	work_touch(mb);
	return rc;
}

static bool
any_left(struct mailbox *mb, const uint32_t *uids, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (index_find(mb->ix, uids[i]))
			return true;
	return false;
}

int
mailbox_expunge(struct mailbox *mb, const uint32_t *uids, size_t n,
		struct err *err)
{
	size_t *slots;
	bool lost = false;
	int rc = 0, tries;

	if (n == 0)
		return 0;
	slots = calloc(n, sizeof(*slots));
	if (!slots)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (tries = 0; rc == 0 && tries < 3; tries++) {
		if (mailbox_lock(mb, err) < 0) {
			rc = -1;
			break;
		}
		rc = expunge_locked(mb, uids, n, slots, &lost, err);
		index_unlock(mb->ix);
		if (rc < 0 || !lost)
			break;
		/* Renamed or removed by somebody else. */
		mb->dirty_new = mb->dirty_cur = true;
		rc = mailbox_refresh(mb, err);
	}
	if (rc == 0 && lost && any_left(mb, uids, n))
		rc = err_set(err, ERR_TEMP, EBUSY,
			     "another program keeps renaming the messages");
	free(slots);
	mailbox_tell(mb);
	return rc;
}
