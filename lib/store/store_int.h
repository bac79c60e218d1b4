/* SPDX-License-Identifier: ISC */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include "store/store.h"

/* What the files of the store share; nobody else includes it. */

struct summary; /* summary.c */

struct store {
	int root;   /* borrowed */
	int mail;   /* the top Maildir */
	char *path; /* of it below root, for inotify */
	char *host;
	int inotify;	  /* -1: none */
	bool wants_watch; /* store_watch_fd() was called */
	bool blind_said;  /* that there are no more watches */
	struct own *own;  /* events that our own changes cause, in order */
	size_t nown, own_at, own_size;
	struct list boxes; /* open folders, the last released first */
	size_t idle;
	struct summary *summary; /* NULL: not read yet */
};

struct mailbox {
	struct store *st;
	struct list link;
	unsigned refs;
	char name[STORE_NAME_MAX + 1];
	int dir, cur, new, tmp;
	struct index *ix;
	bool deleted; /* the folder is gone, or its UIDVALIDITY changed */

	/* what the disk may have that the index has not (scan.c, watch.c) */
	bool dirty_new, dirty_cur;     /* the directory must be read */
	bool unsure;		       /* ... or is another one now */
	struct buf events;	       /* names that came or went */
	int wd_new, wd_cur;	       /* both, or both are -1 */
	unsigned new_reads, cur_reads; /* counted for the tests */

	/* changed slots, for the views (mailbox.c) */
	struct list views;
	uint32_t *feed;
	size_t nfeed, feed_size;
	uint64_t feed_base; /* position of feed[0] */
	bool news;	    /* the views have not been called */

	/* written behind (work.c) */
	uint32_t *due; /* UIDs whose files may need another name */
	size_t ndue, due_at, due_size;
	bool due_all;	  /* look at all messages */
	size_t due_slot;  /* ... from here on */
	uint64_t due_ms;  /* when; 0: nothing is due */
	uint64_t touched; /* last change; 0: everything is in order */
	/* directories (NAMES_*) that are to be synced: before the log speaks of
	 * what was done there, and before their times count as seen */
	unsigned unsynced, unsettled;
	bool tmp_swept;	  /* tmp_sweep() */
	uint32_t claimed; /* new mail below this UID moves to cur/ */
};

/* --- store.c */
/* "" for INBOX, ".A.B" otherwise; out: STORE_NAME_MAX + 2. */
void store_dir_of(const char *name, char *out);
/* Remove the files of dir/sub and sub itself; of dir alone for NULL. */
void store_empty_dir(int dir, const char *sub);
/* Remove a folder's directory, which is one of st->mail, and its files. */
void store_remove_dir(struct store *st, const char *name);
/* A directory of a folder that a folder has: ours, or of other servers. */
bool store_is_known_sub(const char *name);
/* The folder is not what it was: nobody finds it any more, sessions are told,
 * and it is freed with its last user. */
void store_forget(struct mailbox *mb);
struct mailbox *store_find_open(struct store *st, const char *name);
/* Are the folder's new/ and cur/ still the directories we have open? */
bool store_is_whole(const struct mailbox *mb);
/* A directory in the folder, made if it is missing; -1: err. */
int store_open_sub(int dir, const char *name, struct err *err);
uint32_t store_fresh_validity(struct store *st, uint32_t above,
			      struct err *err);
/* A folder has this one, which came from elsewhere. */
ERR_WARN_UNUSED int store_note_validity(struct store *st, uint32_t v,
					struct err *err);

/* --- mailbox.c */
struct mailbox *mailbox_new(struct store *st, const char *name);
void mailbox_free(struct mailbox *mb);
extern const struct index_ops mailbox_index_ops;
/* Call the views if there is something for them. */
void mailbox_tell(struct mailbox *mb);
/* The index, locked; err->code ESTALE: the folder is another one now. */
ERR_WARN_UNUSED int mailbox_lock(struct mailbox *mb, struct err *err);
/* index_commit(), but what it says of names is durable before it is. */
ERR_WARN_UNUSED int mailbox_commit(struct mailbox *mb, bool sync,
				   struct err *err);
enum { NAMES_NEW = 1, NAMES_CUR = 2 };
static inline unsigned
names_in(uint64_t disk)
{
	return disk & MESSAGE_IN_NEW ? NAMES_NEW : NAMES_CUR;
}
/* The names that the log speaks of, and with all every name, durable. */
ERR_WARN_UNUSED int mailbox_sync_names(struct mailbox *mb, bool all,
				       struct err *err);
/* The set of these keywords, which are made if they are new; locked. */
ERR_WARN_UNUSED int mailbox_keyword_set_make(struct mailbox *mb,
					     const struct str *names, size_t n,
					     uint32_t *set, struct err *err);

/*
 * The name of a message's file is its base, in new/ without flags, and
 * BASE:2,FLAGS otherwise.  disk as in struct message; out has
 * MAILDIR_NAME_MAX + 1 bytes.  False: it would be too long.
 */
bool file_name(struct str base, uint64_t disk, char *out);
/* The directory of a file with such a name. */
static inline int
file_dir(const struct mailbox *mb, uint64_t disk)
{
	return disk & MESSAGE_IN_NEW ? mb->new : mb->cur;
}
/* Name and directory of the message's file as it is known. */
int message_file(struct mailbox *mb, const struct message *m, char *out);

/* --- scan.c */
/* Compare the directories' times with what the index has seen of them. */
void scan_look(struct mailbox *mb);
/* Take in what is dirty and what events have told. */
ERR_WARN_UNUSED int scan_merge(struct mailbox *mb, struct err *err);
/* Note the directories' times as seen, if it is proved that nothing else is
 * behind them.  False: not yet, try again in STAMP_MS. */
enum { STAMP_MS = 20 };
bool scan_settle(struct mailbox *mb);

/* --- tmp.c */
/* Once for each opening: what others left there long ago goes.  The index is
 * what the disk is. */
void tmp_sweep(struct mailbox *mb);

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
/* Read all events; false: there is no inotify. */
bool watch_drain(struct store *st);
/* This change of ours will be told as an event. */
void watch_own(struct mailbox *mb, uint64_t disk, const char *name, bool came);
/* The next name that came or went; false: no more.  *came: it may be there. */
bool watch_next(struct str *events, bool *in_new, bool *came, struct str *name);

/* --- work.c */
/* This message's file needs another name; the work begins in a while. */
void work_due(struct mailbox *mb, uint32_t uid);
void work_all(struct mailbox *mb);
/* A session has seen what is in new/: n files. */
void work_claimed(struct mailbox *mb, uint64_t n);
/* Something was written. */
void work_touch(struct mailbox *mb);
/* What was committed is durable then. */
void work_flush(struct mailbox *mb);
/* All that is due of this folder, now.  wait: also what needs some
 * milliseconds to be proved. */
void work_finish(struct mailbox *mb, bool wait);

/* --- summary.c */
/* What is known of this folder now, if its directories prove it. */
void summary_note(struct mailbox *mb);
void summary_forget(struct store *st, const char *name);
/* The UIDNEXT that the folder once had, under this UIDVALIDITY; 0: not known.
 */
uint32_t summary_uidnext(struct store *st, const char *name,
			 uint32_t uidvalidity);
/* If something has changed. */
void summary_write(struct store *st);
void summary_free(struct store *st);

#endif
