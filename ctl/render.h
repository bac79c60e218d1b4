/* SPDX-License-Identifier: ISC */
#ifndef CTL_RENDER_H
#define CTL_RENDER_H

#include "base/param.h"

/* The manual page main.cf(5) and the sample main.cf, from the rows, on stdout.
 * Both return an exit status. */
int render_manual(const struct param *const *sets);
int render_sample(const struct param *const *sets);

#endif
