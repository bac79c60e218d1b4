/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "last_use.h"

void
last_use_note(int fd, const struct last_use *u)
{
	uint8_t bucket[LAST_USE_BUCKET], record[LAST_USE_SIZE];
	uint64_t at = last_use_offset(u->user, u->name);
	ssize_t n;

	if (fd < 0 || !last_use_encode(record, u))
		return;
	n = pread(fd, bucket, sizeof(bucket), (off_t)at);
	if (n < 0)
		return;
	at += (uint64_t)last_use_way(bucket, (size_t)n, u) * LAST_USE_SIZE;
	(void)!pwrite(fd, record, sizeof(record), (off_t)at);
}
