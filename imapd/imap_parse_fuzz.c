/* SPDX-License-Identifier: ISC */
#include "fetch.h"
#include "list.h"
#include "search.h"
#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Every argument parser over the same text. */
static void
try_all(struct str text, struct pool *pool)
{
	struct imap_in start = { .p = text.p,
				 .end = text.p + text.n,
				 .pool = pool },
		       in;
	struct imap_pattern pat;
	struct fetch_items items;
	struct search sr;
	struct list_request list;
	unsigned items_wanted, uses;
	struct imap_set set;
	struct str s;
	struct imap_flags flags;
	uint64_t modseq;
	int64_t t;

	in = start;
	if (imap_set(&in, &set)) {
		imap_set_resolve(&set, 1000);
		(void)imap_set_has(&set, 7);
	}
	in = start;
	(void)imap_astring(&in, &s);
	in = start;
	if (imap_list_mailbox(&in, &s) && imap_pattern_init(&pat, s))
		(void)imap_match(&pat, STR("INBOX.a.b"));
	in = start;
	if (imap_list_parse(&in, &list))
		BUG_ON(list.n == 0 || list.n > IMAP_PATTERNS_MAX);
	in = start;
	if (imap_status_items(&in, &items_wanted))
		BUG_ON(items_wanted == 0);
	in = start;
	(void)imap_create_params(&in, &uses);
	in = start;
	(void)imap_flag_list(&in, true, &flags);
	in = start;
	(void)imap_modseq(&in, true, &modseq);
	in = start;
	(void)imap_date_time(&in, &t);
	in = start;
	(void)imap_date(&in, &t);
	in = start;
	if (imap_fetch_items(&in, (in.end - in.p) % 2, &items))
		BUG_ON(items.n == 0);
	in = start;
	if (imap_search_return(&in, &sr))
		(void)imap_search_parse(&in, &sr);
}

static void
on_command(struct imap_collector *c, struct pool *pool)
{
	struct str rest = buf_str(&c->text), tag, verb;

	BUG_ON(rest.n > IMAP_COMMAND_MAX);
	try_all(rest, pool);
	if (str_cut(&rest, ' ', &tag) && str_cut(&rest, ' ', &verb)) {
		try_all(str_mem(rest.p - 1, rest.n + 1), pool);
		try_all(rest, pool);
	}
	pool_fini(pool);
	imap_collect_reset(c);
}

static void
run(struct str in, size_t step)
{
	struct imap_collector c;
	struct pool pool;
	size_t used;

	imap_collect_init(&c);
	pool_init(&pool, IMAP_POOL_MAX);
	while (in.n) {
		switch (imap_collect(&c, str_head(in, step), &used)) {
		case COLLECT_MORE:
		case COLLECT_CONTINUE:
			break;
		case COLLECT_APPEND:
			imap_collect_resume(&c);
			break;
		case COLLECT_HOPELESS:
			in.n = used;
			break;
		default:
			on_command(&c, &pool);
			break;
		}
		in = str_from(in, used);
		if (used == 0 && c.text.n == 0)
			break;
	}
	imap_collect_fini(&c);
	pool_fini(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	run(str_mem(data, n), n + 1);
	run(str_mem(data, n), 5);
	return 0;
}
