/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_keyd.h"

static const struct msg_field msg_key_watch_fields[] = {
	MSG_FIELD(msg_key_watch, unused, MSG_U8, 0),
};
const struct msg_def msg_key_watch_def =
	MSG_DEF(msg_key_watch, MSG_KEY_WATCH, 0);

static const struct msg_field msg_key_der_fields[] = {
	MSG_FIELD(msg_key_der, der, MSG_BYTES, KEY_CHAIN_MAX),
};
const struct msg_def msg_key_der_def = MSG_DEF(msg_key_der, 0, 0);

static const struct msg_field msg_key_chain_fields[] = {
	MSG_FIELD(msg_key_chain, set, MSG_U32, 0),
	MSG_FIELD(msg_key_chain, key, MSG_U16, 0),
	MSG_FIELD(msg_key_chain, fallback, MSG_U8, 1),
	MSG_FIELD(msg_key_chain, out, MSG_U8, 1),
	MSG_FIELD(msg_key_chain, names, MSG_STR, 4096),
	MSG_LIST_FIELD(msg_key_chain, certs, KEY_CHAIN_CERTS, &msg_key_der_def),
};
const struct msg_def msg_key_chain_def =
	MSG_DEF(msg_key_chain, MSG_KEY_CHAIN, 0);

static const struct msg_field msg_key_set_fields[] = {
	MSG_FIELD(msg_key_set, set, MSG_U32, 0),
	MSG_FIELD(msg_key_set, keys, MSG_U16, 0),
	MSG_FIELD(msg_key_set, out, MSG_U8, 1),
};
const struct msg_def msg_key_set_def = MSG_DEF(msg_key_set, MSG_KEY_SET, 0);

static const struct msg_field msg_key_ticket_fields[] = {
	MSG_FIELD(msg_key_ticket, name, MSG_BYTES, KEY_TICKET_NAME),
	MSG_FIELD(msg_key_ticket, secret, MSG_BYTES, KEY_TICKET_SECRET),
};
const struct msg_def msg_key_ticket_def = MSG_DEF(msg_key_ticket, 0, 0);

static const struct msg_field msg_key_tickets_fields[] = {
	MSG_LIST_FIELD(msg_key_tickets, keys, KEY_TICKETS_MAX,
		       &msg_key_ticket_def),
};
const struct msg_def msg_key_tickets_def =
	MSG_DEF(msg_key_tickets, MSG_KEY_TICKETS, MSG_SECRET);

static const struct msg_field msg_key_sign_fields[] = {
	MSG_FIELD(msg_key_sign, set, MSG_U32, 0),
	MSG_FIELD(msg_key_sign, key, MSG_U16, 0),
	MSG_FIELD(msg_key_sign, scheme, MSG_U8, KEY_RSA_RAW),
	MSG_FIELD(msg_key_sign, data, MSG_BYTES, KEY_DATA_MAX),
};
const struct msg_def msg_key_sign_def =
	MSG_DEF(msg_key_sign, MSG_KEY_SIGN, MSG_REQUEST);

static const struct msg_field msg_key_signed_fields[] = {
	MSG_FIELD(msg_key_signed, signature, MSG_BYTES, KEY_SIGNATURE_MAX),
};
const struct msg_def msg_key_signed_def =
	MSG_DEF(msg_key_signed, MSG_KEY_SIGNED, MSG_REPLY);

static const struct msg_field msg_key_refused_fields[] = {
	MSG_FIELD(msg_key_refused, text, MSG_STR, 200),
};
const struct msg_def msg_key_refused_def =
	MSG_DEF(msg_key_refused, MSG_KEY_REFUSED, MSG_REPLY);

static const struct msg_field key_file_fields[] = {
	MSG_FIELD(key_file, groups, MSG_U8,
		  KEY_GROUP_MX | KEY_GROUP_USER | KEY_GROUP_OUT),
	MSG_FIELD(key_file, names, MSG_STR, 4096),
	MSG_FIELD(key_file, path, MSG_STR, 4096),
	MSG_FIELD(key_file, error, MSG_STR, 200),
	MSG_FIELD(key_file, bytes, MSG_BYTES, KEY_FILE_MAX),
	MSG_FIELD(key_file, key_path, MSG_STR, 4096),
	MSG_FIELD(key_file, key_bytes, MSG_BYTES, KEY_FILE_MAX),
};
const struct msg_def key_file_def = MSG_DEF(key_file, 0, 0);
