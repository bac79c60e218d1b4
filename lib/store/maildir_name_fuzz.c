/* SPDX-License-Identifier: ISC */
/* A file name from a directory anyone may have written, and a host name. */
#include "base/err.h"
#include "store/maildir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size);
	struct maildir_origin o = { .arrival_us = size };
	struct maildir_name name, again;
	struct buf b;

	buf_init(&b, 1024);
	if (maildir_parse(in, &name) == 0) {
		maildir_format(&b, name.base, name.flags);
		BUG_ON(name.regular !=
		       (name.base.n == in.n || str_eq(buf_str(&b), in)));
		if (b.n <= MAILDIR_NAME_MAX) {
			BUG_ON(maildir_parse(buf_str(&b), &again) < 0);
			BUG_ON(!str_eq(again.base, name.base));
			BUG_ON(again.flags != name.flags);
			BUG_ON(again.has_size != name.has_size);
			BUG_ON(again.size != name.size);
			BUG_ON(again.wsize != name.wsize);
		}
	}
	buf_reset(&b);
	maildir_base(&b, &o, in, size, size);
	BUG_ON(buf_overflown(&b));
	BUG_ON(maildir_parse(buf_str(&b), &name) < 0);
	BUG_ON(name.base.n != b.n || name.flags);
	BUG_ON(!name.has_size || name.size != size);
	BUG_ON(!name.has_wsize || name.wsize != size);
	buf_fini(&b);
	return 0;
}
