/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_RECEIVER_H
#define RECEIVE_RECEIVER_H

#include "frame/daemon.h"
#include "receive/conf.h"

/*
 * What a daemon that receives mail by SMTP is: the constant description that
 * it gives to the engine in this directory.
 */
struct receiver {
	enum service_id id;
	const char *name; /* of the service, in the log: "smtp" */
	/* The parameters that are its own; the shared ones are there. */
	int (*load)(struct receive_conf *c, const struct params *p,
		    struct err *err);
};

/* For its daemon_ops. */
ERR_WARN_UNUSED int receiver_start(struct daemon *d, const struct receiver *r,
				   struct err *err);
void receiver_table(struct daemon *d, struct str name, int fd);
void receiver_drain(struct daemon *d);

#endif
