/* SPDX-License-Identifier: ISC */
/* What the log says into memory; and what is done if it is damaged. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/index_int.h"

enum {
	/* UIDs that may have been given since a snapshot was written. */
	SALVAGE_SKIP = 1 << 20,
	/* The log is read in pieces; what follows something bad is looked at as
	 * a whole, if it is not longer. */
	PIECE = 4 << 20,
	REST_MAX = 256 << 20,
};

bool
index_on_record(void *arg, const struct ilog_record *r)
{
	struct index_replay *replay = arg;

	if (state_apply(replay->s, r))
		return true;
	replay->nomem = errno == ENOMEM;
	return false;
}

/* Bytes from..size of the log. */
static int
read_bytes(int fd, uint64_t from, uint64_t size, char **p, struct err *err)
{
	size_t n = (size_t)(size - from);

	*p = malloc(n + 1);
	if (!*p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (fsx_pread_all(fd, *p, n, (off_t)from, err) == 0)
		return 0;
	free(*p);
	*p = NULL;
	return -1;
}

/*
 * What the log says from an offset to its size, into the replay's state; *out
 * as for ilog_parse().  -1: err.
 */
static int
read_records(struct index *ix, uint64_t at, uint64_t size,
	     struct index_replay *replay, struct ilog_parsed *out,
	     enum ilog_result *res, struct err *err)
{
	uint64_t n = size - at;
	bool all = n <= PIECE;
	char *p;

	*res = ILOG_OK;
	out->end = at;
	while (at < size) {
		if (all && size - at > REST_MAX) {
			log_warn("%s: %s: nothing is to be read of its last "
				 "%llu bytes",
				 ix->name, ILOG_NAME,
				 (unsigned long long)(size - at));
			out->uidnext += (size - at) / ILOG_MESSAGE_MIN + 1;
			*res = ILOG_DAMAGED;
			return 0;
		}
		n = all || size - at < PIECE ? size - at : PIECE;
		if (read_bytes(ix->fd, at, at + n, &p, err) < 0)
			return -1;
		if (at + n < size)
			n = ilog_whole(str_mem(p, n));
		*res = n ? ilog_parse(str_mem(p, n), at, index_on_record,
				      replay, out)
			 : ILOG_OK;
		free(p);
		if (at + n == size || replay->nomem)
			return 0;
		/* Bad, or zeros: what is behind says how bad. */
		all = *res != ILOG_OK || n == 0;
		at = out->end;
	}
	return 0;
}

int
index_skip_uids(struct index *ix, uint32_t uidnext, struct err *err)
{
	if (uidnext > ix->p.uidnext)
		ix->p.uidnext = uidnext;
	index_set_recent(ix, ix->s.t.recent_from);
	return index_commit(ix, true, err);
}

/* Cut off what is no whole record at the end, and say durably how many UIDs
 * it could have held. */
static int
drop_tail(struct index *ix, uint64_t uidnext, struct err *err)
{
	log_warn("%s: %s: ignoring what is torn at the end", ix->name,
		 ILOG_NAME);
	if (uidnext >= UINT32_MAX)
		return err_set(err, ERR_PERM, ERANGE, "out of UIDs");
	if (fsx_ftruncate(ix->fd, (off_t)ix->end) < 0)
		return err_sys(err, errno, "%s: truncate", ILOG_NAME);
	ix->size = ix->end;
	return index_skip_uids(ix, (uint32_t)uidnext, err);
}

static void mend(void *arg);

/* The log is another one and says *s, which is taken. */
static void
take_state(struct index *ix, struct state *s)
{
	bool reset = ix->opened;

	if (reset && ix->s.t.uidvalidity == s->t.uidvalidity &&
	    state_merge(&ix->s, s, ix->ops, ix->arg)) {
		state_fini(s);
		return;
	}
	state_fini(&ix->s);
	ix->s = *s;
	state_init(s);
	ix->s.arg = ix->arg;
	ix->s.mend = mend;
	ix->s.mend_arg = ix;
	ix->opened = true;
	if (reset)
		ix->ops->reset(ix->arg);
}

/* Neither log nor snapshot: begin anew. */
static int
start_over(struct index *ix, const char *why, struct err *err)
{
	uint32_t fresh =
		ix->ops->fresh_validity(ix->arg, ix->s.t.uidvalidity, err);
	struct state s;

	if (!fresh)
		return -1;
	log_info("%s: %s %s, new UIDVALIDITY %u", ix->name, ILOG_NAME, why,
		 fresh);
	state_init(&s);
	state_from_header(&s,
			  &(struct ilog_header){ .uidvalidity = fresh,
						 .uidnext = 1,
						 .modseq = clock_wall_us() });
	take_state(ix, &s);
	ix->broken = false;
	if (fsx_unlink(ix->dir, SNAPSHOT_NAME) < 0 && errno != ENOENT)
		log_warn("%s: %s: %m", ix->name, SNAPSHOT_NAME);
	index_drop_blobs(ix);
	index_settle(ix);
	return index_write_new(ix, err) < 0 ? -1 : index_flush(ix, err);
}

/* All blocks in memory; false: not all are to be had. */
static bool
read_blocks(struct index *ix)
{
	size_t i;

	for (i = 0; i < ix->s.nb; i++) {
		state_need(&ix->s, &ix->s.b[i]);
		state_need_names(&ix->s, &ix->s.b[i]);
	}
	return !ix->broken;
}

/* The log is lost, the state is a good part of what it said: the same UIDs, and
 * a new modseq for all, so that clients compare. */
static int
salvage(struct index *ix, uint64_t uidnext, struct err *err)
{
	struct history none = { 0 }, history;
	struct index_totals t = ix->s.t;
	struct state *s = &ix->s;
	uint64_t modseq;
	size_t i;
	int rc;

	if (uidnext < t.uidnext)
		uidnext = t.uidnext;
	if (uidnext >= UINT32_MAX || !read_blocks(ix))
		return start_over(ix, "is damaged", err);
	log_warn("%s: %s is missing or damaged, made anew", ix->name,
		 ILOG_NAME);
	index_drop_pending(ix);
	modseq = index_change_modseq(ix);
	index_drop_pending(ix);
	history = *state_history(s);
	none.floor = modseq;
	s->history = none;
	s->t.uidnext = (uint32_t)uidnext;
	s->t.highestmodseq = modseq;
	for (i = 0; i < s->slots; i++)
		state_edit(s, i)->modseq = modseq;
	rc = index_write_new(ix, err);
	if (rc == 0) {
		history_fini(&history);
		return index_flush(ix, err);
	}
	/* The file is what it was; the messages have their new modseq. */
	s->history = history;
	s->t = t;
	s->t.highestmodseq = modseq;
	return -1;
}

int
index_read_tail(struct index *ix, uint64_t size, struct err *err)
{
	struct ilog_parsed parsed = { .uidnext = ix->s.t.uidnext,
				      .durable = ix->durable };
	struct index_replay replay = { .s = &ix->s };
	size_t slots = ix->s.slots;
	uint64_t old = ix->end;
	enum ilog_result res;
	int rc;

	ix->s.ops = ix->opened ? ix->ops : NULL;
	rc = read_records(ix, ix->end, size, &replay, &parsed, &res, err);
	ix->s.ops = NULL;
	/* What a first piece said may be in the state. */
	ix->broken |= replay.nomem || (rc < 0 && parsed.end != old);
	if (rc < 0)
		return -1;
	if (replay.nomem)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (res == ILOG_DAMAGED)
		return salvage(ix, parsed.uidnext, err);
	ix->end = parsed.end;
	ix->durable = parsed.durable;
	index_settle(ix);
	if (res == ILOG_TORN)
		return drop_tail(ix, parsed.uidnext, err);
	if (ix->end != old)
		index_note_unsynced(ix);
	/* Whoever gave these UIDs may have died before they were durable. */
	if (ix->s.slots != slots)
		return index_flush(ix, err);
	return 0;
}

/* The whole log.  0; 1: damaged, nothing; -1: err. */
static int
read_whole(struct index *ix, uint64_t size, struct state *s,
	   struct ilog_parsed *parsed, struct err *err)
{
	struct index_replay replay = { .s = s };
	char head[ILOG_HEADER];
	struct ilog_header h;
	enum ilog_result res;

	if (size < ILOG_HEADER || size > ILOG_MAX)
		return 1;
	if (fsx_pread_all(ix->fd, head, sizeof(head), 0, err) < 0)
		return -1;
	if (!ilog_get_header(str_mem(head, sizeof(head)), &h))
		return 1;
	state_from_header(s, &h);
	parsed->uidnext = h.uidnext;
	if (read_records(ix, ILOG_HEADER, size, &replay, parsed, &res, err) < 0)
		return -1;
	ix->id = h.id;
	if (replay.nomem)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (res == ILOG_OK)
		parsed->uidnext = s->t.uidnext;
	return res == ILOG_DAMAGED;
}

/* --- from the snapshot, with the rest of the log --------------------------
 */

enum { LOG_OTHER, LOG_SAME, LOG_LOST };

/* Is it the log of this id, and is what it said up to `end` still there?  -1:
 * err. */
static int
compare(struct index *ix, uint64_t id, uint64_t end, const char tail[8],
	uint64_t size, struct err *err)
{
	char p[ILOG_HEADER];
	struct ilog_header h;

	if (size < sizeof(p) || end < sizeof(p))
		return LOG_OTHER;
	if (fsx_pread_all(ix->fd, p, sizeof(p), 0, err) < 0)
		return -1;
	if (!ilog_get_header(str_mem(p, sizeof(p)), &h) || h.id != id)
		return LOG_OTHER;
	if (end > size)
		return LOG_LOST;
	if (tail && fsx_pread_all(ix->fd, p, 8, (off_t)(end - 8), err) < 0)
		return -1;
	return tail && memcmp(p, tail, 8) != 0 ? LOG_LOST : LOG_SAME;
}

static void
take_snapshot(struct index *ix, struct state *s)
{
	const struct snapshot *sn = s->snap;
	enum blob i;

	for (i = BLOB_SEND; i <= BLOB_KEYS; i++)
		blob_known(&ix->blob[i], sn->blob_id[i], sn->blob_end[i],
			   sn->blob_n[i]);
	ix->id = sn->log_id;
	ix->end = ix->durable = ix->saved = sn->log_end;
	ix->restated = sn->restated;
	take_state(ix, s);
	index_settle(ix);
}

/* --- without the log ------------------------------------------------------ */

/* The whole log says *s. */
static int
take_whole(struct index *ix, struct state *s, const struct ilog_parsed *parsed,
	   struct err *err)
{
	take_state(ix, s);
	ix->broken = false;
	ix->end = ix->restated = parsed->end;
	ix->durable = parsed->durable;
	ix->saved = 0;
	index_settle(ix);
	if (parsed->uidnext > ix->s.t.uidnext)
		return drop_tail(ix, parsed->uidnext, err);
	return index_flush(ix, err);
}

/* The log cannot be read.  snap: what the snapshot says, or new. */
static int
do_without(struct index *ix, struct state *snap, bool is_new, struct err *err)
{
	if (!(ix->opened && !ix->broken) && snap->snap)
		take_snapshot(ix, snap);
	if (ix->opened && !ix->broken)
		return salvage(ix, (uint64_t)ix->s.t.uidnext + SALVAGE_SKIP,
			       err);
	return start_over(ix, is_new ? "is new" : "is damaged", err);
}

int
index_read_again(struct index *ix, uint64_t size, struct err *err)
{
	struct ilog_parsed parsed = { 0 };
	struct state s, snap;
	const struct snapshot *sn;
	int rc = LOG_OTHER;

	state_init(&s);
	state_init(&snap);
	if (ix->opened && !ix->broken) {
		rc = compare(ix, ix->id, ix->end, NULL, size, err);
	} else if (!ix->opened && index_load(ix->dir, &snap)) {
		sn = snap.snap;
		rc = compare(ix, sn->log_id, sn->log_end, sn->log_tail, size,
			     err);
		if (rc == LOG_SAME)
			take_snapshot(ix, &snap);
	}
	if (rc == LOG_SAME)
		return size == ix->end ? 0 : index_read_tail(ix, size, err);
	if (rc < 0) {
		state_fini(&snap);
		return -1;
	}
	if (rc == LOG_LOST)
		rc = 1;
	else
		rc = read_whole(ix, size, &s, &parsed, err);
	/* A log that was begun after the snapshot makes that worthless. */
	if (s.t.uidvalidity > snap.t.uidvalidity)
		state_fini(&snap);
	if (s.t.uidvalidity > ix->s.t.uidvalidity && rc > 0 && !ix->opened)
		ix->s.t.uidvalidity = s.t.uidvalidity;
	if (rc == 0)
		rc = take_whole(ix, &s, &parsed, err);
	else if (rc > 0)
		rc = do_without(ix, &snap, size == 0, err);
	state_fini(&s);
	state_fini(&snap);
	return rc;
}

/* --- a block of the snapshot that is bad ---------------------------------- */

/* There is no way to know them: gone, until all is read again. */
static void
fill_unknown(struct index *ix, struct block *b)
{
	uint32_t i;

	for (i = 0; i < b->n; i++)
		b->m[i] = (struct message){ .uid = i + 1 == b->n ? b->last_uid
								 : b->uid + i,
					    .gone = true };
	b->ngone = b->n;
	ix->s.t.gone += b->n;
	ix->broken = true;
}

/* The messages of a block, from what the log says. */
static void
fill(struct index *ix, struct block *b, struct state *from)
{
	size_t slot = state_lower(from, b->uid);
	const struct message *m = NULL;
	uint32_t n = 0;

	b->m = reallocarray(NULL, b->n, sizeof(*b->m));
	b->room = b->n;
	BUG_ON(!b->m);
	for (; slot < from->slots && n < b->n; slot++) {
		m = state_at(from, slot);
		if (!m->gone)
			b->m[n++] = *m;
	}
	if (n != b->n || b->m[0].uid != b->uid ||
	    b->m[n - 1].uid != b->last_uid)
		fill_unknown(ix, b);
}

static void
fill_names(struct block *b, struct state *from)
{
	const struct message *m;
	struct str base;
	size_t slot;
	uint32_t i;

	free(b->names);
	b->names_size = (size_t)b->n * MAILDIR_NAME_MAX + 1;
	b->names = malloc(b->names_size);
	BUG_ON(!b->names);
	b->names_n = 0;
	for (i = 0; i < b->n; i++) {
		slot = state_lower(from, b->m[i].uid);
		m = slot < from->slots ? state_at(from, slot) : NULL;
		base = m && m->uid == b->m[i].uid ? state_base(from, m)
						  : STR_NULL;
		b->m[i].name = b->names_n;
		b->m[i].basen = (uint8_t)base.n;
		if (base.n)
			memcpy(b->names + b->names_n, base.p, base.n);
		b->names_n += base.n;
	}
}

static void
mend(void *arg)
{
	struct index *ix = arg;
	struct ilog_parsed parsed = { 0 };
	uint64_t id = ix->id;
	struct state s;
	struct err err;
	size_t i;

	log_warn("%s: %s is damaged, made anew", ix->name, SNAPSHOT_NAME);
	state_init(&s);
	if (read_whole(ix, ix->end, &s, &parsed, &err) || ix->id != id) {
		state_fini(&s);
		ix->broken = true;
	}
	for (i = 0; i < ix->s.nb; i++) {
		struct block *b = &ix->s.b[i];

		if (!b->file)
			continue;
		if (!b->m)
			fill(ix, b, &s);
		fill_names(b, &s);
		b->file = 0;
		b->dirty = true;
	}
	if (ix->s.history_due) {
		history_fini(&ix->s.history);
		ix->s.history = s.history;
		s.history = (struct history){ 0 };
	}
	state_drop_snapshot(&ix->s);
	state_fini(&s);
	blob_tell_again(&ix->blob[BLOB_SEND]);
	blob_tell_again(&ix->blob[BLOB_KEYS]);
	ix->id = id;
	ix->saved = 0;
}
