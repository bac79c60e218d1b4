/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "frame/msg_dnsd.h"

static const struct msg_field msg_dns_query_fields[] = {
	MSG_FIELD(msg_dns_query, name, MSG_STR, DNS_NAME_MAX + 1),
	MSG_FIELD(msg_dns_query, type, MSG_U16, 0),
};
const struct msg_def msg_dns_query_def =
	MSG_DEF(msg_dns_query, MSG_DNS_QUERY, MSG_REQUEST);

static const struct msg_field msg_dns_record_fields[] = {
	MSG_FIELD(msg_dns_record, rdata, MSG_BYTES, DNS_RDATA_MAX),
};
const struct msg_def msg_dns_record_def = MSG_DEF(msg_dns_record, 0, 0);

static const struct msg_field msg_dns_answer_fields[] = {
	MSG_FIELD(msg_dns_answer, status, MSG_U8, DNS_BAD),
	MSG_FIELD(msg_dns_answer, secure, MSG_U8, 1),
	MSG_FIELD(msg_dns_answer, ttl, MSG_U32, 0),
	MSG_FIELD(msg_dns_answer, canonical, MSG_STR, DNS_NAME_MAX),
	MSG_FIELD(msg_dns_answer, text, MSG_STR, 255),
	MSG_LIST_FIELD(msg_dns_answer, records, DNS_RECORDS_MAX,
		       &msg_dns_record_def),
};
const struct msg_def msg_dns_answer_def =
	MSG_DEF(msg_dns_answer, MSG_DNS_ANSWER, MSG_REPLY);
