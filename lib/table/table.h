/* SPDX-License-Identifier: ISC */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/err.h"
#include "base/str.h"
#include "table/spec.h"

/*
 * Lookup tables as main.cf names them, TYPE:NAME:
 *	hash:FILE btree:FILE	FILE.db, see table/db.h
 *	texthash:FILE		a text file, read into memory
 *	cidr:FILE		cidr_table(5); keys are IP addresses
 *	inline:{a=b, {c = d}}	rows in main.cf itself
 *	static:VALUE		this value for each key
 *	unix:passwd.byname	user names, from bytes the owner hands in
 * "proxy:" in front is ignored.  Keys are folded to lower case, but for cidr.
 *
 * Files are held open and looked at again (stat) at most once a second; a
 * changed one is opened anew.  What cannot be opened or read answers TEMP
 * until it can: never "not found".
 */
struct table;

/* Tables by their spec, each opened once however often it is named. */
struct table_set;
struct table_set *table_set_new(void); /* NULL: out of memory */

/*
 * Directories that were opened while they could still be reached: files in
 * them are opened through these descriptors (by /proc/self/fd), so that who
 * may read a directory need not be able to walk to it.  The array stays the
 * caller's and outlives the set; set before the first table_set_get().
 */
struct table_dir {
	const char *path; /* NULL at the end of the array */
	int fd;		  /* O_PATH will do */
};
void table_set_dirs(struct table_set *set, const struct table_dir *dirs);
/* The name to open a file by; -1: longer than max. */
ERR_WARN_UNUSED int table_set_path(const struct table_set *set,
				   const char *path, char *out, size_t max);
void table_set_free(struct table_set *set);

/* The table of this spec; it belongs to the set.  A file need not be there.
 * -1 (PERM): no such type, or no table by its form. */
ERR_WARN_UNUSED int table_set_get(struct table_set *set, struct str spec,
				  struct table **t, struct err *err);

/* The text of the password file, for unix:passwd.byname; copied. Until it was
 * given, the table answers TEMP.  -1: out of memory, the old one stays. */
ERR_WARN_UNUSED int table_set_passwd(struct table_set *set, struct str text,
				     struct err *err);

/* 1: found, *value lives until the next call on this table or set; 0: no such
 * key; -1: TEMP. */
ERR_WARN_UNUSED int table_get(struct table *t, struct str key,
			      struct str *value, struct err *err);

/* A list of tables, asked one after the other until one knows the key. */
struct table_list {
	struct table **v;
	size_t n;
};
ERR_WARN_UNUSED int table_list_open(struct table_list *l, struct table_set *set,
				    struct str specs, struct err *err);
void table_list_close(struct table_list *l);
ERR_WARN_UNUSED int table_list_get(const struct table_list *l, struct str key,
				   struct str *value, struct err *err);

/* The path of the file that a table of this spec reads, without ".db"; false:
 * it reads none. */
bool table_spec_file(struct str spec, struct str *path);

#endif
