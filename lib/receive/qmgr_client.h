/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_QMGR_CLIENT_H
#define RECEIVE_QMGR_CLIENT_H

#include "receive/session.h"

/*
 * Storing a message.  A large one is begun with qmgr_stream() as soon as it is
 * known to be large, and moves on by itself; qmgr_commit() is called once, at
 * the end of the text, and leads to one data_stored() or data_refused(), which
 * may come at once.
 */
void qmgr_stream(struct session *s);
/* Text was added, or the pipe may take more. */
void qmgr_push(struct session *s);
/* -1: it cannot be stored now (txn.fault says why). */
int qmgr_commit(struct session *s);
/* The transaction is given up: qmgr forgets what it has of it. */
void qmgr_abort(struct session *s);

/* In cmd_data.c. */
struct reply data_stored(struct session *s, struct str id);
struct reply data_refused(struct session *s);

#endif
