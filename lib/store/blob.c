/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/err.h"
#include "base/fsx.h"
#include "base/rand.h"
#include "store/blob.h"
#include "store/index.h"

static const char header_magic[8] = "PHBLOB2\n";
static const char record_magic[4] = "PHBB";

/* --- the format ----------------------------------------------------------- */

void
blob_put_header(struct buf *out, uint64_t id)
{
	char p[BLOB_HEADER];

	memcpy(p, header_magic, 8);
	enc_put64(p + 8, id);
	enc_put32(p + 16, enc_crc32c(0, p, 16));
	(void)!buf_add(out, p, sizeof(p));
}

bool
blob_get_header(struct str in, uint64_t *id)
{
	if (in.n < BLOB_HEADER || memcmp(in.p, header_magic, 8) != 0 ||
	    enc_get32(in.p + 16) != enc_crc32c(0, in.p, 16))
		return false;
	*id = enc_get64(in.p + 8);
	return true;
}

static uint32_t
record_crc(uint64_t id, const char *head, struct str s)
{
	char p[8];
	uint32_t crc;

	enc_put64(p, id);
	crc = enc_crc32c(0, p, 8);
	crc = enc_crc32c(crc, head + 4, 8);
	return enc_crc32c_thirds(crc, s.p, s.n);
}

void
blob_put_record(struct buf *out, uint64_t id, uint32_t uid, struct str s)
{
	char p[BLOB_RECORD];

	BUG_ON(s.n > BLOB_MAX);
	memcpy(p, record_magic, 4);
	enc_put32(p + 4, uid);
	enc_put32(p + 8, (uint32_t)s.n);
	enc_put32(p + 12, record_crc(id, p, s));
	if (buf_add(out, p, sizeof(p)) == 0 && buf_add_str(out, s) < 0)
		out->n -= sizeof(p);
}

size_t
blob_record_length(struct str in)
{
	uint32_t n;

	if (in.n < BLOB_RECORD || memcmp(in.p, record_magic, 4) != 0)
		return 0;
	n = enc_get32(in.p + 8);
	return n > BLOB_MAX ? 0 : BLOB_RECORD + (size_t)n;
}

bool
blob_get_record(struct str in, uint64_t id, uint32_t *uid, struct str *out)
{
	size_t n = blob_record_length(in);

	if (!n || n > in.n)
		return false;
	*uid = enc_get32(in.p + 4);
	*out = str_mem(in.p + BLOB_RECORD, n - BLOB_RECORD);
	return enc_get32(in.p + 12) == record_crc(id, in.p, *out);
}

/* --- the file ------------------------------------------------------------- */

void
blob_init(struct blob_file *f, int dir, const char *file, blob_at_fn *fn,
	  void *arg)
{
	*f = (struct blob_file){
		.dir = dir, .file = file, .fn = fn, .arg = arg, .fd = -1
	};
	buf_init(&f->pending, 2 * BLOB_MAX + BLOB_PENDING);
}

static void
close_file(struct blob_file *f)
{
	if (f->fd >= 0)
		fsx_close(f->fd);
	f->fd = -1;
	f->ino = 0; /* another file may get the number */
	f->window_n = 0;
}

void
blob_fini(struct blob_file *f)
{
	blob_flush(f);
	close_file(f);
	buf_fini(&f->pending);
	free(f->window);
}

void
blob_known(struct blob_file *f, uint64_t id, uint64_t end, uint64_t n)
{
	f->id = id;
	f->end = end;
	f->n = n;
}

/* Bytes of the file from at on, as many as there are up to n.  Valid until the
 * next call. */
static struct str
look(struct blob_file *f, uint64_t at, size_t n)
{
	size_t want = n > BLOB_WINDOW ? n : BLOB_WINDOW;
	uint64_t skip = at - f->window_at;
	ssize_t got;
	char *p;

	if (at >= f->window_at && skip <= f->window_n &&
	    n <= f->window_n - skip)
		return str_mem(f->window + skip, n);
	if (f->window_size < want) {
		p = realloc(f->window, want);
		if (!p)
			return STR_NULL;
		f->window = p;
		f->window_size = want;
	}
	f->window_n = 0;
	f->window_at = at;
	got = fsx_pread(f->fd, f->window, want, (off_t)at);
	if (got <= 0)
		return STR_NULL;
	f->window_n = (size_t)got;
	return str_mem(f->window, n < f->window_n ? n : f->window_n);
}

/* Tell of the records in end..size; false: one is bad, and stands at end. */
static bool
scan(struct blob_file *f, uint64_t size)
{
	uint32_t uid;
	struct str s, blob;
	size_t n;

	while (f->end < size) {
		s = look(f, f->end, BLOB_RECORD);
		n = blob_record_length(s);
		if (!n || n > size - f->end)
			return false;
		s = look(f, f->end, n);
		if (!blob_get_record(s, f->id, &uid, &blob))
			return false;
		f->fn(f->arg, uid, f->end);
		f->end += n;
		f->n++;
	}
	return true;
}

/* Locked and just opened: whose file is it? */
static bool
check_header(struct blob_file *f, uint64_t *size)
{
	struct str s = look(f, 0, BLOB_HEADER);
	uint64_t id;
	struct buf b;
	bool ok;

	if (*size && blob_get_header(s, &id)) {
		if (id != f->id || f->end < BLOB_HEADER || f->end > *size) {
			f->end = BLOB_HEADER;
			f->n = 0;
		}
		f->id = id;
		return true;
	}
	f->id = rand_u64();
	f->end = *size = BLOB_HEADER;
	f->n = 0;
	f->window_n = 0;
	buf_init(&b, BLOB_HEADER);
	blob_put_header(&b, f->id);
	ok = fsx_ftruncate(f->fd, 0) == 0 &&
	     fsx_pwrite_all(f->fd, b.p, b.n, 0, NULL) == 0;
	buf_fini(&b);
	return ok;
}

static int
try_lock_current(struct blob_file *f, uint64_t *size)
{
	struct stat st, at;

	if (f->fd < 0)
		f->fd = fsx_open(f->dir, f->file, O_RDWR | O_CREAT, 0600);
	if (f->fd < 0 || fsx_lock(f->fd, true) < 0 || fsx_fstat(f->fd, &st) < 0)
		return -1;
	if (fsx_fstatat(f->dir, f->file, &at) < 0 || at.st_ino != st.st_ino ||
	    at.st_dev != st.st_dev)
		return 1;
	*size = (uint64_t)st.st_size;
	if (f->ino == st.st_ino && f->dev == st.st_dev && f->end <= *size)
		return 0;
	f->ino = st.st_ino;
	f->dev = st.st_dev;
	return check_header(f, size) ? 0 : -1;
}

/* Lock the file that has the name now, know all that is in it. */
static bool
lock_file(struct blob_file *f)
{
	uint64_t size = 0;
	int tries, rc = 1;

	for (tries = 0; rc > 0 && tries < 100; tries++) {
		rc = f->off ? -1 : try_lock_current(f, &size);
		if (rc)
			close_file(f);
	}
	if (rc == 0 && !scan(f, size)) {
		f->window_n = 0;
		rc = fsx_ftruncate(f->fd, (off_t)f->end);
	}
	if (rc < 0) {
		close_file(f);
		f->off = true;
	}
	return rc == 0;
}

static void
unlock_file(struct blob_file *f)
{
	if (fsx_unlock(f->fd) < 0)
		close_file(f);
}

void
blob_catch_up(struct blob_file *f)
{
	if (!f->pending.n && lock_file(f))
		unlock_file(f);
}

/* The pending ones stand elsewhere than was said. */
static void
tell_moved(struct blob_file *f)
{
	struct str rest = buf_str(&f->pending), blob;
	uint64_t at = f->end;
	uint32_t uid;
	size_t n;

	while (blob_get_record(rest, f->id, &uid, &blob)) {
		f->fn(f->arg, uid, at);
		n = BLOB_RECORD + blob.n;
		rest = str_from(rest, n);
		at += n;
	}
}

void
blob_flush(struct blob_file *f)
{
	uint64_t end = f->end, id = f->id;

	if (!f->pending.n)
		return;
	if (lock_file(f)) {
		if (f->id == id && f->end + f->pending.n <= BLOB_FILE_MAX &&
		    fsx_pwrite_all(f->fd, f->pending.p, f->pending.n,
				   (off_t)f->end, NULL) == 0) {
			if (f->end != end)
				tell_moved(f);
			f->end += f->pending.n;
		} else if (fsx_ftruncate(f->fd, (off_t)f->end) < 0) {
			f->off = true; /* whoever comes next cuts it off */
		}
		f->window_n = 0;
		unlock_file(f);
	}
	buf_reset(&f->pending);
}

bool
blob_open(struct blob_file *f)
{
	if (f->again) {
		blob_flush(f);
		close_file(f);
		f->again = false;
		f->end = 0;
	}
	if (f->fd < 0 && !f->off)
		blob_catch_up(f);
	return f->fd >= 0;
}

void
blob_tell_again(struct blob_file *f)
{
	f->again = true;
}

bool
blob_get(struct blob_file *f, uint64_t at, uint32_t uid, struct str *out)
{
	struct str s;
	uint32_t got;
	size_t n;

	if (!blob_open(f) || at < BLOB_HEADER)
		return false;
	if (at >= f->end) {
		if (at - f->end > f->pending.n)
			return false;
		s = str_from(buf_str(&f->pending), (size_t)(at - f->end));
	} else {
		n = blob_record_length(look(f, at, BLOB_RECORD));
		if (!n)
			return false;
		s = look(f, at, n);
	}
	return blob_get_record(s, f->id, &got, out) && got == uid;
}

uint64_t
blob_put(struct blob_file *f, uint32_t uid, struct str s)
{
	uint64_t at;

	if (s.n > BLOB_MAX || !blob_open(f))
		return 0;
	if (f->pending.n >= BLOB_PENDING)
		blob_flush(f);
	at = f->end + f->pending.n;
	blob_put_record(&f->pending, f->id, uid, s);
	if (buf_overflown(&f->pending)) {
		f->pending.overflown = false;
		return 0;
	}
	f->n++;
	return at;
}

void
blob_trim(struct blob_file *f)
{
	blob_flush(f);
	buf_shrink(&f->pending, 0);
	free(f->window);
	f->window = NULL;
	f->window_n = f->window_size = 0;
	close_file(f);
}

/* --- made anew ------------------------------------------------------------ */

/* The file that gets the name: fd; -1: there is none. */
static int
copy_to_new(struct blob_file *f, const char *name, blob_next_fn *next,
	    void *arg, uint64_t id)
{
	int fd = fsx_open(f->dir, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct buf b;
	struct str s;
	uint64_t at, to = 0;
	uint32_t uid;
	bool ok = fd >= 0, more = true;

	buf_init(&b, 2 * BLOB_MAX + BLOB_PENDING);
	blob_put_header(&b, id);
	while (ok && more) {
		more = next(arg, &uid, &at);
		if (more && blob_get(f, at, uid, &s))
			blob_put_record(&b, id, uid, s);
		if (more && b.n < BLOB_PENDING)
			continue;
		ok = !buf_overflown(&b) &&
		     fsx_pwrite_all(fd, b.p, b.n, (off_t)to, NULL) == 0;
		to += b.n;
		buf_reset(&b);
	}
	buf_fini(&b);
	if (!ok && fd >= 0) {
		fsx_close(fd);
		fd = -1;
	}
	return fd;
}

void
blob_rewrite(struct blob_file *f, blob_next_fn *next, void *arg)
{
	uint64_t id = rand_u64();
	char name[64];
	int fd = -1;

	snprintf(name, sizeof(name), ".%s.new", f->file);
	blob_flush(f);
	if (!lock_file(f))
		return;
	fd = copy_to_new(f, name, next, arg, id);
	if (fd < 0 || fsx_rename(f->dir, name, f->dir, f->file) < 0) {
		unlock_file(f);
	} else {
		close_file(f);
		blob_catch_up(f); /* tells of all that is in the new one */
	}
	if (fd >= 0)
		fsx_close(fd);
}
