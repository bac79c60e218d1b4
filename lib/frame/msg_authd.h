/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_AUTHD_H
#define FRAME_MSG_AUTHD_H

#include "frame/msg_rcpt.h"

/* To authd: passwords from login, tickets from spawner.  Types 72-79. */
enum { MSG_AUTH = 72, MSG_AUTH_OK, MSG_AUTH_FAIL, MSG_REDEEM, MSG_IDENTITY };

enum {
	USER_MAX = 255,
	PASSWORD_MAX = 1000,
	TICKET_LEN = 32,
	SASL_MECH_MAX = 32,
	/* Of a challenge or response, decoded: PLAIN has at most 1.5 kB, SCRAM
	 * less; tickets of Kerberos, which need more, are not spoken.  As
	 * base64 (5.4 kB) it fits what is read ahead before a login. */
	SASL_DATA_MAX = 4096,
	PATH_LEN_MAX = 1024,
};

/* login → authd, request. service: SVC_IMAPD or SVC_POP3D. */
struct msg_auth {
	uint8_t service;
	struct str user;
	struct str password; /* MSG_BYTES */
	struct str client;   /* "192.0.2.1" */
};

/* reply to AUTH, SASL_BEGIN or SASL_STEP: the ticket is redeemable once, for
 * the same service, within 10 s. */
struct msg_auth_ok {
	struct str user;   /* canonical name: for the log, and, on submission,
			      whose addresses may be used */
	struct str ticket; /* MSG_BYTES, TICKET_LEN; empty where the service
			      starts no process */
};

/* reply to AUTH, SASL_BEGIN, SASL_STEP or REDEEM. */
struct msg_auth_fail {
	uint8_t temp;	 /* 1: could not be decided */
	struct str text; /* for the log */
	struct str user; /* SASL: as the client named it, "" if unknown; for
			    the log.  Not for the answers to AUTH, REDEEM */
};

/* spawner → authd, request. */
struct msg_redeem {
	uint8_t service;
	struct str ticket;
};

/* reply: who this is.  spawner believes nobody else. */
struct msg_identity {
	struct str user;
	uint32_t uid, gid;
	struct str home; /* absolute */
	struct str mail; /* Maildir below home, or "" if home itself is it */
};

extern const struct msg_def msg_auth_def, msg_auth_ok_def, msg_auth_fail_def,
	msg_redeem_def, msg_identity_def;

#endif
