/* SPDX-License-Identifier: ISC */
#ifndef DIALER_H
#define DIALER_H

#include "frame/daemon.h"

/*
 * Connects to local sockets for those that have no file system, and hands the
 * descriptor out.
 */
enum {
	DIAL_RETRY_MS = 20, /* while the server's queue is full */
	DIAL_GIVE_UP_MS = 5000,
};

struct dialer {
	struct loop *loop;
	const struct params *params; /* dialer_sockets, queue_directory */
	struct list peers;
};

void dialer_init(struct dialer *d, struct loop *l, const struct params *p);
void dialer_fini(struct dialer *d);
/* A channel of a row whose service is dialer; takes fd. */
void dialer_peer(struct dialer *d, const struct chan_row *row, int fd);

extern const struct daemon_ops dialer_ops;

#endif
