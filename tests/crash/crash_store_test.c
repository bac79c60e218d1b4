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
 *   - what was told to be expunged is gone (mailbox_expunge() syncs first);
 *   - flags are any of those the message had since what was written behind was
 *     done last (store_finish()): STORE does not sync;
 *   - what the summary says of a folder is what opening it says;
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
#include "store/store_int.h"

enum {
	BOXES = 3,
	MESSAGES = 60,
	STEPS = 220,
	HAD = 24, /* values of the flags one message may have had */
	TEXT = 3000,
};
#define NEVER SIZE_MAX

/* The last one goes by two names, in turn. */
static const char *const box_name[BOXES + 1] = { "INBOX", "A", "B", "C" };

/* Message k in one folder; the sizes count operations of the record. */
struct copy {
	bool used;
	uint32_t uid; /* 0: not told */
	size_t told;
	size_t leaving; /* somebody begins to expunge it */
	size_t gone;	/* and has told so */
	uint64_t had[HAD];
	size_t kept[HAD]; /* durable, or what came after it */
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
	unsigned n;   /* messages there are */
	bool renamed; /* the last folder has its other name */
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

static const char *
name_of(const struct run *r, unsigned b)
{
	return box_name[b + (b == BOXES - 1 && r->renamed)];
}

static uint32_t
validity_of(struct mailbox *mb)
{
	struct index_totals t;

	mailbox_totals(mb, &t);
	return t.uidvalidity;
}

static void
note_flags(struct copy *c, uint64_t flags)
{
	if (c->nhad && c->had[c->nhad - 1] == flags)
		return;
	assert_true(c->nhad < HAD);
	c->kept[c->nhad] = NEVER;
	c->had[c->nhad++] = flags;
}

/* Somebody was told that this is message k. */
static void
tell(struct run *r, unsigned b, unsigned k, uint32_t uid)
{
	struct copy *c = &r->m[b][k];

	if (c->uid == uid)
		return;
	if (c->uid)
		WRONG(r, "%s: message %u had UID %u, has %u", box_name[b], k,
		      c->uid, uid);
	c->used = true;
	c->uid = uid;
	c->told = fsx_mem_nops();
}

static struct mailbox *
open_box(struct run *r, struct store *st, unsigned b)
{
	struct err err;
	struct mailbox *mb = mailbox_open(st, str_of(name_of(r, b)), &err);

	if (!mb) {
		if (!r->faults && r->created[b] != NEVER)
			WRONG(r, "%s: %s", box_name[b], err.text);
		return NULL;
	}
	if (!r->validity[b]) {
		r->validity[b] = validity_of(mb);
		r->validity_told[b] = fsx_mem_nops();
	}
	if (r->validity[b] != validity_of(mb))
		WRONG(r, "%s: another UIDVALIDITY", box_name[b]);
	return mb;
}

/* What a session sees now is told. */
static void
look(struct run *r, unsigned b, struct mailbox *mb)
{
	const struct message *m;
	struct err err;
	unsigned k;
	uint32_t uid;
	size_t i;
	bool gone;

	if (mailbox_refresh(mb, &err) < 0) {
		assert_true(r->faults);
		if (mailbox_refresh(mb, &err) < 0)
			WRONG(r, "%s stays broken: %s", box_name[b], err.text);
	}
	for (i = 0; i < mailbox_slots(mb); i++) {
		m = mailbox_at(mb, i);
		if (m->gone)
			continue;
		uid = m->uid;
		k = identify(r, mb, uid, &gone);
		if (gone)
			continue;
		tell(r, b, k, uid);
		note_flags(&r->m[b][k], mailbox_find(mb, uid)->flags);
	}
	for (k = 0; k < r->n; k++) {
		struct copy *c = &r->m[b][k];

		if (c->uid && c->leaving == NEVER && !mailbox_find(mb, c->uid))
			WRONG(r, "%s: message %u, UID %u, has vanished",
			      box_name[b], k, c->uid);
	}
}

/* --- steps ---------------------------------------------------------------- */

static void
do_append(struct run *r, unsigned b, struct mailbox *mb)
{
	struct append_info info = { .flags = pick(r, 2) ? 0 : MAILDIR_SEEN,
				    .mtime = 1000000000 };
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
	note_flags(&r->m[b][k], info.flags);
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
	if (append_commit(a, &info, &uid, &err) == 0)
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
		 b ? name_of(r, b) : ".");
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

/* The n-th message that is there; NULL: none is. */
static const struct message *
nth(struct mailbox *mb, uint64_t n)
{
	struct index_totals t;
	size_t i;

	mailbox_totals(mb, &t);
	if (!t.messages)
		return NULL;
	n %= t.messages;
	for (i = 0; i < mailbox_slots(mb); i++)
		if (!mailbox_at(mb, i)->gone && n-- == 0)
			return mailbox_at(mb, i);
	fail_msg("the totals are wrong");
	return NULL;
}

static const uint64_t some[] = { MAILDIR_SEEN, MAILDIR_FLAGGED,
				 MAILDIR_TRASHED };

static void
do_flags(struct run *r, unsigned b, struct mailbox *mb)
{
	const struct message *m = nth(mb, pick(r, MESSAGES));
	struct flag_change c = { .flags = some[pick(r, 3)] };
	struct err err;
	uint32_t uid;
	unsigned k;
	bool gone;

	if (!m)
		return;
	uid = m->uid;
	c.how = m->flags & c.flags ? FLAGS_REMOVE : FLAGS_ADD;
	k = identify(r, mb, uid, &gone);
	if (gone || r->m[b][k].nhad > HAD - 4)
		return;
	note_flags(&r->m[b][k], mailbox_find(mb, uid)->flags ^ c.flags);
	if (mailbox_change(mb, &uid, 1, &c, &err) < 0)
		assert_true(r->faults);
}

/* Another program changes a letter, and moves the file to cur/. */
static void
do_foreign(struct run *r, unsigned b, struct mailbox *mb)
{
	const struct message *m = nth(mb, pick(r, MESSAGES));
	char from[400], to[400], path[40];
	uint64_t letters, bit = some[pick(r, 3)];
	struct buf name;
	unsigned k;
	bool gone;

	if (!m)
		return;
	k = identify(r, mb, m->uid, &gone);
	if (gone || r->m[b][k].nhad > HAD - 4)
		return;
	snprintf(path, sizeof(path), "Maildir/%s%s", b ? "." : "",
		 b ? name_of(r, b) : ".");
	buf_init(&name, 400);
	letters = m->disk & ~MESSAGE_IN_NEW;
	maildir_format(&name, index_base(mb->ix, m), letters);
	if (m->disk & MESSAGE_IN_NEW && !letters)
		name.n -= 3;
	snprintf(from, sizeof(from), "%s/%s/%s", path,
		 m->disk & MESSAGE_IN_NEW ? "new" : "cur", buf_cstr(&name));
	buf_reset(&name);
	maildir_format(&name, index_base(mb->ix, m), letters ^ bit);
	snprintf(to, sizeof(to), "%s/cur/%s", path, buf_cstr(&name));
	note_flags(&r->m[b][k], (m->flags & ~bit) | ((letters ^ bit) & bit));
	buf_fini(&name);
	if (fsx_rename(r->root, from, r->root, to) < 0)
		assert_true(r->faults);
}

/* What is written behind, now; flags are durable then. */
static void
do_work(struct run *r, struct store *st)
{
	unsigned b, k, i;

	store_finish(st);
	if (r->faults)
		return;
	for (b = 0; b < BOXES; b++)
		for (k = 0; k < r->n; k++)
			for (i = 0; i < r->m[b][k].nhad; i++)
				if (r->nst == 1 && r->m[b][k].kept[i] == NEVER)
					r->m[b][k].kept[i] = fsx_mem_nops();
}

/* Up to four messages that session sees, that may be copied to `to`. */
static size_t
choose(struct run *r, struct mailbox *mb, unsigned to, uint32_t uids[4],
       unsigned ks[4])
{
	size_t i, n = 0, want = 1 + pick(r, 4);
	bool gone;

	for (i = 0; i < mailbox_slots(mb) && n < want; i++) {
		if (mailbox_at(mb, i)->gone)
			continue;
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

static void
do_rename(struct run *r, struct store *st)
{
	const char *old = name_of(r, BOXES - 1);
	struct err err;

	r->renamed = !r->renamed;
	if (store_rename(st, str_of(old), str_of(name_of(r, BOXES - 1)),
			 &err) == 0)
		return;
	assert_true(r->faults);
	/* It may have happened all the same. */
	if (store_exists(st, str_of(old)))
		r->renamed = !r->renamed;
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

	if (store_create(r->st[0], str_of(name_of(r, b)), &err) == 0)
		r->created[b] = fsx_mem_nops();
	else
		assert_true(r->faults);
}

static void
one_step(struct run *r)
{
	unsigned p = (unsigned)pick(r, r->nst), b = (unsigned)pick(r, BOXES);
	struct mailbox *mb;
	uint32_t recent;

	if (pick(r, 40) == 0) { /* the user's process ends, another starts */
		store_close(r->st[p]);
		r->st[p] = start(r);
	}
	if (r->created[b] == NEVER)
		create(r, b);
	if (r->created[b] == NEVER || !(mb = open_box(r, r->st[p], b)))
		return;
	look(r, b, mb);
	switch (pick(r, 14)) {
	case 0:
	case 1:
		do_append(r, b, mb);
		break;
	case 2:
		do_deliver(r, b);
		break;
	case 3:
		mailbox_claim_recent(mb, &recent);
		break;
	case 4:
	case 5:
		do_flags(r, b, mb);
		break;
	case 6:
	case 7:
		do_copy(r, r->st[p], b, mb, pick(r, 2));
		break;
	case 8:
	case 9:
		do_foreign(r, b, mb);
		break;
	case 10:
	case 11:
		do_work(r, r->st[p]);
		break;
	case 12:
		if (r->nst == 1 && r->created[BOXES - 1] != NEVER)
			do_rename(r, r->st[p]);
		break;
	default:
		do_expunge(r, b, mb);
		break;
	}
	if (!mailbox_deleted(mb))
		look(r, b, mb);
	mailbox_release(mb);
}

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
