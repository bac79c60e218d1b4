/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_control.h"

static const struct msg_field msg_ready_fields[] = {
	MSG_FIELD(msg_ready, unused, MSG_U8, 0),
};
const struct msg_def msg_ready_def = MSG_DEF(msg_ready, MSG_READY, 0);

static const struct msg_field msg_connect_fields[] = {
	MSG_FIELD(msg_connect, service, MSG_U8, 0),
	MSG_FIELD(msg_connect, worker, MSG_U8, 0),
};
const struct msg_def msg_connect_def =
	MSG_DEF(msg_connect, MSG_CONNECT, MSG_REQUEST);

static const struct msg_field msg_connected_fields[] = {
	MSG_FIELD(msg_connected, row, MSG_U16, 0),
	MSG_FIELD(msg_connected, fd, MSG_FD, 1),
};
const struct msg_def msg_connected_def =
	MSG_DEF(msg_connected, MSG_CONNECTED, MSG_REPLY);

static const struct msg_field msg_unavailable_fields[] = {
	MSG_FIELD(msg_unavailable, never, MSG_U8, 1),
};
const struct msg_def msg_unavailable_def =
	MSG_DEF(msg_unavailable, MSG_UNAVAILABLE, MSG_REPLY);

static const struct msg_field msg_peer_fields[] = {
	MSG_FIELD(msg_peer, row, MSG_U16, 0),
	MSG_FIELD(msg_peer, fd, MSG_FD, 1),
};
const struct msg_def msg_peer_def = MSG_DEF(msg_peer, MSG_PEER, 0);

static const struct msg_field msg_config_fields[] = {
	MSG_FIELD(msg_config, fd, MSG_FD, 1),
};
const struct msg_def msg_config_def = MSG_DEF(msg_config, MSG_CONFIG, 0);

static const struct msg_field msg_table_fields[] = {
	MSG_FIELD(msg_table, name, MSG_STR, 32),
	MSG_FIELD(msg_table, fd, MSG_FD, 1),
};
const struct msg_def msg_table_def = MSG_DEF(msg_table, MSG_TABLE, 0);

static const struct msg_field msg_drain_fields[] = {
	MSG_FIELD(msg_drain, unused, MSG_U8, 0),
};
const struct msg_def msg_drain_def = MSG_DEF(msg_drain, MSG_DRAIN, 0);

static const struct msg_field msg_log_peer_fields[] = {
	MSG_FIELD(msg_log_peer, name, MSG_STR, 32),
	MSG_FIELD(msg_log_peer, fd, MSG_FD, 1),
};
const struct msg_def msg_log_peer_def = MSG_DEF(msg_log_peer, MSG_LOG_PEER, 0);

static const struct msg_field msg_admin_fields[] = {
	MSG_FIELD(msg_admin, verb, MSG_U8, ADMIN_STATUS),
};
const struct msg_def msg_admin_def = MSG_DEF(msg_admin, MSG_ADMIN, MSG_REQUEST);

static const struct msg_field msg_admin_text_fields[] = {
	MSG_FIELD(msg_admin_text, text, MSG_BYTES, 32768),
};
const struct msg_def msg_admin_text_def =
	MSG_DEF(msg_admin_text, MSG_ADMIN_TEXT, MSG_PART);

static const struct msg_field msg_admin_done_fields[] = {
	MSG_FIELD(msg_admin_done, status, MSG_U8, 0),
	MSG_FIELD(msg_admin_done, text, MSG_STR, 1024),
};
const struct msg_def msg_admin_done_def =
	MSG_DEF(msg_admin_done, MSG_ADMIN_DONE, MSG_REPLY);

static const struct msg_field msg_want_fields[] = {
	MSG_FIELD(msg_want, name, MSG_STR, 32),
};
const struct msg_def msg_want_def = MSG_DEF(msg_want, MSG_WANT, 0);
