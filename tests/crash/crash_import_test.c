/* SPDX-License-Identifier: ISC */
/*
 * Power cuts while `posthouse mail import` takes over a Maildir of Dovecot's,
 * from elsewhere and in place, on a disk in memory that keeps a record.  Of
 * every image that a cut may leave must hold:
 *
 *   - a source that stands elsewhere is what it was; one that is imported in
 *     place has each message once, whole;
 *   - a session that opens a folder finds it as it was or as it is to be: under
 *     the source's UIDVALIDITY each UID names the message that it named;
 *   - the import, run again, completes: all messages are there once, whole,
 *     with UIDs, flags and keywords, and nothing is left in tmp/.
 *
 * POSTHOUSE_CRASH_SAMPLE: how many images (default 600; 0: all);
 * POSTHOUSE_SEED: repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "mail.h"
#include "powercut.h"

enum { MESSAGES = 8, NEXT = 30, VALIDITY = 1700000000 };

/* The source. */
static const struct message_of {
	const char *dir, *name, *base, *text;
	const char *folder;
	uint32_t uid;
	uint64_t flags;
	const char *keyword;
} messages[MESSAGES] = {
	{ "cur", "1000.a,S=5,W=6:2,S", "1000.a,S=5,W=6", "one1\n", "INBOX", 2,
	  MAILDIR_SEEN, NULL },
	{ "cur", "1001.b:2,FSa", "1001.b", "two\n\n", "INBOX", 3,
	  MAILDIR_FLAGGED | MAILDIR_SEEN, "Work" },
	{ "cur", "1002.c:2,", "1002.c", "three\n", "INBOX", 9, 0, NULL },
	{ "new", "1003.d", "1003.d", "four\n", "INBOX", 11, 0, NULL },
	/* Nobody has opened the folder since. */
	{ "new", "1004.e", "1004.e", "five\n", "INBOX", NEXT, 0, NULL },
	{ ".Sent/cur", "1005.f:2,S", "1005.f", "six\n", "Sent", 4, MAILDIR_SEEN,
	  NULL },
	{ ".Sent/cur", "1006.g:2,RS", "1006.g", "seven\n", "Sent", 5,
	  MAILDIR_REPLIED | MAILDIR_SEEN, NULL },
	{ ".Sent/new", "1007.h", "1007.h", "eight\n", "Sent", 7, 0, NULL },
};

struct run {
	bool in_place;
	size_t cut;
	const char *what;
};

#define WRONG(r, ...)                                              \
	do {                                                       \
		print_error("cut %zu, %s: ", (r)->cut, (r)->what); \
		fail_msg(__VA_ARGS__);                             \
	} while (0)

/* --- the disk --------------------------------------------------------------
 */

static void
put(int dir, const char *path, const char *text)
{
	int fd = fsx_open(dir, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	struct err err;

	assert_true(fd >= 0);
	assert_int_equal(fsx_write_all(fd, text, strlen(text), &err), 0);
	fsx_close(fd);
}

static void
make_source(int root)
{
	static const char *const dirs[] = { "src",	     "src/cur",
					    "src/new",	     "src/tmp",
					    "src/.Sent",     "src/.Sent/cur",
					    "src/.Sent/new", "src/.Sent/tmp" };
	char path[100];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		assert_int_equal(fsx_mkdir(root, dirs[i], 0700), 0);
	for (i = 0; i < MESSAGES; i++) {
		snprintf(path, sizeof(path), "src/%s/%s", messages[i].dir,
			 messages[i].name);
		put(root, path, messages[i].text);
	}
	put(root, "src/dovecot-uidlist",
	    "3 V1700000000 N30 Gabc\n2 :1000.a,S=5,W=6:2,S\n3 :1001.b:2,FSa\n"
	    "9 :1002.c:2,\n11 :1003.d\n");
	put(root, "src/dovecot-keywords", "0 Work\n");
	put(root, "src/subscriptions", "Sent\n");
	put(root, "src/.Sent/dovecot-uidlist",
	    "3 V1700000001 N8 Gdef\n4 :1005.f:2,S\n5 :1006.g:2,RS\n7 "
	    ":1007.h\n");
}

static int
open_dir(int root, const char *path)
{
	int fd = fsx_open(root, path, O_RDONLY | O_DIRECTORY, 0);

	assert_true(fd >= 0);
	return fd;
}

/* The command; what it says is not of interest. */
static void
import(struct run *r, int root)
{
	static const struct mail_args args = { 0 };
	struct mail m = { .args = &args,
			  .host = "host.example",
			  .uidl_format = STR("%v.%u"),
			  .mbox = -1 };
	int out = dup(1), null = open("/dev/null", O_WRONLY | O_CLOEXEC), rc;
	struct err err;

	m.from = open_dir(root, "src");
	m.root = r->in_place ? m.from : open_dir(root, "box");
	fflush(stdout);
	dup2(null, 1);
	rc = mail_import(&m, &err);
	fflush(stdout);
	dup2(out, 1);
	close(out);
	close(null);
	if (rc < 0)
		WRONG(r, "import: %s", err.text);
	if (m.wrong)
		WRONG(r, "the import has complained");
	if (!r->in_place)
		fsx_close(m.root);
	fsx_close(m.from);
}

/* --- what must hold --------------------------------------------------------
 */

static bool
has_text(int dir, const char *path, const char *text)
{
	char got[64];
	int fd = fsx_open(dir, path, O_RDONLY, 0);
	ssize_t n = -1;

	if (fd >= 0) {
		n = fsx_pread(fd, got, sizeof(got), 0);
		fsx_close(fd);
	}
	return n >= 0 && str_eq(str_mem(got, (size_t)n), str_of(text));
}

static void
check_source(struct run *r, int root)
{
	char path[100];
	size_t i;

	for (i = 0; i < MESSAGES; i++) {
		snprintf(path, sizeof(path), "src/%s/%s", messages[i].dir,
			 messages[i].name);
		if (!has_text(root, path, messages[i].text))
			WRONG(r, "%s is not what it was", path);
	}
}

/* Of this message, in the folder; MESSAGES: none of them. */
static size_t
identify(struct run *r, struct mailbox *mb, uint32_t uid)
{
	struct message_reader reader;
	char got[64];
	struct err err;
	size_t i;
	ssize_t n;

	if (mailbox_read(mb, uid, &reader, &err) < 0)
		WRONG(r, "%s: UID %u: %s", mailbox_name(mb), uid, err.text);
	n = reader_get_raw(&reader, got, sizeof(got), &err);
	reader_close(&reader);
	for (i = 0; i < MESSAGES; i++)
		if (n > 0 &&
		    strcmp(messages[i].folder, mailbox_name(mb)) == 0 &&
		    str_eq(str_mem(got, (size_t)n), str_of(messages[i].text)))
			return i;
	WRONG(r, "%s: UID %u is none of the source's", mailbox_name(mb), uid);
	return MESSAGES;
}

/* whole: as it is to be; else as it was is right, too. */
static void
check_folder(struct run *r, struct store *st, const char *name, bool whole)
{
	uint32_t validity =
		strcmp(name, "INBOX") == 0 ? VALIDITY : VALIDITY + 1;
	bool seen[MESSAGES] = { false };
	const struct message *m;
	struct index_totals t;
	struct mailbox *mb;
	struct err err;
	size_t i, k;
	uint32_t id;

	if (!whole && !store_exists(st, str_of(name)))
		return;
	mb = mailbox_open(st, str_of(name), &err);
	if (!mb)
		WRONG(r, "%s: %s", name, err.text);
	mailbox_totals(mb, &t);
	if (whole && t.uidvalidity != validity)
		WRONG(r, "%s: UIDVALIDITY %u", name, t.uidvalidity);
	for (i = 0; i < mailbox_slots(mb); i++) {
		m = mailbox_at(mb, i);
		if (m->gone)
			continue;
		k = identify(r, mb, m->uid);
		if (seen[k])
			WRONG(r, "%s: %s twice", name, messages[k].base);
		seen[k] = true;
		if (t.uidvalidity != validity)
			continue;
		if (m->uid != messages[k].uid)
			WRONG(r, "%s: UID %u was %u", name, m->uid,
			      messages[k].uid);
		if (m->flags != messages[k].flags)
			WRONG(r, "%s: flags of UID %u", name, m->uid);
		if (!messages[k].keyword)
			continue;
		id = mailbox_keyword_find(mb, str_of(messages[k].keyword));
		if (id == KEYWORD_NONE || !mailbox_has_keyword(mb, m, id))
			WRONG(r, "%s: keyword of UID %u", name, m->uid);
	}
	/* In place they have always been there. */
	whole |= r->in_place || t.uidvalidity == validity;
	for (k = 0; whole && k < MESSAGES; k++)
		if (!seen[k] && strcmp(messages[k].folder, name) == 0)
			WRONG(r, "%s: %s is lost", name, messages[k].base);
	mailbox_release(mb);
}

static void
check_tmp(struct run *r, int dir, const char *path)
{
	int fd = open_dir(dir, path);
	struct fsx_dir *d = fsx_opendir(fd, ".");
	const char *name = d ? fsx_readdir(d, NULL) : NULL;

	if (name)
		WRONG(r, "%s/%s is left", path, name);
	fsx_closedir(d);
	fsx_close(fd);
}

static void
check_folders(struct run *r, int root, bool whole)
{
	int dir = open_dir(root, r->in_place ? "src" : "box");
	struct err err;
	struct store *st = store_open(dir, ".", "host.example", &err);

	if (!st)
		WRONG(r, "%s", err.text);
	check_folder(r, st, "INBOX", whole);
	check_folder(r, st, "Sent", whole);
	store_finish(st);
	store_close(st);
	if (whole) {
		check_tmp(r, dir, "tmp");
		check_tmp(r, dir, ".Sent/tmp");
	}
	fsx_close(dir);
}

static void
check_image(void *arg, const struct memfs *image, size_t cut, const char *what)
{
	struct run *r = arg;
	int root;

	r->cut = cut;
	r->what = what;
	/* Sessions first. */
	fsx_mem_load_keep(image);
	root = fsx_mem_root();
	if (!r->in_place)
		check_source(r, root);
	check_folders(r, root, false);
	fsx_close(root);
	/* Or the administrator. */
	fsx_mem_load_keep(image);
	root = fsx_mem_root();
	import(r, root);
	check_folders(r, root, true);
	if (!r->in_place)
		check_source(r, root);
	fsx_close(root);
}

/* --- tests -----------------------------------------------------------------
 */

static void
cut_power(bool in_place)
{
	uint64_t seed = powercut_seed();
	uint64_t sample = powercut_sample(600);
	struct run r = { .in_place = in_place, .what = "working" };
	struct powercut_result result;
	struct memfs first;
	struct err err;
	int root;

	fsx_mem_reset();
	root = fsx_mem_root();
	make_source(root);
	assert_int_equal(maildir_create(root, "box", &err), 0);
	fsx_mem_record(&first);
	import(&r, root);
	check_folders(&r, root, true);
	fsx_close(root);
	fsx_mem_record_stop();
	powercut_run(&first, seed, sample, check_image, &r, &result);
	printf("%zu operations, %llu images, %llu checked\n", fsx_mem_nops(),
	       (unsigned long long)result.images,
	       (unsigned long long)result.checked);
	assert_true(result.checked > 0);
	memfs_fini(&first);
}

static void
test_from_elsewhere(void **state)
{
	(void)state;
	cut_power(false);
}

static void
test_in_place(void **state)
{
	(void)state;
	cut_power(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_elsewhere),
		cmocka_unit_test(test_in_place),
	};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	log_open(null, "crash_import_test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
