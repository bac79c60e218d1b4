/* SPDX-License-Identifier: ISC */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Unpredictable bytes from getrandom(2); never fails (BUG if the kernel has
 * none). */
void rand_bytes(void *p, size_t n);
uint64_t rand_u64(void);
/* Uniform in 0..n-1; n > 0.  For jitter and shuffles. */
uint64_t rand_below(uint64_t n);

#endif
