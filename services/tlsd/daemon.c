/* SPDX-License-Identifier: ISC */
#include "tlsd.h"

static int
start(struct daemon *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

const struct daemon_ops tlsd_mx_ops = {
	.id = SVC_TLSD_MX,
	.start = start,
};

const struct daemon_ops tlsd_user_ops = {
	.id = SVC_TLSD_USER,
	.start = start,
};
