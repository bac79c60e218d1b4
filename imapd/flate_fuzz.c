/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "flate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { OUT_MAX = 1 << 20, PORTION = 1000 };

/* Bytes of a peer, in portions; between them the stream may rest. */
static int
take(struct str in, size_t step, bool rests, struct buf *out)
{
	struct flate f;
	size_t used;
	int rc = 0;

	flate_init(&f);
	while (rc == 0 && (in.n || f.more) && out->n < OUT_MAX / 2) {
		rc = flate_get(&f, str_head(in, step), &used, out, PORTION);
		in = str_from(in, used);
		if (rests)
			flate_rest(&f);
	}
	flate_fini(&f);
	return rc;
}

/* What we send is read as it was, whatever the rests. */
static void
there_and_back(struct str text)
{
	struct flate a, b;
	struct buf packed, out;
	struct str rest = text, in;
	size_t used;

	flate_init(&a);
	flate_init(&b);
	buf_init(&packed, OUT_MAX);
	buf_init(&out, OUT_MAX);
	while (rest.n) {
		size_t n = 1 + (uint8_t)rest.p[0] % 64u;

		BUG_ON(flate_put(&a, str_head(rest, n), &packed) < 0);
		rest = str_from(rest, n);
		if (n % 2)
			flate_rest(&a);
	}
	in = buf_str(&packed);
	while (in.n || b.more) {
		BUG_ON(flate_get(&b, str_head(in, 7), &used, &out, 50) < 0);
		in = str_from(in, used);
		if (used % 2)
			flate_rest(&b);
	}
	BUG_ON(!str_eq(buf_str(&out), text));
	flate_fini(&a);
	flate_fini(&b);
	buf_fini(&packed);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n);
	struct buf whole, parts;
	int a, b;

	buf_init(&whole, OUT_MAX);
	buf_init(&parts, OUT_MAX);
	a = take(in, n, false, &whole);
	b = take(in, 3, true, &parts);
	if (whole.n < OUT_MAX / 2 && parts.n < OUT_MAX / 2)
		BUG_ON(a != b ||
		       (a == 0 && !str_eq(buf_str(&whole), buf_str(&parts))));
	buf_fini(&whole);
	buf_fini(&parts);
	there_and_back(in);
	return 0;
}
