/* SPDX-License-Identifier: ISC */
/* Whatever comes in: what goes out has seven bits outside of header fields,
 * and converting it again finds nothing to do. */
#include "base/err.h"
#include "mail/downgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static ssize_t
read_text(void *arg, uint64_t at, char *to, size_t n)
{
	const struct str *text = arg;
	struct str part = str_head(str_from(*text, (size_t)at), n);

	if (part.n)
		memcpy(to, part.p, part.n);
	return (ssize_t)part.n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_mem(data, n), made;
	struct downgrade *d, *again;
	struct buf out;
	struct err err;
	int rc;

	if (downgrade_new(&d, read_text, &text, &err) < 0 || !d)
		return 0;
	buf_init(&out, 16 * n + 65536);
	do {
		rc = downgrade_next(d, &out, 512 + n % 7000, &err);
		BUG_ON(rc < 0);
	} while (rc > 0);
	made = buf_str(&out);
	BUG_ON(downgrade_new(&again, read_text, &made, &err) < 0 || again);
	downgrade_free(d);
	buf_fini(&out);
	return 0;
}
