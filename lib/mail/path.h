/* SPDX-License-Identifier: ISC */
#ifndef MAIL_PATH_H
#define MAIL_PATH_H

#include "base/err.h"
#include "base/str.h"

/*
 * Envelope addresses: Reverse-path, Forward-path and Mailbox of RFC 5321
 * 4.1.2, with PATH_UTF8 as RFC 6531 3.3 widens them.  '%' and '!' are ordinary
 * characters of a local part; path.routing says that they are there.
 */
enum {
	PATH_LOCAL_MAX = 256, /* more than RFC 5321 4.5.3.1.1 asks: VERP, SRS */
	PATH_DOMAIN_MAX = 255,
	PATH_ROUTE_MAX = 16, /* domains in a source route */
	PATH_TEXT_MAX = PATH_LOCAL_MAX + 1 + PATH_DOMAIN_MAX,
};

struct path {
	/*
	 * Envelope form, NUL-terminated: "local@domain", the local part quoted
	 * only where it must be; "" for <>; without '@' for a bare local part.
	 */
	char text[PATH_TEXT_MAX + 1];
	size_t n;
	size_t at;	   /* offset of the '@' before the domain; n: none */
	bool source_route; /* <@a,@b:user@c>: read, checked, and ignored */
	bool literal;	   /* the domain is an address literal */
	bool utf8;	   /* it needs SMTPUTF8 */
	bool routing;	   /* '%', '!' or '@' in the local part */
};

enum path_flags {
	PATH_STRICT = 1,  /* no blank before '<', and '<' '>' must be there */
	PATH_NULL_OK = 2, /* <> is allowed */
	PATH_UTF8 = 4,	  /* any character from U+00A0 on, too */
};

enum path_result {
	PATH_OK,
	PATH_BAD,
	PATH_NOT_ASCII, /* a byte above 126 without PATH_UTF8 (RFC 6531) */
};

/*
 * Read a path at the start of *in and advance *in behind it.  On anything but
 * PATH_OK *p is undefined and err (may be NULL) says what is wrong.
 */
enum path_result path_parse(struct str *in, unsigned flags, struct path *p,
			    struct err *err);

/* Add "@domain" to a bare local part; -1 if it has a domain or is too long. */
ERR_WARN_UNUSED int path_add_domain(struct path *p, struct str domain);

/* Is s a domain name (labels of letters, digits, '-', '_') or an address
 * literal? */
bool path_is_domain(struct str s);

static inline struct str
path_str(const struct path *p)
{
	return (struct str){ p->text, p->n };
}

static inline struct str
path_local(const struct path *p)
{
	return (struct str){ p->text, p->at };
}

static inline struct str
path_domain(const struct path *p)
{
	return p->at < p->n
		       ? (struct str){ p->text + p->at + 1, p->n - p->at - 1 }
		       : (struct str){ p->text + p->n, 0 };
}

#endif
