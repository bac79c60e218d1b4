/* SPDX-License-Identifier: ISC */
#include "store/foreign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
is_part(struct str s, struct str of)
{
	BUG_ON(s.n && (s.p < of.p || s.p + s.n > of.p + of.n));
}

static void
fuzz_uids(struct str in)
{
	struct foreign_uids u;
	size_t i;

	if (foreign_uids_parse(&u, in, NULL) < 0)
		return;
	BUG_ON(u.uidvalidity == 0 || u.uidnext == 0);
	for (i = 0; i < u.n; i++) {
		is_part(u.v[i].base, in);
		is_part(u.v[i].uidl, in);
		BUG_ON(u.v[i].uid == 0 || u.v[i].uid >= u.uidnext);
		BUG_ON(i && u.v[i].uid <= u.v[i - 1].uid);
	}
	foreign_uids_fini(&u);
}

static void
fuzz_keywords(struct str in)
{
	struct str letter[FOREIGN_LETTERS] = { STR_NULL }, base, numbers, name;
	struct foreign_list l;
	size_t i;

	foreign_letters_parse(in, letter);
	for (i = 0; i < FOREIGN_LETTERS; i++)
		is_part(letter[i], in);
	if (foreign_list_open(&l, in, NULL) < 0)
		return;
	while (foreign_list_next(&l, &base, &numbers)) {
		is_part(base, in);
		while (foreign_list_name(&l, &numbers, &name))
			is_part(name, in);
	}
	foreign_list_close(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n), rest = in;
	struct foreign_size s;
	struct buf b;

	fuzz_uids(in);
	fuzz_keywords(in);
	buf_init(&b, 1024);
	while (foreign_size_next(&rest, &s)) {
		is_part(s.base, in);
		buf_reset(&b);
		foreign_size_uidl(&s, &b);
	}
	for (rest = in; foreign_subscription_next(&rest, n & 1, &b);)
		BUG_ON(b.n == 0);
	buf_fini(&b);
	return 0;
}
