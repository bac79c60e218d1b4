/* SPDX-License-Identifier: ISC */
/*
 * Power cuts and failing disks over the queue and Maildir: 200 messages are
 * accepted, delivered, marked and removed with the code that qmgr and deliver
 * use, on a disk in memory that keeps a record; then every image that a power
 * cut may leave is recovered from.  What was acknowledged must be in its
 * mailboxes exactly once; what was not, once or not at all.  Some messages get
 * another envelope, with recipients added and dropped.
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
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "powercut.h"
#include "queue/spool.h"
#include "write.h"

enum {
	MESSAGES = 200,
	RCPTS = 3,
	USERS = 5,
	TEXT = 5000,
	NEVER = UINT32_MAX,
};

struct model {
	uint64_t id, spool_id, arrival_us;
	uint32_t nrcpts;
	uint8_t user[RCPTS];
	size_t acked; /* operations recorded before it was acknowledged */
	size_t header_len, body_len;
	enum qfile_body body;
	char text[TEXT];
	/* While it is in the queue. */
	bool queued, retry, has_log;
	uint8_t state[RCPTS];
	struct qfile_msg slot;
	/* Operations recorded before and after the rewrite that added, or
	 * dropped, this recipient. */
	struct span {
		bool is;
		size_t from, to;
	} added[RCPTS], dropped[RCPTS];
};

struct run {
	int root, spool_dir, mail_dir, lockfd;
	struct spool *sp;
	uint64_t rng;
	struct model m[MESSAGES];
	uint32_t n;
	size_t cut; /* of the image that is checked */
	const char *what;
	size_t most_left; /* messages recovery found, for interest */
	bool faults;	  /* errors are expected */
};

static uint64_t
pick(struct run *r, uint64_t n)
{
	r->rng = r->rng * 6364136223846793005u + 1442695040888963407u;
	return (r->rng >> 33) % n;
}

static struct str
header_of(const struct model *m)
{
	return str_mem(m->text, m->header_len);
}

static struct str
body_of(const struct model *m)
{
	return str_mem(m->text + m->header_len, m->body_len);
}

static const char *
path_of(unsigned user, char out[16])
{
	snprintf(out, 16, "x/u%u", user);
	return out;
}

/* --- the queue ------------------------------------------------------------ */

static int
open_spool(struct run *r, struct err *err)
{
	r->sp = NULL;
	r->lockfd = -1;
	if (spool_lock(r->spool_dir, &r->lockfd, err) != 0 ||
	    spool_open(&r->sp, r->spool_dir, err) < 0) {
		if (r->lockfd >= 0)
			fsx_close(r->lockfd);
		r->lockfd = -1;
		return -1;
	}
	return 0;
}

static void
close_spool(struct run *r)
{
	spool_close(r->sp);
	if (r->lockfd >= 0)
		fsx_close(r->lockfd);
	r->sp = NULL;
	r->lockfd = -1;
}

static void
make_message(struct run *r, struct model *m)
{
	unsigned i;
	int n;

	memset(m, 0, sizeof(*m));
	m->acked = SIZE_MAX;
	m->id = spool_next_id(r->sp);
	m->spool_id = spool_id(r->sp);
	m->arrival_us = 1700000000000000 + r->n * 1000u;
	m->nrcpts = 1 + (uint32_t)pick(r, RCPTS);
	for (i = 0; i < m->nrcpts; i++)
		m->user[i] = (uint8_t)((r->n + i) % USERS);
	n = snprintf(m->text, sizeof(m->text), "Subject: %u\nX: %s\n", r->n,
		     pick(r, 2) ? "short" : "and a little longer than that");
	m->header_len = (size_t)n;
	m->body_len = 1 + pick(r, pick(r, 4) ? 300 : TEXT - 100);
	memset(m->text + n, 'a' + (int)(r->n % 26), m->body_len);
	m->text[n] = '\n';
	m->body = pick(r, 6) ? QFILE_INLINE : QFILE_BODY;
}

static int
stream_body(struct run *r, struct model *m, struct spool_new *new)
{
	struct str b = body_of(m);
	size_t half = b.n / 2;

	if (spool_body_create(r->sp, m->id, &new->body_fd, &new->err) < 0)
		return -1;
	new->head.body_len = b.n;
	new->head.body_crc = enc_crc32c(0, b.p, b.n);
	if (fsx_write_all(new->body_fd, b.p, half, &new->err) == 0 &&
	    fsx_write_all(new->body_fd, b.p + half, b.n - half, &new->err) == 0)
		return 0;
	fsx_close(new->body_fd);
	spool_body_discard(r->sp, m->id);
	return -1;
}

static void
accept_some(struct run *r, unsigned n)
{
	struct spool_new new[4], *v[4];
	struct model *m[4];
	unsigned i, k = 0;

	for (i = 0; i < n && r->n < MESSAGES; i++) {
		m[k] = &r->m[r->n];
		make_message(r, m[k]);
		r->n++;
		if (!m[k]->id)
			continue; /* the reservation could not be written */
		new[k] = (struct spool_new){
			.head = { .id = m[k]->id,
				  .arrival_us = m[k]->arrival_us,
				  .nrcpts = m[k]->nrcpts,
				  .body = (uint8_t)m[k]->body },
			.msg = { .state = QFILE_ACTIVE },
			.sender = STR("sender@example.org"),
			.rcpts = str_mem(m[k]->user, m[k]->nrcpts),
			.header = header_of(m[k]),
			.body_fd = -1,
		};
		if (m[k]->body == QFILE_INLINE)
			new[k].body = body_of(m[k]);
		else if (stream_body(r, m[k], &new[k]) < 0)
			continue; /* the client is told 451 */
		v[k] = &new[k];
		k++;
	}
	spool_store(r->sp, v, k);
	for (i = 0; i < k; i++) {
		if (new[i].body_fd >= 0)
			fsx_close(new[i].body_fd);
		if (!r->faults)
			assert_int_equal(new[i].rc, 0);
		if (new[i].rc < 0)
			continue;
		m[i]->acked = fsx_mem_nops();
		m[i]->queued = true;
		m[i]->slot = new[i].msg;
	}
	fsx_mem_note(r->n);
}

/* --- delivery ------------------------------------------------------------- */

static int
open_box(struct run *r, unsigned user, struct maildir_box *box, struct err *err)
{
	char path[16];

	path_of(user, path);
	if (maildir_create(r->mail_dir, path, err) < 0)
		return -1;
	return maildir_open(r->mail_dir, path, box, err);
}

/* One recipient, as deliver does it; 0: on disk. */
static int
deliver_one(struct run *r, const struct msg_deliver *msg, uint32_t slot,
	    unsigned user, bool maybe_done, struct err *err)
{
	struct msg_deliver_rcpt to = { .slot = slot,
				       .address = STR("user@example.org"),
				       .maybe_done = maybe_done };
	struct maildir_box box;
	struct write_msg w;
	struct written out = { .fd = -1 };
	char path[16];
	int rc = -1;

	if (open_box(r, user, &box, err) < 0)
		return -1;
	to.path = str_of(path_of(user, path));
	write_msg_init(&w, msg, STR("host"));
	switch (write_rcpt(&w, &box, &to, &out, err)) {
	case WRITE_FAILED:
		break;
	case WRITE_FOUND:
		rc = fsx_syncfs(box.new);
		break;
	case WRITE_NEW:
		rc = fsx_fsync(out.fd);
		if (rc < 0)
			write_undo(&box, &out);
		break;
	}
	if (out.fd >= 0)
		fsx_close(out.fd);
	maildir_close(&box);
	return rc;
}

static int
give_out(struct run *r, uint64_t id, const struct qfile_head *h,
	 struct str header, struct str body, const uint8_t *users,
	 uint8_t *state, bool maybe_done, uint32_t skip)
{
	struct msg_deliver msg = {
		.queue_id = id,
		.spool_id = h->spool_id,
		.arrival_us = h->arrival_us,
		.sender = STR("sender@example.org"),
		.header = header,
		.body = body,
		.body_len = h->body_len,
		.body_fd = -1,
	};
	int fd = -1, left = 0;
	struct err err;
	uint32_t i;

	if (h->body != QFILE_INLINE) {
		if (spool_body_open(r->sp, id, (enum qfile_body)h->body, &fd,
				    &err) < 0)
			return -1;
		msg.body_fd = fsx_real_fd(fd);
		fsx_close(fd);
		if (msg.body_fd < 0)
			return -1;
	}
	for (i = 0; i < h->nrcpts; i++) {
		if (state[i] == QFILE_DONE)
			continue;
		if (i != skip &&
		    deliver_one(r, &msg, i, users[i], maybe_done, &err) == 0)
			state[i] = QFILE_DONE;
		else
			left++;
	}
	if (msg.body_fd >= 0)
		close(msg.body_fd);
	return left;
}

/* Another envelope, as rewrite.c gives one: a power cut may leave the old one
 * or the new one.  Some to do is left. */
static void
rewrite(struct run *r, struct model *m)
{
	struct model new = *m;
	struct span now = { .is = true, .from = fsx_mem_nops() };
	struct spool_edit e = {
		.sender = STR("another-sender@example.org"),
		.rcpts = { (const char *)new.user, 0 },
		.rcpt_state = new.state,
		.msg = m->slot,
	};
	struct qfile_head h;
	struct err err;
	uint32_t i, add = 0;

	if (m->nrcpts < RCPTS && pick(r, 2)) {
		add = new.nrcpts++;
		new.user[add] = (uint8_t)pick(r, USERS);
		new.state[add] = QFILE_TODO;
	}
	for (i = 0; i < m->nrcpts && add; i++)
		if (pick(r, 2))
			new.state[i] = QFILE_DONE;
	e.nrcpts = new.nrcpts;
	e.rcpts.n = new.nrcpts;
	e.msg.seq++;
	if (spool_rewrite(r->sp, m->id, &e, &h, &err) < 0) {
		assert_true(r->faults);
		return;
	}
	now.to = fsx_mem_nops();
	new.slot.seq = e.msg.seq;
	for (i = 0; i < m->nrcpts; i++)
		if (new.state[i] != m->state[i])
			new.dropped[i] = now;
	if (add)
		new.added[add] = now;
	*m = new;
}

/* As message.c does it: kept until it can be written. */
static void
write_results(struct run *r, struct model *m, const struct qfile_head *h,
	      const uint8_t *before)
{
	struct spool_mark marks[RCPTS];
	struct qlog text = { .class = 1, .text = STR("4.2.2 full") };
	struct err err;
	size_t n = 0;
	uint32_t i;

	m->slot.seq++;
	m->slot.tries++;
	m->slot.next_try_us += 300000000;
	for (i = 0; i < m->nrcpts; i++) {
		if (m->state[i] == QFILE_DONE && before[i] != QFILE_DONE)
			marks[n++] = (struct spool_mark){
				i, { .seq = m->slot.tries, .state = QFILE_DONE }
			};
		text.rcpt = i;
	}
	if (spool_log_add(r->sp, m->id, m->nrcpts, &text, 1, &err) == 0)
		m->has_log = true;
	while (spool_mark(r->sp, h, marks, n, &m->slot, &err) < 0)
		assert_true(r->faults);
	m->retry = true;
	if (pick(r, 3) == 0)
		rewrite(r, m);
}

static void
work_on(struct run *r, struct model *m)
{
	struct qfile_head h = { .id = m->id,
				.spool_id = m->spool_id,
				.arrival_us = m->arrival_us,
				.nrcpts = m->nrcpts,
				.body = (uint8_t)m->body,
				.body_len = m->body_len };
	uint32_t skip = pick(r, 5) ? NEVER : (uint32_t)pick(r, m->nrcpts);
	uint8_t before[RCPTS];
	struct err err;
	int left;

	if (pick(r, 12) == 0) { /* hold, release */
		m->slot.seq++;
		m->slot.state = pick(r, 2) ? QFILE_HELD : QFILE_ACTIVE;
		while (spool_mark(r->sp, &h, NULL, 0, &m->slot, &err) < 0)
			assert_true(r->faults);
	}
	memcpy(before, m->state, sizeof(before));
	left = give_out(r, m->id, &h, header_of(m), body_of(m), m->user,
			m->state, m->retry, skip);
	if (left) {
		write_results(r, m, &h, before);
		return;
	}
	while (spool_remove(r->sp, m->id, m->body, m->has_log, m->id & 1,
			    &err) < 0)
		assert_true(r->faults);
	m->queued = false;
}

static void
scenario(struct run *r, unsigned messages)
{
	struct err err;
	uint32_t i;

	while (r->n < messages) {
		accept_some(r, pick(r, 8) ? 1 + (unsigned)pick(r, 2) : 4);
		if (pick(r, 60) == 0 && spool_reserve(r->sp, &err) < 0)
			assert_true(r->faults);
		for (i = 0; i < r->n; i++)
			if (r->m[i].queued && pick(r, 3))
				work_on(r, &r->m[i]);
		if (pick(r, 6) == 0 && spool_tidy(r->sp, &err) < 0)
			assert_true(r->faults);
	}
}

/* --- after the cut -------------------------------------------------------- */

static int
redeliver(void *arg, const struct spool_found *f)
{
	struct run *r = arg;
	struct spool_text t;
	struct err err;

	if (f->damaged)
		fail_msg("cut %zu, %s: %llx damaged: %s", r->cut, r->what,
			 (unsigned long long)f->head.id, f->err.text);
	if (spool_read(r->sp, f->head.id, SPOOL_CHECK, &t, &err) < 0)
		fail_msg("cut %zu, %s: %llx: %s", r->cut, r->what,
			 (unsigned long long)f->head.id, err.text);
	if (give_out(r, f->head.id, &t.head, t.header, t.body,
		     (const uint8_t *)t.env.rcpts.p, t.rcpt_state, true, NEVER))
		fail_msg("cut %zu, %s: %llx not delivered", r->cut, r->what,
			 (unsigned long long)f->head.id);
	assert_int_equal(spool_remove(r->sp, f->head.id,
				      (enum qfile_body)t.head.body, f->has_log,
				      false, &err),
			 0);
	free(t.mem);
	return 0;
}

/* How many whole copies of a message are in new/ for one recipient. */
static unsigned
copies(const struct run *r, const struct model *m, uint32_t i)
{
	char path[32], base[16];
	struct maildir_origin o = { m->arrival_us, m->spool_id, m->id, 0 };
	struct buf prefix;
	struct fsx_dir *d;
	const char *name;
	unsigned n = 0;

	path_of(m->user[i], base);
	o.rcpt = maildir_rcpt(m->spool_id, m->id, i, str_of(base),
			      STR("user@example.org"));
	buf_init(&prefix, MAILDIR_NAME_MAX);
	maildir_prefix(&prefix, &o);
	snprintf(path, sizeof(path), "%s/new", base);
	d = fsx_opendir(r->mail_dir, path);
	while (d && (name = fsx_readdir(d, NULL))) {
		struct str s = str_of(name),
			   want = str_mem(m->text, m->header_len + m->body_len);
		char text[TEXT + 300];
		ssize_t got;
		char file[MAILDIR_NAME_MAX + 40];
		int fd;

		if (!str_starts(s, buf_str(&prefix)))
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, name);
		fd = fsx_open(r->mail_dir, file, O_RDONLY, 0);
		assert_true(fd >= 0);
		got = fsx_pread(fd, text, sizeof(text), 0);
		fsx_close(fd);
		if (got < 0 || !str_ends(str_mem(text, (size_t)got), want))
			fail_msg("cut %zu, %s: %s is not what was sent", r->cut,
				 r->what, name);
		n++;
	}
	if (d)
		fsx_closedir(d);
	buf_fini(&prefix);
	return n;
}

/* How many copies a recipient may have after a cut. */
static void
wanted(const struct model *m, uint32_t i, size_t cut, unsigned *min,
       unsigned *max)
{
	const struct span *add = &m->added[i], *drop = &m->dropped[i];

	*min = m->acked <= cut && add->to <= cut;
	*max = !add->is || add->from < cut;
	if (drop->is && drop->from < cut)
		*min = 0;
	if (drop->is && drop->to <= cut)
		*max = 0;
}

static int
count_only(void *arg, const struct spool_found *f)
{
	(void)f;
	++*(unsigned *)arg;
	return 0;
}

/* Start on the disk as it is now; cut: what was acknowledged before counts. */
static void
restart_and_check(struct run *r, size_t cut, const char *what)
{
	struct spool_counts counts;
	unsigned n, left = 0;
	struct err err;
	uint32_t i, j;

	r->cut = cut;
	r->what = what;
	r->root = fsx_mem_root();
	r->spool_dir = fsx_open(r->root, "spool", O_RDONLY | O_DIRECTORY, 0);
	r->mail_dir = fsx_open(r->root, "mail", O_RDONLY | O_DIRECTORY, 0);
	if (open_spool(r, &err) < 0)
		fail_msg("cut %zu, %s: %s", cut, what, err.text);
	if (spool_recover(r->sp, redeliver, r, &counts, &err) < 0)
		fail_msg("cut %zu, %s: %s", cut, what, err.text);
	assert_int_equal(counts.strange, 0);
	if (counts.messages > r->most_left)
		r->most_left = counts.messages;
	for (i = 0; i < r->n; i++)
		for (j = 0; j < r->m[i].nrcpts; j++) {
			unsigned min, max;

			wanted(&r->m[i], j, cut, &min, &max);
			n = copies(r, &r->m[i], j);
			if (n < min || n > max)
				fail_msg("cut %zu, %s: message %u (%llx) is "
					 "there %u times for recipient %u, not "
					 "%u to %u",
					 cut, what, i,
					 (unsigned long long)r->m[i].id, n, j,
					 min, max);
		}
	assert_int_equal(spool_tidy(r->sp, &err), 0);
	/* Nothing is left but wiped spares, and no id comes again. */
	assert_int_equal(spool_recover(r->sp, count_only, &left, &counts, &err),
			 0);
	assert_int_equal(left + counts.orphans, 0);
	for (i = 0; i < r->n; i++)
		if (r->m[i].acked <= cut)
			assert_true(spool_next_id(r->sp) > r->m[i].id);
	close_spool(r);
}

static void
check_image(void *arg, const struct memfs *image, size_t cut, const char *what)
{
	struct run *r = arg;

	fsx_mem_load_keep(image);
	restart_and_check(r, cut, what);
}

/* --- tests ---------------------------------------------------------------- */

/* fresh: a disk with an empty spool, made by an earlier call; NULL: none. */
static void
begin(struct run *r, uint64_t seed, const struct memfs *fresh)
{
	struct err err;

	*r = (struct run){ .rng = seed };
	if (fresh)
		fsx_mem_load(fresh);
	else
		fsx_mem_reset();
	r->root = fsx_mem_root();
	if (!fresh) {
		assert_int_equal(fsx_mkdir(r->root, "spool", 0700), 0);
		assert_int_equal(fsx_mkdir(r->root, "mail", 0700), 0);
	}
	r->spool_dir = fsx_open(r->root, "spool", O_RDONLY | O_DIRECTORY, 0);
	r->mail_dir = fsx_open(r->root, "mail", O_RDONLY | O_DIRECTORY, 0);
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
	begin(r, seed, NULL);
	fsx_mem_record(&start);
	scenario(r, MESSAGES);
	fsx_mem_record_stop();
	close_spool(r);
	powercut_run(&start, seed, sample, check_image, r, &result);
	printf("%zu operations, %llu images, %llu checked; at most %zu "
	       "messages to recover\n",
	       fsx_mem_nops(), (unsigned long long)result.images,
	       (unsigned long long)result.checked, r->most_left);
	assert_true(result.checked > 0);
	memfs_fini(&start);
	free(r);
}

/* Each call of a short run fails once; then the machine goes on, is restarted
 * (without a power cut), and everything must be right. */
static void
fail_each_call(int code)
{
	struct run *r = calloc(1, sizeof(*r));
	uint64_t k, calls = UINT64_MAX, first;
	struct memfs fresh;

	begin(r, 42, NULL);
	close_spool(r);
	memfs_copy(&fresh, fsx_mem_now());
	for (k = 1; k < calls; k++) {
		begin(r, 42, &fresh);
		r->faults = true;
		first = fsx_mem_calls();
		fsx_mem_fail_at(first + k, code);
		scenario(r, 14);
		calls = fsx_mem_calls() - first;
		fsx_mem_fail_at(0, 0);
		close_spool(r);
		restart_and_check(r, SIZE_MAX - 1, "call failed");
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

/* A start that fails leaves everything for the next one. */
static void
test_failed_start(void **state)
{
	struct run *r = calloc(1, sizeof(*r));
	struct spool_counts counts;
	struct memfs before;
	uint64_t k, calls = UINT64_MAX;
	unsigned n = 0;
	struct err err;

	(void)state;
	begin(r, 43, NULL);
	accept_some(r, 4);
	accept_some(r, 4);
	close_spool(r);
	memfs_copy(&before, fsx_mem_now());
	for (k = 1; k < calls; k += 1 + k / 64) {
		fsx_mem_load(&before);
		r->root = fsx_mem_root();
		fsx_mem_fail_at(k + 1, EIO);
		r->spool_dir =
			fsx_open(r->root, "spool", O_RDONLY | O_DIRECTORY, 0);
		if (r->spool_dir >= 0 && open_spool(r, &err) == 0) {
			if (spool_recover(r->sp, count_only, &n, &counts,
					  &err) == 0)
				calls = fsx_mem_calls();
			close_spool(r);
		}
		fsx_mem_fail_at(0, 0);
		restart_and_check(r, SIZE_MAX - 1, "start failed");
	}
	memfs_fini(&before);
	free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cuts),
		cmocka_unit_test(test_enospc),
		cmocka_unit_test(test_eio),
		cmocka_unit_test(test_failed_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
