/* SPDX-License-Identifier: ISC */
#include "mail/mbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct mbox_info info = { .length = -1 };
	enum mbox_field last = MBOX_NONE;
	struct str in = str_mem(data, n), line;
	struct buf keywords;
	int64_t t;

	buf_init(&keywords, 65536);
	while (in.n) {
		if (!str_cut(&in, '\n', &line)) {
			line = in;
			in.n = 0;
		}
		(void)mbox_from_line(line, &t);
		(void)mbox_header_line(line, &last, &info, &keywords);
	}
	buf_fini(&keywords);
	return 0;
}
