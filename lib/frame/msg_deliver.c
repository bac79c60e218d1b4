/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_deliver.h"

enum { DELIVER_RCPTS_MAX = 32 };

static const struct msg_field msg_deliver_rcpt_fields[] = {
	MSG_FIELD(msg_deliver_rcpt, slot, MSG_U32, 0),
	MSG_FIELD(msg_deliver_rcpt, path, MSG_STR, WHERE_MAX),
	MSG_FIELD(msg_deliver_rcpt, address, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_deliver_rcpt, original, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_deliver_rcpt, maybe_done, MSG_U8, 1),
};
const struct msg_def msg_deliver_rcpt_def = MSG_DEF(msg_deliver_rcpt, 0, 0);

static const struct msg_field msg_deliver_fields[] = {
	MSG_FIELD(msg_deliver, id, MSG_STR, QUEUE_ID_MAX),
	MSG_FIELD(msg_deliver, queue_id, MSG_U64, 0),
	MSG_FIELD(msg_deliver, spool_id, MSG_U64, 0),
	MSG_FIELD(msg_deliver, arrival_us, MSG_U64, 0),
	MSG_FIELD(msg_deliver, sender, MSG_STR, ADDRESS_MAX),
	MSG_LIST_FIELD(msg_deliver, rcpts, DELIVER_RCPTS_MAX,
		       &msg_deliver_rcpt_def),
	MSG_FIELD(msg_deliver, header, MSG_BYTES, COMMIT_INLINE_MAX),
	MSG_FIELD(msg_deliver, body, MSG_BYTES, COMMIT_INLINE_MAX),
	MSG_FIELD(msg_deliver, body_len, MSG_U64, 0),
	MSG_FIELD(msg_deliver, body_fd, MSG_FD, 0),
};
const struct msg_def msg_deliver_def =
	MSG_DEF(msg_deliver, MSG_DELIVER, MSG_REQUEST);

static const struct msg_field msg_deliver_result_fields[] = {
	MSG_FIELD(msg_deliver_result, slot, MSG_U32, 0),
	MSG_FIELD(msg_deliver_result, class, MSG_U8, DELIVER_PERM),
	MSG_FIELD(msg_deliver_result, dsn, MSG_STR, 16),
	MSG_FIELD(msg_deliver_result, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_deliver_result_def = MSG_DEF(msg_deliver_result, 0, 0);

static const struct msg_field msg_delivered_fields[] = {
	MSG_LIST_FIELD(msg_delivered, results, DELIVER_RCPTS_MAX,
		       &msg_deliver_result_def),
};
const struct msg_def msg_delivered_def =
	MSG_DEF(msg_delivered, MSG_DELIVERED, MSG_REPLY);
