/* SPDX-License-Identifier: ISC */
#ifndef STORE_VERIFY_H
#define STORE_VERIFY_H

#include "base/err.h"
#include "base/str.h"

/*
 * Do a folder's log, snapshot, blobs and files agree?  Changes nothing, and
 * holds the log's lock, so that no process of ours changes anything meanwhile.
 */
struct verified {
	uint64_t messages;
	uint64_t fresh; /* files without UID: nobody has looked since */
	bool no_log;	/* nobody has ever looked */
};
/* One thing that is wrong: in which file, and what. */
typedef void verify_fn(void *arg, const char *text);

/* dir: of the folder.  -1: it could not be verified. */
ERR_WARN_UNUSED int store_verify(int dir, verify_fn *fn, void *arg,
				 struct verified *out, struct err *err);

#endif
