/* SPDX-License-Identifier: ISC */
#include <time.h>

#include "base/clock.h"

static uint64_t fixed_us;

void
clock_fix_wall_us(uint64_t us)
{
	fixed_us = us;
}

uint64_t
clock_wall_us(void)
{
	struct timespec ts;

	if (fixed_us)
		return fixed_us;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
