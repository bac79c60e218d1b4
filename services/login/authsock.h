/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_AUTHSOCK_H
#define LOGIN_AUTHSOCK_H

#include "worker.h"

/*
 * auth_socket: the server's side of Dovecot's authentication protocol, version
 * 1.2, for programs of this machine that have our users log in: Postfix and
 * Exim (smtpd_sasl_type = dovecot).  Who may connect is believed about the
 * client's address and whether nobody listens between them: the file's mode
 * says who may.  A connection carries many requests at a time, each an exchange
 * with authd of its own: what is wrong with one is said to that one.
 */
enum {
	AUTHSOCK_CONNS_MAX = 500,   /* of a login process */
	AUTHSOCK_REQUESTS_MAX = 64, /* of a connection; then the one that has
				       waited longest for its client goes */
};

/* A new connection; takes fd. */
void authsock_take(struct worker *w, int fd);
/* Those without a request go now, the others with their last one. */
void authsock_drain(struct worker *w);
/* At once, without a word. */
void authsock_end_all(struct worker *w);

#endif
