/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/smtpreply.h"
#include "mail/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct smtpreply *r)
{
	struct str text = buf_str(&r->text), line;
	size_t i;

	BUG_ON(r->code < 200 || r->code > 599 || text.n > SMTPREPLY_TEXT_MAX);
	BUG_ON(!utf8_is_valid(text));
	for (i = 0; i < text.n; i++)
		BUG_ON(((unsigned char)text.p[i] < ' ' && text.p[i] != '\n') ||
		       text.p[i] == 0x7f);
	BUG_ON(r->dsn[0] && r->dsn[0] != (char)('0' + r->code / 100));
	while (smtpreply_line(&text, &line))
		BUG_ON(line.n > SMTPREPLY_LINE_MAX);
}

/* All replies in s, fed in pieces of step octets; what they were is added up
 * in *sum. */
static void
run(struct str s, size_t step, struct buf *sum)
{
	enum smtpreply_result result;
	struct smtpreply r;
	struct str piece;
	size_t used;

	smtpreply_init(&r);
	while (s.n) {
		piece = str_head(s, step);
		used = smtpreply_feed(&r, piece, &result);
		BUG_ON(used > piece.n || (used == 0 && !r.fault));
		if (result == SMTPREPLY_BROKEN) {
			BUG_ON(!r.fault);
			(void)!buf_add_c(sum, "broken");
			break;
		}
		BUG_ON(result == SMTPREPLY_MORE && used != piece.n);
		s = str_from(s, used);
		if (result != SMTPREPLY_DONE)
			continue;
		check(&r);
		(void)!buf_addf(sum, "%u %s %d\n", r.code, r.dsn, r.cut);
		(void)!buf_add_str(sum, buf_str(&r.text));
		smtpreply_reset(&r);
	}
	smtpreply_fini(&r);
}

/* Cut anywhere, the same octets are the same replies. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_mem(data, size);
	struct buf whole, pieces;

	if (size == 0)
		return 0;
	s = str_from(s, 1);
	buf_init(&whole, 1u << 24);
	buf_init(&pieces, 1u << 24);
	run(s, SIZE_MAX, &whole);
	run(s, data[0] % 9 + 1, &pieces);
	BUG_ON(!str_eq(buf_str(&whole), buf_str(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
