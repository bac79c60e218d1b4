/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_qmgr.h"

static const struct msg_field msg_stream_fields[] = {
	MSG_FIELD(msg_stream, size, MSG_U64, 0),
};
const struct msg_def msg_stream_def =
	MSG_DEF(msg_stream, MSG_STREAM, MSG_REQUEST);

static const struct msg_field msg_stream_pipe_fields[] = {
	MSG_FIELD(msg_stream_pipe, fd, MSG_FD, 1),
};
const struct msg_def msg_stream_pipe_def =
	MSG_DEF(msg_stream_pipe, MSG_STREAM_PIPE, MSG_REPLY);

static const struct msg_field msg_rcpts_fields[] = {
	MSG_LIST_FIELD(msg_rcpts, rcpts, RCPTS_MAX, &msg_rcpt_in_def),
};
const struct msg_def msg_rcpts_def = MSG_DEF(msg_rcpts, MSG_RCPTS, 0);

static const struct msg_field msg_header_fields[] = {
	MSG_FIELD(msg_header, header, MSG_BYTES, HEADER_PART_MAX),
};
const struct msg_def msg_header_def = MSG_DEF(msg_header, MSG_HEADER, 0);

static const struct msg_field msg_commit_fields[] = {
	MSG_FIELD(msg_commit, flags, MSG_U8, 15),
	MSG_FIELD(msg_commit, ret, MSG_U8, RET_HDRS),
	MSG_FIELD(msg_commit, sender, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_commit, envid, MSG_STR, ENVID_MAX),
	MSG_LIST_FIELD(msg_commit, rcpts, RCPTS_MAX, &msg_rcpt_in_def),
	MSG_FIELD(msg_commit, header, MSG_BYTES, COMMIT_INLINE_MAX),
	MSG_FIELD(msg_commit, body, MSG_BYTES, COMMIT_INLINE_MAX),
	MSG_FIELD(msg_commit, nrcpts, MSG_U32, RCPTS_MAX),
	MSG_FIELD(msg_commit, header_len, MSG_U32, 0),
	MSG_FIELD(msg_commit, body_len, MSG_U64, 0),
	MSG_FIELD(msg_commit, body_crc, MSG_U32, 0),
};
const struct msg_def msg_commit_def =
	MSG_DEF(msg_commit, MSG_COMMIT, MSG_REQUEST);

static const struct msg_field msg_stored_fields[] = {
	MSG_FIELD(msg_stored, id, MSG_STR, QUEUE_ID_MAX),
};
const struct msg_def msg_stored_def =
	MSG_DEF(msg_stored, MSG_STORED, MSG_REPLY);

static const struct msg_field msg_refused_fields[] = {
	MSG_FIELD(msg_refused, code, MSG_U16, 599),
	MSG_FIELD(msg_refused, dsn, MSG_STR, 16),
	MSG_FIELD(msg_refused, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_refused_def =
	MSG_DEF(msg_refused, MSG_REFUSED, MSG_REPLY);

static const struct msg_field msg_abort_fields[] = {
	MSG_FIELD(msg_abort, unused, MSG_U8, 0),
};
const struct msg_def msg_abort_def = MSG_DEF(msg_abort, MSG_ABORT, 0);

static const struct msg_field msg_pressure_fields[] = {
	MSG_FIELD(msg_pressure, on, MSG_U8, 1),
	MSG_FIELD(msg_pressure, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_pressure_def = MSG_DEF(msg_pressure, MSG_PRESSURE, 0);

static const struct msg_field msg_queue_id_fields[] = {
	MSG_FIELD(msg_queue_id, id, MSG_STR, QUEUE_ID_MAX),
};
const struct msg_def msg_queue_id_def = MSG_DEF(msg_queue_id, 0, 0);

static const struct msg_field msg_queue_fields[] = {
	MSG_FIELD(msg_queue, verb, MSG_U8, QUEUE_REQUEUE),
	MSG_FIELD(msg_queue, id, MSG_STR, QUEUE_ID_MAX),
	MSG_LIST_FIELD(msg_queue, ids, QUEUE_IDS_MAX, &msg_queue_id_def),
	MSG_FIELD(msg_queue, states, MSG_U8, 15),
	MSG_FIELD(msg_queue, older_us, MSG_U64, 0),
	MSG_FIELD(msg_queue, younger_us, MSG_U64, 0),
	MSG_FIELD(msg_queue, larger, MSG_U64, 0),
	MSG_FIELD(msg_queue, smaller, MSG_U64, 0),
	MSG_FIELD(msg_queue, site, MSG_STR, WHERE_MAX),
	MSG_FIELD(msg_queue, sender, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_queue, rcpt, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_queue, text, MSG_U8, QUEUE_ALL_TEXT),
};
const struct msg_def msg_queue_def = MSG_DEF(msg_queue, MSG_QUEUE, MSG_REQUEST);

static const struct msg_field msg_queue_rcpt_fields[] = {
	MSG_FIELD(msg_queue_rcpt, address, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_queue_rcpt, original, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_queue_rcpt, type, MSG_U8, RCPT_DISCARD),
	MSG_FIELD(msg_queue_rcpt, done, MSG_U8, 1),
	MSG_FIELD(msg_queue_rcpt, text, MSG_STR, TEXT_MAX),
	MSG_FIELD(msg_queue_rcpt, notify, MSG_U8, 15),
	MSG_FIELD(msg_queue_rcpt, orcpt, MSG_STR, ORCPT_MAX),
	MSG_FIELD(msg_queue_rcpt, transport, MSG_STR, TRANSPORT_MAX),
	MSG_FIELD(msg_queue_rcpt, where, MSG_STR, WHERE_MAX),
};
const struct msg_def msg_queue_rcpt_def = MSG_DEF(msg_queue_rcpt, 0, 0);

static const struct msg_field msg_queue_row_fields[] = {
	MSG_FIELD(msg_queue_row, id, MSG_STR, QUEUE_ID_MAX),
	MSG_FIELD(msg_queue_row, state, MSG_U8, QUEUE_HELD),
	MSG_FIELD(msg_queue_row, arrival_us, MSG_U64, 0),
	MSG_FIELD(msg_queue_row, next_try_us, MSG_U64, 0),
	MSG_FIELD(msg_queue_row, tries, MSG_U32, 0),
	MSG_FIELD(msg_queue_row, size, MSG_U64, 0),
	MSG_FIELD(msg_queue_row, sender, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_queue_row, reason, MSG_STR, TEXT_MAX),
	MSG_LIST_FIELD(msg_queue_row, rcpts, RCPTS_MAX, &msg_queue_rcpt_def),
	MSG_FIELD(msg_queue_row, ret, MSG_U8, RET_HDRS),
	MSG_FIELD(msg_queue_row, envid, MSG_STR, ENVID_MAX),
	MSG_FIELD(msg_queue_row, flags, MSG_U8, 15),
};
const struct msg_def msg_queue_row_def =
	MSG_DEF(msg_queue_row, MSG_QUEUE_ROW, MSG_PART);

static const struct msg_field msg_queue_text_fields[] = {
	MSG_FIELD(msg_queue_text, text, MSG_BYTES, 60000),
};
const struct msg_def msg_queue_text_def =
	MSG_DEF(msg_queue_text, MSG_QUEUE_TEXT, MSG_PART);

static const struct msg_field msg_queue_done_fields[] = {
	MSG_FIELD(msg_queue_done, status, MSG_U8, 0),
	MSG_FIELD(msg_queue_done, count, MSG_U32, 0),
	MSG_FIELD(msg_queue_done, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_queue_done_def =
	MSG_DEF(msg_queue_done, MSG_QUEUE_DONE, MSG_REPLY);

static const struct msg_field msg_queue_attempt_fields[] = {
	MSG_FIELD(msg_queue_attempt, address, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_queue_attempt, class, MSG_U8, 0),
	MSG_FIELD(msg_queue_attempt, when_us, MSG_U64, 0),
	MSG_FIELD(msg_queue_attempt, text, MSG_BYTES, ATTEMPT_TEXT_MAX),
};
const struct msg_def msg_queue_attempt_def =
	MSG_DEF(msg_queue_attempt, MSG_QUEUE_ATTEMPT, MSG_PART);

static const struct msg_field msg_queue_change_fields[] = {
	MSG_FIELD(msg_queue_change, id, MSG_STR, QUEUE_ID_MAX),
	MSG_FIELD(msg_queue_change, what, MSG_U8, 7),
	MSG_FIELD(msg_queue_change, sender, MSG_STR, ADDRESS_MAX),
	MSG_LIST_FIELD(msg_queue_change, drop, QUEUE_ADDRS_MAX,
		       &msg_rcpt_in_def),
	MSG_LIST_FIELD(msg_queue_change, add, QUEUE_ADDRS_MAX,
		       &msg_rcpt_in_def),
	MSG_FIELD(msg_queue_change, transport, MSG_STR, TRANSPORT_MAX),
	MSG_FIELD(msg_queue_change, where, MSG_STR, WHERE_MAX),
};
const struct msg_def msg_queue_change_def =
	MSG_DEF(msg_queue_change, MSG_QUEUE_CHANGE, MSG_REQUEST);
