/* SPDX-License-Identifier: ISC */
#include "receive/receiver.h"
#include "submitd.h"

static int
load(struct receive_conf *c, const struct params *p, struct err *err)
{
	(void)c;
	(void)p;
	(void)err;
	return 0;
}

static const struct receiver receiver = {
	.id = SVC_SUBMITD,
	.name = "submission",
	.load = load,
};

static int
start(struct daemon *d, struct err *err)
{
	return receiver_start(d, &receiver, err);
}

const struct daemon_ops submitd_ops = {
	.id = SVC_SUBMITD,
	.start = start,
	.table = receiver_table,
	.drain = receiver_drain,
};
