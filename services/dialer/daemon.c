/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "dialer.h"

static int
start(struct daemon *d, struct err *err)
{
	struct dialer *dialer = calloc(1, sizeof(*dialer));

	if (!dialer)
		return err_set(err, ERR_TEMP, ENOMEM, "no memory");
	dialer_init(dialer, &d->loop, &d->params);
	d->app = dialer;
	return 0;
}

/* The parameters are looked up with each question. */
static void
reload(struct daemon *d)
{
	(void)d;
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	dialer_peer(d->app, row, fd);
}

const struct daemon_ops dialer_ops = {
	.id = SVC_DIALER,
	.start = start,
	.reload = reload,
	.peer = peer,
};
