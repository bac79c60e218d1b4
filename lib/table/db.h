/* SPDX-License-Identifier: ISC */
#ifndef TABLE_DB_H
#define TABLE_DB_H

#include "table/cidr.h"
#include "table/text.h"

/*
 * Map files in the form postmap(1) writes: Berkeley DB hash or btree, named
 * FILE.db, keys folded to lower case, key and value each with a NUL at the end
 * (or both without: both are read).  A file is never changed in place: it is
 * built beside and renamed, which is what makes reading it without locks safe.
 */
enum table_db_kind { TABLE_HASH, TABLE_BTREE };

struct table_db;

/* Read only. */
ERR_WARN_UNUSED int table_db_open(struct table_db **db, const char *path,
				  enum table_db_kind kind, struct err *err);
void table_db_close(struct table_db *db);
/* 1: found, *value lives until the next call; 0: no such key; -1: the file
 * cannot be read (TEMP).  key is followed by a NUL byte in memory. */
ERR_WARN_UNUSED int table_db_get(struct table_db *db, const char *key,
				 size_t keylen, struct str *value,
				 struct err *err);
/* Every row in the file's order; fn returns -1 to stop. */
typedef int table_db_row_fn(void *arg, struct str key, struct str value);
ERR_WARN_UNUSED int table_db_each(struct table_db *db, table_db_row_fn *fn,
				  void *arg, struct err *err);

/*
 * Build FILE.db from the text in FILE; it gets the owner and mode of FILE, is
 * synced and takes the place of the old one at once.  Lines that are no rows
 * and keys that stand twice (the first counts) are told to warn and left out,
 * as postmap does.  Two builds of one FILE wait for each other.
 */
ERR_WARN_UNUSED int table_db_build(enum table_db_kind kind, const char *file,
				   enum text_form form, text_warn_fn *warn,
				   void *arg, struct err *err);

/* Read a whole file of at most max bytes. */
ERR_WARN_UNUSED int table_read_file(const char *path, size_t max,
				    struct buf *out, struct err *err);

#endif
