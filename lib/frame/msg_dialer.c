/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_dialer.h"

static const struct msg_field msg_dial_fields[] = {
	MSG_FIELD(msg_dial, path, MSG_STR, DIAL_PATH_MAX),
};
const struct msg_def msg_dial_def = MSG_DEF(msg_dial, MSG_DIAL, MSG_REQUEST);

static const struct msg_field msg_dialed_fields[] = {
	MSG_FIELD(msg_dialed, fd, MSG_FD, 0),
	MSG_FIELD(msg_dialed, never, MSG_U8, 1),
	MSG_FIELD(msg_dialed, text, MSG_STR, 255),
};
const struct msg_def msg_dialed_def =
	MSG_DEF(msg_dialed, MSG_DIALED, MSG_REPLY);
