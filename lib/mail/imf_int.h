/* SPDX-License-Identifier: ISC */
#ifndef MAIL_IMF_INT_H
#define MAIL_IMF_INT_H

#include "mail/imf.h"

/* Put the pieces of parameters together; those of which one is missing stay as
 * they are. */
void imf_join_params(struct pool *pool, struct imf_param **list);

#endif
