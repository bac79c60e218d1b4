/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_rcpt.h"

static const struct msg_field msg_rcpt_in_fields[] = {
	MSG_FIELD(msg_rcpt_in, address, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_rcpt_in, orcpt, MSG_STR, ORCPT_MAX),
	MSG_FIELD(msg_rcpt_in, notify, MSG_U8, 15),
};
const struct msg_def msg_rcpt_in_def = MSG_DEF(msg_rcpt_in, 0, 0);

static const struct msg_field msg_rcpt_fields[] = {
	MSG_FIELD(msg_rcpt, type, MSG_U8, RCPT_DISCARD),
	MSG_FIELD(msg_rcpt, where, MSG_STR, WHERE_MAX),
	MSG_FIELD(msg_rcpt, transport, MSG_STR, TRANSPORT_MAX),
	MSG_FIELD(msg_rcpt, dsn, MSG_STR, 16),
	MSG_FIELD(msg_rcpt, text, MSG_STR, TEXT_MAX),
	MSG_FIELD(msg_rcpt, address, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_rcpt, original, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_rcpt, orcpt, MSG_STR, ORCPT_MAX),
	MSG_FIELD(msg_rcpt, notify, MSG_U8, 31),
};
const struct msg_def msg_rcpt_def = MSG_DEF(msg_rcpt, 0, 0);
