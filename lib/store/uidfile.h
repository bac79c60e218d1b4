/* SPDX-License-Identifier: ISC */
#ifndef STORE_UIDFILE_H
#define STORE_UIDFILE_H

#include "base/buf.h"
#include "base/err.h"

/*
 * The UIDs of one folder: the append-only file UIDFILE_NAME in its directory.
 *
 *   header  "PHUIDS1\n" u32 uidvalidity, u32 uidnext, u32 crc
 *   record  "PHUR" u32 length of the body, u32 crc (of length and body), body
 *   body    entries {u32 uid, u8 n, n bytes of base name}; n = 0: uid is gone
 *
 * A record is one write and is synced before its UIDs are told to anybody, and
 * before the next one is written, so only the last one can be torn.  Bytes that
 * are no whole record at the end are ignored and cut off by the next writer,
 * and as many UIDs are skipped as they could have held: a UID that was given
 * once is never given to another message.  A bad record with a good one behind
 * it, or a bad header, is damage: then the folder starts over with a new
 * UIDVALIDITY.
 *
 * Processes take an exclusive lock on the file to read or append; compaction
 * replaces the file, which others see by its inode.
 */
#define UIDFILE_NAME "posthouse.uids"
enum {
	UIDFILE_HEADER = 20,
	UIDFILE_RECORD = 12,		 /* head of a record */
	UIDFILE_ENTRY = 5,		 /* smallest entry */
	UIDFILE_BODY_MAX = 65536,	 /* body of a record */
	UIDFILE_MAX = 512 * 1024 * 1024, /* longer: taken as damaged */
};

/* --- the format, pure ----------------------------------------------------- */

void uidfile_put_header(struct buf *out, uint32_t uidvalidity,
			uint32_t uidnext);
/* False: not a header. */
bool uidfile_get_header(struct str in, uint32_t *uidvalidity,
			uint32_t *uidnext);
/* One entry into a record's body; base.n = 0: gone. */
void uidfile_put_entry(struct buf *body, uint32_t uid, struct str base);
/* A body of at most UIDFILE_BODY_MAX as a record. */
void uidfile_put_record(struct buf *out, struct str body);

enum uidfile_result { UIDFILE_OK, UIDFILE_TORN, UIDFILE_DAMAGED };
typedef void uidfile_entry_fn(void *arg, uint32_t uid, struct str base);
/* Records from the start of in; *used: bytes of good records at its start. */
enum uidfile_result uidfile_parse(struct str in, size_t *used,
				  uidfile_entry_fn *fn, void *arg);

/* --- the file --------------------------------------------------------------
 */

struct uidfile {
	const char *name; /* for the log; borrowed */
	int dir;	  /* of the folder; borrowed */
	int fd;		  /* -1: not open */
	uint64_t dev, ino;
	uint64_t size;	 /* read and understood up to here */
	uint64_t synced; /* durable up to here, as far as we know */
	uint32_t uidvalidity, uidnext;
	uint64_t entries; /* in the file: the owner decides about compaction */
};

void uidfile_init(struct uidfile *u, int dir, const char *name);
void uidfile_close(struct uidfile *u);

/*
 * Take the lock and read what is new.  *reset is set (before fn is called
 * first) if all entries come again, because the file was opened, replaced or
 * made anew; then uidvalidity may have changed.  fresh_validity() is asked
 * for a value greater than `above` if a file is made; 0 is an error.
 */
struct uidfile_ops {
	void (*reset)(void *arg);
	uidfile_entry_fn *entry;
	uint32_t (*fresh_validity)(void *arg, uint32_t above, struct err *err);
};
ERR_WARN_UNUSED int uidfile_lock(struct uidfile *u,
				 const struct uidfile_ops *ops, void *arg,
				 struct err *err);
void uidfile_unlock(struct uidfile *u);

/* Locked: append records (uidfile_put_record() each, nentries in all).  sync:
 * durable on return.  What stands before them, of whoever, is durable first: a
 * power cut must not keep the later of two records.  On failure nothing of it
 * counts. */
ERR_WARN_UNUSED int uidfile_append(struct uidfile *u, struct str records,
				   uint64_t nentries, bool sync,
				   struct err *err);
/* Locked: replace the file by these records; unlocks.  uidnext is kept. */
ERR_WARN_UNUSED int uidfile_compact(struct uidfile *u, struct str records,
				    struct err *err);

#endif
