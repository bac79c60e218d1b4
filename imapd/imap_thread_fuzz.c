/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/enc.h"
#include "base/err.h"
#include "sort.h"
#include "thread.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/*
 * Three bytes make a message: its id, what it refers to, its date and subject.
 * However they refer to each other, each is said once, and the brackets match.
 */
static void
check(struct str text, size_t messages)
{
	uint8_t *said = calloc(messages + 1, 1);
	size_t i, number = 0, count = 0;
	int depth = 0;

	BUG_ON(!said);
	for (i = 0; i < text.n; i++) {
		if (text.p[i] >= '0' && text.p[i] <= '9') {
			number = number * 10 + (size_t)(text.p[i] - '0');
			continue;
		}
		if (number) {
			BUG_ON(number > messages || said[number]++);
			count++;
		}
		number = 0;
		depth += text.p[i] == '(' ? 1 : text.p[i] == ')' ? -1 : 0;
		BUG_ON(depth < 0);
	}
	BUG_ON(depth || count != messages);
	free(said);
}

static void
make_keys(struct imap_keys *k, char ids[16], const uint8_t *p)
{
	static const char *const bases[] = { "", "A", "B", "A long one" };

	*k = (struct imap_keys){ .id = p[0] % 16, .refs = p[1] % 3 };
	enc_put64(ids, 1u + p[1] / 3 % 16);
	enc_put64(ids + 8, 1u + p[2] % 16);
	k->ref_bytes = ids;
	k->is_reply = p[2] & 64;
	k->field[KEYS_BASE] = str_of(bases[p[2] / 16 % 4]);
	k->field[KEYS_SORT_FROM] = str_mem(p, 3);
}

static void
sort(const uint8_t *data, size_t n)
{
	struct imap_sort_program p = { .n = 3 };
	struct imap_sort_values m = { 0 };
	struct imap_sorter s;
	struct imap_keys k;
	char ids[16];
	size_t i;
	int rc;

	p.v[0] = (struct imap_sort_criterion){ SORT_SUBJECT, n & 1 };
	p.v[1] = (struct imap_sort_criterion){ SORT_FROM, n & 2 };
	p.v[2] = (struct imap_sort_criterion){ SORT_DATE, n & 4 };
	imap_sorter_init(&s);
	m.keys = &k;
	for (i = 0; i + 2 < n; i += 3) {
		make_keys(&k, ids, data + i);
		m.sent = data[i + 2] & 7;
		BUG_ON(imap_sorter_add(&s, &p, (uint32_t)i + 1, &m) < 0);
	}
	while ((rc = imap_sorter_step(&s)) > 0)
		continue;
	BUG_ON(rc < 0);
	imap_sorter_fini(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct imap_threader t;
	struct imap_keys k;
	struct buf out;
	char ids[16];
	size_t i;
	int how, rc;

	sort(data, n);
	buf_init(&out, 1 << 24);
	for (how = THREAD_ORDEREDSUBJECT; how <= THREAD_REFERENCES; how++) {
		imap_threader_init(&t, (enum imap_thread_how)how);
		for (i = 0; i + 2 < n; i += 3) {
			make_keys(&k, ids, data + i);
			BUG_ON(imap_threader_add(&t, (uint32_t)i / 3 + 1,
						 data[i + 2] & 7, &k) < 0);
		}
		while ((rc = imap_threader_step(&t)) > 0)
			continue;
		BUG_ON(rc < 0);
		buf_reset(&out);
		for (i = 0; i < t.ntops; i++)
			imap_threader_put(&t, i, &out);
		check(buf_str(&out), n / 3);
		imap_threader_fini(&t);
	}
	buf_fini(&out);
	return 0;
}
