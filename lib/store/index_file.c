/* SPDX-License-Identifier: ISC */
/* The log as a file: reading it, writing it, and the lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/index_int.h"

enum {
	FLUSH_MS = 1000,
	/* Zeros behind the end, so that a sync need not store a new length: so
	 * many, or an eighth of the file. */
	ROOM_MIN = 4096,
	ROOM_MAX = 65536,
};

/* --- making it durable ---------------------------------------------------- */

int
index_sync_log(struct index *ix, struct err *err)
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
	if (ix->durable == ix->end || ix->fd < 0) {
		ix->unsynced_since = 0; /* not there: read again, or mended */
		return 0;
	}
	if (index_sync_log(ix, err) < 0)
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

void
index_note_unsynced(struct index *ix)
{
	if (!ix->unsynced_since)
		ix->unsynced_since = clock_mono_ms();
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

/* Once waited in vain, nobody waits again before the lock was had: the process
 * has other folders. */
static int
lock_log(struct index *ix, struct err *err)
{
	if (fsx_lock(ix->fd, !ix->stuck) == 0) {
		ix->stuck = false;
		return 0;
	}
	if (errno != EAGAIN)
		return err_sys(err, errno, ILOG_NAME ": lock");
	ix->stuck = true;
	return err_set(err, ERR_TEMP, EBUSY,
		       ILOG_NAME " is locked by another program");
}

/* Open if needed and lock; *changed: it is not the file we had. */
int
index_lock_file(struct index *ix, bool *changed, struct err *err)
{
	struct stat st, at;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (ix->fd < 0)
			ix->fd = fsx_open(ix->dir, ILOG_NAME, O_RDWR | O_CREAT,
					  0600);
		if (ix->fd < 0)
			return err_sys(err, errno, ILOG_NAME);
		if (lock_log(ix, err) < 0)
			return -1;
		if (fsx_fstat(ix->fd, &st) < 0) {
			err_sys(err, errno, ILOG_NAME);
			break;
		}
		if (fsx_fstatat(ix->dir, ILOG_NAME, &at) == 0 &&
		    at.st_ino == st.st_ino && at.st_dev == st.st_dev) {
			*changed = ix->ino != st.st_ino || ix->dev != st.st_dev;
			ix->ino = st.st_ino;
			ix->dev = st.st_dev;
			ix->size = (uint64_t)st.st_size;
			return 0;
		}
		close_log(ix); /* replaced or removed meanwhile */
		err_set(err, ERR_TEMP, EAGAIN, ILOG_NAME " keeps changing");
	}
	close_log(ix);
	return -1;
}

/* Has somebody appended?  A process that opens the log looks at all that
 * follows; then a first byte tells.  -1: err. */
static int
has_more(struct index *ix, struct err *err)
{
	char c = 0;

	if (ix->size <= ix->end)
		return 0;
	if (fsx_pread(ix->fd, &c, 1, (off_t)ix->end) < 0)
		return err_sys(err, errno, ILOG_NAME);
	return c != 0;
}

int
index_lock(struct index *ix, struct err *err)
{
	bool changed;
	int rc = 0;

	BUG_ON(ix->locked);
	if (index_lock_file(ix, &changed, err) < 0)
		return -1;
	ix->locked = true;
	if (changed || ix->broken || ix->size < ix->end)
		rc = index_read_again(ix, ix->size, err);
	else
		rc = has_more(ix, err);
	if (rc > 0)
		rc = index_read_tail(ix, ix->size, err);
	if (rc == 0) {
		index_drop_pending(ix);
		return 0;
	}
	index_unlock(ix);
	ix->ino = 0; /* what it says must be read again */
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

/* Without the lock: does the name stand for another file, or has it more? */
static bool
has_grown(struct index *ix)
{
	struct stat st;

	if (ix->fd < 0 || ix->broken || fsx_fstatat(ix->dir, ILOG_NAME, &st) ||
	    st.st_ino != ix->ino || st.st_dev != ix->dev ||
	    (uint64_t)st.st_size < ix->end)
		return true;
	ix->size = (uint64_t)st.st_size;
	return has_more(ix, NULL) != 0;
}

void
index_trace(const struct index *ix, uint64_t *id, uint64_t *end)
{
	/* What a power cut may take away is not to be relied on. */
	bool sure = ix->fd >= 0 && !ix->broken && ix->durable == ix->end;

	*id = sure ? ix->id : 0;
	*end = ix->end;
}

bool
index_same(int dir, uint64_t id, uint64_t end)
{
	char head[ILOG_HEADER], c = 0;
	int fd = fsx_open(dir, ILOG_NAME, O_RDONLY | O_NONBLOCK, 0);
	struct ilog_header h;
	struct stat st;
	bool same;

	if (fd < 0)
		return false;
	same = id && fsx_pread(fd, head, sizeof(head), 0) == ILOG_HEADER &&
	       ilog_get_header(str_mem(head, sizeof(head)), &h) && h.id == id &&
	       fsx_fstat(fd, &st) == 0 && (uint64_t)st.st_size >= end &&
	       fsx_pread(fd, &c, 1, (off_t)end) >= 0 && c == 0;
	fsx_close(fd);
	return same;
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
	struct index_replay replay = { .s = &ix->s };
	enum ilog_result res;

	ix->s.ops = ix->ops;
	res = ilog_parse(buf_str(&ix->p.b), ix->end, index_on_record, &replay,
			 &parsed);
	ix->s.ops = NULL;
	BUG_ON(res != ILOG_OK && !replay.nomem);
	ix->broken |= replay.nomem; /* it stands in the log, read it again */
	ix->end += ix->p.b.n;
	index_settle(ix);
}

static int
undo(struct index *ix)
{
	/* If this fails too, it is read as what somebody else wrote, or as a
	 * torn end. */
	if (fsx_ftruncate(ix->fd, (off_t)ix->end) < 0)
		log_warn("%s: %s: cannot undo a write: %m", ix->name,
			 ILOG_NAME);
	ix->size = ix->end;
	return -1;
}

/* The records at the end of the log, and zeros behind them if there are none
 * and there is room for them. */
static int
append(struct index *ix, struct err *err)
{
	struct buf *b = &ix->p.b;
	uint64_t end = ix->end + b->n;
	size_t n = b->n, zeros = end / 8 < ROOM_MAX ? end / 8 : ROOM_MAX;
	char *p = NULL;

	if (n == 0)
		return 0;
	zeros = (zeros / ROOM_MIN + 1) * ROOM_MIN - end % ROOM_MIN;
	if (end > ix->size)
		p = buf_reserve(b, zeros);
	if (p) {
		memset(p, 0, zeros);
		if (fsx_pwrite_all(ix->fd, b->p, n + zeros, (off_t)ix->end,
				   err) == 0) {
			ix->size = end + zeros;
			return 0;
		}
		undo(ix);
	}
	if (fsx_pwrite_all(ix->fd, b->p, n, (off_t)ix->end, err) < 0)
		return undo(ix);
	if (ix->size < end)
		ix->size = end;
	return 0;
}

int
index_commit(struct index *ix, bool sync, struct err *err)
{
	struct pending *p = &ix->p;
	int rc = -1;

	BUG_ON(!ix->locked);
	index_finish_record(ix);
	/* A modseq beyond that only a made-up log can lead to. */
	if (buf_overflown(&p->b) || ix->end + p->b.n > ILOG_MAX ||
	    p->modseq > INT64_MAX) {
		err_set(err, ERR_TEMP, ENOMEM, "%s: too much", ILOG_NAME);
		goto out;
	}
	if (append(ix, err) < 0)
		goto out;
	if (sync && (p->b.n || ix->durable != ix->end) &&
	    index_sync_log(ix, err) < 0) {
		undo(ix);
		goto out;
	}
	if (p->b.n && !sync)
		index_note_unsynced(ix);
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
index_new(int dir, const char *name, const struct index_ops *ops, void *arg,
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
	return ix;
}

struct index *
index_open(int dir, const char *name, const struct index_ops *ops, void *arg,
	   struct err *err)
{
	struct index *ix = index_new(dir, name, ops, arg, err);

	if (!ix)
		return NULL;
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
	if (ix->opened) {
		index_compact(ix);
		index_checkpoint_if(ix, true);
	}
	blob_fini(&ix->blob[BLOB_SEND]);
	blob_fini(&ix->blob[BLOB_KEYS]);
	close_log(ix);
	buf_fini(&ix->p.b);
	state_fini(&ix->s);
	free(ix);
}
