/* SPDX-License-Identifier: ISC */
#ifndef CTL_EDIT_H
#define CTL_EDIT_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* A file that is edited: read under a lock on its directory, replaced whole. */
struct edit {
	char path[4096];
	char *dir, *name; /* of the path */
	int lock;	  /* the directory */
	mode_t mode;	  /* for a new file; bits beyond it are never kept */
	struct buf text;
};

/* A file that is not there is empty.  held: an edit that is open already, or
 * NULL. */
ERR_WARN_UNUSED int edit_open(struct edit *e, struct str path, mode_t mode,
			      const struct edit *held, struct err *err);
/* Put text in the file's place: before 0 the old file stands, after it the new
 * one; durable. */
ERR_WARN_UNUSED int edit_commit(struct edit *e, struct str text,
				struct err *err);
/* Also after a failed open. */
void edit_close(struct edit *e);

#endif
