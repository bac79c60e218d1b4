/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MAINCF_H
#define FRAME_MAINCF_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/param.h"
#include "frame/service.h"

/*
 * main.cf.  Reading has three steps: the lines (maincf_parse: pure, over
 * bytes), the values (every $name replaced; each name evaluated once), the
 * check of each value against its parameter's row.  All problems are
 * collected, up to CONFIG_ERRORS_MAX, one line each:
 *
 *	/etc/posthouse/main.cf:12: unknown parameter "mynetwork", did you mean
 *	mynetworks?
 */
enum {
	MAINCF_MAX = 256 * 1024,      /* bytes of the file */
	MAINCF_VALUE_MAX = 64 * 1024, /* bytes of one value, also expanded */
	MAINCF_LINES_MAX = 4096,      /* assignments */
	MAINCF_NAME_MAX = 100,
	MAINCF_DEPTH_MAX = 32, /* $name in $name, ${} in ${} */
	CONFIG_ERRORS_MAX = 20,
};

/* --- lines -------------------------------------------------------------- */

/* One assignment: a logical line with its continuations joined. */
struct maincf_line {
	struct str name;
	struct str value; /* trimmed, one line, not expanded */
	unsigned number;  /* of its first physical line, from 1 */
};

struct maincf {
	struct maincf_line *v; /* in the pool */
	size_t n;
};

/* Where problems go: line 0 means the file as a whole. */
typedef void maincf_problem_cb(void *arg, unsigned line, bool warning,
			       const char *text);

/* Split the text into assignments.  What is malformed is reported and left
 * out; the rest is still there.  Slices live in the pool. */
void maincf_parse(struct str text, struct pool *pool, struct maincf *out,
		  maincf_problem_cb *problem, void *arg);

/* The text with name's assignment replaced (or added at the end); comments and
 * everything else stay as they are; several assignments of name become one. */
ERR_WARN_UNUSED int maincf_edit(struct str text, struct str name,
				struct str value, struct buf *out,
				struct err *err);

/* --- the configuration -------------------------------------------------- */

/*
 * A parameter, or a name the file defines for its own use ($name): row NULL.
 */
struct config_value {
	struct str name;
	const struct param *row; /* NULL: the file's own, or without effect */
	struct str raw;		 /* as in the file or the row */
	struct str text;	 /* expanded; paths absolute */
	unsigned line;		 /* in main.cf; 0: default */
	bool used;		 /* some $name refers to it */
	uint8_t state;		 /* of the evaluation; private to maincf.c */
};

struct config {
	struct pool pool;
	struct map by_name;	 /* struct config_value */
	struct config_value **v; /* by name's order */
	size_t n;
	struct str dir;	 /* directory of main.cf, absolute, NUL-terminated */
	struct str path; /* of main.cf */
};

/*
 * Read CONFDIR/main.cf: refuse it if others than root and the caller could
 * have written it; parse, expand, check.  sets: param_sets, or a test's own.
 *
 * messages gets one line (with LF) a problem or warning, "FILE:LINE: text".
 * -1: there was at least one error; err says how many.  c can then still be
 * read (faulty values stand at their defaults), which only ctl makes use of,
 * to find the control socket.  config_fini() in every case.
 */
ERR_WARN_UNUSED int config_load(struct config *c,
				const struct param *const *sets,
				const char *confdir, struct buf *messages,
				struct err *err);
/* The same from bytes that stand for dir/main.cf; no access to files. */
ERR_WARN_UNUSED int config_load_text(struct config *c,
				     const struct param *const *sets,
				     const char *dir, struct str text,
				     struct buf *messages, struct err *err);
void config_fini(struct config *c);

/* The final value; NUL-terminated; lives as long as c.  A name that is no
 * parameter is a BUG. */
struct str config_get(const struct config *c, const char *name);
/* Bytes, seconds, 0/1, by the row's kind. */
int64_t config_number(const struct config *c, const char *name);
/* NULL: there is no such name. */
const struct config_value *config_find(const struct config *c, struct str name);

/* The lines of one process's memfd: the parameters whose rows name it. */
ERR_WARN_UNUSED int config_params_for(const struct config *c,
				      enum service_id service, struct buf *out);

/* The files behind TYPE:FILE tables in this process's parameters, one absolute
 * path a line, without the .db of built ones. */
ERR_WARN_UNUSED int config_tables_for(const struct config *c,
				      enum service_id service, struct buf *out);

/*
 * One table of a PARAM_MAPS list: "hash:/x/y", "inline:{ {a = b} }".  Cuts the
 * next item off *list; braces keep separators inside.  False at the end.
 */
bool maincf_map_item(struct str *list, struct str *item);

/* The parameter whose name is nearest to this one (Damerau-Levenshtein
 * distance of at most 1 + a quarter of its length), or NULL. */
const char *param_nearest(const struct param *const *sets, struct str name);

#endif
