/* SPDX-License-Identifier: ISC */
#ifndef TESTS_POWERCUT_H
#define TESTS_POWERCUT_H

#include "base/fsx_mem.h"

/*
 * What a disk may hold after the power went, computed from the record of
 * fsx_mem.  The power is cut after each operation of the record.  Operations
 * not yet durable then are pending.  The model (ARCHITECTURE.md, "Crash and
 * power"): a sync of a file makes its data, its creation and its renames
 * durable; a sync of a directory makes the names in it durable.
 *
 * For each cut there is an image with: all pending operations lost; all done;
 * each alone lost; each alone done; 20 random subsets (or, with at most four
 * pending, every subset); and the last write, if it is pending, torn at each
 * 512 bytes of the file.
 */
typedef void powercut_check(void *arg, const struct memfs *image, size_t cut,
			    const char *what);

struct powercut_result {
	uint64_t images; /* that there are */
	uint64_t checked;
};

/* sample: about so many of the images, chosen by seed; 0: all. */
void powercut_run(const struct memfs *start, uint64_t seed, uint64_t sample,
		  powercut_check *check, void *arg,
		  struct powercut_result *result);

/* POSTHOUSE_SEED, otherwise a random one; printed. */
uint64_t powercut_seed(void);
/* POSTHOUSE_CRASH_SAMPLE, otherwise so many. */
uint64_t powercut_sample(uint64_t otherwise);

#endif
