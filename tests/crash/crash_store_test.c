/* SPDX-License-Identifier: ISC */
/*
 * Power cuts and failing disks over a user's folders: messages are appended,
 * delivered, flagged, copied, moved and expunged as imapd and pop3d do it, on
 * a disk in memory that keeps a record; then every image that a power cut may
 * leave is opened.  What must hold:
 *
 *   - a folder keeps its UIDVALIDITY, and a UID that was told names the same
 *     message or none;
 *   - a message that was told, by APPENDUID, COPYUID or as EXISTS, is there
 *     once, whole, under that UID, until somebody begins to expunge it;
 *   - what was told to be expunged is gone (mailbox_expunge() syncs first);
 *   - flags are any of those the message had: STORE does not sync;
 *   - the next message gets a UID greater than all that were told.
 *
 * What was begun and not told may be there or not.
 *
 * POSTHOUSE_CRASH_SAMPLE: how many images (default 600; 0: all);
 * POSTHOUSE_CRASH_SEED: repeats a run.
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

#include "base/log.h"
#include "base/rand.h"
#include "powercut.h"
#include "store/store.h"
#include "store/uidfile.h"

enum {
	BOXES = 3,
	MESSAGES = 60,
	STEPS = 220,
	HAD = 12, /* values of the flags one message may have had */
	TOLD = 4, /* UIDs of one message, if two processes give them */
	TEXT = 3000,
	DEAD = 1100, /* entries in a UID file that make it be compacted */
};
#define NEVER SIZE_MAX

static const char *const box_name[BOXES] = { "INBOX", "A", "B" };

/* Message k in one folder; the sizes count operations of the record. */
struct copy {
	bool used;
	uint32_t uid[TOLD]; /* the last one counts */
	size_t told[TOLD];
	unsigned ntold;
	size_t leaving; /* somebody begins to expunge it */
	size_t gone;	/* and has told so */
	uint64_t had[HAD];
	unsigned nhad;
};

struct run {
	struct store *st[2]; /* two processes of one user */
	unsigned nst;
	int root;
	uint64_t rng;
	struct copy m[BOXES][MESSAGES];
	uint32_t validity[BOXES]; /* 0: not told */
	size_t validity_told[BOXES], created[BOXES];
	unsigned n; /* messages there are */
	bool faults;
	size_t cut; /* of the image that is checked */
	const char *what;
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

/* The text of message k, as IMAP has it. */
static struct str
text_of(unsigned k, char text[TEXT])
{
	int n = snprintf(text, TEXT, "Subject: %u\r\n\r\n", k);
	size_t len = (size_t)n + (k % 5 ? k * 3 : 600 + k * 37);

	memset(text + n, 'a' + (int)(k % 26), len - (size_t)n);
	return str_mem(text, len);
}

/* Which message this is; it must be whole. */
static unsigned
identify(struct run *r, struct mailbox *mb, uint32_t uid, bool *gone)
{
	char want[TEXT], got[TEXT + 1];
	struct message_reader reader;
	uint64_t k = UINT64_MAX;
	struct str rest, line;
	struct err err;
	size_t n = 0;
	ssize_t more = 1;

	*gone = true;
	if (mailbox_read(mb, uid, &reader, &err) < 0) {
		if (!r->faults)
			WRONG(r, "UID %u: %s", uid, err.text);
		return 0;
	}
	while (more > 0 && n < sizeof(got)) {
		more = reader_get(&reader, got + n, sizeof(got) - n, &err);
		n += more > 0 ? (size_t)more : 0;
	}
	reader_close(&reader);
	if (more < 0 && r->faults)
		return 0;
	rest = str_mem(got, n);
	if (!str_starts(rest, STR("Subject: ")) ||
	    !str_cut(&rest, '\r', &line) ||
	    str_u64(str_from(line, 9), MESSAGES - 1, &k) < 0 ||
	    !str_eq(text_of((unsigned)k, want), str_mem(got, n)))
		WRONG(r, "%s: UID %u is not what was written (%zu bytes)",
		      mailbox_name(mb), uid, n);
	*gone = false;
	return (unsigned)k;
}

static void
note_flags(struct copy *c, uint64_t flags)
{
	if (c->nhad < HAD && (!c->nhad || c->had[c->nhad - 1] != flags))
		c->had[c->nhad++] = flags;
}

/* Somebody was told that this is message k. */
static void
tell(struct run *r, unsigned b, unsigned k, uint32_t uid)
{
	struct copy *c = &r->m[b][k];
	unsigned i;

	for (i = 0; i < c->ntold; i++)
		if (c->uid[i] == uid)
			return;
	if (c->ntold && r->nst == 1)
		WRONG(r, "%s: message %u had UID %u, has %u", box_name[b], k,
		      c->uid[c->ntold - 1], uid);
	assert_true(c->ntold < TOLD);
	c->used = true;
	c->uid[c->ntold] = uid;
	c->told[c->ntold++] = fsx_mem_nops();
}

static struct mailbox *
open_box(struct run *r, struct store *st, unsigned b)
{
	struct err err;
	struct mailbox *mb = mailbox_open(st, str_of(box_name[b]), &err);

	if (!mb) {
		if (!r->faults && r->created[b] != NEVER)
			WRONG(r, "%s: %s", box_name[b], err.text);
		return NULL;
	}
	if (!r->validity[b]) {
		r->validity[b] = mailbox_uidvalidity(mb);
		r->validity_told[b] = fsx_mem_nops();
	}
	if (r->validity[b] != mailbox_uidvalidity(mb))
		WRONG(r, "%s: another UIDVALIDITY", box_name[b]);
	return mb;
}

/* What a session sees now is told. */
static void
look(struct run *r, unsigned b, struct mailbox *mb)
{
	struct message *m;
	struct err err;
	unsigned k;
	size_t i;
	bool gone;

	if (mailbox_refresh(mb, &err) < 0) {
		assert_true(r->faults);
		if (mailbox_refresh(mb, &err) < 0)
			WRONG(r, "%s stays broken: %s", box_name[b], err.text);
	}
	for (i = 0; i < mailbox_count(mb); i++) {
		m = mailbox_at(mb, i);
		k = identify(r, mb, m->uid, &gone);
		if (!gone)
			tell(r, b, k, m->uid);
	}
	for (k = 0; k < r->n; k++) {
		struct copy *c = &r->m[b][k];

		if (!c->ntold || c->leaving != NEVER)
			continue;
		for (i = 0; i < c->ntold; i++)
			if (mailbox_find(mb, c->uid[i]))
				break;
		if (i == c->ntold)
			WRONG(r, "%s: message %u, UID %u, has vanished",
			      box_name[b], k, c->uid[i - 1]);
	}
}

/* --- steps ---------------------------------------------------------------- */

static void
do_append(struct run *r, unsigned b, struct mailbox *mb)
{
	uint64_t flags = pick(r, 2) ? 0 : MAILDIR_SEEN;
	struct store_append *a;
	char text[TEXT];
	struct str s;
	uint32_t uid;
	struct err err;
	unsigned k = r->n;

	if (r->n == MESSAGES)
		return;
	r->n++;
	r->m[b][k].used = true;
	note_flags(&r->m[b][k], flags);
	s = text_of(k, text);
	a = append_begin(mb, &err);
	if (!a) {
		assert_true(r->faults);
		return;
	}
	if (append_write(a, str_head(s, s.n / 2), &err) < 0 ||
	    append_write(a, str_from(s, s.n / 2), &err) < 0) {
		assert_true(r->faults);
		append_abort(a);
		return;
	}
	if (append_commit(a, flags, 1000000000, &uid, &err) == 0)
		tell(r, b, k, uid);
	else if (!r->faults)
		WRONG(r, "APPEND: %s", err.text);
}

/* As deliver does it, and synced before anybody looks. */
static void
do_deliver(struct run *r, unsigned b)
{
	char path[40], name[80], tmp[160], new[160], crlf[TEXT], text[TEXT];
	struct str s;
	size_t i, n = 0;
	int fd, dir;

	if (r->n == MESSAGES)
		return;
	s = text_of(r->n, crlf);
	for (i = 0; i < s.n; i++)
		if (s.p[i] != '\r')
			text[n++] = s.p[i];
	snprintf(path, sizeof(path), "Maildir/%s%s", b ? "." : "",
		 b ? box_name[b] : ".");
	snprintf(name, sizeof(name), "%u.P1Q%uR1.host,S=%zu,W=%zu",
		 1700000000 + r->n, r->n, n, s.n);
	snprintf(tmp, sizeof(tmp), "%s/tmp/%s", path, name);
	snprintf(new, sizeof(new), "%s/new/%s", path, name);
	r->m[b][r->n].used = true;
	note_flags(&r->m[b][r->n++], 0);
	fd = fsx_open(r->root, tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || fsx_write(fd, text, n) != (ssize_t)n || fsx_fsync(fd) < 0)
		assert_true(r->faults);
	else if (fsx_rename_new(r->root, tmp, r->root, new) < 0)
		assert_true(r->faults);
	if (fd >= 0)
		fsx_close(fd);
	snprintf(new, sizeof(new), "%s/new", path);
	dir = fsx_open(r->root, new, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 || fsx_fsync(dir) < 0)
		assert_true(r->faults);
	if (dir >= 0)
		fsx_close(dir);
}

static void
do_flags(struct run *r, unsigned b, struct mailbox *mb)
{
	static const uint64_t some[] = { MAILDIR_SEEN, MAILDIR_FLAGGED,
					 MAILDIR_TRASHED };
	struct message *m;
	struct err err;
	uint64_t bit = some[pick(r, 3)];
	unsigned k;
	bool gone;

	if (!mailbox_count(mb))
		return;
	m = mailbox_at(mb, pick(r, mailbox_count(mb)));
	k = identify(r, mb, m->uid, &gone);
	if (gone || r->m[b][k].nhad == HAD)
		return;
	note_flags(&r->m[b][k], m->flags ^ bit);
	if (mailbox_set_flags(mb, m, ~m->flags & bit, m->flags & bit, &err) < 0)
		assert_true(r->faults);
}

/* Up to four messages that session sees, that may be copied to `to`. */
static size_t
choose(struct run *r, struct mailbox *mb, unsigned to, uint32_t uids[4],
       unsigned ks[4])
{
	size_t i, n = 0, want = 1 + pick(r, 4);
	bool gone;

	for (i = 0; i < mailbox_count(mb) && n < want; i++) {
		uids[n] = mailbox_at(mb, i)->uid;
		ks[n] = identify(r, mb, uids[n], &gone);
		if (gone || (to < BOXES && r->m[to][ks[n]].used))
			continue;
		if (pick(r, 3))
			n++;
	}
	return n;
}

static void
expunge(struct run *r, unsigned b, struct mailbox *mb, const uint32_t *uids,
	const unsigned *ks, size_t n)
{
	struct err err;
	size_t i;

	for (i = 0; i < n; i++)
		r->m[b][ks[i]].leaving = fsx_mem_nops();
	if (mailbox_expunge(mb, uids, n, &err) < 0) {
		assert_true(r->faults);
		return;
	}
	for (i = 0; i < n; i++)
		r->m[b][ks[i]].gone = fsx_mem_nops();
}

static void
do_copy(struct run *r, struct store *st, unsigned b, struct mailbox *mb,
	bool move)
{
	unsigned to = (b + 1 + (unsigned)pick(r, BOXES - 1)) % BOXES, ks[4];
	uint32_t uids[4], first;
	struct mailbox *dst;
	struct err err;
	size_t i, n = choose(r, mb, to, uids, ks);

	if (!n || !(dst = open_box(r, st, to)))
		return;
	for (i = 0; i < n; i++) {
		r->m[to][ks[i]].used = true;
		note_flags(&r->m[to][ks[i]], mailbox_find(mb, uids[i])->flags);
	}
	if (mailbox_copy(mb, uids, n, dst, &first, &err) < 0) {
		assert_true(r->faults);
	} else {
		for (i = 0; i < n; i++)
			tell(r, to, ks[i], first + (uint32_t)i);
		if (move)
			expunge(r, b, mb, uids, ks, n);
	}
	mailbox_release(dst);
}

static void
do_expunge(struct run *r, unsigned b, struct mailbox *mb)
{
	uint32_t uids[4];
	unsigned ks[4];
	size_t n = choose(r, mb, BOXES, uids, ks);

	if (n)
		expunge(r, b, mb, uids, ks, n);
}

static struct store *
start(struct run *r)
{
	struct store *st;
	struct err err;

	st = store_open(r->root, "Maildir", "host", &err);
	if (!st) {
		if (!r->faults)
			WRONG(r, "the store does not open: %s", err.text);
		st = store_open(r->root, "Maildir", "host", &err);
	}
	assert_non_null(st);
	return st;
}

static void
create(struct run *r, unsigned b)
{
	struct err err;

	if (store_create(r->st[0], str_of(box_name[b]), &err) == 0)
		r->created[b] = fsx_mem_nops();
	else
		assert_true(r->faults);
}

static void
one_step(struct run *r)
{
	unsigned p = (unsigned)pick(r, r->nst), b = (unsigned)pick(r, BOXES);
	struct mailbox *mb;
	struct err err;

	if (pick(r, 40) == 0) { /* the user's process ends, another starts */
		store_close(r->st[p]);
		r->st[p] = start(r);
	}
	if (r->created[b] == NEVER)
		create(r, b);
	if (r->created[b] == NEVER || !(mb = open_box(r, r->st[p], b)))
		return;
	look(r, b, mb);
	switch (pick(r, 10)) {
	case 0:
	case 1:
		do_append(r, b, mb);
		break;
	case 2:
		do_deliver(r, b);
		break;
	case 3:
		if (mailbox_take_new(mb, &err) < 0)
			assert_true(r->faults);
		break;
	case 4:
	case 5:
		do_flags(r, b, mb);
		break;
	case 6:
	case 7:
		do_copy(r, r->st[p], b, mb, pick(r, 2));
		break;
	default:
		do_expunge(r, b, mb);
		break;
	}
	look(r, b, mb);
	mailbox_release(mb);
}

/* --- after the cut -------------------------------------------------------- */

static bool
had_flags(const struct copy *c, uint64_t flags)
{
	unsigned i;

	for (i = 0; i < c->nhad; i++)
		if (c->had[i] == flags)
			return true;
	return c->nhad == HAD;
}

/* Was this UID told of another message? */
static void
check_uid(struct run *r, unsigned b, unsigned k, uint32_t uid)
{
	unsigned i, j;

	for (i = 0; i < r->n; i++)
		for (j = 0; j < r->m[b][i].ntold; j++)
			if (i != k && r->m[b][i].told[j] <= r->cut &&
			    r->m[b][i].uid[j] == uid)
				WRONG(r, "%s: UID %u was message %u, is %u",
				      box_name[b], uid, i, k);
}

static uint32_t
check_copy(struct run *r, unsigned b, unsigned k, unsigned there, uint32_t uid)
{
	const struct copy *c = &r->m[b][k];
	unsigned told = 0;
	uint32_t top = 0, i;

	while (told < c->ntold && c->told[told] <= r->cut)
		told++;
	for (i = 0; i < told; i++)
		top = c->uid[i] > top ? c->uid[i] : top;
	if (there > 1)
		WRONG(r, "%s: message %u is there %u times", box_name[b], k,
		      there);
	if (c->gone <= r->cut && there)
		WRONG(r, "%s: expunged message %u is back", box_name[b], k);
	if (told && c->leaving > r->cut) {
		if (!there)
			WRONG(r, "%s: message %u, UID %u, is lost", box_name[b],
			      k, c->uid[told - 1]);
		/* A second process may have begun to give it another. */
		if (uid != c->uid[told - 1] && (r->nst == 1 || uid < top))
			WRONG(r, "%s: message %u, UID %u, has UID %u",
			      box_name[b], k, c->uid[told - 1], uid);
	}
	return top;
}

static void
check_box(struct run *r, struct store *st, unsigned b)
{
	unsigned there[MESSAGES] = { 0 }, k;
	uint32_t uid[MESSAGES] = { 0 }, top = 0, t, new = 0;
	struct store_append *a;
	struct mailbox *mb;
	struct err err;
	bool gone;
	size_t i;

	mb = mailbox_open(st, str_of(box_name[b]), &err);
	if (!mb) {
		if (r->created[b] <= r->cut || err.code != ENOENT)
			WRONG(r, "%s: %s", box_name[b], err.text);
		return;
	}
	if (r->validity[b] && r->validity_told[b] <= r->cut &&
	    mailbox_uidvalidity(mb) != r->validity[b])
		WRONG(r, "%s: another UIDVALIDITY", box_name[b]);
	for (i = 0; i < mailbox_count(mb); i++) {
		struct message *m = mailbox_at(mb, i);

		k = identify(r, mb, m->uid, &gone);
		assert_false(gone);
		assert_true(k < r->n && r->m[b][k].used);
		if (!had_flags(&r->m[b][k], m->flags))
			WRONG(r, "%s: message %u never had flags %llx",
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
	    append_commit(a, 0, 1, &new, &err) < 0)
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

/* A folder's UID file in which nearly everything is dead. */
static void
age_uids(struct run *r, const char *dir)
{
	struct buf file, body;
	struct err err;
	uint32_t i;
	int fd;

	buf_init(&file, 65536);
	buf_init(&body, UIDFILE_BODY_MAX);
	uidfile_put_header(&file, 1600000000, 1);
	for (i = 1; i <= DEAD; i++)
		uidfile_put_entry(&body, i, STR_NULL);
	uidfile_put_record(&file, buf_str(&body));
	fd = fsx_open(r->root, dir, O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(
		fsx_replace(fd, UIDFILE_NAME, file.p, file.n, 0600, &err), 0);
	fsx_close(fd);
	buf_fini(&file);
	buf_fini(&body);
}

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
	if (!fresh) {
		assert_int_equal(maildir_create(r->root, "Maildir", &err), 0);
		age_uids(r, "Maildir");
	}
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

static uint64_t
number(const char *name, uint64_t fallback)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : fallback;
}

static void
cut_power(unsigned nst)
{
	uint64_t seed = number("POSTHOUSE_CRASH_SEED", rand_u64() >> 16);
	uint64_t sample = number("POSTHOUSE_CRASH_SAMPLE", 600);
	struct run *r = calloc(1, sizeof(*r));
	struct powercut_result result;
	struct memfs first;

	printf("POSTHOUSE_CRASH_SEED=%llu\n", (unsigned long long)seed);
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
		validity = mailbox_uidvalidity(mb);
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
