/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_tlsd.h"
#include "frame/tls_protocols.h"

static const struct msg_field msg_tls_server_fields[] = {
	MSG_FIELD(msg_tls_server, use, MSG_U8, TLS_POP3),
	MSG_FIELD(msg_tls_server, client_cert, MSG_U8, 2),
	MSG_FIELD(msg_tls_server, timeout_ms, MSG_U32, 0),
	MSG_FIELD(msg_tls_server, fd, MSG_FD, 1),
};
const struct msg_def msg_tls_server_def =
	MSG_DEF(msg_tls_server, MSG_TLS_SERVER, MSG_REQUEST);

static const struct msg_field msg_tls_up_fields[] = {
	MSG_FIELD(msg_tls_up, fd, MSG_FD, 1),
	MSG_FIELD(msg_tls_up, protocol, MSG_STR, 16),
	MSG_FIELD(msg_tls_up, cipher, MSG_STR, 64),
	MSG_FIELD(msg_tls_up, bits, MSG_U16, 0),
	MSG_FIELD(msg_tls_up, alg_bits, MSG_U16, 0),
	MSG_FIELD(msg_tls_up, kex, MSG_STR, 32),
	MSG_FIELD(msg_tls_up, auth, MSG_STR, 32),
	MSG_FIELD(msg_tls_up, hash, MSG_STR, 16),
	MSG_FIELD(msg_tls_up, resumed, MSG_U8, 1),
	MSG_FIELD(msg_tls_up, sni, MSG_STR, TLS_NAME_MAX),
	MSG_FIELD(msg_tls_up, peer, MSG_U8, TLS_PEER_VERIFIED),
	MSG_FIELD(msg_tls_up, peer_cn, MSG_STR, TLS_NAME_MAX),
	MSG_FIELD(msg_tls_up, peer_issuer, MSG_STR, TLS_NAME_MAX),
	MSG_FIELD(msg_tls_up, peer_fingerprint, MSG_STR, TLS_FINGERPRINT_MAX),
	MSG_FIELD(msg_tls_up, exporter, MSG_BYTES, TLS_BINDING_MAX),
	MSG_FIELD(msg_tls_up, endpoint, MSG_BYTES, TLS_BINDING_MAX),
	MSG_FIELD(msg_tls_up, unique, MSG_BYTES, TLS_BINDING_MAX),
};
const struct msg_def msg_tls_up_def =
	MSG_DEF(msg_tls_up, MSG_TLS_UP, MSG_REPLY);

static const struct msg_field msg_tls_fail_fields[] = {
	MSG_FIELD(msg_tls_fail, class, MSG_U8, TLS_FAIL_PEER),
	MSG_FIELD(msg_tls_fail, text, MSG_STR, TLS_TEXT_MAX),
};
const struct msg_def msg_tls_fail_def =
	MSG_DEF(msg_tls_fail, MSG_TLS_FAIL, MSG_REPLY);

static const struct msg_field msg_tls_offer_fields[] = {
	MSG_FIELD(msg_tls_offer, on, MSG_U8, 1),
};
const struct msg_def msg_tls_offer_def =
	MSG_DEF(msg_tls_offer, MSG_TLS_OFFER, 0);

static const struct msg_field msg_tls_match_fields[] = {
	MSG_FIELD(msg_tls_match, text, MSG_STR, TLS_NAME_MAX),
};
const struct msg_def msg_tls_match_def = MSG_DEF(msg_tls_match, 0, 0);

static const struct msg_field msg_tls_client_fields[] = {
	MSG_FIELD(msg_tls_client, level, MSG_U8, TLS_SECURE),
	MSG_FIELD(msg_tls_client, protocols, MSG_U8, TLS_V_SPOKEN),
	MSG_FIELD(msg_tls_client, grade, MSG_U8, TLS_GRADE_HIGH),
	MSG_FIELD(msg_tls_client, exclude, MSG_STR, TLS_EXCLUDE_MAX),
	MSG_FIELD(msg_tls_client, host, MSG_STR, TLS_NAME_MAX),
	MSG_LIST_FIELD(msg_tls_client, match, TLS_MATCH_MAX,
		       &msg_tls_match_def),
	MSG_FIELD(msg_tls_client, digest, MSG_STR, TLS_DIGEST_MAX),
	MSG_FIELD(msg_tls_client, timeout_ms, MSG_U32, 0),
	MSG_FIELD(msg_tls_client, fd, MSG_FD, 1),
};
const struct msg_def msg_tls_client_def =
	MSG_DEF(msg_tls_client, MSG_TLS_CLIENT, MSG_REQUEST);
