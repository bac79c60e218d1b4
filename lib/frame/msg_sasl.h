/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_SASL_H
#define FRAME_MSG_SASL_H

#include "frame/msg_authd.h"
#include "frame/msg_tlsd.h"

/*
 * SASL exchanges (RFC 4422) with authd, from login and submitd.  An exchange
 * has a number that the asker chooses, unique among its open ones on that
 * channel; BEGIN and each STEP are requests of their own, answered by
 * SASL_MORE, AUTH_OK or AUTH_FAIL; the latter two end it.  A request that is
 * unanswered when CANCEL comes may be answered still; a STEP of an exchange
 * that is not known (authd was restarted) fails with temp.  Types 96-103.
 */
enum { MSG_SASL_BEGIN = 96, MSG_SASL_STEP, MSG_SASL_MORE, MSG_SASL_CANCEL };

/* request. */
struct msg_sasl_begin {
	uint32_t exchange;
	uint8_t service; /* SVC_IMAPD, SVC_POP3D, SVC_SUBMITD, or SVC_LOGIN for
			    programs on auth.sock, which get no ticket */
	struct str mech; /* as the client named it: "SCRAM-SHA-256-PLUS" */
	uint8_t has_initial;
	struct str initial; /* MSG_BYTES; decoded */
	struct str client;  /* "192.0.2.1"; "" if unknown (auth.sock) */
	uint8_t secured;    /* TLS, or a connection where main.cf allows plain
			       passwords */
	/* Of the client's TLS connection (tls_up), "" where there is none. */
	struct str exporter, endpoint, unique; /* MSG_BYTES */
};

/* request: the client's response, decoded. */
struct msg_sasl_step {
	uint32_t exchange;
	struct str response; /* MSG_BYTES */
};

/* reply: a challenge for the client, not encoded. */
struct msg_sasl_more {
	struct str challenge; /* MSG_BYTES */
};

/* note: the client gave up. */
struct msg_sasl_cancel {
	uint32_t exchange;
};

extern const struct msg_def msg_sasl_begin_def, msg_sasl_step_def,
	msg_sasl_more_def, msg_sasl_cancel_def;

#endif
