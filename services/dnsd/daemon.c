/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "dnsd.h"

static int
start(struct daemon *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

static void
reload(struct daemon *d)
{
	(void)d;
}

static void
table(struct daemon *d, struct str name, int fd)
{
	(void)d;
	(void)name;
	close(fd);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	(void)d;
	(void)row;
	close(fd);
}

const struct daemon_ops dnsd_ops = {
	.id = SVC_DNSD,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
};
