/* SPDX-License-Identifier: ISC */
#include "store/take.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/rand.h"
#include "store/maildir.h"
#include "store/mbox_read.h"

#define STATE_NAME "posthouse.take"
#define STATE_HEAD "posthouse.take 1 "

enum {
	BATCH = 64, /* messages that are synced together */
	BLOCK = 4096,
	MEMORY = 128 * 1024 * 1024, /* for what is known of messages: 50 bytes
				       each */
	ID_MAX = 64,
	TAKE_STATE_MAX = 100,
};

/* A message that is written in tmp/ and not yet in place. */
struct letter {
	int fd;
	char tmp[ID_MAX];
	char name[MAILDIR_NAME_MAX + 1];
	bool to_cur;
	bool placed;
};

struct take {
	struct maildir_box box;
	int cur;
	const char *host;
	uint8_t key[16];
	uint64_t nonce; /* of names in tmp/ */
	uint32_t count, ordinal;
	struct pool pool;
	struct map done;   /* ids that stand in new/ or cur/ already */
	struct map equals; /* hash → how many, plus one */
	struct letter batch[BATCH];
	size_t n;
	/* of the message being written, batch[n]: */
	bool writing;
	int64_t time;
	uint64_t hash, size, wsize;
	char last;
	size_t nblock;
	char block[BLOCK];
};

/* --- what an attempt before this one did ---------------------------------- */

static void
key_text(const struct take *t, char out[33])
{
	size_t i;

	for (i = 0; i < sizeof(t->key); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", t->key[i]);
}

static bool
key_parse(struct take *t, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	const char *a, *b;
	size_t i;

	if (!str_starts(s, STR(STATE_HEAD)))
		return false;
	s = str_trim(str_from(s, sizeof(STATE_HEAD) - 1));
	if (s.n != 32 || str_find(s, '\0') >= 0)
		return false;
	for (i = 0; i < sizeof(t->key); i++) {
		a = strchr(digits, s.p[2 * i]);
		b = strchr(digits, s.p[2 * i + 1]);
		if (!a || !b)
			return false;
		t->key[i] = (uint8_t)((a - digits) << 4 | (b - digits));
	}
	return true;
}

/* 1: there was one; 0: there is one now. */
static int
take_state(struct take *t, struct err *err)
{
	char text[TAKE_STATE_MAX], hex[33];
	ssize_t n;
	int fd;

	fd = fsx_open(t->box.dir, STATE_NAME, O_RDONLY | O_NONBLOCK, 0);
	if (fd >= 0) {
		n = fsx_read(fd, text, sizeof(text));
		fsx_close(fd);
		if (n > 0 && key_parse(t, str_mem(text, (size_t)n)))
			return 1;
	} else if (errno != ENOENT) {
		return err_sys(err, errno, STATE_NAME);
	}
	rand_bytes(t->key, sizeof(t->key));
	key_text(t, hex);
	n = snprintf(text, sizeof(text), STATE_HEAD "%s\n", hex);
	return fsx_replace(t->box.dir, STATE_NAME, text, (size_t)n, 0600, err);
}

/* "TAKE<key>H<hash>N<place>" of a file's name: what says which message it is.
 */
static struct str
id_of(struct str name)
{
	ptrdiff_t at = str_search(name, STR(".TAKE")), end;

	if (at < 0)
		return STR_NULL;
	name = str_from(name, (size_t)at + 1);
	end = str_find(name, '.');
	return end < 0 ? STR_NULL : str_head(name, (size_t)end);
}

static int
collect(struct take *t, int dir, struct err *err)
{
	struct fsx_dir *d = fsx_opendir(dir, ".");
	const char *name;
	struct str id;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "list");
	while (rc == 0 && (name = fsx_readdir(d, NULL))) {
		id = id_of(str_of(name));
		if (id.n == 0)
			continue;
		id = pool_str(&t->pool, id);
		if (!id.p || map_put(&t->done, id, t) < 0)
			rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	if (rc == 0 && errno)
		rc = err_sys(err, errno, "list");
	fsx_closedir(d);
	return rc;
}

/* --- one message ---------------------------------------------------------- */

static void
add_hash(struct take *t)
{
	char b[sizeof(t->hash) + BLOCK];

	memcpy(b, &t->hash, sizeof(t->hash));
	memcpy(b + sizeof(t->hash), t->block, t->nblock);
	t->hash = enc_siphash(t->key, b, sizeof(t->hash) + t->nblock);
	t->nblock = 0;
}

static int
flush(struct take *t, struct err *err)
{
	struct letter *l = &t->batch[t->n];

	if (t->nblock && fsx_write_all(l->fd, t->block, t->nblock, err) < 0)
		return -1;
	add_hash(t);
	return 0;
}

static int
on_put(void *arg, struct str s, struct err *err)
{
	struct take *t = arg;
	size_t n;

	t->size += s.n;
	t->wsize += s.n + maildir_count_lf(s.p, s.n, &t->last);
	while (s.n) {
		n = BLOCK - t->nblock < s.n ? BLOCK - t->nblock : s.n;
		memcpy(t->block + t->nblock, s.p, n);
		t->nblock += n;
		s = str_from(s, n);
		if (t->nblock == BLOCK && flush(t, err) < 0)
			return -1;
	}
	return 0;
}

static int
on_begin(void *arg, struct str from, int64_t time, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL;
	struct take *t = arg;
	struct letter *l = &t->batch[t->n];

	t->time = time;
	t->size = t->wsize = 0;
	t->last = '\0';
	/* Who sent it, and when, makes it another one, too. */
	t->hash = enc_siphash(t->key, from.p, from.n);
	t->nblock = 0;
	/* Not of the key: two names of one uid may have one Maildir, and two
	 * takers there. */
	(void)snprintf(l->tmp, sizeof(l->tmp), "take.%016llx.%u",
		       (unsigned long long)t->nonce, t->ordinal++);
	l->fd = fsx_open(t->box.tmp, l->tmp, flags, 0600);
	if (l->fd < 0)
		return err_sys(err, errno, "tmp/%s", l->tmp);
	l->placed = false;
	t->writing = true;
	return 0;
}

/* Which of the messages of these bytes is it? */
static int
place_of(struct take *t, unsigned *place, struct err *err)
{
	struct str key = MAP_KEY(t->hash);
	uintptr_t *n = map_get(&t->equals, key);

	if (!n) {
		key = pool_str(&t->pool, key);
		n = pool_alloc(&t->pool, sizeof(*n));
		if (!key.p || !n || map_put(&t->equals, key, n) < 0)
			return err_set(err, ERR_TEMP, ENOMEM,
				       "too many messages at once");
	}
	*place = (unsigned)(*n)++;
	return 0;
}

/* The name: "<seconds>.M<ordinal>.<id>.<host>,S=,W=", in the order of the mbox
 * for who sorts names. */
static bool
name_letter(struct take *t, struct letter *l, const char *id, uint64_t flags)
{
	struct buf base, out;
	bool ok;

	buf_init(&base, MAILDIR_NAME_MAX);
	buf_init(&out, MAILDIR_NAME_MAX);
	(void)!buf_addf(&base, "%lld.M%06u.%s.%.100s,S=%llu,W=%llu",
			(long long)(t->time > 0 ? t->time : 0), t->ordinal, id,
			t->host, (unsigned long long)t->size,
			(unsigned long long)t->wsize);
	if (l->to_cur)
		maildir_format(&out, buf_str(&base), flags);
	else
		(void)!buf_add_str(&out, buf_str(&base));
	ok = !buf_overflown(&base) && !buf_overflown(&out) &&
	     str_copy(l->name, sizeof(l->name), buf_str(&out));
	buf_fini(&base);
	buf_fini(&out);
	return ok;
}

static void
drop(struct take *t, struct letter *l)
{
	fsx_close(l->fd);
	l->fd = -1;
	if (!l->placed && fsx_unlink(t->box.tmp, l->tmp) < 0)
		log_warn("tmp/%s: cannot be removed: %m", l->tmp);
}

static void
forget_batch(struct take *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		drop(t, &t->batch[i]);
	t->n = 0;
}

/* All of the batch: their bytes durable, then their names. */
static int
settle(struct take *t, struct err *err)
{
	struct letter *l;
	size_t i;

	for (i = 0; i < t->n; i++)
		fsx_start_write(t->batch[i].fd);
	for (i = 0; i < t->n; i++)
		if (fsx_fsync(t->batch[i].fd) < 0)
			return err_sys(err, errno, "sync tmp/%s",
				       t->batch[i].tmp);
	for (i = 0; i < t->n; i++) { /* in the order of the mbox */
		l = &t->batch[i];
		if (fsx_rename_new(t->box.tmp, l->tmp,
				   l->to_cur ? t->cur : t->box.new,
				   l->name) < 0)
			return err_sys(err, errno, "rename to %s", l->name);
		l->placed = true;
		t->count++;
	}
	forget_batch(t);
	return 0;
}

static int
on_end(void *arg, const struct mbox_info *info, struct str keywords,
       struct err *err)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT }, { 0 } };
	struct take *t = arg;
	struct letter *l = &t->batch[t->n];
	char id[ID_MAX], hex[33];
	unsigned place;

	(void)keywords; /* letters of names are not ours to give away */
	if (flush(t, err) < 0 || place_of(t, &place, err) < 0)
		return -1;
	key_text(t, hex);
	(void)snprintf(id, sizeof(id), "TAKE%.16sH%016llxN%u", hex,
		       (unsigned long long)t->hash, place);
	if (info->internal || map_get(&t->done, str_of(id))) {
		t->writing = false;
		drop(t, l);
		return 0;
	}
	l->to_cur = info->flags || info->old;
	ts[1].tv_sec = t->time;
	if (!name_letter(t, l, id, info->flags))
		return err_set(err, ERR_PERM, ENAMETOOLONG, "host name");
	if (fsx_futimens(l->fd, ts) < 0)
		return err_sys(err, errno, "tmp/%s", l->tmp);
	t->writing = false;
	return ++t->n == BATCH ? settle(t, err) : 0;
}

/* --- all of them ---------------------------------------------------------- */

static int
sync_dir(int dir, const char *name, struct err *err)
{
	return fsx_fsync(dir) < 0 ? err_sys(err, errno, "sync %s", name) : 0;
}

/* Every message is durable, and this is all there is: empty it. */
static int
move_all(struct take *t, int mbox, struct err *err)
{
	static const struct mbox_sink sink = { on_begin, on_put, on_end };
	uint64_t at = 0;
	struct stat st;

	do {
		if (mbox_read(mbox, &at, &sink, t, err) < 0 ||
		    settle(t, err) < 0 ||
		    sync_dir(t->box.new, "new", err) < 0 ||
		    sync_dir(t->cur, "cur", err) < 0)
			return -1;
		if (fsx_fstat(mbox, &st) < 0)
			return err_sys(err, errno, "the mbox");
	} while ((uint64_t)st.st_size > at);
	if (fsx_ftruncate(mbox, 0) < 0 || fsx_fsync(mbox) < 0)
		return err_sys(err, errno, "empty the mbox");
	if (fsx_unlink(t->box.dir, STATE_NAME) < 0 && errno != ENOENT)
		return err_sys(err, errno, STATE_NAME);
	return sync_dir(t->box.dir, "the Maildir", err);
}

static int
open_all(struct take *t, int mail, struct err *err)
{
	if (maildir_create(mail, ".", err) < 0 ||
	    maildir_open(mail, ".", &t->box, err) < 0)
		return -1;
	t->cur = fsx_open(t->box.dir, "cur", O_RDONLY | O_DIRECTORY, 0);
	return t->cur < 0 ? err_sys(err, errno, "cur") : 0;
}

int
take_mbox(int mail, int mbox, const char *host, uint32_t *count,
	  struct err *err)
{
	struct take *t = calloc(1, sizeof(*t));
	int rc, found;

	*count = 0;
	if (!t)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	t->host = host;
	t->nonce = rand_u64();
	t->box = (struct maildir_box){ -1, -1, -1 };
	t->cur = -1;
	pool_init(&t->pool, MEMORY);
	rc = open_all(t, mail, err);
	found = rc == 0 ? take_state(t, err) : -1;
	if (found < 0 || (found > 0 && (collect(t, t->box.new, err) < 0 ||
					collect(t, t->cur, err) < 0)))
		rc = -1;
	if (rc == 0)
		rc = move_all(t, mbox, err);
	if (t->writing)
		drop(t, &t->batch[t->n]);
	forget_batch(t);
	*count = t->count;
	if (t->cur >= 0)
		fsx_close(t->cur);
	maildir_close(&t->box);
	map_fini(&t->done);
	map_fini(&t->equals);
	pool_fini(&t->pool);
	free(t);
	return rc;
}
