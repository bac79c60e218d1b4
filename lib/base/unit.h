/* SPDX-License-Identifier: ISC */
#ifndef BASE_UNIT_H
#define BASE_UNIT_H

/* For unit tests: cmocka and what its header wants before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
