/* SPDX-License-Identifier: ISC */
/* An edited or strange export: what is taken is what was there. */
#include <stdlib.h>

#include "queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exported t;
	struct msg_rcpt_in r;
	struct pool pool;
	struct err err;
	char *text = malloc(size + 1);
	uint32_t n = 0;
	struct str it;

	BUG_ON(!text);
	memcpy(text, data, size);
	size = queue_text_unix(text, size);
	pool_init(&pool, 65536);
	if (queue_text_parse(&t, str_mem(text, size), &pool, &err) == 0) {
		BUG_ON(t.body.n && t.body.p[0] != '\n');
		BUG_ON(t.header.n == 0 || t.header.p[t.header.n - 1] != '\n');
		BUG_ON(t.sender.n > ADDRESS_MAX || t.envid.n > ENVID_MAX);
		BUG_ON(memchr(t.header.p, '\r', t.header.n + t.body.n));
		for (it = buf_str(&t.rcpts);
		     msg_list_next(&it, &msg_rcpt_in_def, &r); n++)
			BUG_ON(r.address.n == 0);
		BUG_ON(n != t.nrcpts || n == 0 || n > RCPTS_MAX);
	}
	queue_text_fini(&t);
	pool_fini(&pool);
	free(text);
	return 0;
}
