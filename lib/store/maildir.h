/* SPDX-License-Identifier: ISC */
#ifndef STORE_MAILDIR_H
#define STORE_MAILDIR_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Maildir: names of messages, and the directories they stand in.  Shared by
 * deliver, which writes new messages, and imapd and pop3d, which read them.
 *
 * A message's file name is BASE or BASE:2,FLAGS.  BASE never changes while the
 * message lives and is what identifies it; ours ends in ",S=<size>,W=<size
 * with CRLF line ends>", so that nobody has to read a file to know either.
 */
enum { MAILDIR_NAME_MAX = 255, MAILDIR_PATH_MAX = 1024 };

/* One bit a letter, so that letters we do not know survive: A-Z are the
 * standard flags, a-z keywords of Dovecot's. */
#define MAILDIR_FLAG(letter) \
	(1ull << ((letter) >= 'a' ? (letter) - 'a' + 26 : (letter) - 'A'))
#define MAILDIR_DRAFT MAILDIR_FLAG('D')
#define MAILDIR_FLAGGED MAILDIR_FLAG('F')
#define MAILDIR_PASSED MAILDIR_FLAG('P')
#define MAILDIR_REPLIED MAILDIR_FLAG('R')
#define MAILDIR_SEEN MAILDIR_FLAG('S')
#define MAILDIR_TRASHED MAILDIR_FLAG('T')

struct maildir_name {
	struct str base; /* a part of the name that was parsed */
	bool has_size, has_wsize;
	uint64_t size;	/* ,S= bytes in the file */
	uint64_t wsize; /* ,W= bytes with each LF sent as CRLF */
	uint64_t flags; /* MAILDIR_FLAG bits */
	bool regular;	/* BASE, or as maildir_format() writes it */
};

/* Neither a '/' nor a control byte: it can be (a part of) a file's name. */
bool maildir_is_plain(struct str s);

/* Any file name found in new/ or cur/.  -1: not a message (empty, hidden, too
 * long, or with a '/', control byte or NUL in it). */
ERR_WARN_UNUSED int maildir_parse(struct str name, struct maildir_name *out);

/* The number it begins with: when it was delivered, as far as one may trust
 * others' names. */
uint64_t maildir_seconds(struct str base);

/* Append BASE:2,FLAGS, the letters in ASCII order. */
void maildir_format(struct buf *out, struct str base, uint64_t flags);

/*
 * The base of a delivered message:
 *   <arrival seconds>.P<spool id>Q<queue id>R<rcpt>.<host>,S=<n>,W=<n>
 * All from what the queue file says, so that a repeated delivery makes the same
 * name and finds itself.
 */
struct maildir_origin {
	uint64_t arrival_us;
	uint64_t spool_id, queue_id;
	uint64_t rcpt; /* maildir_rcpt() */
};
/* A number for one recipient and folder of a message. */
uint64_t maildir_rcpt(uint64_t spool_id, uint64_t queue_id, uint32_t slot,
		      struct str path, struct str address);
/* The part up to and with the dot before the host: no other message's name
 * begins with it. */
void maildir_prefix(struct buf *out, const struct maildir_origin *o);
/* The base.  host: what may not stand in a file name becomes octal as Maildir
 * has it ("/" is \057, ":" is \072), and "," too; cut so that the name with
 * flags fits. */
void maildir_base(struct buf *out, const struct maildir_origin *o,
		  struct str host, uint64_t size, uint64_t wsize);
/* The base of a message that is not from the queue (APPEND, COPY): unique by
 * time and 128 random bits. */
void maildir_base_random(struct buf *out, struct str host, uint64_t size,
			 uint64_t wsize);

/* How many bytes larger the text is with CRLF line ends: its bare LFs.  *last
 * is the byte before p (0 at the start), for texts in parts. */
uint64_t maildir_count_lf(const char *p, size_t n, char *last);

/*
 * Directories.  path is relative to root, taken component by component; no
 * link is followed; "..", "." , empty components, NUL and absolute paths are
 * refused (ERR_PERM, EINVAL); one trailing "/" is dropped.  "" and "." mean
 * root itself.
 */
/* Open the directory path, with create making what is missing, 0700 and durable
 * in its parent.  The caller closes it. */
ERR_WARN_UNUSED int maildir_walk(int root, const char *path, bool create,
				 struct err *err);

/* Create what is missing of path/{tmp,new,cur}, 0700, each made durable in its
 * parent.  Cheap, but not free, if all is there. */
ERR_WARN_UNUSED int maildir_create(int root, const char *path, struct err *err);

/* tmp and new of a Maildir, opened as directories. */
struct maildir_box {
	int dir, tmp, new;
};
/* -1 with err->code ENOENT if it, or a part of it, is not there. */
ERR_WARN_UNUSED int maildir_open(int root, const char *path,
				 struct maildir_box *box, struct err *err);
void maildir_close(struct maildir_box *box);

#endif
