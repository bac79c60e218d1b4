/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_PAMD_H
#define FRAME_MSG_PAMD_H

#include "frame/msg_authd.h"

/* authd asks pamd whether PAM takes a system user's password.  Types 104-107.
 */
enum { MSG_PAM_CHECK = 104, MSG_PAM_RESULT };

/* request. user "": nobody's; costs about what a user's does and is never
 * right. */
struct msg_pam_check {
	struct str user;
	struct str password; /* MSG_BYTES, without NUL */
	struct str client;   /* "192.0.2.1": PAM_RHOST; "" unknown */
};

/* reply. */
enum pam_verdict { PAM_VERDICT_NO, PAM_VERDICT_YES, PAM_VERDICT_TEMP };
struct msg_pam_result {
	uint8_t verdict;
	struct str text; /* for the log */
};

extern const struct msg_def msg_pam_check_def, msg_pam_result_def;

#endif
