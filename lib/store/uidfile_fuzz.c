/* SPDX-License-Identifier: ISC */
#include "store/uidfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
on_entry(void *arg, uint32_t uid, struct str base)
{
	struct buf *body = arg;

	BUG_ON(uid == 0);
	if (body->n < 60000)
		uidfile_put_entry(body, uid, base);
}

static void
on_count(void *arg, uint32_t uid, struct str base)
{
	(void)uid;
	*(size_t *)arg += UIDFILE_ENTRY + base.n;
}

/* What was read and is written again reads the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n);
	uint32_t validity, uidnext;
	enum uidfile_result res;
	struct buf body, rec;
	size_t used, again = 0;

	if (uidfile_get_header(in, &validity, &uidnext))
		in = str_from(in, UIDFILE_HEADER);
	buf_init(&body, UIDFILE_BODY_MAX);
	buf_init(&rec, UIDFILE_BODY_MAX + UIDFILE_RECORD);
	res = uidfile_parse(in, &used, on_entry, &body);
	BUG_ON(used > in.n || (res == UIDFILE_OK) != (used == in.n));
	uidfile_put_record(&rec, buf_str(&body));
	BUG_ON(uidfile_parse(buf_str(&rec), &used, on_count, &again) !=
	       UIDFILE_OK);
	BUG_ON(again != body.n);
	/* Also raw input as a record's body: the CRC holds, the rest not. */
	buf_reset(&rec);
	uidfile_put_record(&rec, str_head(in, UIDFILE_BODY_MAX));
	(void)uidfile_parse(buf_str(&rec), &used, on_count, &again);
	buf_fini(&body);
	buf_fini(&rec);
	return 0;
}
