/* SPDX-License-Identifier: ISC */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include <time.h>

#include "base/map.h"
#include "store/store.h"
#include "store/uidfile.h"

/* What the files of the store share; nobody else includes it. */

struct store {
	int root;   /* borrowed */
	int mail;   /* the top Maildir */
	char *path; /* of it below root, for inotify */
	char *host;
	int inotify;	   /* -1: none */
	struct list boxes; /* open folders, the last released first */
	size_t idle;
};

struct mailbox {
	struct store *st;
	struct list link;
	unsigned refs;
	char name[STORE_NAME_MAX + 1];
	int dir, cur, new, tmp;
	struct uidfile uids;
	bool loaded;  /* the first scan is done */
	bool deleted; /* the folder is gone, or its UIDVALIDITY changed */
	bool dirty;   /* the disk changed since the last scan */
	int wd_new, wd_cur;
	struct timespec time_new, time_cur; /* of the directories, if no wd */
	struct message **v;
	size_t n, size;
	struct map by_base;    /* struct message */
	struct map known;      /* struct known: UIDs of files not seen (yet) */
	struct map known_uids; /* the same by UID */
	uint32_t top;	       /* the greatest UID that was in the array */
	uint64_t mod;
	struct list watchers;
};

/* --- store.c */
/* "" for INBOX, ".A.B" otherwise; out: STORE_NAME_MAX + 2. */
/* Remove the files of dir/sub and sub itself; of dir alone for NULL. */
void store_empty_dir(int dir, const char *sub);
void store_dir_of(const char *name, char *out);
/* The folder is not what it was: nobody finds it any more, sessions are told,
 * and it is freed with its last user. */
void store_forget(struct mailbox *mb);
struct mailbox *store_find_open(struct store *st, const char *name);
void mailbox_changed(struct mailbox *mb); /* call the watchers */
uint32_t store_fresh_validity(struct store *st, uint32_t above,
			      struct err *err);

/* --- mailbox.c */
void mailbox_free(struct mailbox *mb);
/* Free m; the caller takes it out of the array. */
void mailbox_unlist(struct mailbox *mb, struct message *m);
/* The file of m is now called name (in new/ or cur/). */
int mailbox_renamed(struct mailbox *mb, struct message *m, const char *name,
		    bool in_new, uint64_t flags, struct err *err);
/* Names of files that were just put in place become messages, in order.  With
 * first_uid their UIDs are new and follow each other, also if another process
 * has seen the files meanwhile and given them UIDs. */
struct added {
	char *name; /* owned */
	bool in_new, fresh;
	uint64_t flags;
	uint64_t wsize; /* MESSAGE_UNKNOWN */
	int64_t mtime;	/* MESSAGE_NO_TIME */
	size_t basen;
};
ERR_WARN_UNUSED int mailbox_add(struct mailbox *mb, struct added *v, size_t n,
				uint32_t *first_uid, struct err *err);
/* Note in the UID file that these are gone; never fails, it is a hint. */
void mailbox_note_gone(struct mailbox *mb, const uint32_t *uids, size_t n);
/* Lock the UID file and see whether the folder is still the one we know. */
ERR_WARN_UNUSED int mailbox_lock_uids(struct mailbox *mb, struct err *err);
struct known {
	uint32_t uid;
	uint8_t n;
	char base[];
};
void known_clear(struct mailbox *mb);

/* --- use.c */
/* Add to each folder of the list what it is for. */
ERR_WARN_UNUSED int uses_apply(struct store *st, struct folder_list *l,
			       struct err *err);
ERR_WARN_UNUSED int uses_set(struct store *st, const char *name, unsigned uses,
			     struct err *err);
/* What from and the folders below it are for, the same under to. */
ERR_WARN_UNUSED int uses_copy(struct store *st, const char *from,
			      const char *to, struct err *err);
ERR_WARN_UNUSED int uses_forget(struct store *st, const char *tree,
				struct err *err);

/* --- watch.c */
void watch_open(struct store *st);
void watch_close(struct store *st);
void watch_box(struct store *st, struct mailbox *mb);
void watch_unbox(struct mailbox *mb);
/* Read all events, mark folders dirty; false: there is no inotify. */
bool watch_drain(struct store *st);

#endif
