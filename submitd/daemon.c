/* SPDX-License-Identifier: ISC */
#include "submitd.h"

static int
start(struct daemon *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

const struct daemon_ops submitd_ops = {
	.id = SVC_SUBMITD,
	.start = start,
};
