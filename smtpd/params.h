/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_PARAMS_H
#define SMTPD_PARAMS_H

#include "base/param.h"

/* The parameters of smtpd; ended by a row without a name. */
extern const struct param smtpd_params[];

#endif
