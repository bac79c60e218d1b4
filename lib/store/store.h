/* SPDX-License-Identifier: ISC */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <sys/types.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "store/index.h"
#include "store/maildir.h"

/*
 * A user's mail: the folders of one Maildir++ tree, as imapd and pop3d see
 * it.  The files are the truth about messages; what is known of them stands
 * beside them (index.h), and the list of subscriptions.  One process may hold
 * a store open for many sessions: they share one struct mailbox per open
 * folder.  Several processes may have the same folder open, and other programs
 * may change its files at any time: README.md.
 *
 * Folder names are as IMAP has them: modified UTF-7, levels separated by
 * STORE_SEPARATOR, "INBOX" (in any case) for the root folder.
 */
#define STORE_SEPARATOR '.'
enum {
	STORE_NAME_MAX = 200, /* bytes of a folder name */
	STORE_DEPTH_MAX = 20, /* levels of a folder name */
	STORE_IDLE_BOXES = 8, /* folders kept open that nobody uses */
};

struct store;
struct mailbox;

/*
 * A message (index.h).  The pointer is good until anything of the mailbox is
 * called that may change it: keep the UID.  Of its members sessions use uid,
 * keywords, flags, modseq, gone, and by the functions below wsize and mtime.
 */
struct message;

/* --- the store -------------------------------------------------------------
 * root: directory descriptor, stays the caller's and must live as long as the
 * store.  mail: the Maildir below it ("." or "Maildir"), created if missing.
 * host: for the names of messages that are appended. */
struct store *store_open(int root, const char *mail, const char *host,
			 struct err *err);
void store_close(struct store *st);

/*
 * Becomes readable when files changed (inotify); -1 if the kernel gives none:
 * it counts them by uid, and virtual users may share one.  To be asked for
 * before a folder is opened; who does not ask has no inotify.
 */
int store_watch_fd(struct store *st);
/* Take in what happened; calls the watchers (below) of changed folders.  To be
 * called when the descriptor is readable, and every so often besides: then it
 * also tries again what could not be watched. */
enum {
	STORE_POLL_MS = 30000,
	STORE_BLIND_MS = 3000, /* while something is not watched */
};
void store_poll(struct store *st);
bool store_is_watched(const struct store *st);

/* --- open folders ----------------------------------------------------------
 */
/* Open a folder and read it; err->code ENOENT: no such folder.  Each success
 * is paired with mailbox_release(). */
struct mailbox *mailbox_open(struct store *st, struct str name,
			     struct err *err);
void mailbox_release(struct mailbox *mb);

/* Take in what other programs did: new files get UIDs (durable when this
 * returns), vanished ones go, foreign changes of names are merged with ours.
 * Costs nothing if nothing changed, and as much as there is new if only new/
 * changed. On failure (TEMP) the old state stands. */
ERR_WARN_UNUSED int mailbox_refresh(struct mailbox *mb, struct err *err);

/*
 * Messages stand in slots, by ascending UID.  A message that is gone keeps its
 * slot (m->gone) until all views (struct mailbox_watch) have told their
 * clients.
 */
size_t mailbox_slots(const struct mailbox *mb);
const struct message *mailbox_at(struct mailbox *mb,
				 size_t slot); /* never NULL */
/* The first slot with at least this UID; mailbox_slots() if none. */
size_t mailbox_lower(struct mailbox *mb, uint32_t uid);
/* NULL: no (longer) such message. */
const struct message *mailbox_find(struct mailbox *mb, uint32_t uid);
/* The name of its file without flags, valid until the next call; "": gone. */
struct str mailbox_base(struct mailbox *mb, uint32_t uid);

const char *mailbox_name(const struct mailbox *mb);
bool mailbox_deleted(const struct mailbox *mb);
/* Kept, not counted. */
void mailbox_totals(const struct mailbox *mb, struct index_totals *out);

/* Keywords: as index.h has them. */
size_t mailbox_keywords(const struct mailbox *mb);
const char *mailbox_keyword(const struct mailbox *mb, uint32_t id);
uint32_t mailbox_keyword_find(const struct mailbox *mb, struct str name);
const uint32_t *mailbox_keyword_set(const struct mailbox *mb, uint32_t set,
				    size_t *n);
bool mailbox_has_keyword(const struct mailbox *mb, const struct message *m,
			 uint32_t id);

/*
 * A view: somebody who tells a client what changed.  The feed is the list of
 * changed slots, by whomever (other sessions, other programs, the view's own
 * session); each view has a position in it.
 */
struct mailbox_watch {
	struct list link;
	/* Something was put into the feed or a message arrived; must not change
	 * the mailbox. */
	void (*on_change)(struct mailbox_watch *w);
	/* Slots of gone messages were taken out: all slots are anew.  Called
	 * only when no view is behind or holds. */
	void (*on_compact)(struct mailbox_watch *w);
	uint64_t at; /* position in the feed: private, but for comparing */
	bool holds;  /* the view knows of messages that are gone, and has not
			told yet */
};
void mailbox_watch_add(struct mailbox *mb,
		       struct mailbox_watch *w); /* at the feed's end */
void mailbox_watch_remove(struct mailbox_watch *w);
/* The next slot that changed (flags, keywords or gone); a slot may come
 * oftener. FEED_ALL: too much has changed, look at all that have a modseq > the
 * one you told last.  False: at the end. */
#define FEED_ALL SIZE_MAX
bool mailbox_feed(struct mailbox *mb, struct mailbox_watch *w, size_t *slot);

/* This session claims the recent messages: UIDs *from..uidnext-1 are \Recent to
 * it alone. */
void mailbox_claim_recent(struct mailbox *mb, uint32_t *from);

/* UIDs expunged after modseq since (QRESYNC); false: not known so far back. */
bool mailbox_vanished(struct mailbox *mb, uint64_t since, index_range_fn *fn,
		      void *arg);

/* Computed from a message's text and kept (index.h). */
bool mailbox_blob(struct mailbox *mb, const struct message *m, enum blob which,
		  struct str *out);
void mailbox_blob_put(struct mailbox *mb, uint32_t uid, enum blob which,
		      struct str s);

/* --- reading a message -----------------------------------------------------
 * A stream with CRLF line ends, whatever the file has (a NUL, which IMAP
 * cannot carry, becomes 0x80). */
struct message_reader {
	int fd;		/* -1: closed */
	uint64_t raw;	/* next offset in the file */
	uint64_t end;	/* stop at this offset */
	char last;	/* byte before what comes next */
	bool lf_due;	/* the CR of a line end is out, its LF is not */
	bool has_nul;	/* what is in buf */
	bool gives_nul; /* set by the caller: NULs are not replaced */
	char *buf;	/* NULL: nothing was read */
	size_t at, n;
};
enum { READER_BUF = 32768 };

/* err->code ENOENT: the message is gone (call mailbox_refresh()).  Needs
 * reader_close() after success. */
ERR_WARN_UNUSED int mailbox_read(struct mailbox *mb, uint32_t uid,
				 struct message_reader *r, struct err *err);
void reader_close(struct message_reader *r);
/* Start again at raw..end of the file (end is cut at its length). */
void reader_range(struct message_reader *r, uint64_t raw, uint64_t end);
/* Where the stream stands, and going back there. */
struct reader_pos {
	uint64_t raw;
	char last;
	bool lf_due;
};
void reader_tell(const struct message_reader *r, struct reader_pos *pos);
void reader_seek(struct message_reader *r, const struct reader_pos *pos,
		 uint64_t end);
/* Up to n bytes; 0 at the end; -1 with err. */
ERR_WARN_UNUSED ssize_t reader_get(struct message_reader *r, char *p, size_t n,
				   struct err *err);
/* The bytes of the file as they are. */
ERR_WARN_UNUSED ssize_t reader_get_raw(struct message_reader *r, char *p,
				       size_t n, struct err *err);

/* Size with CRLF, from the name or by counting (then kept); -1: gone or
 * unreadable. */
ERR_WARN_UNUSED int mailbox_wsize(struct mailbox *mb, uint32_t uid,
				  uint64_t *size, struct err *err);
/* The same with the CR LF (or LF) that its last line lacks: POP3 sends lines
 * (RFC 1939 3), so this is the size there (11).  What is lacking of a message
 * with its size in the name is known when it has been read once: to open all
 * files of a mailbox for it would cost more than all else at a login. */
ERR_WARN_UNUSED int mailbox_lf_size(struct mailbox *mb, uint32_t uid,
				    uint64_t *size, struct err *err);
/* For who has counted anyway. */
void mailbox_note_wsize(struct mailbox *mb, uint32_t uid, uint64_t size);
void mailbox_note_end(struct mailbox *mb, uint32_t uid, unsigned lacks);
/* Internal date, seconds since 1970. */
ERR_WARN_UNUSED int mailbox_mtime(struct mailbox *mb, uint32_t uid, int64_t *t,
				  struct err *err);

/* --- changing --------------------------------------------------------------
 */
/*
 * Change flags and keywords of these messages (uids ascending); those that are
 * gone are skipped, those that have them already keep their modseq.  All get
 * one modseq.  In the log before this returns (another process sees it, kill -9
 * does not lose it), durable within a second; file names follow later
 * (store_work()).
 */
struct flag_change {
	enum { FLAGS_ADD, FLAGS_REMOVE, FLAGS_SET } how;
	uint64_t flags; /* MAILDIR_*; FLAGS_SET leaves letters alone that IMAP
			   does not know */
	const struct str *keywords; /* names; new ones are made */
	size_t nkeywords;
	/* Not NULL: those with a modseq > since stay as they are, and it is
	 * called with their place in uids (RFC 7162 3.1.3). */
	void (*refused)(void *arg, size_t i);
	void *arg;
	uint64_t since;
};
ERR_WARN_UNUSED int mailbox_change(struct mailbox *mb, const uint32_t *uids,
				   size_t n, const struct flag_change *c,
				   struct err *err);
/* Remove these messages; uids ascending.  Those already gone are no error. On
 * return they are durably gone; on failure some may be, not durably: after a
 * power cut they may be back.  Whoever calls this is not spared its own
 * watcher. */
ERR_WARN_UNUSED int mailbox_expunge(struct mailbox *mb, const uint32_t *uids,
				    size_t n, struct err *err);

/* Copy (or move) messages to dst, in order; first_uid..first_uid+n-1 are
 * their new UIDs.  All or nothing, durable on return.  For a move the caller
 * calls mailbox_expunge() afterwards. err->code ENOENT: one of them is gone. */
ERR_WARN_UNUSED int mailbox_copy(struct mailbox *src, const uint32_t *uids,
				 size_t n, struct mailbox *dst,
				 uint32_t *first_uid, struct err *err);

/* A message being written: begin, any number of writes (CRLF or LF; stored
 * with LF), then commit or abort, which free it.  After commit it is durable
 * with its UID. mtime: internal date. */
struct append_info {
	uint64_t flags;
	const struct str *keywords;
	size_t nkeywords;
	int64_t mtime;
};
struct store_append;
struct store_append *append_begin(struct mailbox *mb, struct err *err);
ERR_WARN_UNUSED int append_write(struct store_append *a, struct str s,
				 struct err *err);
ERR_WARN_UNUSED int append_commit(struct store_append *a,
				  const struct append_info *info, uint32_t *uid,
				  struct err *err);
/* MULTIAPPEND (RFC 3502): all or none, one sync; first UID, the others follow.
 * Frees all. */
ERR_WARN_UNUSED int append_commit_all(struct store_append **v,
				      const struct append_info *info, size_t n,
				      uint32_t *first_uid, struct err *err);
void append_abort(struct store_append *a);

/* --- written behind --------------------------------------------------------
 * File names that follow flags, new mail that moves to cur/, syncs, snapshots.
 */
/* A portion of what is due; *ms: call again after so long, -1: when something
 * changes. */
void store_work(struct store *st, int *ms);
/* All of it, now (before the process ends). */
void store_finish(struct store *st);

/* --- a folder that is not open ---------------------------------------------
 * From the summary of all folders (posthouse.folders), if its directories and
 * log are as they were, else by opening it. */
struct folder_status {
	uint32_t uidvalidity, uidnext;
	uint64_t messages, unseen, deleted, recent, highestmodseq;
};
ERR_WARN_UNUSED int store_status(struct store *st, struct str name,
				 struct folder_status *out, struct err *err);
/* Sum of the sizes with CRLF (STATUS=SIZE, RFC 8438): may have to look at all
 * files once. */
ERR_WARN_UNUSED int store_size(struct store *st, struct str name,
			       uint64_t *size, struct err *err);

/* --- folders ---------------------------------------------------------------
 */
enum folder_attr {
	FOLDER_NOSELECT = 1, /* only a level above others */
	FOLDER_CHILDREN = 2,
	FOLDER_SUBSCRIBED = 4,
	/* what it is for (RFC 6154) */
	FOLDER_ARCHIVE = 8,
	FOLDER_DRAFTS = 16,
	FOLDER_JUNK = 32,
	FOLDER_SENT = 64,
	FOLDER_TRASH = 128,
	FOLDER_USES = FOLDER_ARCHIVE | FOLDER_DRAFTS | FOLDER_JUNK |
		      FOLDER_SENT | FOLDER_TRASH,
};
extern const struct store_use {
	const char *name; /* "\Sent" */
	unsigned attr;
} store_uses[]; /* ended by NULL */

struct folder {
	char *name;
	unsigned attrs;
};
struct folder_list {
	struct folder *v; /* sorted by name, INBOX first */
	size_t n, size;
};

/* All folders, and names that do not exist, with FOLDER_NOSELECT: those that
 * stand above others (FOLDER_CHILDREN if one of them exists), and those that
 * are subscribed. */
ERR_WARN_UNUSED int store_list(struct store *st, struct folder_list *out,
			       struct err *err);
void folder_list_fini(struct folder_list *l);
const struct folder *folder_list_find(const struct folder_list *l,
				      struct str name);

/* A name that a folder can have; *out in one form ("inbox" becomes "INBOX",
 * a trailing separator goes).  out has STORE_NAME_MAX + 1 bytes. */
ERR_WARN_UNUSED int store_name_check(struct str name, char *out,
				     struct err *err);

bool store_exists(struct store *st, struct str name);
/* All durable on return.  err->code: EEXIST, ENOENT, EPERM (INBOX),
 * ENOTEMPTY (a mere level with folders below).  Nor is a folder deleted whose
 * directory contains one of a foreign program (EPERM); what Courier left is
 * removed. */
ERR_WARN_UNUSED int store_create(struct store *st, struct str name,
				 struct err *err);
/* uses: of FOLDER_USES; it goes along with a rename. */
ERR_WARN_UNUSED int store_create_for(struct store *st, struct str name,
				     unsigned uses, struct err *err);
ERR_WARN_UNUSED int store_delete(struct store *st, struct str name,
				 struct err *err);
/* With all folders below; INBOX: its messages move to a new folder. */
ERR_WARN_UNUSED int store_rename(struct store *st, struct str from,
				 struct str to, struct err *err);
ERR_WARN_UNUSED int store_subscribe(struct store *st, struct str name, bool on,
				    struct err *err);

#endif
