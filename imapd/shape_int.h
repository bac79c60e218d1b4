/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SHAPE_INT_H
#define IMAPD_SHAPE_INT_H

/* Sizes of the format (shape.h); the version counts up when what is said of a
 * text changes, too. */
enum {
	SHAPE_VERSION = 3,
	SHAPE_HEAD = 24,
	SHAPE_PART = 48,
	SHAPE_CUT = 8,
};
#define CUT_REV2 0x80000000U

#endif
