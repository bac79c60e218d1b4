/* SPDX-License-Identifier: ISC */
#ifndef CTL_MAIL_IMPORT_H
#define CTL_MAIL_IMPORT_H

#include "base/map.h"
#include "mail.h"
#include "store/adopt.h"

/* A folder that gets the messages, and what another server knew of them. */
struct import_item {
	struct adopt_message a;
	char *name;    /* of the file in the other Maildir */
	bool in_new;   /* there */
	uint64_t secs; /* that its name begins with */
};
struct import {
	struct mail *m;
	const char *name; /* of the folder */
	int dir;	  /* ours */
	struct pool pool;
	struct import_item **v;
	size_t n, size;
	struct map by_base;
	uint32_t uidvalidity, uidnext; /* 0: not said */
	bool adopted;		       /* the log has them */
	bool placed; /* ... and their files are where it says */
};
/* name: clean; the folder is made if it is not there. */
ERR_WARN_UNUSED int import_init(struct import *im, struct mail *m,
				const char *name, struct err *err);
void import_fini(struct import *im);
/* A message of this base (copied) more; NULL with err. */
struct import_item *import_add(struct import *im, struct str base,
			       struct err *err);
/* UIDs for all that have none, and the log.  Then what is in tmp/ is put in
 * place. */
ERR_WARN_UNUSED int import_commit(struct import *im, bool force,
				  enum adopt_result *res, struct err *err);
/* Takes out of tmp/ what is of no use there. */
void import_clean(struct import *im);

#endif
