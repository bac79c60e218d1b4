/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_VIEW_H
#define IMAPD_VIEW_H

#include "parse.h"
#include "store/store.h"

struct imap_session;

/*
 * A session's view of its mailbox: what the client was told, and so what its
 * sequence numbers mean.  It follows the mailbox only in imap_view_sync(),
 * which says each difference as it takes it over; so a number never means
 * another message than the client thinks (RFC 3501 2.3.1.2, RFC 2180).
 *
 * There is no array of messages.  The client knows the slots below `known`, but
 * for those in `gone`; the n-th of them is message n.  What has changed comes
 * from the mailbox's feed and waits in `todo` until it may be said.
 *
 * Slots stay what they are from the beginning of a command to its end (the
 * watch's `holds`): a job may keep them, not pointers to messages.
 */
struct imap_slots {
	size_t *v;
	size_t n, size;
};

/* UIDs that are \Recent to this session. */
struct imap_ranges {
	struct imap_range *v;
	size_t n, size;
};

struct imap_view {
	struct mailbox *mb; /* NULL: none selected */
	struct mailbox_watch watch;
	bool readonly;
	size_t known;
	struct imap_slots gone; /* ascending */
	struct imap_slots todo; /* ascending while phase is not 0 */
	uint64_t modseq;	/* changes up to it are told or in todo */
	size_t keywords;	/* those with a smaller id were said in FLAGS */
	struct imap_ranges recent;
	struct imap_set saved; /* of "$" (RFC 5182), UIDs; our memory */
	uint32_t uidvalidity;
	bool deleted; /* the folder: all its messages are in todo */
	bool failed;  /* no memory: the session ends */
	/* a sync that goes on when output has flown */
	int phase;
	size_t at, keep;
};

/* The watch is s->view's; nothing is said.  0, or -1 with err, then the mailbox
 * stays the caller's, otherwise imap_view_close() releases it. */
ERR_WARN_UNUSED int imap_view_open(struct imap_session *s, struct mailbox *mb,
				   bool readonly, struct err *err);
void imap_view_close(struct imap_session *s);

/* --- numbers ---------------------------------------------------------------
 */
/* EXISTS, as told. */
uint32_t imap_view_count(const struct imap_view *v);
/* The UID of the last message that was told, 0: none. */
uint32_t imap_view_last_uid(struct imap_view *v);
/* RECENT: of those that were told. */
uint32_t imap_view_recent(struct imap_view *v);
bool imap_view_is_recent(const struct imap_view *v, uint32_t uid);
/* seq: 1 to imap_view_count(). */
size_t imap_view_slot(const struct imap_view *v, uint32_t seq);
/* 0: the client does not know this slot. */
uint32_t imap_view_seq(const struct imap_view *v, size_t slot);
uint32_t imap_view_seq_of_uid(struct imap_view *v, uint32_t uid);
/* The message; NULL: gone, though the client was not told. */
const struct message *imap_view_at(struct imap_view *v, size_t slot);

/* --- sets ------------------------------------------------------------------
 * Numbers for "*", and the saved ones for "$"; uids: the set has UIDs.  Ordered
 * and disjoint afterwards.  False: it names a message number that there is not,
 * the reply is set. */
bool imap_view_resolve(struct imap_session *s, struct imap_set *set, bool uids);
/* What "$" means from now on: UIDs, ascending and disjoint, copied.  -1: no
 * memory, then "$" is empty. */
int imap_view_save(struct imap_view *v, const struct imap_range *r, size_t n);

/*
 * The messages of the view that a resolved set names, ascending, without
 * touching others.  One may be gone: see imap_view_at().
 *
 *	imap_walk_begin(&w, v, &set);
 *	while (imap_walk_next(&w, v))
 *		m = imap_view_at(v, w.slot); ... w.seq ...
 */
struct imap_walk {
	const struct imap_set *set;
	size_t slot;  /* the message */
	uint32_t seq; /* its number */
	/* private */
	size_t range, next, end, gone;
};
void imap_walk_begin(struct imap_walk *w, struct imap_view *v,
		     const struct imap_set *set);
bool imap_walk_next(struct imap_walk *w, struct imap_view *v);

/* --- changes ---------------------------------------------------------------
 */
/* mailbox_change() for a session that answers with the new flags itself (or
 * whose client knows them): they are not told again. */
ERR_WARN_UNUSED int imap_view_change(struct imap_view *v, const uint32_t *uids,
				     size_t n, const struct flag_change *c,
				     struct err *err);

/* The next sync says this message's flags, as if they had just changed. */
void imap_view_repeat(struct imap_view *v, size_t slot);

/* Say what is new and take it over; true: all said, false: call again when
 * output has flown.  Without expunge, what is gone keeps its number (RFC 3501
 * 7.4.1). */
bool imap_view_sync(struct imap_session *s, bool expunge);
/* A command begins: slots stay until imap_view_let_go(). */
void imap_view_hold(struct imap_view *v);
void imap_view_let_go(struct imap_view *v);
/* A mod-sequence up to which the client knows all, if it has heard all that was
 * said. */
uint64_t imap_view_modseq(struct imap_view *v);

/* FLAGS and PERMANENTFLAGS; imap_say_keywords(): if there are new ones. */
void imap_say_flags(struct imap_session *s);
void imap_say_keywords(struct imap_session *s);
/* Room for those that the mailbox does not have; false: the reply is set. */
bool imap_keywords_fit(struct imap_session *s, const struct mailbox *mb,
		       const struct imap_flags *f);
/* The list, without parentheses: "\Seen $Forwarded". */
void imap_put_flags(struct buf *b, struct imap_session *s,
		    const struct message *m);

enum imap_say {
	SAY_FLAGS = 1,
	SAY_UID = 2,	/* else only where the session always says it */
	SAY_MODSEQ = 4, /* the same */
};
/* "* 3 FETCH (FLAGS (\Seen))" */
void imap_say_message(struct imap_session *s, uint32_t seq,
		      const struct message *m, unsigned what);

/* VANISHED (EARLIER) for the UIDs of known (resolved) above floor that were
 * expunged after since (RFC 7162 3.2.6); nothing if there are none. */
void imap_say_vanished(struct imap_session *s, const struct imap_set *known,
		       uint32_t floor, uint64_t since);

/* A command that asks for mod-sequences enables CONDSTORE (RFC 7162 3.1). */
void imap_enable_condstore(struct imap_session *s);

#endif
