/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "net/line.h"
#include "plain.h"
#include "pop3_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n), line, arg, user, password, word;
	enum line_result got;
	struct buf plain;
	size_t used;

	buf_init(&plain, PLAIN_BYTES_MAX);
	for (;;) {
		got = line_get(in, POP3_LINE_MAX, &line, &used);
		if (got == LINE_MORE || got == LINE_TOO_LONG)
			break;
		BUG_ON(used == 0 || used > in.n);
		if (got == LINE_OK) {
			/* "AUTH PLAIN response": the response is left. */
			if (pop3_command(line, &arg) == POP3_AUTH)
				(void)str_cut(&arg, ' ', &word);
			BUG_ON(arg.n > line.n);
			buf_reset(&plain);
			if (plain_parse(line, &plain, &user, &password))
				BUG_ON(user.n == 0 || password.n == 0);
			buf_reset(&plain);
			if (plain_parse(arg, &plain, &user, &password))
				BUG_ON(user.n == 0 || password.n == 0);
		}
		in = str_from(in, used);
	}
	buf_fini(&plain);
	return 0;
}
