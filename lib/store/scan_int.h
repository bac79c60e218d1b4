/* SPDX-License-Identifier: ISC */
#ifndef STORE_SCAN_INT_H
#define STORE_SCAN_INT_H

#include "base/sort.h"
#include "store/store_int.h"

/* Private to scan.c, scan_file.c, scan_events.c: what one look at the
 * directories has found, before it is told the index. */

/* A file that is no message yet. */
struct found {
	uint64_t secs; /* that its name begins with */
	uint64_t disk;
	uint64_t wsize; /* MESSAGE_UNKNOWN */
	uint32_t at;	/* of its base in the names */
	uint8_t basen;
};

struct moved {
	size_t slot;
	uint64_t disk;
};

struct scan {
	struct mailbox *mb;
	size_t slots;	   /* of the index when this began */
	uint8_t *seen;	   /* a bit a slot */
	uint32_t *shifted; /* of a slot: its place in moved, from 1; NULL: none
			      is there */
	struct buf names;
	struct found *found;
	size_t nfound, found_size;
	struct sort_item *arrivals; /* found in the order of their UIDs to come;
				       value: the place in found */
	size_t narrivals;
	struct sort_item *arrival_memory; /* where they are */
	struct moved *moved;
	size_t nmoved, moved_size;
	size_t *gone;
	size_t ngone, gone_size;
	uint64_t in_new; /* known messages seen in new/ */
};

static inline bool
scan_has(const struct scan *s, size_t slot)
{
	return s->seen[slot / 8] >> slot % 8 & 1;
}

static inline void
scan_set_seen(struct scan *s, size_t slot)
{
	s->seen[slot / 8] |= (uint8_t)(1 << slot % 8);
}

/* --- scan_file.c */
/* A file that is, or was just now, in the directory. */
ERR_WARN_UNUSED int scan_one_file(struct scan *s, const char *name, bool in_new,
				  struct err *err);
/* Two files of one base: the second is a message of its own under a new base,
 * so that no mail hides.  So is one whose name has no room for flags. */
ERR_WARN_UNUSED int scan_split_twin(struct scan *s, const char *name,
				    uint64_t disk, struct err *err);
/* The name under which a message was seen that has another one in the index;
 * NULL: none. */
const struct moved *scan_find_moved(const struct scan *s, size_t slot);
/* Is the message's file there, under the name that is known or that one? */
bool scan_is_there(struct mailbox *mb, const struct message *m);
bool scan_is_there_moved(struct scan *s, const struct moved *v);
ERR_WARN_UNUSED int scan_note_gone(struct scan *s, size_t slot,
				   struct err *err);

/* --- scan_events.c */
ERR_WARN_UNUSED int scan_take_events(struct scan *s, struct err *err);
/* When this returns, who was changing the directory before is done and has
 * told it: readdir waits for the directory's lock. */
void scan_barrier(int dir);

#endif
