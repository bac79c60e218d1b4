/* SPDX-License-Identifier: ISC */
#ifndef STORE_MBOX_FILE_H
#define STORE_MBOX_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/maildir.h"

/*
 * An mbox file and its locks, as other programs know them: fcntl on the file
 * first, then a file NAME.lock beside it (Debian Policy 11.6).
 *
 * A NAME.lock whose maker died is removed when it is stale_s old.  One of ours
 * at once: it is marked, which says that its maker had the other lock, too, and
 * the kernel takes that from whoever dies.  So who has the fcntl lock of the
 * file that stands there and finds a marked NAME.lock knows that nobody holds
 * it: without asking for pids, which are used again and mean nothing in another
 * namespace.  The mark is a mode, MBOX_LOCK_MODE, since an mbox process can
 * write into no other file, and since others expect nothing there; it is
 * neither made nor believed where fcntl locks may not reach everybody
 * (fsx_is_local(): NFS).
 */
enum {
	MBOX_NAME_MAX = MAILDIR_NAME_MAX - 5, /* room for ".lock" */
	MBOX_LOCK_MODE = 01600,
};

/*
 * Open name in dir to read and append, made with mode if it is missing.  No
 * link is followed, nothing is waited for.  Refused (ERR_TEMP, EPERM) is what
 * is no regular file, has several names, or, if strict, is another user's.
 */
ERR_WARN_UNUSED int mbox_file_open(int dir, const char *name, mode_t mode,
				   bool strict, struct err *err);

/* What an administrator should know of the directory that holds all users'
 * mbox files; NULL: nothing. */
const char *mbox_dir_problem(const struct stat *st);

struct mbox_file {
	int dir, fd; /* the caller's */
	const char *name;
	char lock_name[MAILDIR_NAME_MAX + 1];
	bool use_fcntl, use_dotlock; /* which locks; set after init */
	unsigned stale_s;	     /* a NAME.lock of that age is nobody's */
	bool local;		     /* fcntl locks reach everybody */
	struct stat lock;	     /* our NAME.lock; st_ino 0: unknown */
	bool locked;
};

/* name must live as long. */
ERR_WARN_UNUSED int mbox_file_init(struct mbox_file *f, int dir,
				   const char *name, int fd, struct err *err);

enum mbox_lock {
	MBOX_LOCKED,
	MBOX_BUSY,     /* others have it: again later */
	MBOX_REPLACED, /* another file stands there now, or none */
	MBOX_FAILED,   /* err says why */
};
/* Waits for nothing. */
ERR_WARN_UNUSED enum mbox_lock mbox_file_lock(struct mbox_file *f,
					      struct err *err);
void mbox_file_unlock(struct mbox_file *f);

#endif
