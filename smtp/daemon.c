/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "worker.h"

static int
start(struct daemon *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	(void)d;
	(void)row;
	close(fd);
}

const struct daemon_ops smtp_ops = {
	.id = SVC_SMTP,
	.start = start,
	.peer = peer,
};
