/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_LAST_USE_H
#define AUTHD_LAST_USE_H

#include "mail/last_use.h"

/* Write down a login (mail/last_use.h) through the descriptor that master has
 * opened; fd -1: nowhere.  What fails is forgotten: the file is not precious.
 */
void last_use_note(int fd, const struct last_use *u);

#endif
