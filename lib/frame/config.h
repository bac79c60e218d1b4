/* SPDX-License-Identifier: ISC */
#ifndef FRAME_CONFIG_H
#define FRAME_CONFIG_H

#include "base/map.h"
#include "base/param.h"
#include "frame/maincf.h"
#include "frame/service.h"

/*
 * The configuration: main.cf's lines with every $name replaced (each name
 * evaluated once), each value checked against its parameter's row.  All
 * problems are collected, up to CONFIG_ERRORS_MAX, one line each:
 *
 *	/etc/posthouse/main.cf:12: unknown parameter "mynetwork", did you mean
 *	mynetworks?
 */
enum {
	CONFIG_DEPTH_MAX = 32, /* values that refer to values */
	CONFIG_ERRORS_MAX = 20,
};

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
	uint8_t state;		 /* of the evaluation; private to config.c */
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
 * have written it; parse, expand, check.  sets: param_sets, or a test's own;
 * the rows of lmtp, relay and each of $transports are made from them (see
 * transports.h) and live in c.
 *
 * messages gets one line (with LF) a problem or warning, "FILE:LINE: text".
 * -1: there was at least one error; err says how many, or why the file cannot
 * be read.  c can then still be
 * read (faulty values stand at their defaults), which only ctl makes use of,
 * to find the control socket.  config_fini() in every case.
 */
ERR_WARN_UNUSED int config_load(struct config *c,
				const struct param *const *sets,
				const char *confdir, struct buf *messages,
				struct err *err);
/* The first half of it: the bytes of main.cf, after the checks on its owner and
 * mode.  *dir (caller frees) is CONFDIR without links, *dirfd (caller closes)
 * is open on it, as far as each was reached (NULL, -1). */
ERR_WARN_UNUSED int config_read(const char *confdir, char **dir, int *dirfd,
				struct buf *text, struct err *err);
/* The other half: from bytes that stand for dir/main.cf; no access to files. */
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

/* The files that items of this process's lists stand for, one absolute path a
 * line; those of hash: and btree: without their .db. */
ERR_WARN_UNUSED int config_tables_for(const struct config *c,
				      enum service_id service, struct buf *out);

/* One value (expanded) against its row, beyond param_check(): the items of
 * lists of networks, sockets, tables.  *out (in the pool) is the value with
 * relative files set below dir. */
ERR_WARN_UNUSED int config_check(const struct param *row, struct str value,
				 const char *dir, struct pool *pool,
				 struct str *out, struct err *err);

/* A transport that is "lmtp:unix:PATH" needs the dialer for it: problem() is
 * called for each whose PATH is not among dialer_sockets. */
typedef void config_problem(void *arg, unsigned line, bool warning,
			    const char *text);
void config_check_sockets(const struct config *c, config_problem *problem,
			  void *arg);

/* Does this item of a list stand for a file: TYPE:FILE, where the type's table
 * is a file, or /FILE, either with "!" in front?  Then *file is FILE. */
bool config_table_file(struct str item, struct str *file);

/* Names of Postfix that a configuration may set, and that mean nothing here.
 * The end is NULL. */
extern const char *const config_without_effect[];

/* The parameter whose name is nearest to this one (Damerau-Levenshtein
 * distance of at most 1 + a quarter of its length), or NULL. */
const char *config_nearest(const struct config *c, struct str name);

#endif
