/* SPDX-License-Identifier: ISC */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <sys/types.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "store/maildir.h"

/*
 * A user's mail: the folders of one Maildir++ tree, as imapd and pop3d see
 * it.  The files are the truth; beside them stand one UID file a folder
 * (uidfile.h) and the list of subscriptions.  One process may hold a store
 * open for many sessions: they share one struct mailbox per open folder.
 * Several processes may have the same folder open: UIDs are given under a
 * lock, everything else is Maildir's own rules.
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
 * A message.  Belongs to its mailbox and lives until mailbox_refresh(),
 * mailbox_expunge() or mailbox_release(): keep the UID, not the pointer.
 */
struct message {
	uint32_t uid;
	bool in_new;	/* the file is in new/, otherwise in cur/ */
	bool fresh;	/* \Recent, and no session has been told */
	uint64_t flags; /* MAILDIR_* bits, others are kept untouched */
	uint64_t mod;	/* value of mailbox_mod() at the last flag change */
	uint64_t wsize; /* size with CRLF line ends; MESSAGE_UNKNOWN */
	int64_t mtime;	/* seconds since 1970; MESSAGE_NO_TIME: not asked yet */
	size_t basen;	/* the first bytes of name that are the base */
	char *name;	/* file name */
	bool seen_in_scan, replaced; /* private to the store */
};
#define MESSAGE_UNKNOWN UINT64_MAX
#define MESSAGE_NO_TIME INT64_MIN

static inline struct str
message_base(const struct message *m)
{
	return str_mem(m->name, m->basen);
}

/* --- the store -------------------------------------------------------------
 * root: directory descriptor, stays the caller's and must live as long as the
 * store.  mail: the Maildir below it ("." or "Maildir"), created if missing.
 * host: for the names of messages that are appended. */
struct store *store_open(int root, const char *mail, const char *host,
			 struct err *err);
void store_close(struct store *st);

/* Becomes readable when files changed (inotify); -1 if the kernel has none:
 * then call store_poll() every STORE_POLL_MS.  To be asked for before a folder
 * is opened; who does not ask has no inotify. */
enum { STORE_POLL_MS = 30000 };
int store_watch_fd(struct store *st);
/* Take in what happened; calls the watchers (below) of changed folders. */
void store_poll(struct store *st);

/* --- open folders ----------------------------------------------------------
 */
/* Open a folder and read it; err->code ENOENT: no such folder.  Each success
 * is paired with mailbox_release(). */
struct mailbox *mailbox_open(struct store *st, struct str name,
			     struct err *err);
void mailbox_release(struct mailbox *mb);

/* Compare with the disk: new files get UIDs (durable when this returns),
 * vanished ones go, flags follow the file names.  Cheap if nothing changed.
 * On failure (TEMP) the old state stands. */
ERR_WARN_UNUSED int mailbox_refresh(struct mailbox *mb, struct err *err);

/* The messages by ascending UID. */
size_t mailbox_count(const struct mailbox *mb);
struct message *mailbox_at(const struct mailbox *mb, size_t i);
/* NULL: no (longer) such message. */
struct message *mailbox_find(const struct mailbox *mb, uint32_t uid);
/* Index of the first message with at least this UID; count if none. */
size_t mailbox_lower(const struct mailbox *mb, uint32_t uid);

const char *mailbox_name(const struct mailbox *mb);
uint32_t mailbox_uidvalidity(const struct mailbox *mb);
uint32_t mailbox_uidnext(const struct mailbox *mb);
/* Grows with every change of flags, arrival and loss; remembered per session
 * to see cheaply that there is nothing to tell. */
uint64_t mailbox_mod(const struct mailbox *mb);
bool mailbox_deleted(const struct mailbox *mb);

/* Told when the disk has changed, or another user of this object changed
 * something; the callback must not change the mailbox. */
struct mailbox_watch {
	struct list link;
	void (*on_change)(struct mailbox_watch *w);
};
void mailbox_watch_add(struct mailbox *mb, struct mailbox_watch *w);
void mailbox_watch_remove(struct mailbox_watch *w);

/* --- reading a message -----------------------------------------------------
 * A stream with CRLF line ends, whatever the file has (a NUL, which IMAP
 * cannot carry, becomes 0x80). */
struct message_reader {
	int fd;	      /* -1: closed */
	uint64_t raw; /* next offset in the file */
	uint64_t end; /* stop at this offset */
	char last;    /* byte before what comes next */
	bool lf_due;  /* the CR of a line end is out, its LF is not */
	char *buf;
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
ERR_WARN_UNUSED int mailbox_wsize(struct mailbox *mb, struct message *m,
				  uint64_t *size, struct err *err);
/* Internal date, seconds since 1970. */
ERR_WARN_UNUSED int mailbox_mtime(struct mailbox *mb, struct message *m,
				  int64_t *t, struct err *err);

/* --- changing --------------------------------------------------------------
 */
/* (flags & ~clear) | set on the disk and in memory.  err->code ENOENT: gone.
 * Not synced: a power cut may bring back flags that the message had before. */
ERR_WARN_UNUSED int mailbox_set_flags(struct mailbox *mb, struct message *m,
				      uint64_t set, uint64_t clear,
				      struct err *err);
/* Move what is in new/ to cur/ (a session has selected the folder). */
ERR_WARN_UNUSED int mailbox_take_new(struct mailbox *mb, struct err *err);
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
struct store_append;
struct store_append *append_begin(struct mailbox *mb, struct err *err);
ERR_WARN_UNUSED int append_write(struct store_append *a, struct str s,
				 struct err *err);
ERR_WARN_UNUSED int append_commit(struct store_append *a, uint64_t flags,
				  int64_t mtime, uint32_t *uid,
				  struct err *err);
void append_abort(struct store_append *a);

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
 * ENOTEMPTY (a mere level with folders below). */
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
