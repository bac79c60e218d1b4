/* SPDX-License-Identifier: ISC */
#ifndef QMGR_PARAMS_H
#define QMGR_PARAMS_H

/* The daemon's parameters, ended by a row without a name. */
extern const struct param qmgr_params[];

#endif
