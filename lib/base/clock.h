/* SPDX-License-Identifier: ISC */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Wall-clock microseconds since 1970; monotonic milliseconds for deadlines.
 * Tests may set a fixed wall clock (0 gives the real one back). */
uint64_t clock_wall_us(void);
uint64_t clock_mono_ms(void);
void clock_fix_wall_us(uint64_t us);

#endif
