/* SPDX-License-Identifier: ISC */
#ifndef STORE_INDEX_LOG_H
#define STORE_INDEX_LOG_H

#include "base/buf.h"
#include "base/err.h"

/*
 * The format of posthouse.log (index.h), pure.
 *
 *   header  "PHLOG01\n" u32 uidvalidity, u32 uidnext, u64 modseq, u64 floor,
 *           u64 id, u32 crc
 *   record  "PHLR" u32 length of the body, u32 crc (of length and body), body
 *   body    u64 modseq, u32 uidnext, u64 durable, entries
 *   entry   u8 kind, and what ilog_put_* below write
 *
 * All numbers are little-endian.  What a record says are results ("these have
 * these flags now"), never differences.  modseq is the one its changes got,
 * uidnext what it was afterwards.
 *
 * A record is one write; those that change flags only are not synced at once.
 * So after a power cut any part of what was not synced may be missing, while
 * something behind it may be there.  durable is the offset up to which the
 * writer of a record knew the file to be durable.  If something is bad, and no
 * record behind it knew it to be durable, then it was never promised to
 * anybody: the log ends there.  Else it is damage.  Zeros at the end are
 * made in advance.
 */
#define ILOG_NAME "posthouse.log"
enum {
	ILOG_HEADER = 44,
	ILOG_RECORD = 12, /* head of a record */
	ILOG_BODY = 20,	  /* start of a body */
	ILOG_BODY_MAX = 1024 * 1024,
	ILOG_BODY_FULL = 512 * 1024, /* no more entries: begin a new record */
	ILOG_MESSAGE_MIN = 51,	     /* smallest entry that gives a UID */
};
/* Longer: taken as damaged. */
#define ILOG_MAX (2048ull << 20)

struct ilog_header {
	uint32_t uidvalidity, uidnext; /* > 0 */
	uint64_t modseq, floor;
	uint64_t id; /* random: names this file */
};
void ilog_put_header(struct buf *out, const struct ilog_header *h);
/* False: not a header. */
bool ilog_get_header(struct str in, struct ilog_header *h);

struct ilog_record {
	uint64_t modseq, durable;
	uint32_t uidnext;
	struct str entries;
};

/* Begin a record at the end of out, and finish the one begun at offset `at` of
 * out.  The numbers are r's of then. */
void ilog_begin(struct buf *out);
void ilog_end(struct buf *out, size_t at, const struct ilog_record *r);

enum ilog_kind {
	ILOG_MESSAGE = 1,
	ILOG_STATE,    /* these UIDs have these flags and keywords */
	ILOG_NAMED,    /* their files are called so */
	ILOG_GONE,     /* they are expunged */
	ILOG_EXPUNGED, /* they were, at that modseq: history in a new file */
	ILOG_KEYWORD,
	ILOG_SET,
	ILOG_RECENT,
	ILOG_STAMP,
};
struct ilog_entry {
	enum ilog_kind kind;
	uint32_t uid;	 /* MESSAGE; RECENT */
	uint32_t number; /* of the KEYWORD; of the SET */
	uint32_t set;	 /* MESSAGE, STATE */
	uint64_t modseq; /* MESSAGE, EXPUNGED */
	uint64_t flags;	 /* MESSAGE, STATE */
	uint64_t disk;	 /* MESSAGE, NAMED */
	uint64_t wsize;
	int64_t mtime;
	int64_t stamp[4];
	struct str text; /* base name; keyword: at most 255 bytes */
	const char *v;	 /* STATE, NAMED, GONE, EXPUNGED: ranges; SET: ids */
	uint32_t n;	 /* how many */
};
/* Append one; those with ranges begin without any. */
void ilog_put(struct buf *out, const struct ilog_entry *e);
/* One more range or id of the last entry, which begins at offset `at`. */
void ilog_put_range(struct buf *out, size_t at, uint32_t lo, uint32_t hi);
void ilog_put_id(struct buf *out, size_t at, uint32_t id);
/* Its last range ends there. */
void ilog_extend_range(struct buf *out, uint32_t hi);

/* Cut the next entry off *in; false: there is none, or it is not well formed
 * (then in->n is not 0). */
bool ilog_next(struct str *in, struct ilog_entry *e);
void ilog_range(const struct ilog_entry *e, uint32_t i, uint32_t *lo,
		uint32_t *hi);
uint32_t ilog_id(const struct ilog_entry *e, uint32_t i);

/* False: it makes no sense, stop. */
typedef bool ilog_record_fn(void *arg, const struct ilog_record *r);
enum ilog_result { ILOG_OK, ILOG_TORN, ILOG_DAMAGED };
struct ilog_parsed {
	uint64_t end;	  /* offset in the file: good up to here */
	uint64_t durable; /* the greatest that a good record knows */
	/* Not OK: no UID from here on was ever given. */
	uint64_t uidnext;
};
/* So many bytes at the start of in are records, as far as their lengths say;
 * the rest may be the beginning of one. */
size_t ilog_whole(struct str in);
/* Records, of which the first is at offset `at` of the file; the fields of
 * *out are set by the caller to what is known before. */
enum ilog_result ilog_parse(struct str in, uint64_t at, ilog_record_fn *fn,
			    void *arg, struct ilog_parsed *out);

#endif
