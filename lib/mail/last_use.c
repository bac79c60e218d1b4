/* SPDX-License-Identifier: ISC */
#include "mail/last_use.h"
#include "base/enc.h"

enum {
	MAGIC = 0x31554c50, /* "PLU1" */
	AT_MAGIC = 4,
	AT_TIME = 8,
	AT_SERVICE = 16,
	AT_LENGTHS = 17,
	AT_TEXT = 20,
};

_Static_assert(AT_TEXT + LAST_USE_USER_MAX + LAST_USE_NAME_MAX +
			       LAST_USE_CLIENT_MAX <=
		       LAST_USE_SIZE,
	       "a record holds the longest strings");

uint64_t
last_use_offset(struct str user, struct str name)
{
	uint32_t h = enc_crc32c(0, user.p, user.n);

	h = enc_crc32c(h, ":", 1);
	h = enc_crc32c(h, name.p, name.n);
	return (uint64_t)(h % LAST_USE_BUCKETS) * LAST_USE_BUCKET;
}

bool
last_use_encode(uint8_t record[LAST_USE_SIZE], const struct last_use *u)
{
	uint8_t *p = record + AT_TEXT;

	if (u->user.n > LAST_USE_USER_MAX || u->name.n > LAST_USE_NAME_MAX ||
	    u->client.n > LAST_USE_CLIENT_MAX)
		return false;
	memset(record, 0, LAST_USE_SIZE);
	enc_put32(record + AT_MAGIC, MAGIC);
	enc_put64(record + AT_TIME, u->time);
	record[AT_SERVICE] = u->service;
	record[AT_LENGTHS] = (uint8_t)u->user.n;
	record[AT_LENGTHS + 1] = (uint8_t)u->name.n;
	record[AT_LENGTHS + 2] = (uint8_t)u->client.n;
	if (u->user.n)
		memcpy(p, u->user.p, u->user.n);
	p += u->user.n;
	if (u->name.n)
		memcpy(p, u->name.p, u->name.n);
	p += u->name.n;
	if (u->client.n)
		memcpy(p, u->client.p, u->client.n);
	enc_put32(record,
		  enc_crc32c(0, record + AT_MAGIC, LAST_USE_SIZE - AT_MAGIC));
	return true;
}

bool
last_use_decode(const uint8_t record[LAST_USE_SIZE], struct last_use *u)
{
	const uint8_t *len = record + AT_LENGTHS, *p = record + AT_TEXT;

	if (enc_get32(record + AT_MAGIC) != MAGIC ||
	    len[1] > LAST_USE_NAME_MAX || len[2] > LAST_USE_CLIENT_MAX ||
	    enc_get32(record) !=
		    enc_crc32c(0, record + AT_MAGIC, LAST_USE_SIZE - AT_MAGIC))
		return false;
	u->time = enc_get64(record + AT_TIME);
	u->service = record[AT_SERVICE];
	u->user = str_mem(p, len[0]);
	u->name = str_mem(p + len[0], len[1]);
	u->client = str_mem(p + len[0] + len[1], len[2]);
	return true;
}

/* Record i of a bucket, if it is whole. */
static bool
decode_way(const uint8_t *bucket, size_t n, unsigned i, struct last_use *u)
{
	return (i + 1) * LAST_USE_SIZE <= n &&
	       last_use_decode(bucket + (size_t)i * LAST_USE_SIZE, u);
}

unsigned
last_use_way(const uint8_t *bucket, size_t n, const struct last_use *u)
{
	uint64_t oldest = UINT64_MAX;
	struct last_use have;
	unsigned i, way = 0;

	for (i = 0; i < LAST_USE_WAYS; i++) {
		if (!decode_way(bucket, n, i, &have))
			have = (struct last_use){ .time = 0 };
		else if (str_eq(have.user, u->user) &&
			 str_eq(have.name, u->name))
			return i;
		if (have.time < oldest) {
			oldest = have.time;
			way = i;
		}
	}
	return way;
}

bool
last_use_find(const uint8_t *bucket, size_t n, struct str user, struct str name,
	      struct last_use *u)
{
	unsigned i;

	for (i = 0; i < LAST_USE_WAYS; i++)
		if (decode_way(bucket, n, i, u) && str_eq(u->user, user) &&
		    str_eq(u->name, name))
			return true;
	return false;
}

const char *
last_use_service_name(uint8_t service)
{
	static const char *const names[] = {
		[LAST_USE_IMAP] = "imap",
		[LAST_USE_POP3] = "pop3",
		[LAST_USE_SMTP] = "smtp",
		[LAST_USE_OTHER] = "other",
	};

	return service >= LAST_USE_IMAP && service < LAST_USE_OTHER
		       ? names[service]
		       : names[LAST_USE_OTHER];
}
