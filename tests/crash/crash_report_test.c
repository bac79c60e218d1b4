/* SPDX-License-Identifier: ISC */
/*
 * Power cuts and failing disks over reports: messages fail for some of their
 * recipients, are delivered to others, whose senders want to know of it or not,
 * are given one more recipient or deleted by the administrator; reports are
 * stored, named by their parents, released, sent and forgotten, by the calls
 * qmgr makes and in their order; then every image that a power cut may leave is
 * recovered from.  For each recipient of an accepted message that is to be
 * reported there must be exactly one of: still to do or to be reported, or one
 * report.  Never neither, never both.
 *
 * POSTHOUSE_CRASH_SAMPLE: how many images (default 2000; 0: all);
 * POSTHOUSE_SEED: repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "base/enc.h"
#include "powercut.h"
#include "queue/spool.h"

enum { PARENTS = 40, CHILDREN = 400, RCPTS = 4, BODY = 3000 };

struct parent {
	struct qfile_head head;
	struct qfile_msg slot;
	size_t acked; /* operations recorded before it was acknowledged */
	bool queued;
	uint32_t n;	/* recipients: RCPTS - 1, then one more */
	size_t added;	/* operations recorded before that was */
	size_t deleted; /* before the administrator deleted it */
	uint8_t state[RCPTS];
	bool silent[RCPTS]; /* nobody wants to know that it was delivered */
	size_t done[RCPTS]; /* operations recorded before that was marked */
};

struct child {
	struct qfile_head head;
	uint32_t parent;
	uint8_t rcpts;	/* bits */
	bool queued;	/* released */
	size_t sent_at; /* operations recorded before it was on its way */
};

struct run {
	int root, spool_dir, lockfd;
	struct spool *sp;
	uint64_t rng;
	struct parent p[PARENTS];
	struct child c[CHILDREN];
	uint32_t np, nc;
	bool faults;
	/* What was found after a cut. */
	size_t cut;
	const char *what;
	bool found[PARENTS];
	uint32_t nafter[PARENTS];
	uint8_t after[PARENTS][RCPTS]; /* states */
	bool waiting[CHILDREN];
};

static uint64_t
pick(struct run *r, uint64_t n)
{
	r->rng = r->rng * 6364136223846793005u + 1442695040888963407u;
	return (r->rng >> 33) % n;
}

static int
open_spool(struct run *r, struct err *err)
{
	r->sp = NULL;
	r->lockfd = -1;
	if (spool_lock(r->spool_dir, &r->lockfd, err) == 0 &&
	    spool_open(&r->sp, r->spool_dir, err) == 0)
		return 0;
	if (r->lockfd >= 0)
		fsx_close(r->lockfd);
	return -1;
}

static void
close_spool(struct run *r)
{
	spool_close(r->sp);
	fsx_close(r->lockfd);
}

/* --- what qmgr does ------------------------------------------------------- */

static void
accept_one(struct run *r)
{
	struct parent *p = &r->p[r->np];
	uint8_t about[5] = { 'P', (uint8_t)r->np };
	struct spool_new new = {
		.head = { .arrival_us = 1, .nrcpts = RCPTS - 1 },
		.msg = { .state = QFILE_ACTIVE },
		.sender = STR("sender@example.org"),
		.rcpts = str_mem(about, sizeof(about)),
		.header = STR("Subject: x\n"),
		.body = STR("\nbody\n"),
		.body_fd = -1,
	};
	struct spool_new *v = &new;

	new.head.id = spool_next_id(r->sp);
	*p = (struct parent){ .acked = SIZE_MAX,
			      .added = SIZE_MAX,
			      .deleted = SIZE_MAX,
			      .n = RCPTS - 1 };
	r->np++;
	if (!new.head.id)
		return;
	spool_store(r->sp, &v, 1);
	assert_true(new.rc == 0 || r->faults);
	if (new.rc < 0)
		return;
	p->head = new.head;
	p->slot = new.msg;
	p->acked = fsx_mem_nops();
	p->queued = true;
}

static int
store_child(struct run *r, struct child *c)
{
	static char body[BODY];
	uint8_t about[5] = { 'C' };
	struct spool_new new = {
		.head = { .arrival_us = 1, .nrcpts = 1 },
		.msg = { .state = QFILE_HELD,
			 .reason = QFILE_CHILD,
			 .parent = r->p[c->parent].head.id },
		.rcpts = str_mem(about, sizeof(about)),
		.header = STR("Subject: report\n"),
		.body_fd = -1,
		.rc = -1,
	};
	struct spool_new *v = &new;

	enc_put32(about + 1, (uint32_t)(c - r->c));
	c->sent_at = SIZE_MAX;
	new.head.id = spool_next_id(r->sp);
	if (!new.head.id)
		return -1;
	if (pick(r, 3) == 0) { /* a large one, as report.c stores it */
		if (spool_body_create(r->sp, new.head.id, &new.body_fd,
				      &new.err) < 0)
			return -1;
		new.head.body = QFILE_BODY;
		new.head.body_len = sizeof(body);
		new.head.body_crc = enc_crc32c(0, body, sizeof(body));
		if (fsx_write_all(new.body_fd, body, sizeof(body), &new.err) <
		    0) {
			fsx_close(new.body_fd);
			spool_body_discard(r->sp, new.head.id);
			return -1;
		}
	}
	spool_store(r->sp, &v, 1);
	if (new.body_fd >= 0)
		fsx_close(new.body_fd);
	c->head = new.head;
	return new.rc;
}

/* All that is to be reported and is not yet; the second of two may fail. */
static void
report(struct run *r, struct parent *p)
{
	struct spool_mark marks[RCPTS];
	struct qfile_msg slot = p->slot;
	const struct qfile_msg release = { .seq = 2, .state = QFILE_ACTIVE };
	struct child *c = &r->c[r->nc];
	struct err err;
	size_t n = 0;
	uint32_t i;

	if (r->nc == CHILDREN)
		return;
	*c = (struct child){ .parent = (uint32_t)(p - r->p) };
	slot.seq++;
	slot.reports++;
	for (i = 0; i < p->n; i++)
		if (p->state[i] == QFILE_GAVE_UP || p->state[i] == QFILE_SENT) {
			c->rcpts |= (uint8_t)(1u << i);
			marks[n++] = (struct spool_mark){
				i,
				{ .seq = slot.seq,
				  .state = p->state[i] == QFILE_SENT
						   ? QFILE_DONE
						   : QFILE_REPORTED,
				  .reports = slot.reports }
			};
		}
	if (!n)
		return;
	r->nc++;
	if (store_child(r, c) < 0) {
		assert_true(r->faults);
		return; /* next time */
	}
	if (pick(r, 6) == 0) { /* another report of the same round failed */
		(void)!spool_remove(r->sp, c->head.id,
				    (enum qfile_body)c->head.body, true, true,
				    &err);
		return;
	}
	memset(slot.child, 0, sizeof(slot.child));
	slot.child[pick(r, QFILE_CHILDREN)] = c->head.id;
	while (spool_mark(r->sp, &p->head, marks, n, &slot, &err) < 0 ||
	       spool_mark(r->sp, &c->head, NULL, 0, &release, &err) < 0)
		assert_true(r->faults);
	p->slot = slot;
	for (i = 0; i < n; i++)
		p->state[marks[i].rcpt] = marks[i].slot.state;
	c->queued = true;
}

static bool
is_settled(const struct parent *p)
{
	uint32_t i;

	for (i = 0; i < p->n; i++)
		if (p->state[i] != QFILE_REPORTED && p->state[i] != QFILE_DONE)
			return false;
	return true;
}

/* The administrator adds a recipient. */
static void
add_rcpt(struct run *r, struct parent *p)
{
	uint8_t about[5] = { 'P', (uint8_t)(p - r->p) };
	struct spool_edit e = {
		.sender = STR("other@example.org"),
		.rcpts = str_mem(about, sizeof(about)),
		.nrcpts = RCPTS,
		.rcpt_state = p->state, /* the new one is to do */
		.msg = p->slot,
	};
	struct qfile_head head;
	struct err err;

	if (p->n == RCPTS)
		return;
	e.msg.seq++;
	if (spool_rewrite(r->sp, p->head.id, &e, &head, &err) < 0) {
		assert_true(r->faults);
		return;
	}
	p->head = head;
	p->slot = e.msg;
	p->n = RCPTS;
	p->added = fsx_mem_nops();
}

static void
remove_parent(struct run *r, struct parent *p, bool deleted)
{
	struct err err;

	if (deleted)
		p->deleted = fsx_mem_nops();
	while (spool_remove(r->sp, p->head.id, QFILE_INLINE, deleted,
			    pick(r, 2), &err) < 0)
		assert_true(r->faults);
	p->queued = false;
}

/* Some recipients come to an end; that is marked now or with the report, or the
 * message is put on hold with what it knows. */
static void
work_on(struct run *r, struct parent *p)
{
	static const uint8_t ends[] = { QFILE_GAVE_UP, QFILE_SENT, QFILE_DONE };
	struct spool_mark marks[RCPTS];
	bool at_once = pick(r, 2);
	struct err err;
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < p->n; i++)
		if (p->state[i] == QFILE_TODO && pick(r, 3) == 0) {
			p->state[i] = ends[pick(r, 3)];
			p->silent[i] = p->state[i] == QFILE_DONE;
			at_once |= p->silent[i];
			marks[n++] = (struct spool_mark){
				i, { .seq = 1, .state = p->state[i] }
			};
		}
	if (n && at_once)
		while (spool_mark(r->sp, &p->head, marks, n, NULL, &err) < 0)
			assert_true(r->faults);
	for (i = 0; i < n; i++)
		p->done[marks[i].rcpt] = fsx_mem_nops();
	if (pick(r, 4) == 0) {
		p->slot.seq++;
		while (spool_mark(r->sp, &p->head, NULL, 0, &p->slot, &err) < 0)
			assert_true(r->faults);
	}
	if (pick(r, 4) == 0)
		add_rcpt(r, p);
	if (pick(r, 3))
		report(r, p);
	if (is_settled(p))
		remove_parent(r, p, false);
	else if (pick(r, 20) == 0)
		remove_parent(r, p, true);
}

static void
send_child(struct run *r, struct child *c)
{
	struct qfile_msg slot = { .seq = 3, .state = QFILE_ACTIVE };
	struct err err;

	if (pick(r, 4) == 0) /* deferred first */
		while (spool_mark(r->sp, &c->head, NULL, 0, &slot, &err) < 0)
			assert_true(r->faults);
	c->sent_at = fsx_mem_nops();
	while (spool_remove(r->sp, c->head.id, (enum qfile_body)c->head.body,
			    false, pick(r, 2), &err) < 0)
		assert_true(r->faults);
	c->queued = false;
}

static void
scenario(struct run *r, uint32_t parents)
{
	struct err err;
	uint32_t i, left = 1;

	while (left || r->np < parents) {
		if (r->np < parents)
			accept_one(r);
		for (i = 0, left = 0; i < r->np; i++) {
			left += r->p[i].queued;
			if (r->p[i].queued && pick(r, 2))
				work_on(r, &r->p[i]);
		}
		for (i = 0; i < r->nc; i++)
			if (r->c[i].queued && pick(r, 2))
				send_child(r, &r->c[i]);
		if (pick(r, 6) == 0 && spool_tidy(r->sp, &err) < 0)
			assert_true(r->faults);
		if (r->nc == CHILDREN)
			return;
	}
}

/* --- after the cut -------------------------------------------------------- */

static int
found(void *arg, const struct spool_found *f)
{
	struct run *r = arg;
	struct spool_text t;
	struct err err;
	uint32_t i;

	if (f->damaged)
		fail_msg("cut %zu, %s: %llx damaged: %s", r->cut, r->what,
			 (unsigned long long)f->head.id, f->err.text);
	assert_int_equal(f->msg.state, QFILE_ACTIVE);
	if (spool_read(r->sp, f->head.id, SPOOL_CHECK, &t, &err) < 0)
		fail_msg("cut %zu, %s: %llx: %s", r->cut, r->what,
			 (unsigned long long)f->head.id, err.text);
	assert_int_equal(t.env.rcpts.n, 5);
	i = enc_get32(t.env.rcpts.p + 1);
	if (t.env.rcpts.p[0] == 'C') {
		r->waiting[i] = true;
	} else {
		r->found[i] = true;
		r->nafter[i] = t.head.nrcpts;
		memcpy(r->after[i], t.rcpt_state, t.head.nrcpts);
	}
	free(t.mem);
	return 0;
}

static unsigned
reports_of(const struct run *r, uint32_t parent, uint32_t rcpt)
{
	unsigned n = 0;
	uint32_t i;

	for (i = 0; i < r->nc; i++)
		n += r->c[i].parent == parent && r->c[i].rcpts & 1u << rcpt &&
		     (r->waiting[i] || r->c[i].sent_at <= r->cut);
	return n;
}

static void
check_rcpt(const struct run *r, uint32_t i, uint32_t j)
{
	bool open = r->found[i] && j < r->nafter[i] &&
		    r->after[i][j] != QFILE_DONE &&
		    r->after[i][j] != QFILE_REPORTED;
	const struct parent *p = &r->p[i];
	unsigned n = reports_of(r, i, j);

	if (p->silent[j]) {
		if (n || (open && p->done[j] <= r->cut))
			fail_msg("cut %zu, %s: message %u, recipient %u: done, "
				 "%u reports, %s",
				 r->cut, r->what, i, j, n,
				 open ? "to do again" : "not open");
		return;
	}
	if (n == 0 && !open &&
	    ((p->acked > r->cut && !r->found[i]) || p->deleted <= r->cut ||
	     (j == RCPTS - 1 && p->added > r->cut)))
		return; /* never accepted or added, or not wanted any more */
	if (n + open != 1)
		fail_msg("cut %zu, %s: message %u, recipient %u: %u reports, "
			 "%s",
			 r->cut, r->what, i, j, n,
			 open ? "and open" : "not open");
}

static void
restart_and_check(struct run *r, size_t cut, const char *what)
{
	struct spool_counts counts;
	struct err err;
	uint32_t i, j;

	r->cut = cut;
	r->what = what;
	memset(r->found, 0, sizeof(r->found));
	memset(r->waiting, 0, sizeof(r->waiting));
	r->root = fsx_mem_root();
	r->spool_dir = fsx_open(r->root, "spool", O_RDONLY | O_DIRECTORY, 0);
	if (open_spool(r, &err) < 0 ||
	    spool_recover(r->sp, found, r, &counts, &err) < 0)
		fail_msg("cut %zu, %s: %s", cut, what, err.text);
	for (i = 0; i < r->np; i++)
		for (j = 0; j < RCPTS; j++)
			check_rcpt(r, i, j);
	/* A second start finds the same: what was removed stays so. */
	close_spool(r);
	assert_int_equal(open_spool(r, &err), 0);
	memset(r->waiting, 0, sizeof(r->waiting));
	assert_int_equal(spool_recover(r->sp, found, r, &counts, &err), 0);
	assert_int_equal(counts.uncommitted + counts.orphans, 0);
	close_spool(r);
}

static void
check_image(void *arg, const struct memfs *image, size_t cut, const char *what)
{
	fsx_mem_load_keep(image);
	restart_and_check(arg, cut, what);
}

/* --- tests ---------------------------------------------------------------- */

static void
begin(struct run *r, uint64_t seed)
{
	struct err err;

	*r = (struct run){ .rng = seed };
	fsx_mem_reset();
	r->root = fsx_mem_root();
	assert_int_equal(fsx_mkdir(r->root, "spool", 0700), 0);
	r->spool_dir = fsx_open(r->root, "spool", O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(open_spool(r, &err), 0);
}

static void
test_power_cuts(void **state)
{
	uint64_t seed = powercut_seed();
	uint64_t sample = powercut_sample(2000);
	struct run *r = calloc(1, sizeof(*r));
	struct powercut_result result;
	struct memfs start;

	(void)state;
	begin(r, seed);
	fsx_mem_record(&start);
	scenario(r, PARENTS);
	fsx_mem_record_stop();
	close_spool(r);
	powercut_run(&start, seed, sample, check_image, r, &result);
	printf("%zu operations, %u reports, %llu images, %llu checked\n",
	       fsx_mem_nops(), r->nc, (unsigned long long)result.images,
	       (unsigned long long)result.checked);
	assert_true(result.checked > 0);
	memfs_fini(&start);
	free(r);
}

/* Each call of a short run fails once; then there is a restart without a power
 * cut. */
static void
fail_each_call(int code)
{
	struct run *r = calloc(1, sizeof(*r));
	uint64_t k, calls = UINT64_MAX, first;

	for (k = 1; k < calls; k++) {
		begin(r, 42);
		r->faults = true;
		first = fsx_mem_calls();
		fsx_mem_fail_at(first + k, code);
		scenario(r, 4);
		calls = fsx_mem_calls() - first;
		fsx_mem_fail_at(0, 0);
		close_spool(r);
		restart_and_check(r, SIZE_MAX - 1, "call failed");
	}
	printf("%llu calls failed\n", (unsigned long long)k - 1);
	free(r);
}

static void
test_errors(void **state)
{
	(void)state;
	fail_each_call(ENOSPC);
	fail_each_call(EIO);
	fail_each_call(EMFILE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cuts),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
