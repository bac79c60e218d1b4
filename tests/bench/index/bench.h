/* SPDX-License-Identifier: ISC */
#ifndef BENCH_INDEX_H
#define BENCH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What both stores of the comparison are asked to do (main.c). */
struct record {
	uint64_t flags, modseq, disk, wsize;
	int64_t mtime;
	uint32_t keywords;
};

enum durable {
	NOT_SYNCED,
	NOT_SYNCED_SAFE, /* may be lost in a power cut, but no more than that */
	SYNCED,
};

struct engine {
	const char *name;
	/* The folder's files stand in the working directory.  What fails
	 * returns false. */
	bool (*open)(void);
	void (*close)(void);
	/* n messages of UIDs from first on, in one commit. */
	bool (*add)(uint32_t first, uint32_t n, enum durable how);
	/* New flags for UIDs first, first + step, ... (n of them). */
	bool (*change)(uint32_t first, uint32_t n, uint32_t step,
		       uint64_t flags, enum durable how);
	bool (*put_blobs)(uint32_t first, uint32_t n);
	/* Sum of all flags; counts them. */
	uint64_t (*walk)(size_t *n);
	/* One message; false: it is not there, or known to be damaged. */
	bool (*get)(uint32_t uid, struct record *r, char name[256],
		    const char **blob, size_t *blob_n);
	bool (*by_name)(uint32_t uid);
	/* Save what an idle process would have saved. */
	void (*settle)(void);
	const char *const *files; /* that hold the truth; ended by NULL */
};
extern const struct engine engine_ours, engine_lmdb;

enum { BLOB_LENGTH = 700 };
void make_record(uint32_t uid, struct record *r);
void make_name(uint32_t uid, char name[256]);
void make_blob(uint32_t uid, char blob[BLOB_LENGTH]);

#endif
