/* SPDX-License-Identifier: ISC */
/* Sessions, deliveries and other programs, one step at a time. */
#include "crash_store.h"

const char *const box_name[BOXES + 1] = { "INBOX", "A", "B", "C" };

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
unsigned
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

uint32_t
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

struct store *
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

void
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
