/* SPDX-License-Identifier: ISC */
#ifndef BASE_PARAM_H
#define BASE_PARAM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/pool.h"

/*
 * A parameter of main.cf is one const row; the parser, `posthouse conf`, the
 * manual, the sample and the tests derive from it.  Rows live in the params.c
 * of the daemon that owns the meaning; `users` says which processes receive
 * the value (1u << enum service_id, see frame/service.h).
 */
enum param_kind {
	PARAM_STR,	 /* free text, one line */
	PARAM_BOOL,	 /* yes | no */
	PARAM_INT,	 /* min..max */
	PARAM_BYTES,	 /* min..max, bytes; suffix k, m, g allowed */
	PARAM_TIME,	 /* min..max, seconds; suffix s m h d w, default s */
	PARAM_ENUM,	 /* one of choices, "a|b|c"; "|a|b": or empty */
	PARAM_LIST,	 /* items separated by commas or blanks */
	PARAM_MAPS,	 /* list of TYPE:NAME lookup tables */
	PARAM_NETS,	 /* list of networks (addr_net) */
	PARAM_LISTEN,	 /* list of ADDRESS:PORT */
	PARAM_PATH,	 /* absolute, or relative to the directory of main.cf */
	PARAM_PROTOCOLS, /* versions of TLS (frame/tls_protocols.h) */
};

struct param {
	const char *name;
	enum param_kind kind;
	const char *def; /* in main.cf's own syntax: may use $name */
	int64_t min, max;
	const char *choices;
	uint32_t users;
	const char *text;  /* one paragraph for the manual */
	bool once;	   /* smtp_X alone, without lmtp_X, relay_X, NAME_X */
	const char *later; /* PARAM_ENUM: choices of Postfix that are not to be
			      had yet, "a|b"; NULL: none */
	/* What else a value has to be, a pure function; NULL: nothing. */
	int (*check)(struct str value, struct err *err);
};

/* Check a value (already expanded) against its row: -1 with err saying what
 * would be right.  Networks, addresses and tables are checked in form only. */
ERR_WARN_UNUSED int param_check(const struct param *p, struct str value,
				struct err *err);

/* The number a checked PARAM_BOOL, INT, BYTES or TIME value stands for. */
int64_t param_number(const struct param *p, struct str value);

/*
 * The values a process received: lines "name = value" from its sealed memfd,
 * final and checked by master.  Asking for a name that was not sent to this
 * process, or as another kind of thing, is a BUG: it means that a row's
 * `users` is wrong.
 */
struct params {
	struct pool pool;
	struct map by_name;
};

ERR_WARN_UNUSED int params_load(struct params *p, struct str text,
				struct err *err);
/* As params_load() from a descriptor (not closed). */
ERR_WARN_UNUSED int params_load_fd(struct params *p, int fd, struct err *err);
void params_fini(struct params *p);

/* Valid until params_fini(); NUL-terminated. */
struct str params_str(const struct params *p, const char *name);
/* For INT, BYTES (bytes), TIME (seconds), BOOL (0/1) by their rows' suffix
 * rules. */
int64_t params_num(const struct params *p, const char *name);
bool params_bool(const struct params *p, const char *name);
/* Was the name sent at all? */
bool params_has(const struct params *p, const char *name);
/* Walk over all: for (i = 0; params_next(p, &i, &name, &text);). */
bool params_next(const struct params *p, size_t *i, struct str *name,
		 struct str *text);

/* One line for the memfd.  Numbers of BYTES and TIME are written out in bytes
 * and seconds, so that the receiver needs no rows. */
ERR_WARN_UNUSED int params_put(struct buf *out, const struct param *row,
			       struct str value);

#endif
