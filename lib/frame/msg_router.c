/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_router.h"

static const struct msg_field msg_route_fields[] = {
	MSG_FIELD(msg_route, address, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_route, sender, MSG_STR, ADDRESS_MAX),
};
const struct msg_def msg_route_def = MSG_DEF(msg_route, MSG_ROUTE, MSG_REQUEST);

static const struct msg_field msg_routed_fields[] = {
	MSG_FIELD(msg_routed, verdict, MSG_U8, ROUTE_PERM),
	MSG_FIELD(msg_routed, own, MSG_U8, 1),
	MSG_FIELD(msg_routed, code, MSG_U16, 599),
	MSG_FIELD(msg_routed, dsn, MSG_STR, 16),
	MSG_FIELD(msg_routed, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_routed_def =
	MSG_DEF(msg_routed, MSG_ROUTED, MSG_REPLY);

static const struct msg_field msg_expand_part_fields[] = {
	MSG_LIST_FIELD(msg_expand_part, rcpts, RCPTS_MAX, &msg_rcpt_in_def),
};
const struct msg_def msg_expand_part_def =
	MSG_DEF(msg_expand_part, MSG_EXPAND_PART, 0);

static const struct msg_field msg_expand_fields[] = {
	MSG_FIELD(msg_expand, sender, MSG_STR, ADDRESS_MAX),
	MSG_LIST_FIELD(msg_expand, rcpts, RCPTS_MAX, &msg_rcpt_in_def),
	MSG_FIELD(msg_expand, count, MSG_U32, RCPTS_MAX),
};
const struct msg_def msg_expand_def =
	MSG_DEF(msg_expand, MSG_EXPAND, MSG_REQUEST);

static const struct msg_field msg_expanded_part_fields[] = {
	MSG_LIST_FIELD(msg_expanded_part, rcpts, RCPTS_MAX, &msg_rcpt_def),
};
const struct msg_def msg_expanded_part_def =
	MSG_DEF(msg_expanded_part, MSG_EXPANDED_PART, MSG_PART);

static const struct msg_field msg_expanded_fields[] = {
	MSG_FIELD(msg_expanded, temp, MSG_U8, 1),
	MSG_FIELD(msg_expanded, text, MSG_STR, TEXT_MAX),
	MSG_LIST_FIELD(msg_expanded, rcpts, RCPTS_MAX, &msg_rcpt_def),
};
const struct msg_def msg_expanded_def =
	MSG_DEF(msg_expanded, MSG_EXPANDED, MSG_REPLY);

static const struct msg_field msg_owns_fields[] = {
	MSG_FIELD(msg_owns, login, MSG_STR, 255),
	MSG_FIELD(msg_owns, sender, MSG_STR, ADDRESS_MAX),
};
const struct msg_def msg_owns_def = MSG_DEF(msg_owns, MSG_OWNS, MSG_REQUEST);

static const struct msg_field msg_owned_fields[] = {
	MSG_FIELD(msg_owned, verdict, MSG_U8, ROUTE_PERM),
	MSG_FIELD(msg_owned, text, MSG_STR, TEXT_MAX),
};
const struct msg_def msg_owned_def = MSG_DEF(msg_owned, MSG_OWNED, MSG_REPLY);

static const struct msg_field msg_site_fields[] = {
	MSG_FIELD(msg_site, transport, MSG_STR, TRANSPORT_MAX),
	MSG_FIELD(msg_site, nexthop, MSG_STR, WHERE_MAX),
	MSG_FIELD(msg_site, host, MSG_STR, 255),
	MSG_FIELD(msg_site, sender, MSG_STR, ADDRESS_MAX),
	MSG_FIELD(msg_site, port, MSG_U16, 0),
	MSG_FIELD(msg_site, want, MSG_U8, 3),
};
const struct msg_def msg_site_def = MSG_DEF(msg_site, MSG_SITE, MSG_REQUEST);

static const struct msg_field msg_sited_fields[] = {
	MSG_FIELD(msg_sited, verdict, MSG_U8, ROUTE_PERM),
	MSG_FIELD(msg_sited, text, MSG_STR, TEXT_MAX),
	MSG_FIELD(msg_sited, has_tls, MSG_U8, 1),
	MSG_FIELD(msg_sited, tls, MSG_STR, 1024),
	MSG_FIELD(msg_sited, has_auth, MSG_U8, 1),
	MSG_FIELD(msg_sited, user, MSG_STR, SITE_USER_MAX),
	MSG_FIELD(msg_sited, password, MSG_STR, SITE_PASSWORD_MAX),
};
const struct msg_def msg_sited_def =
	MSG_DEF(msg_sited, MSG_SITED, MSG_REPLY | MSG_SECRET);
