/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/enc.h"
#include "store/index_snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What was read and is written again reads the same. */
static void
again(const struct snapshot *sn, const struct keywords *kw)
{
	size_t n = snapshot_head_length(sn, kw);
	struct keywords kw2;
	struct snapshot sn2;
	struct buf b;

	keywords_init(&kw2);
	buf_init(&b, n);
	snapshot_put_head(&b, sn, kw);
	BUG_ON(buf_overflown(&b) || b.n != n);
	BUG_ON(!snapshot_get_head(buf_str(&b), &sn2, &kw2));
	BUG_ON(kw2.n != kw->n || kw2.nsets != kw->nsets || sn2.nb != sn->nb);
	for (n = 0; n < snapshot_pages(sn); n++) {
		size_t page = snapshot_page_of(sn, sn->pages[n].hash);

		BUG_ON(sn2.pages[n].crc != sn->pages[n].crc || page > n ||
		       snapshot_page_length(sn, n) == 0);
		for (; page < n; page++)
			BUG_ON(sn->pages[page + 1].hash < sn->pages[n].hash);
	}
	BUG_ON(sn2.t.messages != sn->t.messages ||
	       sn2.t.uidnext != sn->t.uidnext ||
	       sn2.stamp.cur_ctime_ns != sn->stamp.cur_ctime_ns);
	snapshot_fini(&sn2);
	keywords_fini(&kw2);
	buf_fini(&b);
}

static void
block(struct str in)
{
	struct message m[SNAPSHOT_BLOCK];
	struct snapshot_block b = { .n = (uint32_t)(in.n / SNAPSHOT_MESSAGE),
				    .names_n = 1000 };
	uint32_t i;

	if (b.n == 0 || b.n > SNAPSHOT_BLOCK)
		return;
	in = str_head(in, b.n * SNAPSHOT_MESSAGE);
	b.uid = enc_get32(in.p);
	b.last_uid = enc_get32(in.p + in.n - SNAPSHOT_MESSAGE);
	b.crc = enc_crc32c(0, in.p, in.n);
	if (b.uid == 0 || !snapshot_get_block(in, &b, 3, m))
		return;
	for (i = 0; i < b.n; i++)
		BUG_ON(m[i].keywords >= 3 || m[i].name + m[i].basen > 1000 ||
		       (i && m[i].uid <= m[i - 1].uid));
}

/* With the CRCs made right: what stands behind them must be checked as well. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct snapshot sn = { 0 };
	struct history h = { 0 };
	struct keywords kw;
	char *p = malloc(n + 1);

	BUG_ON(!p);
	if (n)
		memcpy(p, data, n);
	block(str_mem(p, n));
	sn.history_n = (uint32_t)(n / SNAPSHOT_EXPUNGED);
	sn.history_crc =
		enc_crc32c(0, p, (size_t)sn.history_n * SNAPSHOT_EXPUNGED);
	(void)!snapshot_get_history(
		str_mem(p, (size_t)sn.history_n * SNAPSHOT_EXPUNGED), &sn, &h);
	history_fini(&h);
	if (n >= SNAPSHOT_FIXED) {
		memcpy(p, "PHIDX02\n", 8);
		enc_put32(p + 12, (uint32_t)n);
		enc_put32(p + 8, enc_crc32c(0, p + 12, n - 12));
	}
	keywords_init(&kw);
	if (snapshot_get_head(str_mem(p, n), &sn, &kw)) {
		again(&sn, &kw);
		snapshot_fini(&sn);
	}
	keywords_fini(&kw);
	free(p);
	return 0;
}
