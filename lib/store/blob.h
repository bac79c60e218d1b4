/* SPDX-License-Identifier: ISC */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include "base/buf.h"

/*
 * A file of blobs: what sessions computed of messages' texts, by UID.
 *
 *   header  "PHBLOB2\n" u64 id, u32 crc
 *   record  "PHBB" u32 uid, u32 length, u32 crc, blob
 *
 * The crc is that of id, uid and length, with the blob in thirds.
 *
 * Append-only; nothing is synced, anything may be missing: what is not whole is
 * not there.  Several processes append under a lock on the file.  A bad record
 * found behind the last one known is cut off with all that follows.
 */
enum {
	BLOB_HEADER = 20,
	BLOB_RECORD = 16,
	BLOB_WINDOW = 65536,   /* bytes read at once */
	BLOB_PENDING = 262144, /* written at once */
};
#define BLOB_FILE_MAX (8ull << 30)

/* Blob of a message stands there now. */
typedef void blob_at_fn(void *arg, uint32_t uid, uint64_t at);

struct blob_file {
	int dir; /* borrowed */
	const char *file;
	blob_at_fn *fn; /* for all blobs that were not put here */
	void *arg;
	int fd;	    /* -1: not open */
	bool off;   /* cannot be used */
	bool again; /* blob_tell_again() */
	uint64_t dev, ino, id;
	uint64_t end;	    /* known up to here */
	uint64_t n;	    /* records up to there, of use or not */
	struct buf pending; /* stands at end, not yet written */
	char *window;
	uint64_t window_at;
	size_t window_n, window_size;
};

void blob_init(struct blob_file *f, int dir, const char *file, blob_at_fn *fn,
	       void *arg);
/* Writes what is pending. */
void blob_fini(struct blob_file *f);
/* The n blobs up to this offset of this file are known: fn need not be told. */
void blob_known(struct blob_file *f, uint64_t id, uint64_t end, uint64_t n);
/* False: it cannot be used.  Opening it the first time tells of what is in it.
 */
bool blob_open(struct blob_file *f);
/* When it is used next, fn is told of all that is in it. */
void blob_tell_again(struct blob_file *f);
/* What others put. */
void blob_catch_up(struct blob_file *f);

/* False: there is no such blob.  *out is valid until the next call here. */
bool blob_get(struct blob_file *f, uint64_t at, uint32_t uid, struct str *out);
/* Where it stands; 0: nowhere.  May move (fn) when it is written. */
uint64_t blob_put(struct blob_file *f, uint32_t uid, struct str s);
void blob_flush(struct blob_file *f);
/* Give memory, and the descriptor, back. */
void blob_trim(struct blob_file *f);
/* Replace the file by one that has only what next() gives: the UID and place of
 * one blob after the other; false at the end.  fn is told where they stand. */
typedef bool blob_next_fn(void *arg, uint32_t *uid, uint64_t *at);
void blob_rewrite(struct blob_file *f, blob_next_fn *next, void *arg);

/* --- the format, pure ----------------------------------------------------- */
void blob_put_header(struct buf *out, uint64_t id);
bool blob_get_header(struct str in, uint64_t *id);
void blob_put_record(struct buf *out, uint64_t id, uint32_t uid, struct str s);
/* Length of the record at the start of in, by its head; 0: it is none. */
size_t blob_record_length(struct str in);
/* A whole, good record at the start of in. */
bool blob_get_record(struct str in, uint64_t id, uint32_t *uid,
		     struct str *out);

#endif
