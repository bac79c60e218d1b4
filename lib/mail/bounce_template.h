/* SPDX-License-Identifier: ISC */
#ifndef MAIL_BOUNCE_TEMPLATE_H
#define MAIL_BOUNCE_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"

/*
 * The words of delivery reports, in the syntax of Postfix's bounce(5):
 *
 *	# comment
 *	failure_template = <<EOF
 *	Charset: us-ascii
 *	From: MAILER-DAEMON (Mail Delivery System)
 *	Subject: Undelivered Mail Returned to Sender
 *	Postmaster-Subject: Postmaster Copy: Undelivered Mail
 *
 *	This is the mail system at host $myhostname.
 *	EOF
 *
 * and the same for delay_, success_ and verify_template.
 */
enum bounce_kind {
	BOUNCE_FAILURE,
	BOUNCE_DELAY,
	BOUNCE_SUCCESS,
	BOUNCE_VERIFY,
	BOUNCE_KINDS,
};

enum {
	BOUNCE_FILE_MAX = 64 * 1024,
	BOUNCE_TEXT_MAX = 64 * 1024, /* of a text with its values put in */
	BOUNCE_LINE_MAX = 900,	     /* of the file, in bytes */
};

struct bounce_template {
	struct str charset; /* "us-ascii" or "utf-8", lower case or not */
	struct str from;    /* one line each, printable */
	struct str subject;
	struct str postmaster_subject; /* "": as subject */
	struct str text;	       /* LF line ends */
};

struct bounce_templates {
	struct bounce_template of[BOUNCE_KINDS];
};

/* What is used where the file says nothing. */
extern const struct bounce_templates bounce_defaults;

/* A word that $name, ${name} or $(name) in a text stands for. */
struct bounce_value {
	const char *name;
	struct str value;
};

/*
 * Read the file; a kind that does not stand there is as in bounce_defaults.
 * Slices of file.  Checked with the names of values (n of them): a text that
 * uses another name is a fault, as are controls, characters beyond ASCII
 * without "Charset: utf-8", and everything that is not of the syntax above.
 * -1 (PERM): nothing of it is to be used.
 */
ERR_WARN_UNUSED int bounce_templates_parse(struct bounce_templates *t,
					   struct str file,
					   const struct bounce_value *values,
					   size_t n, struct err *err);

/* Append text with the values put in; "$$" is a dollar.  -1 (PERM): a name is
 * not known, or the syntax is wrong, or it is too long. */
ERR_WARN_UNUSED int bounce_expand(struct buf *out, struct str text,
				  const struct bounce_value *values, size_t n,
				  struct err *err);

#endif
