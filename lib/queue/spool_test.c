/* SPDX-License-Identifier: ISC */
/* On the disk in memory.  What power cuts leave is tests/crash's business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "base/enc.h"
#include "base/fsx_mem.h"
#include "queue/spool.h"

struct room {
	int root;
	struct spool *sp;
	unsigned found, damaged;
	struct spool_found last;
};

static void
reopen(struct room *r)
{
	struct err err;

	spool_close(r->sp);
	if (spool_open(&r->sp, r->root, &err) < 0)
		fail_msg("%s", err.text);
	r->found = r->damaged = 0;
}

static int
on_found(void *arg, const struct spool_found *f)
{
	struct room *r = arg;

	r->found++;
	r->damaged += f->damaged;
	r->last = *f;
	return 0;
}

static struct spool_counts
recover(struct room *r)
{
	struct spool_counts n;
	struct err err;

	reopen(r);
	if (spool_recover(r->sp, on_found, r, &n, &err) < 0)
		fail_msg("%s", err.text);
	return n;
}

static int
setup(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	fsx_mem_reset();
	r->root = fsx_mem_root();
	reopen(r);
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct room *r = *state;

	spool_close(r->sp);
	free(r);
	return 0;
}

static struct spool_new
message(struct room *r)
{
	return (struct spool_new){
		.head = { .id = spool_next_id(r->sp),
			  .arrival_us = 1700000000000000,
			  .nrcpts = 9,
			  .flags = 1,
			  .ret = 2 },
		.msg = { .state = QFILE_ACTIVE, .next_try_us = 5 },
		.sender = STR("a@b.c"),
		.envid = STR("envid"),
		.rcpts = STR("nine recipients, encoded"),
		.header = STR("Subject: x\n"),
		.body = STR("\nbody\n"),
		.body_fd = -1,
	};
}

static uint64_t
store(struct room *r)
{
	struct spool_new m = message(r), *v = &m;

	spool_store(r->sp, &v, 1);
	assert_int_equal(m.rc, 0);
	return m.head.id;
}

static int
open_msg(struct room *r, uint64_t id, const char *suffix, int flags)
{
	char name[64], text[QID_MAX];

	snprintf(name, sizeof(name), "msg/%02x/%s%s", (unsigned)(id >> 8) & 255,
		 qid_text(id, text), suffix);
	return fsx_open(r->root, name, flags, 0600);
}

/* Change one byte of a file. */
static void
spoil(struct room *r, uint64_t id, const char *suffix, off_t at)
{
	int fd = open_msg(r, id, suffix, O_RDWR);
	char c;

	assert_int_equal(fsx_pread(fd, &c, 1, at), 1);
	c ^= 0x55;
	assert_int_equal(fsx_pwrite(fd, &c, 1, at), 1);
	fsx_close(fd);
}

static void
test_round_trip(void **state)
{
	struct room *r = *state;
	uint64_t id = store(r);
	struct spool_text t;
	struct err err;
	uint32_t i;

	assert_int_equal(spool_read(r->sp, id, SPOOL_ALL, &t, &err), 0);
	assert_true(str_eq(t.env.sender, STR("a@b.c")));
	assert_true(str_eq(t.env.envid, STR("envid")));
	assert_true(str_eq(t.env.rcpts, STR("nine recipients, encoded")));
	assert_true(str_eq(t.header, STR("Subject: x\n")));
	assert_true(str_eq(t.body, STR("\nbody\n")));
	assert_int_equal(t.head.flags, 1);
	assert_int_equal(t.head.ret, 2);
	assert_int_equal(t.msg.seq, 1);
	assert_int_equal(t.msg.next_try_us, 5);
	for (i = 0; i < 9; i++)
		assert_int_equal(t.rcpt_state[i], QFILE_TODO);
	free(t.mem);
	assert_int_equal(recover(r).messages, 1);
	assert_int_equal(r->last.head.id, id);
	assert_int_equal(r->last.size, 17);
	assert_int_equal(
		spool_remove(r->sp, id, QFILE_INLINE, false, false, &err), 0);
	assert_int_equal(recover(r).messages, 0);
}

static void
test_marks(void **state)
{
	struct room *r = *state;
	uint64_t id = store(r);
	struct qfile_head h = { .id = id, .spool_id = spool_id(r->sp) };
	struct spool_mark v[9];
	struct qfile_msg m = {
		.seq = 2, .state = QFILE_ACTIVE, .tries = 1, .next_try_us = 77
	};
	struct spool_text t;
	struct err err;
	uint32_t i;

	for (i = 0; i < 9; i++)
		v[i] = (struct spool_mark){
			i, { .seq = 1, .state = i % 3, .tries = 1 }
		};
	assert_int_equal(spool_mark(r->sp, &h, v, 9, &m, &err), 0);
	assert_int_equal(spool_read(r->sp, id, SPOOL_ALL, &t, &err), 0);
	for (i = 0; i < 9; i++)
		assert_int_equal(t.rcpt_state[i], i % 3);
	assert_int_equal(t.msg.next_try_us, 77);
	free(t.mem);
	/* A bad recipient's slot: to do.  The newer of the message's slots
	 * bad: the older one counts.  Both: on hold. */
	spoil(r, id, "", qfile_rcpt_off(1));
	spoil(r, id, "", qfile_msg_off(2) + 20);
	assert_int_equal(spool_read(r->sp, id, SPOOL_ALL, &t, &err), 0);
	assert_int_equal(t.rcpt_state[1], QFILE_TODO);
	assert_int_equal(t.rcpt_state[4], QFILE_DONE);
	assert_int_equal(t.msg.next_try_us, 5);
	free(t.mem);
	spoil(r, id, "", qfile_msg_off(1) + 20);
	assert_int_equal(recover(r).damaged, 1);
	assert_int_equal(spool_read(r->sp, id, SPOOL_ALL, &t, &err), 0);
	assert_int_equal(t.msg.state, QFILE_HELD);
	assert_int_equal(t.msg.reason, QFILE_DAMAGED);
	free(t.mem);
}

static void
test_damage(void **state)
{
	struct room *r = *state;
	uint64_t id = store(r);
	struct spool_text t;
	struct err err;
	int fd;

	/* The text: found at first use.  The head: at once.  Neither is
	 * thrown away. */
	fd = open_msg(r, id, "", O_RDWR);
	assert_int_equal(spool_read(r->sp, id, SPOOL_ALL, &t, &err), 0);
	spoil(r, id, "", (off_t)t.head.file_len - 1);
	free(t.mem);
	assert_int_equal(recover(r).damaged, 0);
	assert_int_equal(spool_read(r->sp, id, SPOOL_ALL, &t, &err), -1);
	assert_int_equal(err.class, ERR_PERM);
	spoil(r, id, "", 20);
	assert_int_equal(recover(r).damaged, 1);
	spoil(r, id, "", 20);
	/* Shorter than it should be: never committed. */
	assert_int_equal(fsx_ftruncate(fd, 600), 0);
	fsx_close(fd);
	assert_int_equal(recover(r).uncommitted, 1);
	assert_int_equal(recover(r).uncommitted, 0);
	/* Bodies and logs of nobody; names that are not ours stay. */
	fsx_close(open_msg(r, id, ".b", O_WRONLY | O_CREAT));
	fsx_close(open_msg(r, id, ".log", O_WRONLY | O_CREAT));
	fsx_close(open_msg(r, id, ".txt", O_WRONLY | O_CREAT));
	assert_int_equal(recover(r).orphans, 2);
	assert_int_equal(recover(r).strange, 1);
}

static void
test_body(void **state)
{
	struct room *r = *state;
	struct spool_new m = message(r), *v = &m;
	struct spool_text t;
	struct err err;

	assert_int_equal(spool_body_create(r->sp, m.head.id, &m.body_fd, &err),
			 0);
	assert_int_equal(fsx_write(m.body_fd, "large", 5), 5);
	m.body = STR_NULL;
	m.head.body = QFILE_BODY;
	m.head.body_len = 5;
	m.head.body_crc = enc_crc32c(0, "large", 5);
	spool_store(r->sp, &v, 1);
	assert_int_equal(m.rc, 0);
	fsx_close(m.body_fd);
	assert_int_equal(spool_read(r->sp, m.head.id, SPOOL_CHECK, &t, &err),
			 0);
	free(t.mem);
	spoil(r, m.head.id, ".b", 2);
	assert_int_equal(spool_read(r->sp, m.head.id, SPOOL_CHECK, &t, &err),
			 -1);
	/* The body goes once the name is durably gone, not before. */
	assert_int_equal(
		spool_remove(r->sp, m.head.id, QFILE_BODY, false, false, &err),
		0);
	assert_true(open_msg(r, m.head.id, ".b", O_RDONLY) >= 0);
	assert_true(spool_untidy(r->sp));
	assert_int_equal(spool_tidy(r->sp, &err), 0);
	assert_false(spool_untidy(r->sp));
	assert_int_equal(open_msg(r, m.head.id, ".b", O_RDONLY), -1);
}

static void
test_ids(void **state)
{
	struct room *r = *state;
	uint64_t id = store(r), sid = spool_id(r->sp);
	struct err err;

	reopen(r);
	assert_int_equal(spool_id(r->sp), sid);
	assert_false(spool_is_new(r->sp));
	assert_true(spool_next_id(r->sp) > id);
	assert_false(spool_ids_low(r->sp));
	while (spool_next_id(r->sp))
		;
	assert_true(spool_ids_low(r->sp));
	assert_int_equal(spool_reserve(r->sp, &err), 0);
	id = store(r);
	/* Lost: a new spool id, and ids above all that are there. */
	assert_int_equal(fsx_unlink(r->root, "id"), 0);
	assert_int_equal(recover(r).messages, 2);
	assert_true(spool_is_new(r->sp));
	assert_true(spool_id(r->sp) != sid);
	assert_true(spool_next_id(r->sp) > id);
	/* Lost again in the same second: the new ids begin where those that
	 * were lost did, and one of these is taken. */
	id = store(r);
	assert_int_equal(fsx_unlink(r->root, "id"), 0);
	assert_int_equal(recover(r).messages, 3);
	assert_true(spool_next_id(r->sp) > id);
}

static void
test_log(void **state)
{
	struct room *r = *state;
	uint64_t id = store(r);
	struct qlog one = { .rcpt = 3, .class = 1 }, got;
	unsigned i, n = 0;
	char text[64], *mem;
	struct str log;
	struct err err;
	int fd;

	for (i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "4.0.0 attempt %u", i);
		one.text = str_of(text);
		assert_int_equal(spool_log_add(r->sp, id, 9, &one, 1, &err), 0);
	}
	/* A torn tail: what follows it must be found all the same. */
	fd = open_msg(r, id, ".log", O_WRONLY | O_APPEND);
	assert_int_equal(fsx_write(fd, "torn", 4), 4);
	fsx_close(fd);
	one.text = STR("the last");
	assert_int_equal(spool_log_add(r->sp, id, 9, &one, 1, &err), 0);
	assert_int_equal(spool_log_read(r->sp, id, &mem, &log, &err), 0);
	assert_true(log.n < 8192);
	while (qlog_next(id, &log, &got))
		n++;
	assert_int_equal(n, QLOG_KEEP + 1);
	assert_true(str_eq(got.text, STR("the last")));
	free(mem);
}

static void
test_full(void **state)
{
	struct room *r = *state;
	struct spool_new m = message(r), *v = &m;

	/* Call 1 creates, 2 writes, 3 syncs. */
	fsx_mem_fail_at(fsx_mem_calls() + 2, ENOSPC);
	spool_store(r->sp, &v, 1);
	assert_int_equal(m.rc, -1);
	assert_int_equal(m.err.code, ENOSPC);
	assert_false(m.sync_failed);
	m = message(r);
	fsx_mem_fail_at(fsx_mem_calls() + 3, EIO);
	spool_store(r->sp, &v, 1);
	assert_int_equal(m.rc, -1);
	assert_true(m.sync_failed);
	fsx_mem_fail_at(0, 0);
	assert_int_equal(recover(r).messages, 0);
}

static void
test_lock(void **state)
{
	struct room *r = *state;
	struct err err;
	int a, b;

	assert_int_equal(spool_lock(r->root, &a, &err), 0);
	assert_int_equal(spool_lock(r->root, &b, &err), 1);
	fsx_close(a);
	assert_int_equal(spool_lock(r->root, &b, &err), 0);
	fsx_close(b);
}

static void
test_id_text(void **state)
{
	static const struct {
		const char *text;
		uint64_t id; /* 0: refused */
	} rows[] = {
		{ "6B0257F80000", 0x6b0257f80000 },
		{ "0000000000FF", 255 },
		{ "FFFFFFFFFFFFFFFF", UINT64_MAX },
		{ "000000000000", 0 },
		{ "00000000000FF", 0 },
		{ "6b0257f80000", 0 },
		{ "6B0257F8000", 0 },
		{ "10000000000000000", 0 },
		{ "6B0257F8000/", 0 },
		{ "", 0 },
	};
	char text[QID_MAX];
	uint64_t id;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(qid_parse(str_of(rows[i].text), &id),
				 rows[i].id != 0);
		if (rows[i].id)
			assert_string_equal(qid_text(id, text), rows[i].text);
	}
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_round_trip),
		T(test_marks),
		T(test_damage),
		T(test_body),
		T(test_ids),
		T(test_log),
		T(test_full),
		T(test_lock),
		cmocka_unit_test(test_id_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
