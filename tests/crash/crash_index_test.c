/* SPDX-License-Identifier: ISC */
/*
 * Power cuts and failing disks over the index of a folder: two processes add,
 * change and expunge messages, on a disk in memory that keeps a record; then
 * every image that a power cut may leave is opened.  What must hold:
 *
 *   - the folder keeps its UIDVALIDITY once it was told;
 *   - a message that was told is there with its UID and name, until somebody
 *     begins to expunge it; what was told to be expunged is gone, and stands in
 *     the history;
 *   - flags, keywords and names are those of the last durable commit, or of a
 *     later one;
 *   - the next UID and the next modseq are greater than all that were told;
 *   - the totals are what the messages say.
 *
 * POSTHOUSE_CRASH_SAMPLE: how many images (default 1500; 0: all);
 * POSTHOUSE_SEED: repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "powercut.h"
#include "store/index_int.h"

enum { STEPS = 250, UIDS = 3000, HAD = 40 };
#define NEVER SIZE_MAX

/* What one message had, and when; times are numbers of operations. */
struct value {
	uint64_t flags;
	size_t begun;
	size_t durable; /* NEVER: perhaps not */
	bool failed;	/* perhaps it did not happen at all */
};
struct known {
	size_t told, leaving, gone;
	struct value had[HAD];
	unsigned nhad;
};

struct run {
	struct index *ix[2];
	int dir;
	uint64_t rng;
	struct known m[UIDS];
	uint32_t validity;
	size_t validity_told;
	/* Told last, and when. */
	uint64_t modseq[STEPS * 4];
	size_t modseq_told[STEPS * 4];
	unsigned nmodseqs;
	bool faults;
	size_t cut;
	const char *what;
	uint64_t fresh_from;
};

#define WRONG(r, ...)                                              \
	do {                                                       \
		print_error("cut %zu, %s: ", (r)->cut, (r)->what); \
		fail_msg(__VA_ARGS__);                             \
	} while (0)

static uint64_t
pick(struct run *r, uint64_t n)
{
	r->rng = r->rng * 6364136223846793005u + 1442695040888963407u;
	return n ? (r->rng >> 33) % n : 0;
}

static void
on_slot(void *arg, size_t slot)
{
	(void)arg;
	(void)slot;
}

static void
on_reset(void *arg)
{
	struct run *r = arg;

	WRONG(r, "the folder was begun anew");
}

static uint32_t
fresh(void *arg, uint32_t above, struct err *err)
{
	(void)arg;
	(void)err;
	return above + 1000;
}

static const struct index_ops ops = { on_slot, on_slot, on_reset, fresh };

static void
name_of(uint32_t uid, char name[40])
{
	snprintf(name, 40, "%u.M%u.host,S=%u", uid + 7, uid, uid * 3);
}

/* --- what happens --------------------------------------------------------- */

static void
make_durable(struct run *r)
{
	unsigned i;
	uint32_t uid;

	for (uid = 0; uid < UIDS; uid++)
		for (i = 0; i < r->m[uid].nhad; i++)
			if (r->m[uid].had[i].durable == NEVER)
				r->m[uid].had[i].durable = fsx_mem_nops();
}

static void
note(struct run *r, uint32_t uid, uint64_t flags)
{
	struct known *k = &r->m[uid];

	if (k->nhad == HAD)
		memmove(k->had, k->had + 1, --k->nhad * sizeof(*k->had));
	k->had[k->nhad++] =
		(struct value){ flags, fsx_mem_nops(), NEVER, false };
}

/* What was noted since then was refused. */
static void
note_failed(struct run *r, size_t since)
{
	unsigned i;
	uint32_t uid;

	for (uid = 0; uid < UIDS; uid++)
		for (i = 0; i < r->m[uid].nhad; i++)
			if (r->m[uid].had[i].begun >= since)
				r->m[uid].had[i].failed = true;
}

/* All that a client may be told now. */
static void
tell(struct run *r, struct index *ix)
{
	const struct message *m;
	struct index_totals t;
	size_t i;

	index_totals(ix, &t);
	if (!r->validity) {
		r->validity = t.uidvalidity;
		r->validity_told = fsx_mem_nops();
	}
	assert_int_equal(t.uidvalidity, r->validity);
	if (!r->nmodseqs || r->modseq[r->nmodseqs - 1] != t.highestmodseq) {
		assert_in_range(r->nmodseqs, 0, STEPS * 4 - 1);
		r->modseq[r->nmodseqs] = t.highestmodseq;
		r->modseq_told[r->nmodseqs++] = fsx_mem_nops();
	}
	for (i = 0; i < index_slots(ix); i++) {
		m = index_at(ix, i);
		if (!m->gone && r->m[m->uid].told == NEVER)
			r->m[m->uid].told = fsx_mem_nops();
	}
}

static void
do_add(struct run *r, struct index *ix)
{
	struct index_new a = { .wsize = 5 };
	struct index_totals t;
	uint32_t uid, n = 1 + (uint32_t)pick(r, 4);
	char name[40];

	index_totals(ix, &t);
	for (uid = t.uidnext; uid < t.uidnext + n && uid < UIDS; uid++) {
		name_of(uid, name);
		a.base = str_of(name);
		a.flags = pick(r, 3);
		assert_int_equal(index_add(ix, &a), uid);
		r->m[uid].nhad = 0; /* a try that failed had it */
		note(r, uid, a.flags);
	}
}

static void
do_change(struct run *r, struct index *ix, bool gone)
{
	size_t n = 1 + pick(r, gone ? 2 : 6), slot;
	const struct message *m;
	uint64_t flags = pick(r, 1000);

	while (n-- && index_slots(ix)) {
		slot = pick(r, index_slots(ix));
		m = index_at(ix, slot);
		if (m->gone)
			continue;
		if (gone) {
			if (r->m[m->uid].leaving == NEVER)
				r->m[m->uid].leaving = fsx_mem_nops();
			index_gone(ix, slot);
		} else {
			note(r, m->uid, flags);
			index_state(ix, slot, flags, 0);
		}
	}
}

static void
tell_gone(struct run *r, struct index *ix)
{
	const struct message *m;
	size_t i;

	for (i = 0; i < index_slots(ix); i++) {
		m = index_at(ix, i);
		if (m->gone && r->m[m->uid].gone == NEVER)
			r->m[m->uid].gone = fsx_mem_nops();
	}
}

static void
step(struct run *r)
{
	struct index **slot = &r->ix[pick(r, 2)], *ix = *slot;
	uint64_t what = pick(r, 15);
	size_t since = fsx_mem_nops();
	struct err err;
	bool sync = what < 5 || pick(r, 4) == 0;

	if (what == 13) {
		index_close(ix);
		*slot = index_open(r->dir, "test", &ops, r, &err);
		if (!*slot) {
			assert_true(r->faults);
			*slot = index_open(r->dir, "test", &ops, r, &err);
			assert_non_null(*slot);
		}
		tell(r, *slot);
		return;
	}
	if (what == 12) {
		index_compact(ix);
		index_checkpoint(ix);
		return;
	}
	if (what == 11) {
		if (index_flush(ix, &err) < 0)
			assert_true(r->faults);
		return;
	}
	if (index_lock(ix, &err) < 0) {
		assert_true(r->faults);
		return;
	}
	if (what == 14) {
		/* What index_checkpoint() does with a long log. */
		if (index_write_new(ix, &err) < 0 || index_flush(ix, &err) < 0)
			assert_true(r->faults);
		index_unlock(ix);
		tell(r, ix);
		return;
	}
	if (what < 4)
		do_add(r, ix);
	else
		do_change(r, ix, what == 4);
	if (index_commit(ix, sync, &err) == 0) {
		if (sync)
			make_durable(r);
		if (what == 4)
			tell_gone(r, ix);
	} else {
		assert_true(r->faults);
		note_failed(r, since);
	}
	index_unlock(ix);
	tell(r, ix);
}

/* --- what is left --------------------------------------------------------- */

static void
check_flags(struct run *r, const struct message *m)
{
	struct known *k = &r->m[m->uid];
	unsigned i, from = 0;

	/* The last that was durable before the cut. */
	for (i = 0; i < k->nhad; i++)
		if (k->had[i].durable <= r->cut && !k->had[i].failed)
			from = i;
	for (i = from; i < k->nhad; i++)
		if (k->had[i].flags == m->flags)
			return;
	WRONG(r, "UID %u has flags %llx", m->uid, (unsigned long long)m->flags);
}

static void
check_message(struct run *r, struct index *ix, uint32_t uid)
{
	const struct message *m = index_find(ix, uid);
	struct known *k = &r->m[uid];
	char name[40];

	if (!m) {
		if (k->told <= r->cut && k->leaving > r->cut)
			WRONG(r, "UID %u has vanished", uid);
		return;
	}
	if (k->gone <= r->cut)
		WRONG(r, "UID %u is back", uid);
	name_of(uid, name);
	if (!str_eq(index_base(ix, m), str_of(name)))
		WRONG(r, "UID %u is another message", uid);
	check_flags(r, index_find(ix, uid));
}

struct gone {
	struct run *r;
	bool uid[UIDS];
};

static void
on_gone(void *arg, uint32_t lo, uint32_t hi)
{
	struct gone *g = arg;

	for (; lo <= hi && lo < UIDS; lo++)
		g->uid[lo] = true;
}

static void
check_totals(struct run *r, struct index *ix)
{
	struct index_totals t;
	uint64_t n = 0, unseen = 0;
	size_t i;

	index_totals(ix, &t);
	for (i = 0; i < index_slots(ix); i++) {
		if (index_at(ix, i)->gone)
			continue;
		n++;
		unseen += !(index_at(ix, i)->flags & MAILDIR_SEEN);
	}
	if (n != t.messages || unseen != t.unseen)
		WRONG(r, "the totals are wrong");
}

static void
check_next(struct run *r, struct index *ix, uint32_t told)
{
	struct index_new a = { .base = STR("next") };
	struct index_totals t;
	struct err err;
	unsigned i;
	uint32_t uid;

	if (index_lock(ix, &err) < 0)
		WRONG(r, "%s", err.text);
	uid = index_add(ix, &a);
	if (index_commit(ix, true, &err) < 0)
		WRONG(r, "%s", err.text);
	index_unlock(ix);
	if (uid <= told)
		WRONG(r, "UID %u is given again", uid);
	index_totals(ix, &t);
	for (i = 0; i < r->nmodseqs && r->modseq_told[i] <= r->cut; i++)
		if (t.highestmodseq <= r->modseq[i])
			WRONG(r, "a modseq is given again");
}

static void
check(void *arg, const struct memfs *image, size_t cut, const char *what)
{
	struct run *r = arg;
	struct gone g = { .r = r };
	struct index_totals t;
	struct index *ix;
	struct err err;
	uint32_t uid, told = 0;
	bool all;

	r->cut = cut;
	r->what = what;
	fsx_mem_load_keep(image);
	ix = index_open(fsx_mem_root(), "test", &ops, r, &err);
	if (!ix)
		WRONG(r, "%s", err.text);
	index_totals(ix, &t);
	if (r->validity_told <= cut && t.uidvalidity != r->validity)
		WRONG(r, "another UIDVALIDITY");
	all = index_vanished(ix, 1, on_gone, &g);
	for (uid = 1; uid < UIDS; uid++) {
		check_message(r, ix, uid);
		if (r->m[uid].told <= cut)
			told = uid;
		if (all && r->m[uid].gone <= cut && !g.uid[uid])
			WRONG(r, "UID %u is not in the history", uid);
	}
	check_totals(r, ix);
	check_next(r, ix, told);
	index_close(ix);
}

static void
begin(struct run *r, struct memfs *start)
{
	struct err err;
	uint32_t uid;
	int i;

	*r = (struct run){ .rng = powercut_seed(),
			   .validity_told = NEVER,
			   .what = "running" };
	for (uid = 0; uid < UIDS; uid++)
		r->m[uid].told = r->m[uid].leaving = r->m[uid].gone = NEVER;
	fsx_mem_reset();
	r->dir = fsx_mem_root();
	fsx_mem_record(start);
	for (i = 0; i < 2; i++) {
		r->ix[i] = index_open(r->dir, "test", &ops, r, &err);
		assert_non_null(r->ix[i]);
	}
	tell(r, r->ix[0]);
}

static void
test_power_cut(void **state)
{
	static struct run r;
	struct powercut_result result;
	struct memfs start;
	uint64_t seed;
	int i;

	(void)state;
	begin(&r, &start);
	seed = r.rng;
	for (i = 0; i < STEPS; i++)
		step(&r);
	index_close(r.ix[0]);
	index_close(r.ix[1]);
	fsx_mem_record_stop();
	powercut_run(&start, seed, powercut_sample(1500), check, &r, &result);
	print_message("%llu of %llu images\n",
		      (unsigned long long)result.checked,
		      (unsigned long long)result.images);
	memfs_fini(&start);
}

/* A call that fails, now and then, with each of these. */
static void
test_failing_disk(void **state)
{
	static const int codes[] = { ENOSPC, EIO, EDQUOT, ENOMEM };
	static struct run r;
	struct memfs start;
	int i;

	(void)state;
	begin(&r, &start);
	r.faults = true;
	for (i = 0; i < STEPS; i++) {
		fsx_mem_fail_at(fsx_mem_calls() + 1 + pick(&r, 12),
				codes[pick(&r, 4)]);
		step(&r);
		fsx_mem_fail_at(0, 0);
		/* As if the power went now, but all had been written. */
		if (i % 10 == 0)
			tell(&r, r.ix[0]);
	}
	index_close(r.ix[0]);
	index_close(r.ix[1]);
	fsx_mem_record_stop();
	memfs_fini(&start);
	memfs_copy(&start, fsx_mem_now());
	check(&r, &start, fsx_mem_nops(), "after all");
	memfs_fini(&start);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_failing_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
