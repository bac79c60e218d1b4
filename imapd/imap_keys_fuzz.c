/* SPDX-License-Identifier: ISC */
#include "base/enc.h"
#include "base/err.h"
#include "keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Every byte can be read. */
static void
walk(struct str blob)
{
	struct imap_keys k;
	size_t i;

	if (!imap_keys_open(&k, blob))
		return;
	for (i = 0; i < KEYS_FIELDS; i++)
		BUG_ON(!str_eq(k.field[i], str_head(k.field[i], KEYS_MAX)));
	for (i = 0; i < k.refs; i++)
		BUG_ON(imap_keys_ref(&k, i) != enc_get64(k.ref_bytes + 8 * i));
}

/* As a blob, and as the header of a message whose blob must be whole. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct imap_keys k;
	struct buf blob;
	uint8_t *copy;

	walk(str_mem(data, n));
	buf_init(&blob, KEYS_MAX);
	imap_keys_build(&blob, str_mem(data, n));
	BUG_ON(buf_overflown(&blob) || !imap_keys_open(&k, buf_str(&blob)));
	walk(buf_str(&blob));
	/* A blob that is right but for a few bytes. */
	copy = (uint8_t *)blob.p;
	for (size_t i = 0; i + 1 < n && i < 64; i += 2)
		copy[data[i] % blob.n] ^= data[i + 1];
	walk(buf_str(&blob));
	buf_fini(&blob);
	return 0;
}
