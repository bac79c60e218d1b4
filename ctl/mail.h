/* SPDX-License-Identifier: ISC */
#ifndef CTL_MAIL_H
#define CTL_MAIL_H

#include "base/pool.h"
#include "ctl.h"
#include "store/store.h"

/*
 * posthouse mail: one user's mailbox, worked on by a process that is that user,
 * in a root that is that mailbox.
 */

/* --- where it is (mail_place.c) ------------------------------------------- */

/* Found as root with O_PATH, which opens nothing. */
struct mail_place {
	uint32_t uid, gid;
	int base;	 /* a directory on the way */
	char rest[1025]; /* the way on, which is not there yet; "" */
	bool may_create;
};
/* who: a user, or with a "/" in it the Maildir itself.  err->code as for
 * user_status(). */
ERR_WARN_UNUSED int mail_locate(struct ctl *c, const char *who,
				struct mail_place *p, struct err *err);
/* Any directory; no component may be a link.  The caller closes it. */
ERR_WARN_UNUSED int mail_path(const char *path, struct err *err);
/* Become the user; the mailbox, opened, and made if create; then nothing
 * outside it can be opened any more.  before: called as the user, when paths
 * that the caller found can still be opened. */
ERR_WARN_UNUSED int mail_enter(const struct mail_place *p, bool create,
			       int (*before)(void *arg, struct err *err),
			       void *arg, struct err *err);

/* --- what is done (mail_*.c) ---------------------------------------------- */

struct mail_args {
	char *user;
	const char *folder; /* NULL: all */
	const char *from;   /* another Maildir */
	const char *mbox;
	const char *uidl_format; /* of the other server */
	bool force, courier;
};
struct mail {
	const struct mail_args *args;
	char host[256];
	struct str uidl_format; /* ours */
	int root;		/* the mailbox */
	int from;   /* the Maildir to import; root if it is the same */
	int mbox;   /* -1 */
	bool wrong; /* something was said: exit status 1 */
};

/* A line about a folder on stdout, or on stderr with *wrong set. */
void mail_say(const char *folder, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void mail_wrong(struct mail *m, const char *folder, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Folders of the Maildir, INBOX first; only args->folder if that is given. */
typedef int mail_folder_fn(struct mail *m, const char *name, int dir,
			   struct err *err);
ERR_WARN_UNUSED int mail_each(struct mail *m, int maildir, mail_folder_fn *fn,
			      struct err *err);

/* A whole file, in the pool; n 0 if there is none. */
ERR_WARN_UNUSED int mail_read(int dir, const char *name, struct pool *pool,
			      struct str *out, struct err *err);

typedef int mail_verb(struct mail *m, struct err *err);
mail_verb mail_verify, mail_rebuild, mail_import, mail_export, mail_mbox;

#endif
