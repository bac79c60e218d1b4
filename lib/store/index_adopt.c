/* SPDX-License-Identifier: ISC */
/* A log that is begun with messages in it; and one that is made anew. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "store/adopt.h"
#include "store/index_int.h"

void
index_drop_blobs(struct index *ix)
{
	enum blob i;

	for (i = BLOB_SEND; i <= BLOB_KEYS; i++) {
		blob_trim(&ix->blob[i]);
		blob_tell_again(&ix->blob[i]);
		(void)!fsx_unlink(ix->dir, ix->blob[i].file);
	}
}

/* Has the folder given these UIDs to these messages, or none at all? */
static enum adopt_result
compare(struct index *ix, const struct adoption *a)
{
	const struct index_totals *t = &ix->s.t;
	ssize_t slot;
	size_t i;

	if (t->uidnext == 1)
		return ADOPT_DONE;
	if (t->uidvalidity != a->uidvalidity)
		return ADOPT_OTHER;
	for (i = 0; i < a->n; i++) {
		if (!a->v[i].listed && !a->v[i].in_tmp)
			continue;
		slot = state_by_base(&ix->s, a->v[i].base);
		if (slot < 0 ||
		    (a->v[i].listed &&
		     state_at(&ix->s, (size_t)slot)->uid != a->v[i].uid))
			return ADOPT_OTHER;
	}
	return ADOPT_SAME;
}

static int
by_id(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return a < b ? -1 : a > b;
}

/* The number of the set of these keywords; UINT32_MAX: there cannot be one. */
static uint32_t
set_of(struct keywords *kw, const struct adopt_message *m)
{
	uint32_t *ids, n = 0, set, k;
	size_t i;

	if (m->nkeywords == 0)
		return 0;
	ids = calloc(m->nkeywords, sizeof(*ids));
	if (!ids)
		return UINT32_MAX;
	for (i = 0; i < m->nkeywords; i++) {
		ids[n] = keywords_find(kw, m->keywords[i]);
		if (ids[n] == KEYWORD_NONE)
			ids[n] = keywords_add(kw, m->keywords[i]);
		for (k = 0; ids[n] != KEYWORD_NONE && ids[k] != ids[n]; k++)
			;
		n += ids[n] != KEYWORD_NONE && k == n;
	}
	qsort(ids, n, sizeof(*ids), by_id);
	set = n ? keywords_find_set(kw, ids, n) : 0;
	if (set == UINT32_MAX)
		set = keywords_add_set(kw, ids, n);
	free(ids);
	return set;
}

/* What the log is to say. */
static int
make_state(struct state *s, const struct adoption *a, uint64_t modseq,
	   struct err *err)
{
	struct ilog_header h = { .uidvalidity = a->uidvalidity,
				 .uidnext = a->uidnext,
				 .modseq = modseq,
				 .floor = modseq };
	size_t i;

	state_from_header(s, &h);
	for (i = 0; i < a->n; i++) {
		const struct adopt_message *v = &a->v[i];
		struct message m = { .uid = v->uid,
				     .flags = v->flags,
				     .disk = v->disk,
				     .wsize = v->wsize,
				     .mtime = MESSAGE_NO_TIME,
				     .modseq = modseq,
				     .keywords = set_of(&s->kw, v) };

		if (m.keywords == UINT32_MAX || state_add(s, &m, v->base) < 0)
			return err_set(err, ERR_TEMP, ENOMEM,
				       "no room for a message");
	}
	s->t.uidnext = a->uidnext;
	s->t.recent_from = a->recent_from;
	return 0;
}

static int
replace(struct index *ix, struct state *s, struct err *err)
{
	index_drop_blobs(ix);
	if (fsx_unlink(ix->dir, SNAPSHOT_NAME) < 0 && errno != ENOENT)
		return err_sys(err, errno, SNAPSHOT_NAME);
	state_fini(&ix->s);
	ix->s = *s;
	state_init(s);
	index_settle(ix);
	return index_write_new(ix, err) < 0 ? -1 : index_flush(ix, err);
}

/* The UIDVALIDITY that it gets: its own, or one that nobody had. */
static int
choose_validity(struct index *ix, struct adoption *a, bool replaces,
		struct err *err)
{
	uint32_t above = ix->s.t.uidvalidity;

	if (!replaces && a->uidvalidity)
		return 0;
	if (above < a->uidvalidity)
		above = a->uidvalidity;
	a->uidvalidity = ix->ops->fresh_validity(ix->arg, above, err);
	return a->uidvalidity ? 0 : -1;
}

static int
adopt_locked(struct index *ix, struct adoption *a, index_ready_fn *ready,
	     enum adopt_result *res, struct err *err)
{
	uint64_t modseq = clock_wall_us();
	struct state s;
	int rc = -1;

	*res = ADOPT_DONE;
	if (ix->size) {
		if (index_read_again(ix, ix->size, err) < 0)
			return -1;
		*res = compare(ix, a);
	}
	if (*res == ADOPT_SAME || (*res == ADOPT_OTHER && !a->force))
		return 0;
	if (choose_validity(ix, a, *res == ADOPT_OTHER, err) < 0)
		return -1;
	*res = ADOPT_DONE;
	if (modseq <= ix->s.t.highestmodseq)
		modseq = ix->s.t.highestmodseq + 1;
	state_init(&s);
	if (make_state(&s, a, modseq, err) == 0 && ready(ix->arg, a, err) == 0)
		rc = replace(ix, &s, err);
	state_fini(&s);
	return rc;
}

int
index_adopt(struct index *ix, struct adoption *a, index_ready_fn *ready,
	    enum adopt_result *res, struct err *err)
{
	bool changed;
	int rc;

	if (index_lock_file(ix, &changed, err) < 0)
		return -1;
	ix->locked = true;
	rc = adopt_locked(ix, a, ready, res, err);
	index_unlock(ix);
	return rc;
}

int
index_rebuild(struct index *ix, struct err *err)
{
	int rc;

	index_compact(ix);
	if (index_lock(ix, err) < 0)
		return -1;
	index_drop_blobs(ix);
	(void)state_history(&ix->s);
	rc = index_write_new(ix, err);
	if (rc == 0)
		rc = index_flush(ix, err);
	if (rc == 0 && !ix->s.t.gone)
		rc = index_save(ix, err);
	index_unlock(ix);
	return rc;
}
