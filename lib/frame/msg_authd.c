/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_authd.h"

static const struct msg_field msg_auth_fields[] = {
	MSG_FIELD(msg_auth, service, MSG_U8, 0),
	MSG_FIELD(msg_auth, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_auth, password, MSG_BYTES, PASSWORD_MAX),
	MSG_FIELD(msg_auth, client, MSG_STR, 64),
};
const struct msg_def msg_auth_def =
	MSG_DEF(msg_auth, MSG_AUTH, MSG_REQUEST | MSG_SECRET);

static const struct msg_field msg_auth_ok_fields[] = {
	MSG_FIELD(msg_auth_ok, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_auth_ok, ticket, MSG_BYTES, TICKET_LEN),
};
const struct msg_def msg_auth_ok_def =
	MSG_DEF(msg_auth_ok, MSG_AUTH_OK, MSG_REPLY);

static const struct msg_field msg_auth_fail_fields[] = {
	MSG_FIELD(msg_auth_fail, temp, MSG_U8, 1),
	MSG_FIELD(msg_auth_fail, text, MSG_STR, TEXT_MAX),
	MSG_FIELD(msg_auth_fail, user, MSG_STR, USER_MAX),
};
const struct msg_def msg_auth_fail_def =
	MSG_DEF(msg_auth_fail, MSG_AUTH_FAIL, MSG_REPLY);

static const struct msg_field msg_redeem_fields[] = {
	MSG_FIELD(msg_redeem, service, MSG_U8, 0),
	MSG_FIELD(msg_redeem, ticket, MSG_BYTES, TICKET_LEN),
};
const struct msg_def msg_redeem_def =
	MSG_DEF(msg_redeem, MSG_REDEEM, MSG_REQUEST);

static const struct msg_field msg_identity_fields[] = {
	MSG_FIELD(msg_identity, user, MSG_STR, USER_MAX),
	MSG_FIELD(msg_identity, uid, MSG_U32, 0),
	MSG_FIELD(msg_identity, gid, MSG_U32, 0),
	MSG_FIELD(msg_identity, home, MSG_STR, PATH_LEN_MAX),
	MSG_FIELD(msg_identity, mail, MSG_STR, PATH_LEN_MAX),
};
const struct msg_def msg_identity_def =
	MSG_DEF(msg_identity, MSG_IDENTITY, MSG_REPLY);
