/* SPDX-License-Identifier: ISC */
#ifndef STORE_ADOPT_H
#define STORE_ADOPT_H

#include "store/store.h"

/*
 * A folder's messages, as another server knew them: their UIDs become ours.
 * One rename puts the new log in place, so that after a crash the folder is as
 * before or as it is to be.  Sessions that have it open learn that it is
 * another one.
 */
struct adopt_message {
	uint32_t uid;
	struct str base;
	uint64_t disk;	 /* as in struct message */
	uint64_t flags;	 /* may differ from disk: its name follows */
	uint64_t wsize;	 /* MESSAGE_UNKNOWN */
	struct str uidl; /* name for POP3; n 0: as pop3_uidl_format says */
	const struct str *keywords;
	size_t nkeywords;
	bool listed; /* its UID was told to clients */
	bool in_tmp; /* its file */
};
struct adoption {
	uint32_t uidvalidity; /* 0: a fresh one */
	uint32_t uidnext;     /* > 0 */
	uint32_t recent_from;
	struct adopt_message *v; /* by ascending UID */
	size_t n;
	/* The folder has given UIDs of its own: take these all the same, under
	 * a greater UIDVALIDITY. */
	bool force;
};
enum adopt_result {
	ADOPT_DONE,
	ADOPT_SAME, /* the folder has these messages under these UIDs */
	ADOPT_OTHER /* it has others, nothing was changed */
};
/* Files may be in place, or in tmp/ under their base up to the sizes: the next
 * mailbox_open() puts these in place.  The folder (clean name) exists and is
 * not open in this store.  a->uidvalidity becomes what was taken. */
ERR_WARN_UNUSED int store_adopt(struct store *st, const char *name,
				struct adoption *a, enum adopt_result *res,
				struct err *err);

/* The name that a message's file has in tmp/. */
struct str adopt_tmp_name(struct str base);

/* For a server that has keywords as letters in files' names: those of these
 * messages (uids ascending) become letters[i] of a-z, and the names follow as
 * for flags. */
ERR_WARN_UNUSED int mailbox_set_letters(struct mailbox *mb,
					const uint32_t *uids,
					const uint64_t *letters, size_t n,
					struct err *err);

/* Replace index and log by ones that say the same, made from the log and the
 * files; computed blobs go, sessions make them again.  UIDs, keywords and
 * modseqs stay.  *n: messages. */
ERR_WARN_UNUSED int store_rebuild(struct store *st, const char *name, size_t *n,
				  struct err *err);

#endif
