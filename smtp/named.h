/* SPDX-License-Identifier: ISC */
#ifndef SMTP_NAMED_H
#define SMTP_NAMED_H

#include "base/param.h"

/* What main.cf says for one transport: NAME_key, or smtp_key where the
 * transport has none of its own.  As params_str() and params_num(). */
struct str named_str(const struct params *p, const char *transport,
		     const char *key);
unsigned named_num(const struct params *p, const char *transport,
		   const char *key);

#endif
