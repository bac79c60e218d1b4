/* SPDX-License-Identifier: ISC */
#ifndef TABLE_TYPE_H
#define TABLE_TYPE_H

#include <sys/stat.h>

#include "base/map.h"
#include "base/pool.h"
#include "table/table.h"

/* Inside of table.h: what a type of table is. */
struct table_type {
	const char *name;
	bool file;	    /* NAME is the path of a file */
	const char *suffix; /* of the file that is read, after NAME */
	bool fold;	    /* keys are folded before get() */
	/* t->data from nothing; TEMP: try again later; PERM (types without a
	 * file): the spec is wrong. */
	int (*open)(struct table *t, struct err *err);
	void (*close)(struct table *t);
	/* key is followed by a NUL byte in memory. */
	int (*get)(struct table *t, struct str key, struct str *value,
		   struct err *err);
};

struct table {
	const struct table_type *type;
	struct table_set *set;
	const char *spec, *name;
	const char *path; /* files: what to open for name */
	void *data;	  /* NULL: not open */
	bool gave_up;	  /* the failure was logged */
	struct err why;
	uint64_t next_look_ms;
	struct stat seen;
};

/* Rows in memory: key to value. */
struct rows {
	struct pool pool;
	struct map map;
};
struct rows *rows_new(void);
void rows_free(struct rows *r);
/* 1: added; 0: key stands already (and stays as it is); -1: no memory. */
int rows_add(struct rows *r, struct str key, struct str value);
bool rows_get(const struct rows *r, struct str key, struct str *value);
/* "name:x:uid:..." lines; the value is the whole line. NULL: no memory. */
struct rows *rows_of_passwd(struct str text);

const struct rows *table_set_users(const struct table_set *set);

/* A warning about a line of t's source; a text_warn_fn. */
void table_warn(void *arg, unsigned line, const char *text);

extern const struct table_type table_type_hash, table_type_btree,
	table_type_texthash, table_type_cidr, table_type_inline,
	table_type_static, table_type_unix;

#endif
