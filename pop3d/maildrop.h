/* SPDX-License-Identifier: ISC */
#ifndef POP3D_MAILDROP_H
#define POP3D_MAILDROP_H

#include "mail/uidl.h"
#include "store/store.h"

/*
 * INBOX as a POP3 client sees it: the messages and their sizes at its login (a
 * snapshot), whatever others do meanwhile.  There is no lock.  Messages go, and
 * are marked as seen, in maildrop_update() and nowhere else (RFC 1939 6).
 */
struct drop {
	uint32_t uid;
	bool deleted; /* by DELE */
	bool sent;    /* whole, by RETR */
	uint64_t size;
};

struct maildrop {
	struct mailbox *mb; /* NULL: closed */
	uint32_t uidvalidity;
	struct drop *v;
	size_t n;
	/* posthouse.uidl, once it is asked for */
	bool has_list;
	struct uidl_list list;
	char *list_text;
};

/* On failure m is closed. */
ERR_WARN_UNUSED int maildrop_open(struct maildrop *m, struct store *st,
				  struct err *err);
void maildrop_close(struct maildrop *m);

/* Without those deleted. */
void maildrop_count(const struct maildrop *m, size_t *n, uint64_t *bytes);
/* Undo all DELE. */
void maildrop_reset(struct maildrop *m);

/* Open a message; r->fd is at its beginning, to be closed by reader_close().
 * err->code ENOENT: somebody has removed it. */
ERR_WARN_UNUSED int maildrop_read(struct maildrop *m, const struct drop *d,
				  struct message_reader *r, struct err *err);

/* Its name for UIDL.  root: the mailbox's directory, for posthouse.uidl. */
void maildrop_uidl(struct maildrop *m, const struct drop *d, int root,
		   struct str format, struct buf *out);

struct maildrop_policy {
	bool flags;	   /* messages that were sent become seen */
	uint64_t expire_s; /* seen ones older than that go; 0: never */
};
/*
 * QUIT: remove what was deleted, durably, and what is too old; mark what was
 * sent.  *removed: of those deleted (also by others), all or, on failure, 0:
 * then some may be gone.
 */
ERR_WARN_UNUSED int maildrop_update(struct maildrop *m,
				    const struct maildrop_policy *p,
				    size_t *removed, struct err *err);

#endif
