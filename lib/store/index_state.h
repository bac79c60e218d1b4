/* SPDX-License-Identifier: ISC */
#ifndef STORE_INDEX_STATE_H
#define STORE_INDEX_STATE_H

#include "store/history.h"
#include "store/index.h"
#include "store/index_log.h"
#include "store/keywords.h"

/*
 * What the log says, in memory: messages in blocks of ascending UIDs, and all
 * that is kept about them.  Private to index_*.c.
 */
enum { BLOCK_SLOTS = 256 };
struct block {
	struct message *m;
	char *names; /* base names, at m->name */
	size_t names_n, names_size;
	size_t first; /* slot */
	uint32_t n;
	uint32_t uid, last_uid; /* of the first and the last message */
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
	const struct index_ops *ops; /* told of changes; or NULL */
	void *arg;
};

void state_init(struct state *s);
void state_fini(struct state *s);
/* As a new log says. */
void state_from_header(struct state *s, const struct ilog_header *h);

/* The message in a slot (< slots), to read, and to change. */
const struct message *state_at(struct state *s, size_t slot);
struct message *state_edit(struct state *s, size_t slot);
size_t state_lower(struct state *s, uint32_t uid);
struct str state_base(struct state *s, const struct message *m);
ssize_t state_by_base(struct state *s, struct str base);
/* Give the table of base names back. */
void state_drop_hash(struct state *s);

/* Append a message; m->name and m->hash are filled in.  -1: no memory, or its
 * UID is not greater than all others. */
ERR_WARN_UNUSED int state_add(struct state *s, const struct message *m,
			      struct str base);
/* Count it in the totals, or out of them. */
void state_count(struct state *s, const struct message *m, bool in);
/* Take out the slots of what is gone. */
void state_compact(struct state *s);

/* Become what `other`, the same folder read again, says: slots stay, ops are
 * told of differences.  False: it has a message that s had forgotten, or there
 * is no memory; part of it is done. */
bool state_merge(struct state *s, struct state *other,
		 const struct index_ops *ops, void *arg);

/* Do what a record says.  False: it makes no sense, or (errno ENOMEM) there is
 * no memory; part of it may be done. */
bool state_apply(struct state *s, const struct ilog_record *r);

#endif
