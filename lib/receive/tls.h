/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_TLS_H
#define RECEIVE_TLS_H

#include "receive/session.h"

/* May this client be offered STARTTLS now? */
bool tls_is_offered(const struct session *s);

struct reply cmd_starttls(struct session *s, struct str args);

/*
 * "220 Ready" is in the output: hand the connection to tlsd, and forget all
 * the client has said (RFC 3207 4.2).  False: that could not be done, and the
 * session is no more.
 */
bool tls_begin(struct session *s);
/* The same for a connection that nothing was said on yet (RFC 8314); takes
 * fd.  -1: the session is not to be had. */
int tls_begin_fd(struct session *s, int fd);

#endif
