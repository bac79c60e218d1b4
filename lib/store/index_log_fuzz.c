/* SPDX-License-Identifier: ISC */
#include "base/enc.h"
#include "store/index_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
on_record(void *arg, const struct ilog_record *r)
{
	return state_apply(arg, r);
}

static void
on_range(void *arg, uint32_t lo, uint32_t hi)
{
	uint32_t *last = arg;

	BUG_ON(lo > hi || lo <= *last);
	*last = hi;
}

/* What is kept is what can be counted. */
static void
check(struct state *s)
{
	uint64_t n = 0, gone = 0, unseen = 0, last = 0;
	uint32_t vanished = 0;
	const struct message *m;
	struct str base;
	size_t i;

	for (i = 0; i < s->slots; i++) {
		m = state_at(s, i);
		BUG_ON(m->uid <= last || m->uid >= s->t.uidnext);
		BUG_ON(m->keywords >= s->kw.nsets);
		BUG_ON(state_lower(s, m->uid) != i);
		last = m->uid;
		gone += m->gone;
		n += !m->gone;
		unseen += !m->gone && !(m->flags & MAILDIR_SEEN);
		base = state_base(s, m);
		BUG_ON(base.n == 0);
		BUG_ON(!m->gone && state_by_base(s, base) < 0);
	}
	BUG_ON(n != s->t.messages || gone != s->t.gone ||
	       unseen != s->t.unseen);
	state_compact(s);
	BUG_ON(s->slots != n);
	for (i = 0; i < s->slots; i++)
		BUG_ON(state_at(s, i)->gone);
	(void)!history_since(state_history(s), s->history.floor, on_range,
			     &vanished);
}

/* As it comes, and as the bodies (u16 length each) of records that are whole.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n);
	struct ilog_header h = { 7, 1, 1, 0, 9 };
	struct ilog_record r = { .modseq = 5, .uidnext = 1 };
	struct ilog_parsed parsed = { 0 };
	struct buf b;
	struct state s;
	size_t at, len;
	enum ilog_result res;

	(void)!ilog_get_header(in, &h);
	state_init(&s);
	res = ilog_parse(in, 100, on_record, &s, &parsed);
	BUG_ON(parsed.end < 100 || parsed.end > 100 + n);
	BUG_ON(res == ILOG_OK && n && data[n - 1] && parsed.end != 100 + n);
	state_fini(&s);

	buf_init(&b, 2 * n + 1000);
	while (in.n >= 2) {
		len = enc_get16(in.p);
		in = str_from(in, 2);
		at = b.n;
		ilog_begin(&b);
		(void)!buf_add_str(&b, str_head(in, len));
		in = str_from(in, len);
		r.modseq++;
		if (buf_overflown(&b)) {
			b.n = at;
			break;
		}
		ilog_end(&b, at, &r);
	}
	state_init(&s);
	state_from_header(&s, &(struct ilog_header){ 7, 1, 1, 0, 9 });
	parsed = (struct ilog_parsed){ .uidnext = 1 };
	/* In two pieces, as the file is read. */
	at = ilog_whole(str_head(buf_str(&b), n));
	BUG_ON(at > n);
	if (ilog_parse(str_head(buf_str(&b), at), ILOG_HEADER, on_record, &s,
		       &parsed) == ILOG_OK &&
	    ilog_parse(str_from(buf_str(&b), at), parsed.end, on_record, &s,
		       &parsed) == ILOG_OK)
		check(&s);
	state_fini(&s);
	buf_fini(&b);
	return 0;
}
