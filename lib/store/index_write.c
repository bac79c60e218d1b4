/* SPDX-License-Identifier: ISC */
/* The log written anew, from what is in memory. */
#include <errno.h>
#include <fcntl.h>

#include "base/fsx.h"
#include "base/rand.h"
#include "store/index_int.h"

struct writer {
	struct buf b;
	size_t record;
	struct ilog_record r;
};

static void
write_entry(struct writer *w, const struct ilog_entry *e)
{
	if (w->b.n - w->record > ILOG_BODY_FULL) {
		ilog_end(&w->b, w->record, &w->r);
		w->record = w->b.n;
		ilog_begin(&w->b);
	}
	ilog_put(&w->b, e);
}

static void
write_keywords(struct writer *w, const struct keywords *kw)
{
	const uint32_t *ids;
	size_t n, i, at;
	uint32_t k;

	for (k = 0; k < kw->n; k++)
		write_entry(w, &(struct ilog_entry){
				       .kind = ILOG_KEYWORD,
				       .number = k,
				       .text = str_of(kw->v[k]->name) });
	for (k = 1; k < kw->nsets; k++) {
		write_entry(w, &(struct ilog_entry){ .kind = ILOG_SET,
						     .number = k });
		at = w->b.n - 9;
		ids = keywords_set(kw, k, &n);
		for (i = 0; i < n; i++)
			ilog_put_id(&w->b, at, ids[i]);
	}
}

static void
write_messages(struct writer *w, struct state *s)
{
	const struct message *m;
	size_t slot;

	for (slot = 0; slot < s->slots; slot++) {
		m = state_at(s, slot);
		if (!m->gone)
			write_entry(w,
				    &(struct ilog_entry){
					    .kind = ILOG_MESSAGE,
					    .uid = m->uid,
					    .modseq = m->modseq,
					    .flags = m->flags,
					    .disk = m->disk,
					    .set = m->keywords,
					    .wsize = m->wsize,
					    .mtime = m->mtime,
					    .text = state_base_at(s, slot) });
	}
}

static void
write_history(struct writer *w, const struct history *h)
{
	size_t i;

	for (i = 0; i < h->n; i++) {
		write_entry(w,
			    &(struct ilog_entry){ .kind = ILOG_EXPUNGED,
						  .modseq = h->v[i].modseq });
		ilog_put_range(&w->b, w->b.n - 13, h->v[i].lo, h->v[i].hi);
	}
}

/* All of the state, as a log. */
static void
write_state(struct writer *w, struct state *s, uint64_t id)
{
	struct ilog_header h = { .uidvalidity = s->t.uidvalidity,
				 .uidnext = s->t.uidnext,
				 .modseq = s->t.highestmodseq,
				 .floor = state_history(s)->floor,
				 .id = id };
	const struct index_stamp *t = &s->stamp;

	ilog_put_header(&w->b, &h);
	w->r.modseq = h.modseq;
	w->r.uidnext = h.uidnext;
	w->record = w->b.n;
	ilog_begin(&w->b);
	write_keywords(w, &s->kw);
	write_history(w, state_history(s));
	write_messages(w, s);
	write_entry(w, &(struct ilog_entry){ .kind = ILOG_RECENT,
					     .uid = s->t.recent_from });
	write_entry(w, &(struct ilog_entry){
			       .kind = ILOG_STAMP,
			       .stamp = { t->new_mtime_ns, t->new_ctime_ns,
					  t->cur_mtime_ns, t->cur_ctime_ns } });
	ilog_end(&w->b, w->record, &w->r);
}

/* The file that gets the log's name: written, synced, and locked. */
static int
make_file(struct index *ix, struct str text, struct err *err)
{
	int fd = fsx_open(ix->dir, "." ILOG_NAME ".new",
			  O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "." ILOG_NAME ".new");
	if (fsx_pwrite_all(fd, text.p, text.n, 0, err) < 0)
		goto fail;
	if (fsx_lock(fd, false) < 0 || fsx_fsync(fd) < 0 ||
	    fsx_rename(ix->dir, "." ILOG_NAME ".new", ix->dir, ILOG_NAME) < 0) {
		err_sys(err, errno, "." ILOG_NAME ".new");
		goto fail;
	}
	return fd;
fail:
	fsx_close(fd);
	return -1;
}

int
index_write_new(struct index *ix, struct err *err)
{
	struct writer w = { 0 };
	uint64_t id = rand_u64();
	struct stat st;
	int fd = -1;

	buf_init(&w.b, ILOG_MAX);
	write_state(&w, &ix->s, id);
	if (buf_overflown(&w.b))
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else
		fd = make_file(ix, buf_str(&w.b), err);
	if (fd >= 0) {
		if (ix->fd >= 0)
			fsx_close(ix->fd);
		ix->fd = fd;
		ix->id = id;
		ix->end = ix->restated = ix->size = w.b.n;
		ix->durable = ix->saved = 0;
		ix->dir_dirty = true;
		ix->ino = ix->dev = 0;
		if (fsx_fstat(fd, &st) == 0) {
			ix->ino = st.st_ino;
			ix->dev = st.st_dev;
		}
		/* It has the name; the caller makes that durable. */
		index_note_unsynced(ix);
	}
	buf_fini(&w.b);
	return fd < 0 ? -1 : 0;
}
