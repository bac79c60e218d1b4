/* SPDX-License-Identifier: ISC */
/* Messages in an mbox: what stands there, and who else has it locked. */
#include "testing.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <utime.h>

#include "mbox.h"

struct box {
	struct scratch scratch;
	struct mbox_file file;
	int fd;
};

static const struct msg_deliver_rcpt rcpt = {
	.slot = 1,
	.address = STR("alice@d"),
	.original = STR("a@d"),
};

static void
box_open(struct box *b, const char *content)
{
	struct err err;
	int fd;

	scratch_open(&b->scratch);
	if (content) {
		fd = openat(b->scratch.root, "alice", O_WRONLY | O_CREAT, 0600);
		assert_int_equal(write(fd, content, strlen(content)),
				 strlen(content));
		close(fd);
	}
	b->fd = mbox_file_open(b->scratch.root, "alice", 0600, true, &err);
	assert_true(b->fd >= 0);
	assert_int_equal(
		mbox_file_init(&b->file, b->scratch.root, "alice", b->fd, &err),
		0);
	b->file.stale_s = 500;
}

static void
box_close(struct box *b)
{
	fsx_close(b->fd);
	scratch_close(&b->scratch);
}

static int
append(struct box *b, const struct msg_deliver *m, uint64_t limit,
       struct err *err)
{
	struct mbox_batch batch;
	int rc;

	assert_int_equal(mbox_file_lock(&b->file, err), MBOX_LOCKED);
	assert_int_equal(scratch_count(&b->scratch, ".", NULL), 2);
	assert_int_equal(mbox_begin(&batch, &b->file, limit, err), 0);
	rc = mbox_append(&batch, m, &rcpt, 1700000000, err);
	if (rc == 0)
		rc = mbox_commit(&batch, err);
	mbox_file_unlock(&b->file);
	return rc;
}

#define HEAD                                       \
	"From s@x  Tue Nov 14 22:13:20 2023\n"     \
	"Return-Path: <s@x>\nX-Original-To: a@d\n" \
	"Delivered-To: alice@d\n"

static void
what_stands_there(void **state)
{
	static const struct {
		const char *before, *header, *body, *want;
	} rows[] = {
		{ NULL, "S: x\n\n", "one\n", HEAD "S: x\n\none\n\n" },
		{ "", "S: x\n\n", "", HEAD "S: x\n\n\n" },
		{ "From a  b\n\nold\n\n", "S: x\n\n", "one\n",
		  "From a  b\n\nold\n\n" HEAD "S: x\n\none\n\n" },
		{ "From torn", "S: x\n\n", "one\n",
		  "From torn\n\n" HEAD "S: x\n\none\n\n" },
		{ "From torn\n", "S: x\n\n", "one\n",
		  "From torn\n\n" HEAD "S: x\n\none\n\n" },
		/* Torn before anybody could see what it is. */
		{ "Fro", "S: x\n\n", "one\n", HEAD "S: x\n\none\n\n" },
		{ "\n\n", "S: x\n\n", "one\n", "\n\n" HEAD "S: x\n\none\n\n" },
		{ NULL, "S: x\n\n", "From me\n>From me\n From\nFrom\nFromage\n",
		  HEAD "S: x\n\n>From me\n>From me\n From\nFrom\nFromage\n\n" },
		{ NULL, "S: x\n\n", "no end\nFrom ",
		  HEAD "S: x\n\nno end\n>From \n\n" },
		{ NULL, "S: x\n\n", "no end\nFro",
		  HEAD "S: x\n\nno end\nFro\n\n" },
		{ NULL, "From  : x\n\n", "", HEAD ">From  : x\n\n\n" },
		{ NULL,
		  "Status: RO\nS: x\nX-Status: D\nContent-Length: 3\n 4\n"
		  "X-IMAP: 1\nX-UID: 1\nT: y\n z\n\n",
		  "one\nStatus: RO\n",
		  HEAD "S: x\nT: y\n z\n\none\nStatus: RO\n\n" },
		{ NULL, "Fro", "m x", HEAD ">From x\n\n" },
		{ NULL, "S: x\n\n", "\n\nx\n\n\n",
		  HEAD "S: x\n\n\n\nx\n\n\n\n" },
	};
	struct msg_deliver m = { .sender = STR("s@x"), .body_fd = -1 };
	char text[1000];
	struct err err;
	struct box b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		box_open(&b, rows[i].before);
		m.header = str_of(rows[i].header);
		m.body = str_of(rows[i].body);
		assert_int_equal(append(&b, &m, 0, &err), 0);
		scratch_read(&b.scratch, ".", "alice", text, sizeof(text));
		assert_string_equal(text, rows[i].want);
		box_close(&b);
	}
}

/* A body in a file, with "From " wherever a part of it may end. */
static void
large_body(void **state)
{
	enum { LINES = 40000 };
	struct msg_deliver m = { .sender = STR(""), .header = STR("S: x\n\n") };
	unsigned quoted = 0, i;
	struct err err;
	struct box b;
	char line[40];
	FILE *f;

	(void)state;
	box_open(&b, NULL);
	f = tmpfile();
	for (i = 0; i < LINES; i++)
		fprintf(f, "From %.*s\n", (int)(i % 19),
			"0123456789abcdefghij");
	fflush(f);
	m.body_fd = fileno(f);
	m.body_len = (uint64_t)ftell(f);
	assert_int_equal(append(&b, &m, 0, &err), 0);
	fclose(f);
	f = fdopen(openat(b.scratch.root, "alice", O_RDONLY), "r");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_memory_equal(line, "From MAILER-DAEMON  Tue", 23);
	while (fgets(line, sizeof(line), f)) {
		assert_int_not_equal(strncmp(line, "From ", 5), 0);
		quoted += strncmp(line, ">From ", 6) == 0;
	}
	fclose(f);
	assert_int_equal(quoted, LINES);
	box_close(&b);
}

static void
size_limit(void **state)
{
	const struct msg_deliver m = { .sender = STR("s@x"),
				       .header = STR("S: x\n\n"),
				       .body = STR("one\n"),
				       .body_fd = -1 };
	size_t n = strlen(HEAD "S: x\n\none\n\n");
	char text[1000];
	struct err err;
	struct box b;

	(void)state;
	box_open(&b, "From a  b\n\nold\n\n");
	n += 16;
	assert_int_equal(append(&b, &m, n - 1, &err), -1);
	assert_int_equal(err.code, EFBIG);
	assert_int_equal(err.class, ERR_PERM);
	scratch_read(&b.scratch, ".", "alice", text, sizeof(text));
	assert_string_equal(text, "From a  b\n\nold\n\n");
	assert_int_equal(append(&b, &m, n, &err), 0);
	box_close(&b);
}

/* Mail that is added to what is no mbox could not be read by anybody. */
static void
no_mbox(void **state)
{
	static const char *const rows[] = {
		"Subject: x\n\n", ">From a  Tue Nov 14 22:13:20 2023\n\n",
		"\n*mbx*\r\n",	  "Fro\n\nFrom a  Tue Nov 14 22:13:20 2023\n\n",
		"\x1f\x8b",
	};
	struct mbox_batch batch;
	char text[200];
	struct err err;
	struct box b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		box_open(&b, rows[i]);
		assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_LOCKED);
		assert_int_equal(mbox_begin(&batch, &b.file, 0, &err), -1);
		assert_int_equal(err.class, ERR_TEMP);
		assert_non_null(strstr(err.text, "is no mbox"));
		scratch_read(&b.scratch, ".", "alice", text, sizeof(text));
		assert_string_equal(text, rows[i]);
		mbox_file_unlock(&b.file);
		box_close(&b);
	}
}

/* After an error that left bytes behind nothing is added: whoever cuts those
 * off would cut off what came later. */
static void
what_cannot_be_cut_back(void **state)
{
	struct msg_deliver m = { .sender = STR("s@x"),
				 .header = STR("S: x\n\n"),
				 .body = STR("text\n"),
				 .body_fd = -1 };
	struct rlimit whole, little = { 0 };
	struct mbox_file f = { .name = "alice" };
	struct mbox_batch batch;
	struct stat st;
	struct err err;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	f.fd = memfd_create("alice", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_true(f.fd >= 0);
	assert_int_equal(fcntl(f.fd, F_SETFL, O_APPEND), 0);
	assert_int_equal(fcntl(f.fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(mbox_begin(&batch, &f, 0, &err), 0);
	assert_int_equal(mbox_append(&batch, &m, &rcpt, 1700000000, &err), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
	little = whole;
	little.rlim_cur = (rlim_t)batch.size + 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	assert_int_equal(mbox_append(&batch, &m, &rcpt, 1700000000, &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
	assert_int_equal(fstat(f.fd, &st), 0);
	assert_true(st.st_size > batch.size); /* torn */
	assert_int_equal(mbox_append(&batch, &m, &rcpt, 1700000000, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
	assert_int_equal(mbox_commit(&batch, &err), 0);
	/* The next batch knows. */
	assert_int_equal(mbox_begin(&batch, &f, 0, &err), 0);
	assert_int_equal(batch.size, st.st_size);
	assert_int_equal(mbox_append(&batch, &m, &rcpt, 1700000000, &err), 0);
	close(f.fd);
}

static void
new_mail_looks_new(void **state)
{
	const struct msg_deliver m = { .header = STR("S: x\n\n"),
				       .body_fd = -1 };
	struct err err;
	struct stat st;
	struct box b;

	(void)state;
	box_open(&b, "From a  b\n\nold\n\n");
	assert_int_equal(append(&b, &m, 0, &err), 0);
	assert_int_equal(fstat(b.fd, &st), 0);
	assert_true(st.st_atim.tv_sec < st.st_mtim.tv_sec);
	box_close(&b);
}

/* --- what is no mailbox --------------------------------------------------- */

static void
refused(int root, const char *name, const char *why)
{
	struct err err = { .code = 0 };

	assert_int_equal(mbox_file_open(root, name, 0600, true, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", name, err.text);
}

static void
odd_files(void **state)
{
	struct scratch s;
	int fd;

	(void)state;
	scratch_open(&s);
	fd = openat(s.root, "real", O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(linkat(s.root, "real", s.root, "second", 0), 0);
	assert_int_equal(symlinkat("real", s.root, "link"), 0);
	assert_int_equal(symlinkat("nowhere", s.root, "dangling"), 0);
	assert_int_equal(mkfifoat(s.root, "fifo", 0600), 0);
	assert_int_equal(mkdirat(s.root, "dir", 0700), 0);
	refused(s.root, "real", "several names");
	refused(s.root, "second", "several names");
	refused(s.root, "link", "not a regular file");
	refused(s.root, "dangling", "not a regular file");
	refused(s.root, "fifo", "not a regular file");
	refused(s.root, "dir", "not a regular file");
	assert_int_equal(faccessat(s.root, "nowhere", F_OK, 0), -1);
	if (geteuid() == 0) {
		fd = openat(s.root, "theirs", O_WRONLY | O_CREAT, 0600);
		assert_int_equal(fchown(fd, 12345, 12345), 0);
		close(fd);
		refused(s.root, "theirs", "strict_mailbox_ownership");
	}
	scratch_close(&s);
}

/* --- locks ---------------------------------------------------------------- */

/* Another process that has the file locked by fcntl until it is killed. */
static pid_t
locked_by_another(struct box *b)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ready[2], fd;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		fd = openat(b->scratch.root, "alice", O_RDWR);
		if (fcntl(fd, F_SETLK, &fl) == 0 && write(ready[1], "x", 1))
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void
locks_of_others(void **state)
{
	struct err err;
	struct box b;
	pid_t pid;
	int fd;

	(void)state;
	box_open(&b, NULL);
	pid = locked_by_another(&b);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_BUSY);
	assert_int_equal(scratch_count(&b.scratch, ".", NULL), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fd = openat(b.scratch.root, "alice.lock", O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_BUSY);
	/* Not kept alone: */
	pid = locked_by_another(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(unlinkat(b.scratch.root, "alice.lock", 0), 0);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_LOCKED);
	mbox_file_unlock(&b.file);
	assert_int_equal(scratch_count(&b.scratch, ".", NULL), 1);
	box_close(&b);
}

static void
stale_lock(void **state)
{
	struct timespec ts[2] = { { .tv_sec = 1000000000 },
				  { .tv_sec = 1000000000 } };
	struct err err;
	struct box b;
	int fd;

	(void)state;
	box_open(&b, NULL);
	fd = openat(b.scratch.root, "alice.lock", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(futimens(fd, ts), 0);
	close(fd);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_LOCKED);
	mbox_file_unlock(&b.file);
	box_close(&b);
}

/* Takes the lock, says so, and waits to be killed. */
static void __attribute__((noreturn))
lock_and_wait(const struct box *b, int say)
{
	struct mbox_file f;
	struct err err;
	int fd = mbox_file_open(b->scratch.root, "alice", 0600, true, &err);

	if (fd < 0 ||
	    mbox_file_init(&f, b->scratch.root, "alice", fd, &err) < 0 ||
	    mbox_file_lock(&f, &err) != MBOX_LOCKED || write(say, "l", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* What our own process leaves behind when it is killed is in nobody's way; but
 * it is locked while it lives. */
static void
left_behind(void **state)
{
	struct err err;
	struct box b;
	int said[2];
	pid_t pid;
	char c;

	(void)state;
	box_open(&b, NULL);
	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		lock_and_wait(&b, said[1]);
	assert_int_equal(read(said[0], &c, 1), 1);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_BUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(scratch_count(&b.scratch, ".", NULL), 2);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_LOCKED);
	mbox_file_unlock(&b.file);
	assert_int_equal(scratch_count(&b.scratch, ".", NULL), 1);
	close(said[0]);
	close(said[1]);
	box_close(&b);
}

/* Only what is surely ours. */
static void
left_behind_by_others(void **state)
{
	static const struct {
		mode_t mode;
		const char *text;
		bool use_fcntl, local;
	} rows[] = {
		{ MBOX_LOCK_MODE, "", true, true },
		{ MBOX_LOCK_MODE, "", false, true },
		{ MBOX_LOCK_MODE, "", true, false },
		{ MBOX_LOCK_MODE, "12", true, true },
		{ 0600, "", true, true },
		{ 0444, "", true, true },
		{ 0644, "", true, true },
	};
	enum mbox_lock want;
	struct err err;
	struct box b;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		box_open(&b, NULL);
		b.file.use_fcntl = rows[i].use_fcntl;
		b.file.local = rows[i].local;
		fd = openat(b.scratch.root, "alice.lock", O_WRONLY | O_CREAT,
			    0600);
		assert_int_equal(write(fd, rows[i].text, strlen(rows[i].text)),
				 strlen(rows[i].text));
		assert_int_equal(fchmod(fd, rows[i].mode), 0);
		close(fd);
		want = i == 0 ? MBOX_LOCKED : MBOX_BUSY;
		if (mbox_file_lock(&b.file, &err) != want)
			fail_msg("row %zu", i);
		if (i == 0)
			mbox_file_unlock(&b.file);
		box_close(&b);
	}
	/* Of whoever has a file that is not the mailbox any more. */
	box_open(&b, NULL);
	assert_int_equal(unlinkat(b.scratch.root, "alice", 0), 0);
	assert_int_equal(mknodat(b.scratch.root, "alice.lock",
				 S_IFREG | MBOX_LOCK_MODE, 0),
			 0);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_BUSY);
	box_close(&b);
}

static void
replaced(void **state)
{
	struct err err;
	struct box b;
	int fd;

	(void)state;
	box_open(&b, NULL);
	assert_int_equal(unlinkat(b.scratch.root, "alice", 0), 0);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_REPLACED);
	fd = openat(b.scratch.root, "alice", O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_REPLACED);
	assert_int_equal(scratch_count(&b.scratch, ".", NULL), 1);
	box_close(&b);
}

/* Somebody found our lock file too old, and has one there now. */
static void
lock_file_of_others(void **state)
{
	struct err err;
	struct box b;
	int fd;

	(void)state;
	box_open(&b, NULL);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_LOCKED);
	fd = openat(b.scratch.root, "new", O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(
		renameat(b.scratch.root, "new", b.scratch.root, "alice.lock"),
		0);
	mbox_file_unlock(&b.file);
	assert_int_equal(scratch_count(&b.scratch, ".", NULL), 2);
	assert_int_equal(unlinkat(b.scratch.root, "alice.lock", 0), 0);
	assert_int_equal(mbox_file_lock(&b.file, &err), MBOX_LOCKED);
	mbox_file_unlock(&b.file);
	assert_int_equal(scratch_count(&b.scratch, ".", NULL), 1);
	box_close(&b);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stands_there),
		cmocka_unit_test(large_body),
		cmocka_unit_test(size_limit),
		cmocka_unit_test(no_mbox),
		cmocka_unit_test(what_cannot_be_cut_back),
		cmocka_unit_test(new_mail_looks_new),
		cmocka_unit_test(odd_files),
		cmocka_unit_test(locks_of_others),
		cmocka_unit_test(stale_lock),
		cmocka_unit_test(left_behind),
		cmocka_unit_test(left_behind_by_others),
		cmocka_unit_test(replaced),
		cmocka_unit_test(lock_file_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
