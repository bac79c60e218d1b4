/* SPDX-License-Identifier: ISC */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Many things ordered by a number: without comparisons, a byte of the key at a
 * time, in time that grows with n only.  For hundreds and more; qsort(3) is as
 * good for few.
 */
struct sort_item {
	uint64_t key;
	uint64_t value; /* the caller's */
};

/* By key, ascending; those with one key stay in their order.  spare has room
 * for n.  The result is in v or in spare: the one that is returned. */
struct sort_item *sort_items(struct sort_item *v, struct sort_item *spare,
			     size_t n);

#endif
