/* SPDX-License-Identifier: ISC */
/* The snapshot as a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/sort.h"
#include "store/index_int.h"

#define NEW_NAME "." SNAPSHOT_NAME ".new"

enum {
	HEAD_GUESS = 20480,   /* bytes of the head read at first */
	WRITE_SIZE = 1 << 20, /* bytes written at once */
	/* What a change that only memory knows weighs, in bytes of the log. */
	NOTE_WEIGHT = 16,
	BLOBS_MIN = 500,
};

/* --- reading -------------------------------------------------------------- */

/* The whole head; out is the caller's to free. */
static bool
read_head(int fd, struct str *out)
{
	char *p = malloc(HEAD_GUESS), *more;
	ssize_t got = p ? fsx_pread(fd, p, HEAD_GUESS, 0) : -1;
	size_t n = 0;

	if (got > 0)
		n = snapshot_get_length(str_mem(p, (size_t)got));
	if (n > HEAD_GUESS) {
		more = realloc(p, n);
		if (more)
			p = more;
		if (!more ||
		    fsx_pread_all(fd, p + got, n - (size_t)got, got, NULL) < 0)
			n = 0;
	} else if (n > (size_t)(got > 0 ? got : 0)) {
		n = 0;
	}
	*out = str_mem(p, n);
	return n != 0;
}

bool
index_load(int dir, struct state *s)
{
	struct snapshot sn = { 0 };
	struct str head = STR_NULL;
	/* Whatever stands there: do not wait for it. */
	int fd = fsx_open(dir, SNAPSHOT_NAME, O_RDONLY | O_NONBLOCK, 0);
	bool ok;

	if (fd < 0)
		return false;
	ok = read_head(fd, &head) && snapshot_get_head(head, &sn, &s->kw);
	free((void *)(uintptr_t)head.p);
	if (ok && state_from_snapshot(s, &sn, fd) == 0)
		return true;
	snapshot_fini(&sn);
	keywords_fini(&s->kw);
	fsx_close(fd);
	return false;
}

/* --- writing -------------------------------------------------------------- */

struct saver {
	struct state *s;
	struct snapshot sn;
	struct buf b; /* to be written at `at` */
	uint64_t at;
	int fd;
	size_t slot;
	struct sort_item *hashes; /* of all slots so far, and their UIDs */
};

static int
save_bytes(struct saver *v, bool all, struct err *err)
{
	if (!all && v->b.n < WRITE_SIZE)
		return 0;
	if (buf_overflown(&v->b))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (fsx_pwrite_all(v->fd, v->b.p, v->b.n, (off_t)v->at, err) < 0)
		return -1;
	v->at += v->b.n;
	buf_reset(&v->b);
	return 0;
}

/* Records of the next SNAPSHOT_BLOCK messages, and then their names. */
static int
save_block(struct saver *v, struct snapshot_block *to, struct err *err)
{
	size_t left = v->s->slots - v->slot, i;
	size_t n = left < SNAPSHOT_BLOCK ? left : SNAPSHOT_BLOCK;
	size_t start = v->b.n;
	const struct message *m;
	uint16_t name = 0;

	to->at = v->at + v->b.n;
	to->n = (uint32_t)n;
	to->uid = state_at(v->s, v->slot)->uid;
	for (i = 0; i < n; i++) {
		m = state_at(v->s, v->slot + i);
		snapshot_put_message(&v->b, m, name);
		name = (uint16_t)(name + m->basen);
		to->last_uid = m->uid;
		v->hashes[v->slot + i] = (struct sort_item){ m->hash, m->uid };
	}
	to->crc = enc_crc32c(0, v->b.p + start, v->b.n - start);
	start = v->b.n;
	to->names_at = v->at + v->b.n;
	for (i = 0; i < n; i++)
		(void)!buf_add_str(&v->b, state_base_at(v->s, v->slot + i));
	to->names_n = (uint32_t)(v->b.n - start);
	to->names_crc = enc_crc32c(0, v->b.p + start, v->b.n - start);
	v->slot += n;
	return save_bytes(v, false, err);
}

static int
save_pages(struct saver *v, struct err *err)
{
	size_t i, k = 0, start, n = v->s->slots;
	/* Behind the hashes there is room for as many. */
	const struct sort_item *h = sort_items(v->hashes, v->hashes + n, n);

	v->sn.pages_at = v->at + v->b.n;
	for (i = 0; i < snapshot_pages(&v->sn); i++) {
		start = v->b.n;
		v->sn.pages[i].hash = (uint32_t)h[k].key;
		for (; k < n && k < (i + 1) * SNAPSHOT_PAGE; k++)
			snapshot_put_hash(&v->b, h[k].key << 32 | h[k].value);
		v->sn.pages[i].crc =
			enc_crc32c(0, v->b.p + start, v->b.n - start);
		if (save_bytes(v, false, err) < 0)
			return -1;
	}
	return 0;
}

static int
save_history(struct saver *v, struct err *err)
{
	const struct history *h = state_history(v->s);
	size_t i;

	if (save_bytes(v, true, err) < 0)
		return -1;
	v->sn.history_at = v->at;
	v->sn.history_n = (uint32_t)h->n;
	v->sn.history_floor = h->floor;
	for (i = 0; i < h->n; i++)
		snapshot_put_history(&v->b, &h->v[i]);
	v->sn.history_crc = enc_crc32c(0, v->b.p, v->b.n);
	return save_bytes(v, true, err);
}

static int
save_all(struct saver *v, struct err *err)
{
	size_t head = snapshot_head_length(&v->sn, &v->s->kw);
	uint32_t i;

	v->at = head;
	for (i = 0; i < v->sn.nb; i++)
		if (save_block(v, &v->sn.b[i], err) < 0)
			return -1;
	if (save_pages(v, err) < 0 || save_history(v, err) < 0)
		return -1;
	snapshot_put_head(&v->b, &v->sn, &v->s->kw);
	BUG_ON(v->b.n != head && !buf_overflown(&v->b));
	v->at = 0;
	return save_bytes(v, true, err);
}

/* What stands in the log before its end shows that it is the same log. */
static int
fill_in(struct index *ix, struct snapshot *sn, struct err *err)
{
	int i;

	sn->t = ix->s.t;
	sn->stamp = ix->s.stamp;
	sn->log_id = ix->id;
	sn->log_end = ix->end;
	sn->restated = ix->restated;
	for (i = 0; i < 2; i++) {
		sn->blob_id[i] = ix->blob[i].id;
		sn->blob_end[i] = ix->blob[i].end;
		sn->blob_n[i] = ix->blob[i].n;
	}
	sn->nb =
		(uint32_t)((ix->s.slots + SNAPSHOT_BLOCK - 1) / SNAPSHOT_BLOCK);
	sn->b = calloc(sn->nb + 1u, sizeof(*sn->b));
	sn->pages = calloc(snapshot_pages(sn) + 1, sizeof(*sn->pages));
	if (!sn->b || !sn->pages)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return fsx_pread_all(ix->fd, sn->log_tail, sizeof(sn->log_tail),
			     (off_t)(ix->end - sizeof(sn->log_tail)), err);
}

int
index_save(struct index *ix, struct err *err)
{
	struct saver v = { .s = &ix->s };
	int rc = -1;

	BUG_ON(!ix->locked || ix->s.t.gone);
	if (ix->s.t.messages != ix->s.slots)
		return err_set(err, ERR_TEMP, EIO, "the index is not whole");
	if (index_flush(ix, err) < 0)
		return -1;
	v.hashes = reallocarray(NULL, ix->s.slots + 1, 2 * sizeof(*v.hashes));
	if (!v.hashes)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	buf_init(&v.b, SNAPSHOT_HEAD_MAX);
	v.fd = fsx_open(ix->dir, NEW_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (v.fd < 0)
		err_sys(err, errno, NEW_NAME);
	else if (fill_in(ix, &v.sn, err) == 0 && save_all(&v, err) == 0) {
		rc = fsx_rename(ix->dir, NEW_NAME, ix->dir, SNAPSHOT_NAME);
		if (rc < 0)
			err_sys(err, errno, NEW_NAME ": rename");
	}
	if (rc == 0)
		ix->saved = ix->end;
	if (rc == 0 && state_use_snapshot(&ix->s, &v.sn, v.fd) == 0) {
		v.fd = -1;
		v.sn = (struct snapshot){ 0 };
	}
	ix->notes = rc == 0 ? 0 : ix->notes;
	if (v.fd >= 0)
		fsx_close(v.fd);
	snapshot_fini(&v.sn);
	buf_fini(&v.b);
	free(v.hashes);
	return rc;
}

/* --- when? ---------------------------------------------------------------- */

/* --- blobs of messages that are gone --------------------------------------
 */

struct blob_walk {
	struct state *s;
	size_t slot;
	enum blob which;
};

static bool
next_blob(void *arg, uint32_t *uid, uint64_t *at)
{
	struct blob_walk *w = arg;
	const struct message *m;

	while (w->slot < w->s->slots) {
		m = state_at(w->s, w->slot++);
		if (m->gone || !m->blob[w->which])
			continue;
		*uid = m->uid;
		*at = m->blob[w->which] - 1;
		return true;
	}
	return false;
}

/* If most of them are. */
static void
clean_blobs(struct index *ix)
{
	enum blob i;

	for (i = BLOB_SEND; i <= BLOB_KEYS; i++) {
		struct blob_walk w = { .s = &ix->s, .which = i };

		if (ix->blob[i].n > BLOBS_MIN + 2 * ix->s.t.messages)
			blob_rewrite(&ix->blob[i], next_blob, &w);
	}
}

/* About what the log would be long, made anew. */
static uint64_t
length_anew(const struct index *ix)
{
	return 4096 + ix->s.t.messages * 128 + ix->s.history.n * 24;
}

static bool
log_is_history(const struct index *ix)
{
	return ix->end > 65536 && ix->end > 2 * ix->restated &&
	       ix->end > 3 * length_anew(ix);
}

static bool
is_worth_saving(const struct index *ix, bool closing)
{
	uint64_t due = ix->end - ix->saved + ix->notes * NOTE_WEIGHT;
	uint64_t size = length_anew(ix);

	return closing ? due > 2048 + size / 64 : due > 16384 + size / 8;
}

void
index_checkpoint_if(struct index *ix, bool closing)
{
	struct err err;
	int rc = 0;

	blob_flush(&ix->blob[BLOB_SEND]);
	blob_flush(&ix->blob[BLOB_KEYS]);
	if (ix->broken || !(is_worth_saving(ix, closing) || log_is_history(ix)))
		return;
	if (index_lock(ix, &err) < 0) {
		log_warn("%s: %s", ix->name, err.text);
		return;
	}
	(void)state_history(&ix->s);
	if (log_is_history(ix))
		rc = index_write_new(ix, &err);
	/* A slot that is gone has no place in a snapshot. */
	if (rc == 0 && !ix->s.t.gone) {
		clean_blobs(ix);
		rc = index_save(ix, &err);
	}
	if (rc == 0)
		rc = index_flush(ix, &err);
	if (rc < 0)
		log_warn("%s: %s", ix->name, err.text);
	index_unlock(ix);
}

void
index_checkpoint(struct index *ix)
{
	index_checkpoint_if(ix, false);
}
