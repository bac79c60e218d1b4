/* SPDX-License-Identifier: ISC */
#ifndef STORE_INDEX_SNAPSHOT_H
#define STORE_INDEX_SNAPSHOT_H

#include "store/history.h"
#include "store/index.h"
#include "store/keywords.h"

/*
 * The format of posthouse.index (index.h), pure.
 *
 *   head     "PHIDX02\n" u32 crc (of what follows in the head), u32 length of
 *            the head, fixed fields, table of blocks, table of pages, keywords,
 *            sets
 *   blocks   records of SNAPSHOT_MESSAGE bytes; each block's base names behind
 *            its records
 *   pages    of SNAPSHOT_PAGE {u32 uid, u32 hash of its base name}, by hash, so
 *            that one name is found without all blocks
 *   history  {u64 modseq, u32 lo, u32 hi}...
 *
 * The tables say where a block and its names stand, with which hash a page
 * begins, and their CRCs.  Numbers are little-endian.
 */
#define SNAPSHOT_NAME "posthouse.index"
enum {
	SNAPSHOT_FIXED = 232, /* head without tables and keywords */
	SNAPSHOT_BLOCK = 256, /* most messages in a block */
	SNAPSHOT_TABLE = 40,  /* a block in the table */
	SNAPSHOT_MESSAGE = 72,
	SNAPSHOT_PAGE = 512, /* hashes in a page */
	SNAPSHOT_HASH = 8,
	SNAPSHOT_PAGE_ROW = 8, /* a page in its table */
	SNAPSHOT_EXPUNGED = 16,
	SNAPSHOT_HEAD_MAX = 256 * 1024 * 1024,
};

struct snapshot_block {
	uint64_t at, names_at;
	uint32_t n, uid, last_uid; /* as struct block */
	uint32_t crc;
	uint32_t names_n, names_crc;
};

struct snapshot_page {
	uint32_t hash; /* the first one */
	uint32_t crc;
};

struct snapshot {
	uint64_t log_id;
	uint64_t log_end;  /* it is what the log says up to here */
	uint64_t restated; /* as struct index */
	char log_tail[8];  /* what stands there before log_end */
	uint64_t blob_id[2], blob_end[2], blob_n[2]; /* struct blob_file */
	uint64_t history_at;
	uint32_t history_n, history_crc;
	uint64_t history_floor;
	struct index_totals t;
	struct index_stamp stamp;
	uint32_t nkeywords, nsets; /* nsets: without the empty one */
	struct snapshot_block *b;
	uint32_t nb;
	struct snapshot_page *pages; /* snapshot_pages() of them */
	uint64_t pages_at;
};
/* There is a hash for each message. */
static inline size_t
snapshot_pages(const struct snapshot *sn)
{
	return (size_t)((sn->t.messages + SNAPSHOT_PAGE - 1) / SNAPSHOT_PAGE);
}
void snapshot_fini(struct snapshot *sn);

/* How long the head will be: nb blocks, the pages, and the keywords. */
size_t snapshot_head_length(const struct snapshot *sn,
			    const struct keywords *kw);
void snapshot_put_head(struct buf *out, const struct snapshot *sn,
		       const struct keywords *kw);
/* Length of the head, from its first 16 bytes; 0: it is none. */
size_t snapshot_get_length(struct str in);
/* False: it is not good in itself, or there is no memory.  kw is empty
 * before. */
bool snapshot_get_head(struct str in, struct snapshot *sn, struct keywords *kw);

void snapshot_put_message(struct buf *out, const struct message *m,
			  uint16_t name);
/* The records of a block into out, b->n of them; nsets: of keywords. */
bool snapshot_get_block(struct str in, const struct snapshot_block *b,
			uint32_t nsets, struct message *out);
/* Are the names what they were, and names? */
bool snapshot_check_names(struct str in, const struct snapshot_block *b);
/* v: the hash << 32 | the UID. */
void snapshot_put_hash(struct buf *out, uint64_t v);
/* Where a hash may stand first. */
size_t snapshot_page_of(const struct snapshot *sn, uint32_t hash);
/* How long a page is in the file. */
size_t snapshot_page_length(const struct snapshot *sn, size_t page);
/* Is it what it was?  Then it is a row of numbers as above. */
bool snapshot_check_page(struct str in, const struct snapshot *sn, size_t page);
void snapshot_put_history(struct buf *out, const struct expunged *v);
bool snapshot_get_history(struct str in, const struct snapshot *sn,
			  struct history *out);

#endif
