/* SPDX-License-Identifier: ISC */
#include "store/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/adopt.h"
#include "store/index_int.h"
#include "store/store_int.h"

struct verify {
	int dir;
	verify_fn *fn;
	void *arg;
	struct verified *out;
	struct state s; /* what the log says */
	uint64_t log_id;
	uint8_t *seen; /* a bit a slot: its file is there */
	bool again;    /* the directories are read for the second time */
};

static void wrong(struct verify *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void
wrong(struct verify *v, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v->fn(v->arg, text);
}

/* The whole of a file; NULL with err. */
static char *
read_all(int fd, uint64_t limit, size_t *n, struct err *err)
{
	struct stat st;
	char *p;

	if (fsx_fstat(fd, &st) < 0) {
		err_sys(err, errno, "stat");
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > limit) {
		err_set(err, ERR_PERM, EFBIG, "not a file, or too long");
		return NULL;
	}
	*n = (size_t)st.st_size;
	p = malloc(*n + 1);
	if (!p)
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else if (fsx_pread_all(fd, p, *n, 0, err) == 0)
		return p;
	free(p);
	return NULL;
}

/* --- the log -------------------------------------------------------------- */

/* Up to end, into s. */
static enum ilog_result
replay(struct str log, uint64_t end, struct state *s,
       struct ilog_parsed *parsed)
{
	struct index_replay r = { .s = s };
	struct str in = str_from(str_head(log, (size_t)end), ILOG_HEADER);
	struct ilog_header h;

	if (!ilog_get_header(log, &h))
		return ILOG_DAMAGED;
	state_from_header(s, &h);
	*parsed = (struct ilog_parsed){ .uidnext = h.uidnext };
	return ilog_parse(in, ILOG_HEADER, index_on_record, &r, parsed);
}

static void
check_log(struct verify *v, struct str log)
{
	struct ilog_parsed parsed = { .end = 0 };
	struct ilog_header h;

	if (!ilog_get_header(log, &h)) {
		wrong(v, ILOG_NAME ": no header");
		return;
	}
	v->log_id = h.id;
	switch (replay(log, log.n, &v->s, &parsed)) {
	case ILOG_OK:
		break;
	case ILOG_TORN:
		wrong(v,
		      ILOG_NAME ": torn at byte %llu (what was being written "
				"when the power went; a session cuts it off)",
		      (unsigned long long)parsed.end);
		break;
	case ILOG_DAMAGED:
		wrong(v, ILOG_NAME ": damaged at byte %llu",
		      (unsigned long long)parsed.end);
		break;
	}
}

/* --- the snapshot --------------------------------------------------------- */

static bool
read_part(int fd, uint64_t at, size_t n, char **p)
{
	free(*p);
	*p = malloc(n + 1);
	return *p && fsx_pread_all(fd, *p, n, (off_t)at, NULL) == 0;
}

static bool
same_message(struct state *s, const struct message *m, struct str base)
{
	size_t slot = state_lower(s, m->uid);
	const struct message *have;

	if (slot == s->slots)
		return false;
	have = state_at(s, slot);
	return have->uid == m->uid && !have->gone && have->flags == m->flags &&
	       have->keywords == m->keywords && have->modseq == m->modseq &&
	       have->disk == m->disk && str_eq(state_base(s, have), base);
}

/* A block of the snapshot against what the log said then. */
static void
check_block(struct verify *v, struct state *s, int fd,
	    const struct snapshot *sn, const struct snapshot_block *b)
{
	struct message m[SNAPSHOT_BLOCK];
	char *p = NULL, *names = NULL;
	size_t at = 0;
	uint32_t i;

	if (b->n > SNAPSHOT_BLOCK ||
	    !read_part(fd, b->at, (size_t)b->n * SNAPSHOT_MESSAGE, &p) ||
	    !snapshot_get_block(str_mem(p, (size_t)b->n * SNAPSHOT_MESSAGE), b,
				sn->nsets + 1, m) ||
	    !read_part(fd, b->names_at, b->names_n, &names) ||
	    !snapshot_check_names(str_mem(names, b->names_n), b)) {
		wrong(v, SNAPSHOT_NAME ": damaged, uids %u to %u", b->uid,
		      b->last_uid);
		goto out;
	}
	for (i = 0; i < b->n; i++) {
		struct str base = str_head(
			str_from(str_mem(names, b->names_n), at), m[i].basen);

		at += m[i].basen;
		if (!same_message(s, &m[i], base))
			wrong(v,
			      SNAPSHOT_NAME ": uid %u is not as " ILOG_NAME
					    " says",
			      m[i].uid);
	}
out:
	free(p);
	free(names);
}

/* The table of base names. */
static void
check_pages(struct verify *v, int fd, const struct snapshot *sn)
{
	size_t i, n;
	char *p;

	for (i = 0; i < snapshot_pages(sn); i++) {
		n = snapshot_page_length(sn, i);
		p = NULL;
		if (!read_part(fd,
			       sn->pages_at + i * SNAPSHOT_PAGE * SNAPSHOT_HASH,
			       n, &p) ||
		    !snapshot_check_page(str_mem(p, n), sn, i))
			wrong(v, SNAPSHOT_NAME ": damaged, table of names");
		free(p);
	}
}

static void
check_snapshot(struct verify *v, struct str log)
{
	struct ilog_parsed parsed;
	struct state snap, then;
	const struct snapshot *sn;
	struct stat st;
	uint64_t n = 0;
	uint32_t i;

	if (fsx_fstatat(v->dir, SNAPSHOT_NAME, &st) < 0)
		return; /* made when it is worth it */
	state_init(&snap);
	state_init(&then);
	if (!index_load(v->dir, &snap)) {
		wrong(v, SNAPSHOT_NAME ": damaged head");
		goto out;
	}
	sn = snap.snap;
	if (sn->log_id != v->log_id)
		goto out; /* of an older log: nobody uses it */
	if (sn->log_end > log.n || sn->log_end < ILOG_HEADER) {
		wrong(v, SNAPSHOT_NAME ": says more than " ILOG_NAME);
		goto out;
	}
	if (replay(log, sn->log_end, &then, &parsed) != ILOG_OK)
		goto out; /* told already */
	for (i = 0; i < sn->nb; i++) {
		check_block(v, &then, snap.snap_fd, sn, &sn->b[i]);
		n += sn->b[i].n;
	}
	check_pages(v, snap.snap_fd, sn);
	if (n != then.t.messages)
		wrong(v,
		      SNAPSHOT_NAME ": %llu messages, " ILOG_NAME
				    " had %llu then",
		      (unsigned long long)n,
		      (unsigned long long)then.t.messages);
out:
	state_fini(&snap);
	state_fini(&then);
}

/* --- blobs ---------------------------------------------------------------- */

static void
check_blobs(struct verify *v, const char *file)
{
	char head[BLOB_HEADER + BLOB_RECORD], *p = NULL;
	uint64_t id = 0, at = BLOB_HEADER;
	struct str blob;
	struct stat st;
	uint32_t uid;
	size_t n;
	int fd = fsx_open(v->dir, file, O_RDWR | O_NONBLOCK, 0);

	if (fd < 0 || fsx_lock(fd, true) < 0 || fsx_fstat(fd, &st) < 0 ||
	    st.st_size == 0)
		goto out;
	if (fsx_pread(fd, head, BLOB_HEADER, 0) != BLOB_HEADER ||
	    !blob_get_header(str_mem(head, BLOB_HEADER), &id)) {
		wrong(v, "%s: no header", file);
		goto out;
	}
	for (; at < (uint64_t)st.st_size; at += n) {
		n = 0;
		if (fsx_pread(fd, head, BLOB_RECORD, (off_t)at) == BLOB_RECORD)
			n = blob_record_length(str_mem(head, BLOB_RECORD));
		if (n && n <= (uint64_t)st.st_size - at &&
		    read_part(fd, at, n, &p) &&
		    blob_get_record(str_mem(p, n), id, &uid, &blob))
			continue;
		wrong(v, "%s: damaged at byte %llu", file,
		      (unsigned long long)at);
		break;
	}
out:
	free(p);
	if (fd >= 0)
		fsx_close(fd);
}

/* --- the files ------------------------------------------------------------ */

static void
one_file(struct verify *v, int fd, const char *sub, const char *name)
{
	ssize_t slot = -1;
	struct maildir_name p;
	struct stat st;

	if (maildir_parse(str_of(name), &p) < 0 ||
	    fsx_fstatat(fd, name, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	slot = state_by_base(&v->s, p.base);
	if (slot >= 0 && state_at(&v->s, (size_t)slot)->gone)
		slot = -1;
	if (slot >= 0 && v->seen[slot / 8] >> slot % 8 & 1) {
		if (!v->again)
			wrong(v, "uid %u: a second file, %s/%s",
			      state_at(&v->s, (size_t)slot)->uid, sub,
			      LOGQ(str_of(name)));
		return;
	}
	if (slot >= 0)
		v->seen[slot / 8] |= (uint8_t)(1 << slot % 8);
	else if (v->again)
		return;
	else
		v->out->fresh++;
	if (p.has_size && p.size != (uint64_t)st.st_size)
		wrong(v, "%s/%s has %llu bytes, its name says %llu", sub,
		      LOGQ(str_of(name)), (unsigned long long)st.st_size,
		      (unsigned long long)p.size);
}

static int
read_dir(struct verify *v, const char *sub, struct err *err)
{
	int fd = fsx_open(v->dir, sub, O_RDONLY | O_DIRECTORY, 0), rc = 0;
	struct fsx_dir *d = fd < 0 ? NULL : fsx_opendir(fd, ".");
	unsigned char type;
	const char *name;

	if (!d) {
		if (fd < 0 && errno == ENOENT)
			wrong(v, "%s: no such directory", sub);
		else
			rc = err_sys(err, errno, "%s", sub);
	}
	while (d && (errno = 0, name = fsx_readdir(d, &type)))
		if (type == DT_REG || type == DT_UNKNOWN)
			one_file(v, fd, sub, name);
	if (d && errno)
		rc = err_sys(err, errno, "%s", sub);
	if (d)
		fsx_closedir(d);
	if (fd >= 0)
		fsx_close(fd);
	return rc;
}

/* Messages whose file was not seen. */
static size_t
missing(struct verify *v, bool tell)
{
	char tmp[MAILDIR_NAME_MAX + 5] = "tmp/";
	struct stat st;
	size_t slot, n = 0;

	for (slot = 0; slot < v->s.slots; slot++) {
		const struct message *m = state_at(&v->s, slot);
		struct str base;

		if (m->gone || v->seen[slot / 8] >> slot % 8 & 1)
			continue;
		n++;
		if (!tell)
			continue;
		base = state_base(&v->s, m);
		if (str_copy(tmp + 4, sizeof(tmp) - 4, adopt_tmp_name(base)) &&
		    fsx_fstatat(v->dir, tmp, &st) == 0)
			wrong(v, "uid %u: its file is in %s still", m->uid,
			      LOGQ(str_of(tmp)));
		else
			wrong(v, "uid %u: no file %s", m->uid, LOGQ(base));
	}
	return n;
}

static int
check_files(struct verify *v, struct err *err)
{
	v->seen = calloc(v->s.slots / 8 + 1, 1);
	if (!v->seen)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (read_dir(v, "new", err) < 0 || read_dir(v, "cur", err) < 0)
		return -1;
	/* A rename by another program can hide a file from readdir. */
	v->again = true;
	if (missing(v, false) &&
	    (read_dir(v, "new", err) < 0 || read_dir(v, "cur", err) < 0))
		return -1;
	(void)missing(v, true);
	v->out->messages = v->s.t.messages;
	return 0;
}

int
store_verify(int dir, verify_fn *fn, void *arg, struct verified *out,
	     struct err *err)
{
	struct verify v = { .dir = dir, .fn = fn, .arg = arg, .out = out };
	char *log = NULL;
	size_t n = 0;
	int rc = 0, fd = fsx_open(dir, ILOG_NAME, O_RDWR | O_NONBLOCK, 0);

	*out = (struct verified){ .no_log = fd < 0 };
	if (fd < 0 && errno != ENOENT)
		return err_sys(err, errno, ILOG_NAME);
	state_init(&v.s);
	if (fd >= 0 && fsx_lock(fd, true) < 0)
		rc = err_sys(err, errno, ILOG_NAME ": lock");
	if (rc == 0 && fd >= 0 && !(log = read_all(fd, ILOG_MAX, &n, err)))
		rc = err_prefix(err, ILOG_NAME);
	if (rc == 0 && n) {
		check_log(&v, str_mem(log, n));
		check_snapshot(&v, str_mem(log, n));
		check_blobs(&v, "posthouse.cache");
		check_blobs(&v, "posthouse.keys");
	}
	out->no_log = n == 0;
	if (rc == 0)
		rc = check_files(&v, err);
	free(log);
	free(v.seen);
	state_fini(&v.s);
	if (fd >= 0)
		fsx_close(fd);
	return rc;
}
