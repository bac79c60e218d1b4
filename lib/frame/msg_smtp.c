/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_smtp.h"

static const struct msg_field msg_send_rcpt_fields[] = {
	MSG_FIELD(msg_send_rcpt, slot, MSG_U32, 0),
	MSG_FIELD(msg_send_rcpt, address, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_send_rcpt, orcpt, MSG_STR, ORCPT_MAX),
	MSG_FIELD(msg_send_rcpt, notify, MSG_U8, 15),
};
const struct msg_def msg_send_rcpt_def = MSG_DEF(msg_send_rcpt, 0, 0);

static const struct msg_field msg_send_fields[] = {
	MSG_FIELD(msg_send, id, MSG_STR, QUEUE_ID_MAX),
	MSG_FIELD(msg_send, transport, MSG_STR, TRANSPORT_MAX),
	MSG_FIELD(msg_send, nexthop, MSG_STR, WHERE_MAX),
	MSG_FIELD(msg_send, sender, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_send, flags, MSG_U8, 7),
	MSG_FIELD(msg_send, ret, MSG_U8, RET_HDRS),
	MSG_FIELD(msg_send, envid, MSG_STR, ENVID_MAX),
	MSG_LIST_FIELD(msg_send, rcpts, SEND_RCPTS_MAX, &msg_send_rcpt_def),
	MSG_FIELD(msg_send, header, MSG_BYTES, COMMIT_INLINE_MAX),
	MSG_FIELD(msg_send, body, MSG_BYTES, COMMIT_INLINE_MAX),
	MSG_FIELD(msg_send, body_len, MSG_U64, 0),
	MSG_FIELD(msg_send, body_fd, MSG_FD, 0),
};
const struct msg_def msg_send_def = MSG_DEF(msg_send, MSG_SEND, MSG_REQUEST);

static const struct msg_field msg_send_result_fields[] = {
	MSG_FIELD(msg_send_result, slot, MSG_U32, 0),
	MSG_FIELD(msg_send_result, class, MSG_U8, DELIVER_PERM),
	MSG_FIELD(msg_send_result, dsn_taken, MSG_U8, 1),
	MSG_FIELD(msg_send_result, dsn, MSG_STR, 16),
	MSG_FIELD(msg_send_result, text, MSG_STR, TEXT_MAX),
	MSG_FIELD(msg_send_result, relay, MSG_STR, SEND_RELAY_MAX),
	MSG_FIELD(msg_send_result, mta, MSG_STR, 255),
	MSG_FIELD(msg_send_result, reply, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_send_result_def = MSG_DEF(msg_send_result, 0, 0);

static const struct msg_field msg_sent_part_fields[] = {
	MSG_LIST_FIELD(msg_sent_part, results, SEND_RCPTS_MAX,
		       &msg_send_result_def),
};
const struct msg_def msg_sent_part_def =
	MSG_DEF(msg_sent_part, MSG_SENT_PART, MSG_PART);

static const struct msg_field msg_sent_fields[] = {
	MSG_LIST_FIELD(msg_sent, results, SEND_RCPTS_MAX, &msg_send_result_def),
	MSG_FIELD(msg_sent, site, MSG_U8, SEND_SITE_FAILED),
	MSG_FIELD(msg_sent, kept, MSG_U8, 1),
	MSG_FIELD(msg_sent, began_us, MSG_U64, 0),
	MSG_FIELD(msg_sent, up_us, MSG_U64, 0),
	MSG_FIELD(msg_sent, dialog, MSG_BYTES, SEND_DIALOG_MAX),
};
const struct msg_def msg_sent_def = MSG_DEF(msg_sent, MSG_SENT, MSG_REPLY);

static const struct msg_field msg_send_leaving_fields[] = {
	MSG_FIELD(msg_send_leaving, unused, MSG_U8, 0),
};
const struct msg_def msg_send_leaving_def =
	MSG_DEF(msg_send_leaving, MSG_SEND_LEAVING, 0);
