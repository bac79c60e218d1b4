/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_spawner.h"

static const struct msg_field msg_start_fields[] = {
	MSG_FIELD(msg_start, service, MSG_U8, 0),
	MSG_FIELD(msg_start, ticket, MSG_BYTES, TICKET_LEN),
	MSG_FIELD(msg_start, tag, MSG_STR, 128),
	MSG_FIELD(msg_start, pending, MSG_BYTES, PENDING_MAX),
	MSG_FIELD(msg_start, client, MSG_STR, 64),
	MSG_FIELD(msg_start, local, MSG_STR, 64),
	MSG_FIELD(msg_start, secured, MSG_U8, 1),
	MSG_FIELD(msg_start, fd, MSG_FD, 1),
	MSG_FIELD(msg_start, session, MSG_STR, SESSION_ID_MAX),
};
const struct msg_def msg_start_def = MSG_DEF(msg_start, MSG_START, MSG_REQUEST);

static const struct msg_field msg_started_fields[] = {
	MSG_FIELD(msg_started, unused, MSG_U8, 0),
};
const struct msg_def msg_started_def =
	MSG_DEF(msg_started, MSG_STARTED, MSG_REPLY);

static const struct msg_field msg_open_fields[] = {
	MSG_FIELD(msg_open, kind, MSG_U8, OPEN_VIRTUAL_MBOX),
	MSG_FIELD(msg_open, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_open, path, MSG_STR, PATH_LEN_MAX),
};
const struct msg_def msg_open_def = MSG_DEF(msg_open, MSG_OPEN, MSG_REQUEST);

static const struct msg_field msg_opened_fields[] = {
	MSG_FIELD(msg_opened, fd, MSG_FD, 1),
};
const struct msg_def msg_opened_def =
	MSG_DEF(msg_opened, MSG_OPENED, MSG_REPLY);

static const struct msg_field msg_spawn_fail_fields[] = {
	MSG_FIELD(msg_spawn_fail, class, MSG_U8, 2),
	MSG_FIELD(msg_spawn_fail, dsn, MSG_STR, 16),
	MSG_FIELD(msg_spawn_fail, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_spawn_fail_def =
	MSG_DEF(msg_spawn_fail, MSG_SPAWN_FAIL, MSG_REPLY);

static const struct msg_field msg_user_peer_fields[] = {
	MSG_FIELD(msg_user_peer, fd, MSG_FD, 1),
};
const struct msg_def msg_user_peer_def =
	MSG_DEF(msg_user_peer, MSG_USER_PEER, 0);

static const struct msg_field msg_client_fields[] = {
	MSG_FIELD(msg_client, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_client, tag, MSG_STR, 128),
	MSG_FIELD(msg_client, pending, MSG_BYTES, PENDING_MAX),
	MSG_FIELD(msg_client, client, MSG_STR, 64),
	MSG_FIELD(msg_client, local, MSG_STR, 64),
	MSG_FIELD(msg_client, secured, MSG_U8, 1),
	MSG_FIELD(msg_client, fd, MSG_FD, 1),
	MSG_FIELD(msg_client, session, MSG_STR, SESSION_ID_MAX),
};
const struct msg_def msg_client_def =
	MSG_DEF(msg_client, MSG_CLIENT, MSG_REQUEST);

static const struct msg_field msg_client_taken_fields[] = {
	MSG_FIELD(msg_client_taken, blind, MSG_U8, 0),
};
const struct msg_def msg_client_taken_def =
	MSG_DEF(msg_client_taken, MSG_CLIENT_TAKEN, MSG_REPLY);

static const struct msg_field msg_who_fields[] = {
	MSG_FIELD(msg_who, user, MSG_STR, USER_MAX),
};
const struct msg_def msg_who_def = MSG_DEF(msg_who, MSG_WHO, MSG_REQUEST);

static const struct msg_field msg_who_row_fields[] = {
	MSG_FIELD(msg_who_row, service, MSG_U8, 0),
	MSG_FIELD(msg_who_row, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_who_row, pid, MSG_U32, 0),
	MSG_FIELD(msg_who_row, session, MSG_STR, SESSION_ID_MAX),
	MSG_FIELD(msg_who_row, client, MSG_STR, 64),
	MSG_FIELD(msg_who_row, secured, MSG_U8, 1),
	MSG_FIELD(msg_who_row, since, MSG_U64, 0),
	MSG_FIELD(msg_who_row, state, MSG_STR, FOLDER_MAX + 32),
};
const struct msg_def msg_who_row_def =
	MSG_DEF(msg_who_row, MSG_WHO_ROW, MSG_PART);

static const struct msg_field msg_who_done_fields[] = {
	MSG_FIELD(msg_who_done, count, MSG_U32, 0),
	MSG_FIELD(msg_who_done, silent, MSG_U32, 0),
};
const struct msg_def msg_who_done_def =
	MSG_DEF(msg_who_done, MSG_WHO_DONE, MSG_REPLY);

static const struct msg_field msg_kick_fields[] = {
	MSG_FIELD(msg_kick, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_kick, session, MSG_STR, SESSION_ID_MAX),
};
const struct msg_def msg_kick_def = MSG_DEF(msg_kick, MSG_KICK, MSG_REQUEST);

static const struct msg_field msg_poke_fields[] = {
	MSG_FIELD(msg_poke, path, MSG_STR, PATH_LEN_MAX),
};
const struct msg_def msg_poke_def = MSG_DEF(msg_poke, MSG_POKE, 0);

static const struct msg_field msg_lease_fields[] = {
	MSG_FIELD(msg_lease, unused, MSG_U8, 0),
};
const struct msg_def msg_lease_def = MSG_DEF(msg_lease, MSG_LEASE, MSG_REQUEST);

static const struct msg_field msg_leased_fields[] = {
	MSG_FIELD(msg_leased, fd, MSG_FD, 0),
	MSG_FIELD(msg_leased, until, MSG_FD, 0),
	MSG_FIELD(msg_leased, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_leased_def =
	MSG_DEF(msg_leased, MSG_LEASED, MSG_REPLY);

static const struct msg_field msg_take_fields[] = {
	MSG_FIELD(msg_take, fd, MSG_FD, 1),
	MSG_FIELD(msg_take, until, MSG_FD, 1),
};
const struct msg_def msg_take_def = MSG_DEF(msg_take, MSG_TAKE, MSG_REQUEST);

static const struct msg_field msg_took_fields[] = {
	MSG_FIELD(msg_took, count, MSG_U32, 0),
	MSG_FIELD(msg_took, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_took_def = MSG_DEF(msg_took, MSG_TOOK, MSG_REPLY);
