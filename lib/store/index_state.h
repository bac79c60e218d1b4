/* SPDX-License-Identifier: ISC */
#ifndef STORE_INDEX_STATE_H
#define STORE_INDEX_STATE_H

#include "store/history.h"
#include "store/index.h"
#include "store/index_log.h"
#include "store/index_snapshot.h"
#include "store/keywords.h"

/*
 * What the log says, in memory: messages in blocks of ascending UIDs, and all
 * that is kept about them.  A block that came with the snapshot is read when it
 * is needed; so are its base names.  Private to index_*.c.
 */
struct block {
	struct message *m; /* NULL: in the snapshot */
	char *names;	   /* base names, at m->name; NULL: in the snapshot */
	size_t names_n, names_size;
	size_t first;		/* slot */
	uint32_t n, room;	/* messages, and for how many m has room */
	uint32_t uid, last_uid; /* of the first and the last message */
	uint32_t ngone;
	uint32_t file; /* its number in the snapshot, from 1; 0: none */
	bool dirty;    /* the snapshot's is another one */
};

struct state {
	struct block *b;
	size_t nb, size;
	size_t slots;
	size_t near; /* block that was used last */
	struct index_totals t;
	struct index_stamp stamp;
	struct keywords kw;
	struct history history;
	struct base_hash *hash; /* of base names, a power of two; or NULL */
	size_t hash_size, hash_used;
	bool hash_asked;	     /* since state_trim() */
	unsigned few;		     /* searches without it, since then */
	const struct index_ops *ops; /* told of changes; or NULL */
	void *arg;
	struct snapshot *snap; /* where blocks are read; or NULL */
	int snap_fd;
	bool history_due; /* to be read there as well */
	/* The snapshot is bad: gives the blocks that are to be read what they
	 * need, in some way. */
	void (*mend)(void *arg);
	void *mend_arg;
};

void state_init(struct state *s);
void state_fini(struct state *s);
void state_drop_blocks(struct state *s);
/* As a snapshot says: takes sn and fd. -1: no memory, takes nothing. */
ERR_WARN_UNUSED int state_from_snapshot(struct state *s, struct snapshot *sn,
					int fd);
/* The same, of one that says what s says: what was read is given back. */
ERR_WARN_UNUSED int state_use_snapshot(struct state *s, struct snapshot *sn,
				       int fd);
/* Needs the snapshot no more. */
void state_drop_snapshot(struct state *s);
/* As a new log says. */
void state_from_header(struct state *s, const struct ilog_header *h);

/* The message in a slot (< slots), to read, and to change. */
const struct message *state_at(struct state *s, size_t slot);
/* NULL: it stands in a block of the snapshot. */
const struct message *state_unsaved(struct state *s, size_t slot);
struct message *state_edit(struct state *s, size_t slot);
void state_set_gone(struct state *s, size_t slot, uint64_t modseq);
/* A block's messages, and its names, are in memory. */
void state_need(struct state *s, struct block *b);
void state_need_names(struct state *s, struct block *b);
struct history *state_history(struct state *s);
size_t state_lower(struct state *s, uint32_t uid);
struct str state_base_at(struct state *s, size_t slot);
struct str state_base(struct state *s, const struct message *m);
ssize_t state_by_base(struct state *s, struct str base);
/* The messages with this hash that the snapshot knows: visited with fn until it
 * returns true.  False: it cannot be read. */
typedef bool state_hash_fn(void *arg, uint32_t uid);
bool state_snapshot_hash(struct state *s, uint32_t hash, state_hash_fn *fn,
			 void *arg);
/* If there is a table of base names already. */
void state_hash_add(struct state *s, const struct message *m);
/* Give back the table of base names. */
void state_drop_hash(struct state *s);
/* Give back what can be read again; the table of base names only if it was not
 * asked since the last time, or is made at once: all blocks are read for it. */
enum { STATE_SMALL = 4096 }; /* slots */
void state_trim(struct state *s);

/* Append a message; m->name and m->hash are filled in.  -1: no memory, or its
 * UID is not greater than all others. */
ERR_WARN_UNUSED int state_add(struct state *s, const struct message *m,
			      struct str base);
/* Count it in the totals, or out of them. */
void state_count(struct state *s, const struct message *m, bool in);
/* Take out the slots of what is gone. */
void state_compact(struct state *s);

/* Become what `other`, the same folder read again, says: slots stay, ops are
 * told of differences.  False: it is older than s, or there is no memory; part
 * of it is done. */
bool state_merge(struct state *s, struct state *other,
		 const struct index_ops *ops, void *arg);

/* Do what a record says.  False: it makes no sense, or (errno ENOMEM) there is
 * no memory; part of it may be done. */
bool state_apply(struct state *s, const struct ilog_record *r);

#endif
