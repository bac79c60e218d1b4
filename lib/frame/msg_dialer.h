/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_DIALER_H
#define FRAME_MSG_DIALER_H

#include "net/msg.h"

/* To dialer: connect to a local socket.  Types 140-143. */
enum { MSG_DIAL = 140, MSG_DIALED };

enum { DIAL_PATH_MAX = 107 }; /* sockaddr_un */

/* request: one of dialer_sockets. */
struct msg_dial {
	struct str path;
};

/* reply. */
struct msg_dialed {
	int fd;		 /* a connected stream socket; -1: text says why */
	uint8_t never;	 /* not one of dialer_sockets */
	struct str text; /* "Connection refused" */
};

extern const struct msg_def msg_dial_def, msg_dialed_def;

#endif
