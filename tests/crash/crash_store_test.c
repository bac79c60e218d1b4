/* SPDX-License-Identifier: ISC */
/*
 * Power cuts and failing disks over a user's folders: messages are appended,
 * delivered, flagged, copied, moved and expunged as imapd and pop3d do it, file
 * names follow, another program renames files, a folder is renamed, on a disk
 * in memory that keeps a record; then every image that a power cut may leave
 * is opened.  What must hold:
 *
 *   - a folder keeps its UIDVALIDITY, and a UID that was told names the same
 *     message or none;
 *   - a message that was told, by APPENDUID, COPYUID or as EXISTS, is there
 *     once, whole, under that UID, until somebody begins to expunge it;
 *   - what was told to be expunged is gone (the names are synced first);
 *   - flags are any of those the message had since what was written behind was
 *     done last (store_finish()): STORE does not sync;
 *   - what the summary says of a folder is what opening it says;
 *   - the next message gets a UID greater than all that were told.
 *
 * What was begun and not told may be there or not.
 *
 * POSTHOUSE_CRASH_SAMPLE: how many images (default 600; 0: all);
 * POSTHOUSE_SEED: repeats a run.
 */
#include "crash_store.h"

/* --- after the cut -------------------------------------------------------- */

/* Letter by letter: names and the log may be of different age. */
static bool
had_flags(const struct run *r, const struct copy *c, uint64_t flags)
{
	uint64_t ever = 0, always = UINT64_MAX;
	unsigned i, from = 0;

	for (i = 0; i < c->nhad; i++)
		if (c->kept[i] <= r->cut)
			from = i;
	for (i = from; i < c->nhad; i++) {
		ever |= c->had[i];
		always &= c->had[i];
	}
	return (flags & ~ever) == 0 && (always & ~flags) == 0;
}

/* Was this UID told of another message? */
static void
check_uid(struct run *r, unsigned b, unsigned k, uint32_t uid)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (i != k && r->m[b][i].uid == uid &&
		    r->m[b][i].told <= r->cut)
			WRONG(r, "%s: UID %u was message %u, is %u",
			      box_name[b], uid, i, k);
}

static uint32_t
check_copy(struct run *r, unsigned b, unsigned k, unsigned there, uint32_t uid)
{
	const struct copy *c = &r->m[b][k];

	if (there > 1)
		WRONG(r, "%s: message %u is there %u times", box_name[b], k,
		      there);
	if (c->gone <= r->cut && there)
		WRONG(r, "%s: expunged message %u is back", box_name[b], k);
	if (!c->uid || c->told > r->cut)
		return 0;
	if (c->leaving <= r->cut)
		return c->uid;
	if (!there)
		WRONG(r, "%s: message %u, UID %u, is lost", box_name[b], k,
		      c->uid);
	if (uid != c->uid)
		WRONG(r, "%s: message %u, UID %u, has UID %u", box_name[b], k,
		      c->uid, uid);
	return c->uid;
}

/* The last folder has one of its two names. */
static struct mailbox *
open_either(struct run *r, struct store *st, unsigned b)
{
	struct folder_status s;
	struct mailbox *mb;
	struct index_totals t;
	const char *name = box_name[b];
	struct err err;

	if (b == BOXES - 1 && store_exists(st, str_of(box_name[BOXES]))) {
		if (store_exists(st, str_of(name)))
			WRONG(r, "%s has two names", name);
		name = box_name[BOXES];
	}
	if (store_status(st, str_of(name), &s, &err) < 0) {
		if (r->created[b] <= r->cut || err.code != ENOENT)
			WRONG(r, "%s: %s", name, err.text);
		return NULL;
	}
	mb = mailbox_open(st, str_of(name), &err);
	if (!mb)
		WRONG(r, "%s: %s", name, err.text);
	mailbox_totals(mb, &t);
	/* Behind what is torn UIDs are skipped. */
	if (s.messages != t.messages || s.uidnext > t.uidnext ||
	    s.unseen != t.unseen || s.highestmodseq != t.highestmodseq)
		WRONG(r, "%s: the summary is wrong", name);
	return mb;
}

static void
check_box(struct run *r, struct store *st, unsigned b)
{
	unsigned there[MESSAGES] = { 0 }, k;
	uint32_t uid[MESSAGES] = { 0 }, top = 0, t, new = 0;
	struct append_info info = { .mtime = 1 };
	struct store_append *a;
	struct mailbox *mb;
	struct err err;
	bool gone;
	size_t i;

	mb = open_either(r, st, b);
	if (!mb)
		return;
	if (r->validity[b] && r->validity_told[b] <= r->cut &&
	    validity_of(mb) != r->validity[b])
		WRONG(r, "%s: another UIDVALIDITY", box_name[b]);
	for (i = 0; i < mailbox_slots(mb); i++) {
		const struct message *m = mailbox_at(mb, i);

		if (m->gone)
			continue;
		k = identify(r, mb, m->uid, &gone);
		assert_false(gone);
		m = mailbox_at(mb, i);
		assert_true(k < r->n && r->m[b][k].used);
		if (!had_flags(r, &r->m[b][k], m->flags))
			WRONG(r, "%s: message %u has not had flags %llx",
			      box_name[b], k, (unsigned long long)m->flags);
		there[k]++;
		uid[k] = m->uid;
		check_uid(r, b, k, m->uid);
	}
	for (k = 0; k < r->n; k++) {
		t = check_copy(r, b, k, there[k], uid[k]);
		top = t > top ? t : top;
	}
	/* And it goes on. */
	a = append_begin(mb, &err);
	if (!a || append_write(a, STR("x\r\n"), &err) < 0 ||
	    append_commit(a, &info, &new, &err) < 0)
		WRONG(r, "%s: APPEND: %s", box_name[b], err.text);
	if (new <= top)
		WRONG(r, "%s: UID %u given again", box_name[b], new);
	mailbox_release(mb);
}

static void
restart_and_check(struct run *r, size_t cut, const char *what)
{
	struct folder_list all;
	struct store *st;
	struct err err;
	bool faults = r->faults;
	unsigned b;

	r->cut = cut;
	r->what = what;
	r->faults = false;
	r->root = fsx_mem_root();
	st = start(r);
	assert_int_equal(store_list(st, &all, &err), 0);
	folder_list_fini(&all);
	for (b = 0; b < BOXES; b++)
		check_box(r, st, b);
	store_close(st);
	fsx_close(r->root);
	r->faults = faults;
}

static void
check_image(void *arg, const struct memfs *image, size_t cut, const char *what)
{
	fsx_mem_load_keep(image);
	restart_and_check(arg, cut, what);
}

/* --- tests ---------------------------------------------------------------- */

/* fresh: a disk made by an earlier call; NULL: none. */
static void
begin(struct run *r, uint64_t seed, unsigned nst, const struct memfs *fresh)
{
	struct err err;
	unsigned b, k;

	*r = (struct run){ .rng = seed, .nst = nst, .what = "working" };
	for (b = 0; b < BOXES; b++) {
		r->created[b] = b ? NEVER : 0;
		for (k = 0; k < MESSAGES; k++)
			r->m[b][k].leaving = r->m[b][k].gone = NEVER;
	}
	if (fresh)
		fsx_mem_load(fresh);
	else
		fsx_mem_reset();
	r->root = fsx_mem_root();
	if (!fresh)
		assert_int_equal(maildir_create(r->root, "Maildir", &err), 0);
}

static void
scenario(struct run *r, unsigned steps)
{
	unsigned i;

	for (i = 0; i < r->nst; i++)
		r->st[i] = start(r);
	for (i = 0; i < steps; i++)
		one_step(r);
	for (i = 0; i < r->nst; i++)
		store_close(r->st[i]);
	fsx_close(r->root);
}

static void
cut_power(unsigned nst)
{
	uint64_t seed = powercut_seed();
	uint64_t sample = powercut_sample(600);
	struct run *r = calloc(1, sizeof(*r));
	struct powercut_result result;
	struct memfs first;

	begin(r, seed, nst, NULL);
	fsx_mem_record(&first);
	scenario(r, STEPS);
	fsx_mem_record_stop();
	powercut_run(&first, seed, sample, check_image, r, &result);
	printf("%zu operations, %u messages, %llu images, %llu checked\n",
	       fsx_mem_nops(), r->n, (unsigned long long)result.images,
	       (unsigned long long)result.checked);
	assert_true(result.checked > 0);
	memfs_fini(&first);
	free(r);
}

static void
test_power_cuts(void **state)
{
	(void)state;
	cut_power(1);
}

static void
test_power_cuts_two_processes(void **state)
{
	(void)state;
	cut_power(2);
}

/* Each call of a short run fails once; the folder must go on at once, and be
 * right after a restart (without a power cut). */
static void
fail_each_call(int code)
{
	struct run *r = calloc(1, sizeof(*r));
	uint64_t k, calls = UINT64_MAX;
	struct memfs fresh;

	begin(r, 42, 1, NULL);
	memfs_copy(&fresh, fsx_mem_now());
	for (k = 1; k < calls; k++) {
		begin(r, 42, 1, &fresh);
		r->faults = true;
		fsx_mem_fail_at(k, code);
		scenario(r, 30);
		calls = fsx_mem_calls();
		fsx_mem_fail_at(0, 0);
		restart_and_check(r, NEVER - 1, "a call failed");
	}
	printf("%llu calls failed\n", (unsigned long long)k - 1);
	memfs_fini(&fresh);
	free(r);
}

static void
test_enospc(void **state)
{
	(void)state;
	fail_each_call(ENOSPC);
}

static void
test_eio(void **state)
{
	(void)state;
	fail_each_call(EIO);
}

/* Create, open, delete, in one second: the folder's UIDVALIDITY as told, or 0.
 * What is in the way from a call that failed goes first. */
static uint32_t
brief_folder(struct store *st)
{
	uint32_t validity = 0;
	struct mailbox *mb;
	struct err err;

	(void)!store_delete(st, STR("X"), &err);
	if (store_create(st, STR("X"), &err) < 0)
		return 0;
	mb = mailbox_open(st, STR("X"), &err);
	if (mb) {
		validity = validity_of(mb);
		mailbox_release(mb);
	}
	(void)!store_delete(st, STR("X"), &err);
	return validity;
}

static void
test_no_uidvalidity_twice(void **state)
{
	uint64_t k, calls = UINT64_MAX;
	uint32_t last, validity;
	struct run *r = calloc(1, sizeof(*r));
	unsigned i;

	(void)state;
	for (k = 1; k < calls; k++) {
		begin(r, 1, 1, NULL);
		r->st[0] = start(r);
		fsx_mem_fail_at(fsx_mem_calls() + k, EIO);
		calls = fsx_mem_calls();
		for (last = i = 0; i < 4; i++) {
			validity = brief_folder(r->st[0]);
			assert_true(!validity || validity > last);
			last = validity ? validity : last;
		}
		calls = fsx_mem_calls() - calls;
		assert_int_not_equal(last, 0);
		store_close(r->st[0]);
	}
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cuts),
		cmocka_unit_test(test_power_cuts_two_processes),
		cmocka_unit_test(test_enospc),
		cmocka_unit_test(test_eio),
		cmocka_unit_test(test_no_uidvalidity_twice),
	};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	log_open(null, "crash_store_test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
