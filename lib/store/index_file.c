/* SPDX-License-Identifier: ISC */
/* The log as a file: reading it, writing it, and the lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/rand.h"
#include "store/index_int.h"

enum {
	FLUSH_MS = 1000,
	/* UIDs that may have been given since a snapshot was written. */
	SALVAGE_SKIP = 1 << 20,
};

/* --- making it durable ---------------------------------------------------- */

static int
sync_log(struct index *ix, struct err *err)
{
	int dir;

	if (ix->dir_dirty) {
		dir = fsx_open(ix->dir, ".", O_RDONLY | O_DIRECTORY, 0);
		if (dir < 0)
			return err_sys(err, errno, "%s", ILOG_NAME);
		ix->dir_dirty = fsx_fsync(dir) < 0;
		fsx_close(dir);
		if (ix->dir_dirty)
			return err_sys(err, EIO, "%s: fsync of the directory",
				       ILOG_NAME);
	}
	if (fsx_fdatasync(ix->fd) < 0)
		return err_sys(err, errno, "%s: sync", ILOG_NAME);
	return 0;
}

int
index_flush(struct index *ix, struct err *err)
{
	if (ix->durable == ix->end || ix->fd < 0)
		return 0;
	if (sync_log(ix, err) < 0)
		return -1;
	ix->durable = ix->end;
	ix->unsynced_since = 0;
	return 0;
}

int
index_flush_due(const struct index *ix)
{
	uint64_t now = clock_mono_ms(), due = ix->unsynced_since + FLUSH_MS;

	if (!ix->unsynced_since)
		return -1;
	return now >= due ? 0 : (int)(due - now);
}

static void
note_unsynced(struct index *ix)
{
	if (!ix->unsynced_since)
		ix->unsynced_since = clock_mono_ms();
}

/* --- writing it anew ------------------------------------------------------ */

struct writer {
	struct buf b;
	size_t record;
	struct ilog_record r;
};

static void
write_entry(struct writer *w, const struct ilog_entry *e)
{
	if (w->b.n - w->record > ILOG_BODY_FULL) {
		ilog_end(&w->b, w->record, &w->r);
		w->record = w->b.n;
		ilog_begin(&w->b);
	}
	ilog_put(&w->b, e);
}

static void
write_keywords(struct writer *w, const struct keywords *kw)
{
	const uint32_t *ids;
	size_t n, i, at;
	uint32_t k;

	for (k = 0; k < kw->n; k++)
		write_entry(w, &(struct ilog_entry){
				       .kind = ILOG_KEYWORD,
				       .number = k,
				       .text = str_of(kw->v[k]->name) });
	for (k = 1; k < kw->nsets; k++) {
		write_entry(w, &(struct ilog_entry){ .kind = ILOG_SET,
						     .number = k });
		at = w->b.n - 9;
		ids = keywords_set(kw, k, &n);
		for (i = 0; i < n; i++)
			ilog_put_id(&w->b, at, ids[i]);
	}
}

static void
write_messages(struct writer *w, struct state *s)
{
	const struct message *m;
	size_t slot;

	for (slot = 0; slot < s->slots; slot++) {
		m = state_at(s, slot);
		if (!m->gone)
			write_entry(w, &(struct ilog_entry){
					       .kind = ILOG_MESSAGE,
					       .uid = m->uid,
					       .modseq = m->modseq,
					       .flags = m->flags,
					       .disk = m->disk,
					       .set = m->keywords,
					       .wsize = m->wsize,
					       .mtime = m->mtime,
					       .text = state_base(s, m) });
	}
}

static void
write_history(struct writer *w, const struct history *h)
{
	size_t i;

	for (i = 0; i < h->n; i++) {
		write_entry(w,
			    &(struct ilog_entry){ .kind = ILOG_EXPUNGED,
						  .modseq = h->v[i].modseq });
		ilog_put_range(&w->b, w->b.n - 13, h->v[i].lo, h->v[i].hi);
	}
}

/* All of the state, as a log. */
static void
write_state(struct writer *w, struct state *s, uint64_t id)
{
	struct ilog_header h = { .uidvalidity = s->t.uidvalidity,
				 .uidnext = s->t.uidnext,
				 .modseq = s->t.highestmodseq,
				 .floor = s->history.floor,
				 .id = id };
	const struct index_stamp *t = &s->stamp;

	ilog_put_header(&w->b, &h);
	w->r.modseq = h.modseq;
	w->r.uidnext = h.uidnext;
	w->record = w->b.n;
	ilog_begin(&w->b);
	write_keywords(w, &s->kw);
	write_history(w, &s->history);
	write_messages(w, s);
	write_entry(w, &(struct ilog_entry){ .kind = ILOG_RECENT,
					     .uid = s->t.recent_from });
	write_entry(w, &(struct ilog_entry){
			       .kind = ILOG_STAMP,
			       .stamp = { t->new_mtime_ns, t->new_ctime_ns,
					  t->cur_mtime_ns, t->cur_ctime_ns } });
	ilog_end(&w->b, w->record, &w->r);
}

/* The file that gets the log's name: written, synced, and locked. */
static int
make_file(struct index *ix, struct str text, struct err *err)
{
	int fd = fsx_open(ix->dir, "." ILOG_NAME ".new",
			  O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "." ILOG_NAME ".new");
	if (fsx_pwrite_all(fd, text.p, text.n, 0, err) < 0)
		goto fail;
	if (fsx_lock(fd, false) < 0 || fsx_fsync(fd) < 0 ||
	    fsx_rename(ix->dir, "." ILOG_NAME ".new", ix->dir, ILOG_NAME) < 0) {
		err_sys(err, errno, "." ILOG_NAME ".new");
		goto fail;
	}
	return fd;
fail:
	fsx_close(fd);
	return -1;
}

int
index_write_new(struct index *ix, struct err *err)
{
	struct writer w = { 0 };
	uint64_t id = rand_u64();
	struct stat st;
	int fd = -1;

	buf_init(&w.b, ILOG_MAX);
	write_state(&w, &ix->s, id);
	if (buf_overflown(&w.b))
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else
		fd = make_file(ix, buf_str(&w.b), err);
	if (fd >= 0) {
		if (ix->fd >= 0)
			fsx_close(ix->fd);
		ix->fd = fd;
		ix->id = id;
		ix->end = ix->durable = ix->restated = w.b.n;
		ix->unsynced_since = 0;
		ix->dir_dirty = true;
		ix->ino = ix->dev = 0;
		if (fsx_fstat(fd, &st) == 0) {
			ix->ino = st.st_ino;
			ix->dev = st.st_dev;
		}
		if (sync_log(ix, err) < 0)
			fd = -1;
	}
	buf_fini(&w.b);
	return fd < 0 ? -1 : 0;
}

/* --- reading it ----------------------------------------------------------- */

struct replay {
	struct state *s;
	bool nomem;
};

static bool
on_record(void *arg, const struct ilog_record *r)
{
	struct replay *replay = arg;

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
	ix->p.uidnext = (uint32_t)uidnext;
	index_set_recent(ix, ix->s.t.recent_from);
	return index_commit(ix, true, err);
}

/* What others appended, up to size.  0; 1: damaged; -1: err. */
static int
read_tail(struct index *ix, uint64_t size, struct err *err)
{
	struct ilog_parsed parsed = { .uidnext = ix->s.t.uidnext,
				      .durable = ix->durable };
	struct replay replay = { .s = &ix->s };
	size_t slots = ix->s.slots;
	uint64_t gone = ix->s.t.gone, old = ix->end;
	enum ilog_result res;
	char *p;

	if (read_bytes(ix->fd, ix->end, size, &p, err) < 0)
		return -1;
	ix->s.ops = ix->ops;
	res = ilog_parse(str_mem(p, size - ix->end), ix->end, on_record,
			 &replay, &parsed);
	ix->s.ops = NULL;
	free(p);
	ix->broken = replay.nomem;
	if (replay.nomem)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (res == ILOG_DAMAGED) {
		ix->p.uidnext = parsed.uidnext < UINT32_MAX
					? (uint32_t)parsed.uidnext
					: UINT32_MAX;
		return 1;
	}
	ix->end = parsed.end;
	ix->durable = parsed.durable;
	index_settle(ix);
	if (res == ILOG_TORN)
		return drop_tail(ix, parsed.uidnext, err);
	if (ix->end != old)
		note_unsynced(ix);
	/* Whoever wrote this may have died before it was durable. */
	if (ix->s.slots != slots || ix->s.t.gone != gone)
		return index_flush(ix, err);
	return 0;
}

/* The whole log.  0; 1: damaged, nothing; -1: err. */
static int
read_whole(struct index *ix, uint64_t size, struct state *s,
	   struct ilog_parsed *parsed, struct err *err)
{
	struct replay replay = { .s = s };
	struct ilog_header h;
	enum ilog_result res;
	char *p;
	int rc = 1;

	if (size < ILOG_HEADER || size > ILOG_MAX)
		return 1;
	if (read_bytes(ix->fd, 0, size, &p, err) < 0)
		return -1;
	if (ilog_get_header(str_mem(p, size), &h)) {
		state_from_header(s, &h);
		ix->id = h.id;
		parsed->uidnext = h.uidnext;
		res = ilog_parse(str_mem(p + ILOG_HEADER, size - ILOG_HEADER),
				 ILOG_HEADER, on_record, &replay, parsed);
		rc = res == ILOG_DAMAGED;
		if (replay.nomem)
			rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		else if (res == ILOG_OK)
			parsed->uidnext = s->t.uidnext;
	}
	free(p);
	return rc;
}

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
	ix->s.arg = ix->arg;
	ix->opened = true;
	if (reset)
		ix->ops->reset(ix->arg);
}

/* --- mending -------------------------------------------------------------- */

/* The log is lost, s is a good part of what it said: the same UIDs, and a new
 * modseq for all, so that clients compare. */
static int
salvage(struct index *ix, uint64_t uidnext, struct err *err)
{
	struct state *s = &ix->s;
	uint64_t modseq;
	size_t i;

	log_warn("%s: %s is missing or damaged, made anew", ix->name,
		 ILOG_NAME);
	if (uidnext < s->t.uidnext)
		uidnext = s->t.uidnext;
	if (uidnext > UINT32_MAX / 2 * 2)
		return err_set(err, ERR_PERM, ERANGE, "out of UIDs");
	s->t.uidnext = (uint32_t)uidnext;
	modseq = index_change_modseq(ix);
	s->t.highestmodseq = modseq;
	s->history.n = 0;
	s->history.floor = modseq;
	for (i = 0; i < s->slots; i++)
		state_edit(s, i)->modseq = modseq;
	index_drop_pending(ix);
	return index_write_new(ix, err);
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
	index_settle(ix);
	return index_write_new(ix, err);
}

/* The file that has the name now says something else than we know. */
static int
read_again(struct index *ix, uint64_t size, struct err *err)
{
	struct ilog_parsed parsed = { 0 };
	struct state s;
	int rc;

	state_init(&s);
	rc = read_whole(ix, size, &s, &parsed, err);
	if (rc) {
		if (rc > 0 && s.t.uidvalidity > ix->s.t.uidvalidity &&
		    !ix->opened)
			ix->s.t.uidvalidity = s.t.uidvalidity;
		state_fini(&s);
		if (rc < 0)
			return -1;
		if (ix->opened && !ix->broken)
			return salvage(ix,
				       (uint64_t)ix->s.t.uidnext + SALVAGE_SKIP,
				       err);
		return start_over(ix, size ? "is damaged" : "is new", err);
	}
	take_state(ix, &s);
	ix->broken = false;
	ix->end = ix->restated = parsed.end;
	ix->durable = parsed.durable;
	index_settle(ix);
	if (parsed.uidnext > ix->s.t.uidnext)
		return drop_tail(ix, parsed.uidnext, err);
	return index_flush(ix, err);
}

/* --- the lock ------------------------------------------------------------- */

static void
close_log(struct index *ix)
{
	if (ix->fd >= 0)
		fsx_close(ix->fd);
	ix->fd = -1;
	ix->ino = 0;
}

/* Open if needed and lock; *changed: it is not the file we had. */
static int
lock_current(struct index *ix, bool *changed, uint64_t *size, struct err *err)
{
	struct stat st, at;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (ix->fd < 0)
			ix->fd = fsx_open(ix->dir, ILOG_NAME, O_RDWR | O_CREAT,
					  0600);
		if (ix->fd < 0)
			return err_sys(err, errno, ILOG_NAME);
		if (fsx_lock(ix->fd, true) < 0 || fsx_fstat(ix->fd, &st) < 0) {
			err_sys(err, errno, ILOG_NAME ": lock");
			break;
		}
		if (fsx_fstatat(ix->dir, ILOG_NAME, &at) == 0 &&
		    at.st_ino == st.st_ino && at.st_dev == st.st_dev) {
			*changed = ix->ino != st.st_ino || ix->dev != st.st_dev;
			ix->ino = st.st_ino;
			ix->dev = st.st_dev;
			*size = (uint64_t)st.st_size;
			return 0;
		}
		close_log(ix); /* replaced or removed meanwhile */
		err_set(err, ERR_TEMP, EAGAIN, ILOG_NAME " keeps changing");
	}
	close_log(ix);
	return -1;
}

int
index_lock(struct index *ix, struct err *err)
{
	bool changed;
	uint64_t size;
	int rc;

	BUG_ON(ix->locked);
	if (lock_current(ix, &changed, &size, err) < 0)
		return -1;
	ix->locked = true;
	if (changed || ix->broken || size < ix->end) {
		rc = read_again(ix, size, err);
	} else if (size == ix->end) {
		rc = 0;
	} else {
		rc = read_tail(ix, size, err);
		if (rc > 0)
			rc = salvage(ix, ix->p.uidnext, err);
	}
	if (rc == 0) {
		index_drop_pending(ix);
		return 0;
	}
	ix->locked = false;
	/* What it says must be read again. */
	close_log(ix);
	return -1;
}

void
index_unlock(struct index *ix)
{
	BUG_ON(!ix->locked);
	index_drop_pending(ix);
	ix->locked = false;
	if (fsx_unlock(ix->fd) < 0)
		close_log(ix);
}

/* The first byte behind what we know is not 0, or another file has the name. */
static bool
has_grown(struct index *ix)
{
	struct stat st;
	char c = 0;

	if (ix->fd < 0 || ix->broken || fsx_fstatat(ix->dir, ILOG_NAME, &st) ||
	    st.st_ino != ix->ino || st.st_dev != ix->dev ||
	    (uint64_t)st.st_size < ix->end)
		return true;
	return fsx_pread(ix->fd, &c, 1, (off_t)ix->end) != 0 && c != 0;
}

int
index_catch_up(struct index *ix, struct err *err)
{
	BUG_ON(ix->locked);
	if (!has_grown(ix))
		return 0;
	if (index_lock(ix, err) < 0)
		return -1;
	index_unlock(ix);
	return 0;
}

/* --- committing ----------------------------------------------------------- */

/* What was written is so in memory as well. */
static void
take_own(struct index *ix)
{
	struct ilog_parsed parsed = { .uidnext = ix->s.t.uidnext };
	struct replay replay = { .s = &ix->s };
	enum ilog_result res;

	ix->s.ops = ix->ops;
	res = ilog_parse(buf_str(&ix->p.b), ix->end, on_record, &replay,
			 &parsed);
	ix->s.ops = NULL;
	BUG_ON(res != ILOG_OK && !replay.nomem);
	ix->broken = replay.nomem; /* it stands in the log, read it again */
	ix->end += ix->p.b.n;
	index_settle(ix);
}

int
index_commit(struct index *ix, bool sync, struct err *err)
{
	struct pending *p = &ix->p;
	int rc = -1;

	BUG_ON(!ix->locked);
	index_finish_record(ix);
	if (buf_overflown(&p->b) || ix->end + p->b.n > ILOG_MAX) {
		err_set(err, ERR_TEMP, ENOMEM, "%s: too much", ILOG_NAME);
		goto out;
	}
	if (fsx_pwrite_all(ix->fd, p->b.p, p->b.n, (off_t)ix->end, err) < 0 ||
	    (sync && sync_log(ix, err) < 0)) {
		/* If this fails too, it is read as what somebody else wrote,
		 * or as a torn end. */
		if (fsx_ftruncate(ix->fd, (off_t)ix->end) < 0)
			log_warn("%s: %s: cannot undo a write: %m", ix->name,
				 ILOG_NAME);
		goto out;
	}
	if (p->b.n && !sync)
		note_unsynced(ix);
	if (p->b.n)
		take_own(ix);
	if (sync) {
		ix->durable = ix->end;
		ix->unsynced_since = 0;
	}
	rc = 0;
out:
	index_drop_pending(ix);
	return rc;
}

/* --- open and close ------------------------------------------------------- */

static void
on_blob(struct index *ix, enum blob which, uint32_t uid, uint64_t at)
{
	size_t slot = state_lower(&ix->s, uid);

	if (slot < ix->s.slots && state_at(&ix->s, slot)->uid == uid)
		state_edit(&ix->s, slot)->blob[which] = at + 1;
}

static void
on_blob_send(void *arg, uint32_t uid, uint64_t at)
{
	on_blob(arg, BLOB_SEND, uid, at);
}

static void
on_blob_keys(void *arg, uint32_t uid, uint64_t at)
{
	on_blob(arg, BLOB_KEYS, uid, at);
}

struct index *
index_open(int dir, const char *name, const struct index_ops *ops, void *arg,
	   struct err *err)
{
	struct index *ix = calloc(1, sizeof(*ix));

	if (!ix) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	ix->dir = dir;
	ix->name = name;
	ix->ops = ops;
	ix->arg = arg;
	ix->fd = -1;
	state_init(&ix->s);
	ix->s.arg = arg;
	buf_init(&ix->p.b, ILOG_MAX);
	ix->p.nsets = 1;
	blob_init(&ix->blob[BLOB_SEND], dir, "posthouse.cache", on_blob_send,
		  ix);
	blob_init(&ix->blob[BLOB_KEYS], dir, "posthouse.keys", on_blob_keys,
		  ix);
	if (index_lock(ix, err) < 0) {
		index_close(ix);
		return NULL;
	}
	index_unlock(ix);
	return ix;
}

void
index_close(struct index *ix)
{
	struct err err;

	if (ix->opened && !ix->broken && index_flush(ix, &err) < 0)
		log_warn("%s: %s", ix->name, err.text);
	if (ix->opened)
		index_checkpoint(ix);
	blob_fini(&ix->blob[BLOB_SEND]);
	blob_fini(&ix->blob[BLOB_KEYS]);
	close_log(ix);
	buf_fini(&ix->p.b);
	state_fini(&ix->s);
	free(ix);
}
