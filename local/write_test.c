/* SPDX-License-Identifier: ISC */
#include "testing.h"

#include <errno.h>

#include "base/log.h"
#include "write.h"

static const char head_text[] = "Received: x\nSubject: s\n\n";
static const char body_text[] = "one\ntwo\n";
static const char want_text[] = "Return-Path: <s@x>\n"
				"X-Original-To: al@d\n"
				"Delivered-To: alice@d\n"
				"Received: x\nSubject: s\n\n"
				"one\ntwo\n";

struct fixture {
	struct scratch scratch;
	struct maildir_box box;
	struct msg_deliver m;
	struct msg_deliver_rcpt rcpt;
	struct write_msg w;
	struct written out;
	struct err err;
	char name[256], text[4096];
};

static void
open_fixture(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	scratch_open(&f->scratch);
	assert_int_equal(maildir_create(f->scratch.root, "a", &f->err), 0);
	assert_int_equal(maildir_open(f->scratch.root, "a", &f->box, &f->err),
			 0);
	f->m = (struct msg_deliver){
		.id = STR("ABC"),
		.queue_id = 7,
		.spool_id = 9,
		.arrival_us = 1700000000500000,
		.sender = STR("s@x"),
		.header = STR(head_text),
		.body = STR(body_text),
		.body_fd = -1,
	};
	f->rcpt = (struct msg_deliver_rcpt){
		.path = STR("a/"),
		.address = STR("alice@d"),
		.original = STR("al@d"),
	};
	write_msg_init(&f->w, &f->m, STR("mail.d"));
}

static void
close_fixture(struct fixture *f)
{
	maildir_close(&f->box);
	scratch_close(&f->scratch);
}

static enum write_result
deliver(struct fixture *f)
{
	enum write_result r =
		write_rcpt(&f->w, &f->box, &f->rcpt, &f->out, &f->err);

	if (r == WRITE_NEW) {
		assert_int_equal(fsx_fsync(f->out.fd), 0);
		fsx_close(f->out.fd);
	}
	return r;
}

/* One whole message in new/, nothing in tmp/. */
static void
assert_delivered(struct fixture *f, const char *text)
{
	struct maildir_name name;
	uint64_t wsize = strlen(text);
	const char *p;

	for (p = text; *p; p++)
		wsize += *p == '\n';
	assert_int_equal(scratch_count(&f->scratch, "a/new", f->name), 1);
	scratch_read(&f->scratch, "a/new", f->name, f->text, sizeof(f->text));
	assert_string_equal(f->text, text);
	assert_int_equal(maildir_parse(str_of(f->name), &name), 0);
	assert_int_equal(name.size, strlen(text));
	assert_int_equal(name.wsize, wsize);
}

static void
writes_a_message(void **state)
{
	struct fixture f;
	struct stat st;

	(void)state;
	open_fixture(&f);
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_delivered(&f, want_text);
	assert_string_equal(f.name, f.out.name);
	assert_int_equal(scratch_count(&f.scratch, "a/tmp", NULL), 0);
	assert_int_equal(fsx_fstatat(f.box.new, f.name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close_fixture(&f);
}

static void
streams_a_body(void **state)
{
	enum { BODY = 200001 };
	struct fixture f;
	char *body = malloc(BODY + 100), *got = malloc(BODY + 400);
	struct maildir_name name;
	FILE *file = tmpfile();
	size_t head;
	int i;

	(void)state;
	open_fixture(&f);
	for (i = 0; i < BODY + 100; i++)
		body[i] = i % 10 == 9 ? '\n' : 'x';
	assert_int_equal(fwrite(body, 1, BODY + 100, file), BODY + 100);
	fflush(file);
	f.m.body = STR_NULL;
	f.m.body_fd = fileno(file);
	f.m.body_len = BODY; /* less than the file has */
	assert_int_equal(deliver(&f), WRITE_NEW);
	head = strlen(want_text) - strlen(body_text);
	scratch_read(&f.scratch, "a/new", f.out.name, got, BODY + 400);
	assert_int_equal(strlen(got), head + BODY);
	assert_memory_equal(got + head, body, BODY);
	assert_int_equal(maildir_parse(str_of(f.out.name), &name), 0);
	assert_int_equal(name.size, head + BODY);
	assert_int_equal(name.wsize, head + 6 + BODY + BODY / 10);
	/* A second recipient has the same body again. */
	f.rcpt.slot = 1;
	f.rcpt.address = STR("bobby@d");
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_int_equal(maildir_parse(str_of(f.out.name), &name), 0);
	assert_int_equal(name.wsize, head + 6 + BODY + BODY / 10);
	/* A queue file that is shorter than it says. */
	f.rcpt.slot = 2;
	f.m.body_len = BODY + 101;
	assert_int_equal(deliver(&f), WRITE_FAILED);
	assert_int_equal(f.err.class, ERR_TEMP);
	assert_int_equal(scratch_count(&f.scratch, "a/new", NULL), 2);
	assert_int_equal(scratch_count(&f.scratch, "a/tmp", f.name), 1);
	scratch_read(&f.scratch, "a/tmp", f.name, f.text, sizeof(f.text));
	assert_string_equal(f.text, ""); /* its space was given back */
	fclose(file);
	free(body);
	free(got);
	close_fixture(&f);
}

static void
leaves_no_header_out_or_in(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	f.m.sender = STR("");	   /* a bounce */
	f.rcpt.original = STR(""); /* unknown */
	f.m.header = STR("\n");
	f.m.body = STR("");
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_delivered(&f, "Return-Path: <>\nDelivered-To: alice@d\n\n");
	close_fixture(&f);
}

static void
collision_is_an_error(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_int_equal(deliver(&f), WRITE_FAILED);
	assert_int_equal(f.err.code, EEXIST);
	assert_delivered(&f, want_text);
	/* Another slot is another message. */
	f.rcpt.slot = 1;
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_int_equal(scratch_count(&f.scratch, "a/new", NULL), 2);
	close_fixture(&f);
}

static void
repeated_delivery_finds_itself(void **state)
{
	struct fixture f;
	char seen[300], path[600];

	(void)state;
	open_fixture(&f);
	f.rcpt.maybe_done = 1;
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_int_equal(deliver(&f), WRITE_FOUND);
	assert_int_equal(f.out.fd, -1);
	/* Another host name, the same message. */
	f.w.host = STR("other.d");
	assert_int_equal(deliver(&f), WRITE_FOUND);
	assert_delivered(&f, want_text);
	/* A reader took it to cur/ and marked it. */
	snprintf(seen, sizeof(seen), "%s:2,FS", f.name);
	snprintf(path, sizeof(path), "a/cur/%s", seen);
	assert_int_equal(fsx_rename(f.box.new, f.name, f.scratch.root, path),
			 0);
	assert_int_equal(deliver(&f), WRITE_FOUND);
	assert_int_equal(scratch_count(&f.scratch, "a/new", NULL), 0);
	assert_int_equal(scratch_count(&f.scratch, "a/cur", NULL), 1);
	/* Removed by its reader before the repetition: a documented
	 * duplicate. */
	assert_int_equal(fsx_unlink(f.scratch.root, path), 0);
	assert_int_equal(deliver(&f), WRITE_NEW);
	close_fixture(&f);
}

static void
short_file_is_written_again(void **state)
{
	static const char *const dirs[] = { "a/new", "a/cur" };
	char path[600];
	struct fixture f;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < 2; i++) {
		open_fixture(&f);
		assert_int_equal(deliver(&f), WRITE_NEW);
		snprintf(path, sizeof(path), "%s/%s", dirs[i], f.out.name);
		assert_int_equal(
			fsx_rename(f.box.new, f.out.name, f.scratch.root, path),
			0);
		fd = fsx_open(f.scratch.root, path, O_WRONLY, 0);
		assert_int_equal(fsx_ftruncate(fd, 10), 0);
		fsx_close(fd);
		f.rcpt.maybe_done = 1;
		assert_int_equal(deliver(&f), WRITE_NEW);
		assert_delivered(&f, want_text);
		assert_int_equal(scratch_count(&f.scratch, "a/cur", NULL), 0);
		assert_int_equal(scratch_count(&f.scratch, "a/tmp", NULL), 1);
		close_fixture(&f);
	}
}

static void
leftovers_in_tmp_do_not_stop_it(void **state)
{
	struct fixture f;
	char *dot;
	int fd;

	(void)state;
	open_fixture(&f);
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_int_equal(fsx_unlink(f.box.new, f.out.name), 0);
	/* The name it had in tmp/: up to the host. */
	dot = strstr(f.out.name, ".mail.d");
	assert_non_null(dot);
	*dot = '\0';
	fd = fsx_open(f.box.tmp, f.out.name, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	fsx_close(fd);
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_delivered(&f, want_text);
	close_fixture(&f);
}

static void
undo_takes_it_out_of_new(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f);
	assert_int_equal(deliver(&f), WRITE_NEW);
	write_undo(&f.box, &f.out);
	assert_int_equal(scratch_count(&f.scratch, "a/new", NULL), 0);
	assert_int_equal(scratch_count(&f.scratch, "a/tmp", NULL), 1);
	assert_int_equal(deliver(&f), WRITE_NEW);
	assert_delivered(&f, want_text);
	close_fixture(&f);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_message),
		cmocka_unit_test(streams_a_body),
		cmocka_unit_test(leaves_no_header_out_or_in),
		cmocka_unit_test(collision_is_an_error),
		cmocka_unit_test(repeated_delivery_finds_itself),
		cmocka_unit_test(short_file_is_written_again),
		cmocka_unit_test(leftovers_in_tmp_do_not_stop_it),
		cmocka_unit_test(undo_takes_it_out_of_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
