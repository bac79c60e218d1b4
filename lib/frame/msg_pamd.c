/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_pamd.h"

static const struct msg_field msg_pam_check_fields[] = {
	MSG_FIELD(msg_pam_check, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_pam_check, password, MSG_BYTES, PASSWORD_MAX),
	MSG_FIELD(msg_pam_check, client, MSG_STR, 64),
};
const struct msg_def msg_pam_check_def =
	MSG_DEF(msg_pam_check, MSG_PAM_CHECK, MSG_REQUEST | MSG_SECRET);

static const struct msg_field msg_pam_result_fields[] = {
	MSG_FIELD(msg_pam_result, verdict, MSG_U8, PAM_VERDICT_TEMP),
	MSG_FIELD(msg_pam_result, text, MSG_STR, 200),
};
const struct msg_def msg_pam_result_def =
	MSG_DEF(msg_pam_result, MSG_PAM_RESULT, MSG_REPLY);
