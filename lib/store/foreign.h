/* SPDX-License-Identifier: ISC */
#ifndef STORE_FOREIGN_H
#define STORE_FOREIGN_H

#include "base/buf.h"
#include "base/err.h"

/*
 * What Dovecot and Courier keep beside the messages of a Maildir: pure parsers.
 * All slices point into the text.  What is not well formed is passed over;
 * callers count.
 */
enum { FOREIGN_FILE_MAX = 256 * 1024 * 1024, FOREIGN_LETTERS = 26 };

/*
 * dovecot-uidlist, and courierimapuiddb, which is its version 1:
 *
 *   3 V<uidvalidity> N<next uid> G<guid>      1 <uidvalidity> <next uid>
 *   <uid> [<letter><value> ]...:<file name>   <uid> <file name>
 *
 * Of the fields only P (UIDL) and W (size with CR LF) mean something here.
 */
struct foreign_uid {
	uint32_t uid;
	struct str base;
	struct str uidl; /* n 0: not said */
	uint64_t wsize;	 /* UINT64_MAX: not said */
};
struct foreign_uids {
	uint32_t uidvalidity, uidnext; /* > 0; above all of v */
	struct str guid;
	struct foreign_uid *v; /* by ascending UID */
	size_t n;
	size_t bad; /* lines passed over */
};
/* -1: not such a file, or out of memory. */
ERR_WARN_UNUSED int foreign_uids_parse(struct foreign_uids *u, struct str text,
				       struct err *err);
void foreign_uids_fini(struct foreign_uids *u);

/* dovecot-keywords: "<number> <name>" each; number 0 is the letter "a".  What
 * is not said stays STR_NULL. */
void foreign_letters_parse(struct str text, struct str name[FOREIGN_LETTERS]);

/*
 * courierimapkeywords/:list: names, one a line; an empty line; then
 * "<base>:<number> <number>..." each, numbers of names counted from 0.
 */
struct foreign_list {
	struct str rest;
	struct str *name;
	uint32_t names;
};
/* -1: out of memory. */
ERR_WARN_UNUSED int foreign_list_open(struct foreign_list *l, struct str text,
				      struct err *err);
void foreign_list_close(struct foreign_list *l);
/* The next message that has keywords; *numbers is for foreign_list_name(). */
bool foreign_list_next(struct foreign_list *l, struct str *base,
		       struct str *numbers);
/* The next of its keywords. */
bool foreign_list_name(const struct foreign_list *l, struct str *numbers,
		       struct str *name);

/* courierpop3dsizelist: "/<version> <next> [<uidvalidity>]", then
 * "<file name> <size> <uid>:<uidvalidity>[:...]".  The next message. */
struct foreign_size {
	struct str base;
	uint32_t uid, uidvalidity; /* 0: not said; both: the name is the UIDL */
};
bool foreign_size_next(struct str *text, struct foreign_size *s);
/* The UIDL that Courier gave it. */
void foreign_size_uidl(const struct foreign_size *s, struct buf *out);

/*
 * subscriptions (Dovecot's, versions 1 and 2) and courierimapsubscribed: the
 * next name, with "." between levels, in modified UTF-7.  out is emptied
 * before.  Courier has all folders below INBOX.  False: the end.
 */
bool foreign_subscription_next(struct str *text, bool courier, struct buf *out);

/* A file's name without ":2,FLAGS". */
struct str foreign_base(struct str name);

#endif
