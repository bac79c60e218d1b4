/* SPDX-License-Identifier: ISC */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store/index.h"

/*
 * UIDs that were expunged, and when (QRESYNC, RFC 7162): the newest ones.
 * History is whole from the modseq floor on.
 */
enum { HISTORY_MAX = 100000 };
struct expunged {
	uint64_t modseq;
	uint32_t lo, hi;
};
struct history {
	struct expunged *v; /* modseqs ascending */
	size_t n, size;
	uint64_t floor;
};
void history_fini(struct history *h);
/* Older ones go if there are too many; if there is no memory, all of them. */
void history_add(struct history *h, uint64_t modseq, uint32_t lo, uint32_t hi);
bool history_since(const struct history *h, uint64_t since, index_range_fn *fn,
		   void *arg);

#endif
