/* SPDX-License-Identifier: ISC */
/* The spool as a whole: lock, directories, ids, tidying. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/fsx.h"
#include "base/rand.h"
#include "queue/spool_int.h"

enum {
	ID_FILE_LEN = 32,
	ID_MAGIC = 0x44494850, /* "PHID" */
	IDS_STEP = 65536,
};

const char *
spool_name(uint64_t id, const char *suffix, char out[SPOOL_NAME_MAX])
{
	char text[QID_MAX];

	snprintf(out, SPOOL_NAME_MAX, "%s%s", qid_text(id, text), suffix);
	return out;
}

const char *
spool_body_suffix(enum qfile_body body)
{
	return body == QFILE_TEXT ? ".h" : ".b";
}

int
spool_lock(int root, int *lockfd, struct err *err)
{
	int fd = fsx_open(root, "lock", O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		return err_sys(err, errno, "spool/lock");
	if (fsx_lock(fd, false) < 0) {
		int code = errno;

		fsx_close(fd);
		if (code == EAGAIN || code == EACCES)
			return 1;
		return err_sys(err, code, "spool/lock");
	}
	*lockfd = fd;
	return 0;
}

/* --- ids ------------------------------------------------------------------ */

/* 0: read; 1: not there or damaged; -1: could not be read. */
static int
read_id_file(struct spool *sp, struct err *err)
{
	uint8_t b[ID_FILE_LEN + 1];
	ssize_t n;
	int fd = fsx_open(sp->root, "id", O_RDONLY, 0);

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return err_sys(err, errno, "spool/id");
	n = fsx_pread(fd, b, sizeof(b), 0);
	if (n < 0)
		err_sys(err, errno, "spool/id");
	fsx_close(fd);
	if (n < 0)
		return -1;
	if (n != ID_FILE_LEN || enc_get32(b) != ID_MAGIC ||
	    enc_get32(b + 4) != enc_crc32c(0, b + 8, ID_FILE_LEN - 8))
		return 1;
	sp->id = enc_get64(b + 8);
	sp->next = sp->reserved = enc_get64(b + 16);
	return 0;
}

int
spool_reserve_from(struct spool *sp, uint64_t next, struct err *err)
{
	uint8_t b[ID_FILE_LEN] = { 0 };

	enc_put32(b, ID_MAGIC);
	enc_put64(b + 8, sp->id);
	enc_put64(b + 16, next + IDS_STEP);
	enc_put32(b + 4, enc_crc32c(0, b + 8, ID_FILE_LEN - 8));
	if (fsx_replace(sp->root, "id", b, sizeof(b), 0600, err) < 0)
		return err_prefix(err, "spool/id");
	pthread_mutex_lock(&sp->lock);
	sp->reserved = next + IDS_STEP;
	pthread_mutex_unlock(&sp->lock);
	return 0;
}

int
spool_reserve(struct spool *sp, struct err *err)
{
	uint64_t from;

	pthread_mutex_lock(&sp->lock);
	from = sp->reserved;
	pthread_mutex_unlock(&sp->lock);
	return spool_reserve_from(sp, from, err);
}

uint64_t
spool_next_id(struct spool *sp)
{
	uint64_t id = 0;

	pthread_mutex_lock(&sp->lock);
	if (sp->next < sp->reserved)
		id = sp->next++;
	pthread_mutex_unlock(&sp->lock);
	return id;
}

bool
spool_ids_low(struct spool *sp)
{
	bool low;

	pthread_mutex_lock(&sp->lock);
	low = sp->reserved - sp->next < IDS_STEP / 2;
	pthread_mutex_unlock(&sp->lock);
	return low;
}

uint64_t
spool_id(const struct spool *sp)
{
	return sp->id;
}

bool
spool_is_new(const struct spool *sp)
{
	return sp->is_new;
}

/* --- opening -------------------------------------------------------------- */

/* Opens name below at, made if it is missing; *made is set then. */
static int
open_dir(int at, const char *name, bool *made, struct err *err)
{
	int fd = fsx_open(at, name, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT) {
		if (fsx_mkdir(at, name, 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "spool: mkdir %s", name);
		*made = true;
		fd = fsx_open(at, name, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0)
		return err_sys(err, errno, "spool: %s", name);
	return fd;
}

static int
open_dirs(struct spool *sp, struct err *err)
{
	bool made_msg = false, made = false;
	char name[3];
	int i;

	sp->msg = open_dir(sp->root, "msg", &made_msg, err);
	if (sp->msg < 0)
		return -1;
	for (i = 0; i < SPOOL_DIRS; i++) {
		snprintf(name, sizeof(name), "%02x", (unsigned)i & 0xff);
		sp->dir[i] = open_dir(sp->msg, name, &made, err);
		if (sp->dir[i] < 0)
			return -1;
	}
	/* The directories must be there before a file in them is durable. */
	if (made && fsx_fsync(sp->msg) < 0)
		return err_sys(err, errno, "spool: sync of msg");
	if (made_msg && fsx_fsync(sp->root) < 0)
		return err_sys(err, errno, "spool: sync");
	return 0;
}

int
spool_open(struct spool **out, int root, struct err *err)
{
	struct spool *sp = calloc(1, sizeof(*sp));
	int i, rc;

	*out = NULL;
	if (!sp)
		return err_sys(err, ENOMEM, "spool");
	sp->root = root;
	sp->msg = -1;
	for (i = 0; i < SPOOL_DIRS; i++)
		sp->dir[i] = -1;
	pthread_mutex_init(&sp->lock, NULL);
	rc = read_id_file(sp, err);
	if (rc > 0) {
		/* Ids begin with the time, so that even the ids of two spools
		 * in the same place are not the same in the log. */
		sp->is_new = true;
		sp->id = rand_u64();
		sp->next = sp->reserved = clock_wall_us() / 1000000 << 16;
	}
	if (rc < 0 || open_dirs(sp, err) < 0 || spool_reserve(sp, err) < 0) {
		spool_close(sp);
		return -1;
	}
	*out = sp;
	return 0;
}

void
spool_close(struct spool *sp)
{
	int i;

	if (!sp)
		return;
	spool_spare_drop_all(sp);
	for (i = 0; i < SPOOL_DIRS; i++)
		if (sp->dir[i] >= 0)
			fsx_close(sp->dir[i]);
	if (sp->msg >= 0)
		fsx_close(sp->msg);
	pthread_mutex_destroy(&sp->lock);
	free(sp->reap);
	free(sp);
}

/* --- removing and tidying ------------------------------------------------- */

/* Remember a body whose message's name is gone but not durably. */
static int
reap_later(struct spool *sp, uint64_t id, enum qfile_body body)
{
	struct spool_reap *v;
	size_t size;

	if (sp->nreap == sp->reap_size) {
		size = sp->reap_size ? sp->reap_size * 2 : 64;
		v = reallocarray(sp->reap, size, sizeof(*v));
		if (!v)
			return -1;
		sp->reap = v;
		sp->reap_size = size;
	}
	sp->reap[sp->nreap++] = (struct spool_reap){ id, (uint8_t)body };
	return 0;
}

int
spool_remove(struct spool *sp, uint64_t id, enum qfile_body body, bool has_log,
	     bool at_once, struct err *err)
{
	unsigned d = spool_dir_of(id);
	char name[SPOOL_NAME_MAX];

	if (body == QFILE_INLINE && !has_log &&
	    spool_spare_put(sp, id, at_once))
		return 0;
	/* ENOENT: an earlier call got this far. */
	if (fsx_unlink(sp->dir[d], spool_name(id, "", name)) < 0 &&
	    errno != ENOENT)
		return err_sys(err, errno, "unlink %s", name);
	if (has_log)
		fsx_unlink(sp->dir[d], spool_name(id, ".log", name));
	pthread_mutex_lock(&sp->lock);
	sp->dirty[d] = true;
	sp->any_dirty = true;
	/* Without memory the body stays for the next recovery. */
	if (body != QFILE_INLINE)
		(void)reap_later(sp, id, body);
	pthread_mutex_unlock(&sp->lock);
	return 0;
}

bool
spool_untidy(struct spool *sp)
{
	bool any;

	pthread_mutex_lock(&sp->lock);
	any = sp->any_dirty || sp->fresh_spares;
	pthread_mutex_unlock(&sp->lock);
	return any;
}

bool
spool_has_spares(struct spool *sp)
{
	bool any;

	pthread_mutex_lock(&sp->lock);
	any = sp->nspare > 0;
	pthread_mutex_unlock(&sp->lock);
	return any;
}

static int
sync_dirs(struct spool *sp, const bool *dirty, struct err *err)
{
	int i;

	for (i = 0; i < SPOOL_DIRS; i++)
		if (dirty[i] && fsx_fsync(sp->dir[i]) < 0)
			return err_sys(err, errno, "spool: sync of msg/%02x",
				       (unsigned)i);
	return 0;
}

int
spool_tidy(struct spool *sp, struct err *err)
{
	struct spool_reap *reap;
	char name[SPOOL_NAME_MAX];
	bool dirty[SPOOL_DIRS];
	size_t i, n;
	int rc;

	spool_spare_tidy(sp);
	pthread_mutex_lock(&sp->lock);
	memcpy(dirty, sp->dirty, sizeof(dirty));
	memset(sp->dirty, 0, sizeof(sp->dirty));
	sp->any_dirty = false;
	reap = sp->reap;
	n = sp->nreap;
	sp->reap = NULL;
	sp->nreap = sp->reap_size = 0;
	pthread_mutex_unlock(&sp->lock);

	rc = sync_dirs(sp, dirty, err);
	for (i = 0; rc == 0 && i < n; i++)
		fsx_unlink(sp->dir[spool_dir_of(reap[i].id)],
			   spool_name(reap[i].id,
				      spool_body_suffix(reap[i].body), name));
	if (rc < 0) {
		/* Again next time. */
		pthread_mutex_lock(&sp->lock);
		for (i = 0; i < SPOOL_DIRS; i++)
			sp->dirty[i] |= dirty[i];
		sp->any_dirty = true;
		for (i = 0; i < n; i++)
			(void)reap_later(sp, reap[i].id, reap[i].body);
		pthread_mutex_unlock(&sp->lock);
	}
	free(reap);
	return rc;
}

/* --- the state of the disk ------------------------------------------------ */

int
spool_probe(struct spool *sp, struct err *err)
{
	static const char zeros[4096];
	int rc = -1, fd;

	fd = fsx_open(sp->root, "probe", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "spool/probe");
	if (fsx_write_all(fd, zeros, sizeof(zeros), err) < 0)
		goto out;
	if (fsx_fsync(fd) < 0)
		err_sys(err, errno, "spool/probe: fsync");
	else
		rc = 0;
out:
	fsx_close(fd);
	if (fsx_unlink(sp->root, "probe") < 0 && rc == 0)
		rc = err_sys(err, errno, "spool/probe: unlink");
	return rc;
}

int
spool_free_bytes(struct spool *sp, uint64_t *bytes, struct err *err)
{
	if (fsx_free_bytes(sp->msg, bytes) < 0)
		return err_sys(err, errno, "spool: free space");
	return 0;
}
