/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_RECEIVER_H
#define RECEIVE_RECEIVER_H

#include "frame/daemon.h"
#include "frame/msg_tlsd.h"
#include "mail/smtpline.h"
#include "receive/conf.h"

struct reply;
struct session;

/*
 * What a daemon that receives mail by SMTP is: the constant description that
 * it gives to the engine in this directory.
 */
struct receiver {
	enum service_id id;
	const char *name;	 /* of the service, in the log: "smtp" */
	enum service_id tlsd;	 /* who speaks TLS for it */
	enum tls_use use;	 /* and which */
	unsigned offers;	 /* enum smtp_offer */
	const char *tls_listens; /* where TLS comes first, or NULL */
	/* The parameters that are its own; the shared ones are there. */
	int (*load)(struct receive_conf *c, const struct params *p,
		    struct err *err);

	/*
	 * Only where users submit mail; all of them, or NULL.  Without a login
	 * nothing is taken then, but from local programs.
	 */

	/* The mechanisms to announce now, each after a blank. */
	void (*mechs)(struct session *s, char *to, size_t size);
	/* AUTH, and a response in the state SESSION_AUTH. */
	struct reply (*auth)(struct session *s, struct str args);
	struct reply (*response)(struct session *s, struct str line);
	/* s->txn has the sender: is it the user's?  Ends in mail_accept(). */
	struct reply (*mail)(struct session *s);
	/* The message is complete, and its header block in memory.  A fault is
	 * told by txn_fail(). */
	void (*header)(struct session *s);
	/* A verb that is not SMTP's, from a program of this host: what
	 * sendmail(1) needs beside. */
	struct reply (*local)(struct session *s, const struct smtp_line *l);
};

/* For its daemon_ops. */
ERR_WARN_UNUSED int receiver_start(struct daemon *d, const struct receiver *r,
				   struct err *err);
void receiver_table(struct daemon *d, struct str name, int fd);
void receiver_drain(struct daemon *d);

#endif
