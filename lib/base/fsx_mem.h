/* SPDX-License-Identifier: ISC */
#ifndef BASE_FSX_MEM_H
#define BASE_FSX_MEM_H

#include "base/fsx.h"
#include "base/memfs.h"
#include "base/str.h"

/*
 * The disk of the tests: files in memory behind fsx.h, with a record of every
 * change and sync, and errors at chosen calls.  One disk a process; its calls
 * may come from any thread.  Only tests include this header.
 */

/* --- the disk of this process --------------------------------------------- */

/* Forget everything; all descriptors are void; the record is off and empty. */
void fsx_mem_reset(void);
/* The same, but with this content (copied). */
void fsx_mem_load(const struct memfs *fs);
/* The same, and the record stays for more images. */
void fsx_mem_load_keep(const struct memfs *fs);
/* A descriptor of the root directory. */
int fsx_mem_root(void);
/* The content now. */
const struct memfs *fsx_mem_now(void);

/* Begin to record, from the state now, which is *start (a copy, the caller's);
 * stop. The record lives until reset or load. */
void fsx_mem_record(struct memfs *start);
void fsx_mem_record_stop(void);
size_t fsx_mem_nops(void);
const struct memfs_op *fsx_mem_op(size_t i);
/* Put a note into the record. */
void fsx_mem_note(uint32_t what);

/* Calls that can fail, counted since reset or load.  The call with this number
 * (1 is the first) fails with code; a write of several bytes is cut in half
 * first and fails at the next call.  0: none. */
uint64_t fsx_mem_calls(void);
void fsx_mem_fail_at(uint64_t call, int code);
void fsx_mem_set_free(uint64_t bytes);

#endif
