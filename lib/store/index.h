/* SPDX-License-Identifier: ISC */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/maildir.h"

/*
 * What is known of one folder's messages, in memory and on disk.  These files
 * stand in the folder's directory, beside tmp, new and cur:
 *
 *   posthouse.log    append-only, a CRC each record: the truth about UIDs,
 *                    UIDVALIDITY, modseqs, keywords and the history of
 *                    expunges (index_log.h).  Replayed whole, it gives the
 *                    index.  Replaced by a new one (rename) when most of it is
 *                    history.
 *   posthouse.index  a snapshot of what the log says up to an offset, in
 *                    blocks with a CRC each, never changed, replaced by rename.
 *                    Opening reads its head and replays the rest of the log:
 *                    O(1) in the number of messages.  Blocks are read (never
 *                    mapped: a file that shrinks must not kill us) and checked
 *                    when they are first needed.  What is missing or bad is
 *                    made from the log.
 *   posthouse.cache, posthouse.keys   blobs (blob.h): what sessions computed of
 *                    the texts.  May vanish at any time.
 *
 * A damaged log is mended from a good snapshot: same UIDVALIDITY, same UIDs;
 * only if both are bad the folder starts over with a greater UIDVALIDITY.
 *
 * Several processes may have a folder open (imapd, pop3d's sessions, posthouse
 * mail): all write under the log's lock, and take over what the others appended
 * when they lock, or when index_catch_up() sees that the log has grown.
 *
 * A modseq is the time of its commit in microseconds since 1970, or one more
 * than the last: so none that was told is given again after a power cut has
 * taken what was not synced, or after a backup was put back.
 */

/* One message; 0-based slots, ascending by UID.  A message that is gone keeps
 * its slot until index_compact(). */
struct message {
	uint32_t uid;
	uint32_t keywords; /* a set of keywords, see below; 0: none */
	uint64_t flags;	   /* MAILDIR_* letters as sessions see them */
	uint64_t modseq;   /* of its last change (RFC 7162) */
	uint64_t disk;	   /* letters in its file name, MESSAGE_IN_NEW: it
			      is in new/ */
	uint64_t wsize;	   /* size with CRLF line ends; MESSAGE_UNKNOWN */
	int64_t mtime;	   /* seconds since 1970; MESSAGE_NO_TIME */
	uint64_t name;	   /* private: where the base name is */
	uint32_t hash;	   /* private: of the base name */
	uint8_t basen;	   /* private */
	uint8_t lacks;	   /* of CR LF at its end, in bytes, as far as known */
	bool gone;	   /* expunged, by whomever */
	uint64_t blob[2];  /* private: offsets + 1 in the blob files, 0: none */
};
#define MESSAGE_UNKNOWN UINT64_MAX
#define MESSAGE_NO_TIME INT64_MIN
#define MESSAGE_IN_NEW (1ull << 63)

struct index;

/* Told of every change of a slot, whoever made it: this process (in
 * index_commit()) or another one, found in the log (in index_lock() and
 * index_catch_up()); not of what index_open() finds.  Called while the index is
 * whole: they may look, but not change. */
struct index_ops {
	void (*changed)(void *arg, size_t slot); /* flags, keywords, or gone */
	void (*added)(void *arg, size_t slot);
	/* Another process replaced the folder's log by one with another
	 * UIDVALIDITY: nothing of before counts. */
	void (*reset)(void *arg);
	/* > above; 0 with err: cannot be had now. */
	uint32_t (*fresh_validity)(void *arg, uint32_t above, struct err *err);
};

/* dir: of the folder, borrowed; name: for the log file of the daemon.  Creates
 * the log if there is none. */
struct index *index_open(int dir, const char *name, const struct index_ops *ops,
			 void *arg, struct err *err);
void index_close(struct index *ix); /* syncs and saves what is due */

/* --- looking; never fails, never blocks but for reading a block ----------- */
size_t index_slots(const struct index *ix);
const struct message *index_at(struct index *ix, size_t slot);
size_t index_lower(struct index *ix, uint32_t uid); /* first slot with >= uid */
const struct message *index_find(struct index *ix,
				 uint32_t uid); /* NULL: none or gone */
/* Slot of the message with this base name; -1: none (the first few are looked
 * up in the snapshot, then a table of all is built). */
ssize_t index_by_base(struct index *ix, struct str base);
/* The base name, valid until the next call. */
struct str index_base(struct index *ix, const struct message *m);

struct index_totals { /* kept, not counted */
	uint32_t uidvalidity, uidnext;
	uint32_t recent_from;	/* UIDs from here on no session has claimed */
	uint64_t highestmodseq; /* >= 1 */
	uint64_t messages, unseen, deleted; /* not gone */
	uint64_t in_new;		    /* in new/ */
	uint64_t unnamed; /* whose file name does not say their flags yet */
	uint64_t gone;	  /* slots to be compacted */
};
void index_totals(const struct index *ix, struct index_totals *out);

/* Of the directories when they were last read and merged; all 0: never.
 * Kept in the snapshot (and in the log), so that an unchanged folder is not
 * read again. */
struct index_stamp {
	int64_t new_mtime_ns, new_ctime_ns, cur_mtime_ns, cur_ctime_ns;
};
void index_stamp(const struct index *ix, struct index_stamp *out);

/* For who keeps what the index says elsewhere: has anything been added since?
 * id: of the log, 0: none that is durable as a whole; end: what was known of
 * it.
 */
void index_trace(const struct index *ix, uint64_t *id, uint64_t *end);
/* Is the log in this directory that log still, and has nobody added to it? */
bool index_same(int dir, uint64_t id, uint64_t end);

/* --- keywords: names have ids from 0, a set of ids has a number; 0 is the
 * empty one.  Neither has a limit but memory (INDEX_KEYWORDS_MAX names a
 * folder). */
enum { INDEX_KEYWORDS_MAX = 65536, KEYWORD_NAME_MAX = 255 };
#define KEYWORD_NONE UINT32_MAX
size_t index_keywords(const struct index *ix);
const char *index_keyword(const struct index *ix, uint32_t id);
uint32_t index_keyword_find(const struct index *ix,
			    struct str name); /* case ignored */
const uint32_t *index_set(const struct index *ix, uint32_t set,
			  size_t *n); /* ids ascending */
bool index_set_has(const struct index *ix, uint32_t set, uint32_t id);

/* --- changing, between index_lock() and index_unlock() ---------------------
 * Each of these adds to one record that index_commit() appends; one commit, one
 * modseq.  What is not committed at unlock did not happen. */
/* Takes over what others wrote.  TEMP, EBUSY: somebody else holds the lock, and
 * has done so for some seconds (FSX_LOCK_MS), or since that was found last. */
ERR_WARN_UNUSED int index_lock(struct index *ix, struct err *err);
void index_unlock(struct index *ix);
/* Without the lock: has the log grown? then lock, take over, unlock. */
ERR_WARN_UNUSED int index_catch_up(struct index *ix, struct err *err);

uint32_t index_keyword_add(struct index *ix,
			   struct str name); /* KEYWORD_NONE: no room */
uint32_t index_set_make(struct index *ix, const uint32_t *ids,
			size_t n); /* ids in any order; UINT32_MAX: no memory */
struct index_new {
	struct str base;
	uint64_t disk, flags;
	uint32_t keywords;
	uint64_t wsize;
	int64_t mtime;
};
/* The next UID; 0: no memory. */
uint32_t index_add(struct index *ix, const struct index_new *a);
void index_state(struct index *ix, size_t slot, uint64_t flags,
		 uint32_t keywords);
/* The file is called so now (letters | MESSAGE_IN_NEW): no new modseq. */
void index_named(struct index *ix, size_t slot, uint64_t disk);
void index_gone(struct index *ix, size_t slot);
void index_set_recent(struct index *ix, uint32_t recent_from);
/* Commits, durably, that the next UID is at least this one. */
ERR_WARN_UNUSED int index_skip_uids(struct index *ix, uint32_t uidnext,
				    struct err *err);
void index_set_stamp(struct index *ix, const struct index_stamp *s);
/* sync: durable on return; else it is made so by index_flush(). */
ERR_WARN_UNUSED int index_commit(struct index *ix, bool sync, struct err *err);

/* In memory and in the next snapshot only (rebuildable): */
void index_note_size(struct index *ix, size_t slot, uint64_t wsize);
void index_note_lacks(struct index *ix, size_t slot, uint8_t lacks);
void index_note_mtime(struct index *ix, size_t slot, int64_t mtime);

/* What was committed unsynced is durable after this. */
ERR_WARN_UNUSED int index_flush(struct index *ix, struct err *err);
/* Milliseconds until index_flush() is due (at most 1 s after the first unsynced
 * commit); -1: nothing is. */
int index_flush_due(const struct index *ix);
/* Write a snapshot, compact the log, if worth it (called when idle and at
 * close). */
void index_checkpoint(struct index *ix);
/* Forget the slots of what is gone; slots move. */
void index_compact(struct index *ix);
/* Give memory back that can be read again. */
void index_trim(struct index *ix);

/* --- QRESYNC (RFC 7162): UIDs expunged after modseq since, ascending ranges.
 * False: the history does not reach back that far (*floor: to where it does).
 */
typedef void index_range_fn(void *arg, uint32_t lo, uint32_t hi);
bool index_vanished(struct index *ix, uint64_t since, index_range_fn *fn,
		    void *arg);

/* --- blobs: computed from a message's text, in two files.  Bounds and CRC are
 * checked at each read, what is wrong is not there. */
enum blob { BLOB_SEND, BLOB_KEYS };
enum { BLOB_MAX = 1048576 };
/* Valid until the next index_blob() of this kind.  Cheap in ascending order. */
bool index_blob(struct index *ix, const struct message *m, enum blob which,
		struct str *out);
void index_blob_put(struct index *ix, size_t slot, enum blob which,
		    struct str s);

#endif
