/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_sasl.h"

static const struct msg_field msg_sasl_begin_fields[] = {
	MSG_FIELD(msg_sasl_begin, exchange, MSG_U32, 0),
	MSG_FIELD(msg_sasl_begin, service, MSG_U8, 0),
	MSG_FIELD(msg_sasl_begin, mech, MSG_STR, SASL_MECH_MAX),
	MSG_FIELD(msg_sasl_begin, has_initial, MSG_U8, 1),
	MSG_FIELD(msg_sasl_begin, initial, MSG_BYTES, SASL_DATA_MAX),
	MSG_FIELD(msg_sasl_begin, client, MSG_STR, 64),
	MSG_FIELD(msg_sasl_begin, secured, MSG_U8, 1),
	MSG_FIELD(msg_sasl_begin, exporter, MSG_BYTES, TLS_BINDING_MAX),
	MSG_FIELD(msg_sasl_begin, endpoint, MSG_BYTES, TLS_BINDING_MAX),
	MSG_FIELD(msg_sasl_begin, unique, MSG_BYTES, TLS_BINDING_MAX),
};
const struct msg_def msg_sasl_begin_def =
	MSG_DEF(msg_sasl_begin, MSG_SASL_BEGIN, MSG_REQUEST | MSG_SECRET);

static const struct msg_field msg_sasl_step_fields[] = {
	MSG_FIELD(msg_sasl_step, exchange, MSG_U32, 0),
	MSG_FIELD(msg_sasl_step, response, MSG_BYTES, SASL_DATA_MAX),
};
const struct msg_def msg_sasl_step_def =
	MSG_DEF(msg_sasl_step, MSG_SASL_STEP, MSG_REQUEST | MSG_SECRET);

static const struct msg_field msg_sasl_more_fields[] = {
	MSG_FIELD(msg_sasl_more, challenge, MSG_BYTES, SASL_DATA_MAX),
};
const struct msg_def msg_sasl_more_def =
	MSG_DEF(msg_sasl_more, MSG_SASL_MORE, MSG_REPLY);

static const struct msg_field msg_sasl_cancel_fields[] = {
	MSG_FIELD(msg_sasl_cancel, exchange, MSG_U32, 0),
};
const struct msg_def msg_sasl_cancel_def =
	MSG_DEF(msg_sasl_cancel, MSG_SASL_CANCEL, 0);
