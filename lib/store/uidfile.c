/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/uidfile.h"

static const char header_magic[8] = "PHUIDS1\n";
static const char record_magic[4] = "PHUR";

void
uidfile_put_header(struct buf *out, uint32_t uidvalidity, uint32_t uidnext)
{
	char h[UIDFILE_HEADER];

	memcpy(h, header_magic, 8);
	enc_put32(h + 8, uidvalidity);
	enc_put32(h + 12, uidnext);
	enc_put32(h + 16, enc_crc32c(0, h, 16));
	(void)!buf_add(out, h, sizeof(h));
}

bool
uidfile_get_header(struct str in, uint32_t *uidvalidity, uint32_t *uidnext)
{
	if (in.n < UIDFILE_HEADER || memcmp(in.p, header_magic, 8) != 0 ||
	    enc_get32(in.p + 16) != enc_crc32c(0, in.p, 16))
		return false;
	*uidvalidity = enc_get32(in.p + 8);
	*uidnext = enc_get32(in.p + 12);
	return *uidvalidity != 0 && *uidnext != 0;
}

void
uidfile_put_entry(struct buf *body, uint32_t uid, struct str base)
{
	char head[UIDFILE_ENTRY];

	BUG_ON(base.n > 255);
	enc_put32(head, uid);
	head[4] = (char)base.n;
	(void)!buf_add(body, head, sizeof(head));
	(void)!buf_add_str(body, base);
}

void
uidfile_put_record(struct buf *out, struct str body)
{
	char head[UIDFILE_RECORD];
	uint32_t crc;

	BUG_ON(body.n > UIDFILE_BODY_MAX);
	memcpy(head, record_magic, 4);
	enc_put32(head + 4, (uint32_t)body.n);
	crc = enc_crc32c(0, head + 4, 4);
	enc_put32(head + 8, enc_crc32c(crc, body.p, body.n));
	(void)!buf_add(out, head, sizeof(head));
	(void)!buf_add_str(out, body);
}

/* Is there a whole record at the start of in?  Its body. */
static bool
record_at(struct str in, struct str *body)
{
	uint32_t n, crc;

	if (in.n < UIDFILE_RECORD || memcmp(in.p, record_magic, 4) != 0)
		return false;
	n = enc_get32(in.p + 4);
	if (n > UIDFILE_BODY_MAX || n > in.n - UIDFILE_RECORD)
		return false;
	crc = enc_crc32c(0, in.p + 4, 4);
	if (enc_get32(in.p + 8) != enc_crc32c(crc, in.p + UIDFILE_RECORD, n))
		return false;
	*body = str_mem(in.p + UIDFILE_RECORD, n);
	return true;
}

static bool
body_is_good(struct str body)
{
	size_t n;

	while (body.n) {
		if (body.n < UIDFILE_ENTRY || enc_get32(body.p) == 0)
			return false;
		n = UIDFILE_ENTRY + (size_t)(unsigned char)body.p[4];
		if (n > body.n)
			return false;
		body = str_from(body, n);
	}
	return true;
}

/* A good record anywhere in what follows a bad one? */
static bool
record_after(struct str in)
{
	struct str magic = str_mem(record_magic, 4), body;
	size_t tries = 0;
	ptrdiff_t i;

	for (in = str_from(in, 1); (i = str_search(in, magic)) >= 0;
	     in = str_from(in, (size_t)i + 1)) {
		if (record_at(str_from(in, (size_t)i), &body))
			return true;
		/* A file made to waste time is as good as damaged. */
		if (++tries > 100000)
			return true;
	}
	return false;
}

enum uidfile_result
uidfile_parse(struct str in, size_t *used, uidfile_entry_fn *fn, void *arg)
{
	struct str body;
	size_t n;

	*used = 0;
	while (in.n) {
		if (!record_at(in, &body))
			return record_after(in) ? UIDFILE_DAMAGED
						: UIDFILE_TORN;
		if (!body_is_good(body))
			return UIDFILE_DAMAGED;
		n = UIDFILE_RECORD + body.n;
		in = str_from(in, n);
		*used += n;
		while (body.n) {
			n = (size_t)(unsigned char)body.p[4];
			fn(arg, enc_get32(body.p),
			   str_mem(body.p + UIDFILE_ENTRY, n));
			body = str_from(body, UIDFILE_ENTRY + n);
		}
	}
	return UIDFILE_OK;
}

void
uidfile_init(struct uidfile *u, int dir, const char *name)
{
	*u = (struct uidfile){ .name = name, .dir = dir, .fd = -1 };
}

void
uidfile_close(struct uidfile *u)
{
	if (u->fd >= 0)
		fsx_close(u->fd);
	u->fd = -1;
}

/* Open if needed and lock; *changed: it is not the file we had. */
static int
lock_current(struct uidfile *u, bool *changed, uint64_t *size, struct err *err)
{
	struct stat st, at;
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (u->fd < 0)
			u->fd = fsx_open(u->dir, UIDFILE_NAME,
					 O_RDWR | O_CREAT | O_APPEND, 0600);
		if (u->fd < 0)
			return err_sys(err, errno, UIDFILE_NAME);
		if (fsx_lock(u->fd, true) < 0 || fsx_fstat(u->fd, &st) < 0) {
			err_sys(err, errno, UIDFILE_NAME ": lock");
			break;
		}
		if (fsx_fstatat(u->dir, UIDFILE_NAME, &at) == 0 &&
		    at.st_ino == st.st_ino && at.st_dev == st.st_dev) {
			*changed = u->ino != st.st_ino || u->dev != st.st_dev;
			u->ino = st.st_ino;
			u->dev = st.st_dev;
			*size = (uint64_t)st.st_size;
			return 0;
		}
		uidfile_close(u); /* replaced or removed meanwhile */
		err_set(err, ERR_TEMP, EAGAIN, UIDFILE_NAME " keeps changing");
	}
	uidfile_close(u);
	return -1;
}

static int
write_new(struct uidfile *u, struct str records, struct err *err)
{
	struct buf all;
	int rc = -1;

	buf_init(&all, UIDFILE_HEADER + records.n);
	uidfile_put_header(&all, u->uidvalidity, u->uidnext);
	(void)!buf_add_str(&all, records);
	if (buf_overflown(&all))
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else
		rc = fsx_replace(u->dir, UIDFILE_NAME, all.p, all.n, 0600, err);
	buf_fini(&all);
	return rc;
}

/* No file, an empty or a damaged one: begin anew under the lock. */
static int
start_over(struct uidfile *u, const struct uidfile_ops *ops, void *arg,
	   const char *why, struct err *err)
{
	uint32_t old = u->uidvalidity;
	uint32_t fresh = ops->fresh_validity(arg, old, err);

	if (!fresh)
		return -1;
	u->uidvalidity = fresh;
	u->uidnext = 1;
	log_info("%s: %s %s, new UIDVALIDITY %u", u->name, UIDFILE_NAME, why,
		 u->uidvalidity);
	if (write_new(u, STR_NULL, err) < 0) {
		u->uidvalidity = old;
		return -1;
	}
	uidfile_close(u);
	u->ino = 0;
	return 0;
}

struct counted {
	struct uidfile *u;
	const struct uidfile_ops *ops;
	void *arg;
};

static void
count_entry(void *arg, uint32_t uid, struct str base)
{
	struct counted *c = arg;

	c->u->entries++;
	if (uid >= c->u->uidnext && uid != UINT32_MAX)
		c->u->uidnext = uid + 1;
	c->ops->entry(c->arg, uid, base);
}

/* Cut off a torn tail, and skip the UIDs it could have held. */
static int
drop_tail(struct uidfile *u, uint64_t tail, struct err *err)
{
	uint64_t next = u->uidnext + tail / UIDFILE_ENTRY + 1;
	struct buf rec, body;
	int rc;

	log_warn("%s: %s: ignoring %llu torn bytes at the end", u->name,
		 UIDFILE_NAME, (unsigned long long)tail);
	if (next > UINT32_MAX)
		return err_set(err, ERR_PERM, ERANGE, "out of UIDs");
	if (fsx_ftruncate(u->fd, (off_t)u->size) < 0)
		return err_sys(err, errno, UIDFILE_NAME ": truncate");
	/* The skip itself must be durable: it is an entry for a UID that
	 * nobody has. */
	u->uidnext = (uint32_t)next;
	buf_init(&body, 64);
	buf_init(&rec, 128);
	uidfile_put_entry(&body, u->uidnext - 1, STR_NULL);
	uidfile_put_record(&rec, buf_str(&body));
	rc = uidfile_append(u, buf_str(&rec), 1, true, err);
	buf_fini(&rec);
	buf_fini(&body);
	return rc;
}

/* Bytes u->size..size of the file. 0; 1: damaged; -1: err. */
static int
read_tail(struct uidfile *u, uint64_t size, bool whole,
	  const struct uidfile_ops *ops, void *arg, struct err *err)
{
	struct counted c = { u, ops, arg };
	uint32_t validity, uidnext;
	enum uidfile_result res;
	size_t n = (size_t)(size - u->size), used, head = 0;
	char *p;
	int rc = -1;

	if (size > UIDFILE_MAX)
		return 1;
	p = malloc(n);
	if (!p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (fsx_pread_all(u->fd, p, n, (off_t)u->size, err) < 0)
		goto out;
	rc = 1;
	if (whole) {
		if (!uidfile_get_header(str_mem(p, n), &validity, &uidnext))
			goto out;
		head = UIDFILE_HEADER;
		u->uidvalidity = validity;
		u->uidnext = uidnext;
		u->entries = 0;
		ops->reset(arg);
	}
	res = uidfile_parse(str_mem(p + head, n - head), &used, count_entry,
			    &c);
	if (res == UIDFILE_DAMAGED)
		goto out;
	u->size += head + used;
	rc = 0;
	if (res == UIDFILE_TORN)
		rc = drop_tail(u, n - head - used, err);
out:
	free(p);
	return rc;
}

int
uidfile_lock(struct uidfile *u, const struct uidfile_ops *ops, void *arg,
	     struct err *err)
{
	bool changed;
	uint64_t size;
	int tries, rc;

	for (tries = 0; tries < 10; tries++) {
		if (lock_current(u, &changed, &size, err) < 0)
			return -1;
		if (changed || size < u->size)
			u->size = u->synced = 0;
		else if (size == u->size)
			return 0;
		if (size == 0) {
			rc = start_over(u, ops, arg, "is new", err);
		} else {
			rc = read_tail(u, size, u->size == 0, ops, arg, err);
			if (rc == 0)
				return 0;
			if (rc > 0)
				rc = start_over(u, ops, arg, "is damaged", err);
		}
		if (rc < 0)
			break;
		err_set(err, ERR_TEMP, EAGAIN, UIDFILE_NAME " keeps changing");
	}
	uidfile_close(u);
	u->ino = 0;
	return -1;
}

/* An OFD lock goes with the open file: there is no unlock in fsx, and opening
 * again is cheap beside the sync that usually went before. */
void
uidfile_unlock(struct uidfile *u)
{
	uidfile_close(u);
}

int
uidfile_append(struct uidfile *u, struct str records, uint64_t nentries,
	       bool sync, struct err *err)
{
	if (u->synced < u->size) {
		if (fsx_fdatasync(u->fd) < 0)
			return err_sys(err, errno, UIDFILE_NAME ": sync");
		u->synced = u->size;
	}
	if (fsx_write_all(u->fd, records.p, records.n, err) < 0)
		goto undo;
	if (sync && fsx_fdatasync(u->fd) < 0) {
		err_sys(err, errno, UIDFILE_NAME ": sync");
		goto undo;
	}
	u->size += records.n;
	if (sync)
		u->synced = u->size;
	u->entries += nentries;
	return 0;
undo:
	(void)!fsx_ftruncate(u->fd, (off_t)u->size);
	return -1;
}

int
uidfile_compact(struct uidfile *u, struct str records, struct err *err)
{
	int rc = write_new(u, records, err);

	uidfile_close(u);
	u->ino = 0; /* read again next time */
	return rc;
}
