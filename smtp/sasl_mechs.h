/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SASL_MECHS_H
#define SMTP_SASL_MECHS_H

#include "base/err.h"
#include "base/str.h"

/*
 * Which mechanism is tried first, and which may be: pure.
 */
enum sasl_option { /* what a mechanism gives, or must give */
		   SASL_OPT_NOPLAINTEXT = 1,
		   SASL_OPT_NOACTIVE = 2,
		   SASL_OPT_NODICTIONARY = 4,
		   SASL_OPT_NOANONYMOUS = 8,
		   SASL_OPT_MUTUAL_AUTH = 16,
};
/* Of a list of words; -1: there is no such word. */
ERR_WARN_UNUSED int sasl_options_parse(struct str list, unsigned *bits,
				       struct err *err);

struct sasl_mech {
	const char *name;
	unsigned gives;
	bool plus;	  /* with channel binding */
	bool server_ends; /* the server may be content before we are done */
};
enum { SASL_MECHS = 7 };
/* The best first. */
extern const struct sasl_mech sasl_mechs[SASL_MECHS];

/* Is the mechanism among the words that the server offers? */
bool sasl_mech_offered(const struct sasl_mech *m, struct str words);
/* smtp_sasl_mechanism_filter: names, "!" in front to exclude, static:X for
 * all others; the first that matches decides.  Empty: all. */
bool sasl_mech_passes(const struct sasl_mech *m, struct str filter);
/* -1: an item that is no name. */
ERR_WARN_UNUSED int sasl_filter_check(struct str filter, struct err *err);

#endif
