/* SPDX-License-Identifier: ISC */
#ifndef BASE_MEMFS_H
#define BASE_MEMFS_H

#include "base/str.h"

/* A file system as a value: nodes by number, 0 is the root directory. */
struct memfs_entry {
	const char *name; /* of a table that is kept for ever */
	uint32_t node;
};
struct memfs_node {
	bool dir;
	uint32_t nlink;	       /* names it has */
	struct memfs_entry *v; /* of a directory */
	uint32_t n, size;
	uint64_t changed; /* when of the last operation on its names */
	char *data;	  /* of a file */
	size_t len, room;
};
struct memfs {
	struct memfs_node *v;
	uint32_t n, size;
};

void memfs_init(struct memfs *fs); /* an empty root */
void memfs_fini(struct memfs *fs);
void memfs_copy(struct memfs *to, const struct memfs *from);

enum memfs_kind {
	MEMFS_CREATE, /* dir, name, node */
	MEMFS_MKDIR,  /* dir, name, node */
	MEMFS_WRITE,  /* node, at, data */
	MEMFS_TRUNC,  /* node, at: the new length */
	MEMFS_UNLINK, /* dir, name, node (a directory too) */
	MEMFS_RENAME, /* dir, name, node; to_dir, to_name */
	MEMFS_LINK,   /* node; to_dir, to_name */
	MEMFS_SYNC,   /* node */
	MEMFS_SYNCFS,
	MEMFS_NOTE, /* node: what the test wanted to remember */
};

struct memfs_op {
	enum memfs_kind kind;
	uint32_t dir, node, to_dir;
	char *name, *to_name;
	uint64_t when; /* grows with each operation there ever was */
	uint64_t at;
	struct str data;
};

/* Do it, as far as it makes sense here: what names a file that is not there
 * (because an earlier change was lost) does nothing. */
void memfs_apply(struct memfs *fs, const struct memfs_op *op);

/* Ends the test if p is NULL. */
void *memfs_must(void *p);
/* NULL: there is no such name. */
struct memfs_entry *memfs_lookup(const struct memfs *fs, uint32_t dir,
				 const char *name);
/* Is node a directory that is (still) there? */
bool memfs_is_dir(const struct memfs *fs, uint32_t node);

#endif
