/* SPDX-License-Identifier: ISC */
#ifndef MAIL_ADDRLIST_H
#define MAIL_ADDRLIST_H

#include "mail/imf_lex.h"
#include "mail/path.h"

/*
 * The addresses of a header field (RFC 5322 3.4 address-list, with groups,
 * comments and the obsolete forms of 4.4), one after the other and each with
 * its place in the text, for those who change the text or send to them.  What
 * is no address is said, never guessed at or left out.  (imf_addresses() is
 * for who wants to show what there is.)
 */
enum addrlist_kind {
	ADDRLIST_END,
	ADDRLIST_FULL, /* local@domain */
	ADDRLIST_BARE, /* only a local part */
	ADDRLIST_NULL, /* <> */
	ADDRLIST_BAD,  /* from here to the next comma, or to the end */
};

struct addrlist {
	struct imf_lexer x;
	struct str value;
	bool in_group;
	/* Of the address just returned: */
	struct path path;  /* FULL and BARE: in envelope form */
	size_t start, end; /* its text, from the separator before it to the one
			      behind it */
	size_t local_end;  /* BARE: where "@domain" belongs */
	struct buf spec;
};

/* value is borrowed. */
void addrlist_init(struct addrlist *l, struct str value);
void addrlist_fini(struct addrlist *l);
enum addrlist_kind addrlist_next(struct addrlist *l);

#endif
