/* SPDX-License-Identifier: ISC */
#ifndef TABLE_DB_ENV_H
#define TABLE_DB_ENV_H

#include <db.h>
#include <limits.h>
#include <stddef.h>

/*
 * A private environment: in this process's memory, no files, no locks.  It is
 * there only so that the library looks for a DB_CONFIG file beside the table,
 * instead of in whatever directory we happen to be in (CVE-2017-10140).
 * *name is path below that environment's home.  0 or the library's error;
 * *env may need close() on failure too.
 */
int table_db_env(DB_ENV **env, const char *path, unsigned cache_bytes,
		 const char **name);

/* The directory a path stands in; dir holds PATH_MAX. Returns the last part. */
const char *table_dir_of(const char *path, char dir[PATH_MAX]);

#endif
