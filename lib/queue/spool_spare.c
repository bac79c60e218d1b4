/* SPDX-License-Identifier: ISC */
/*
 * Spare files.  A small message that is finished leaves its file to the next
 * one, which takes it by one rename and writes over it, instead of an unlink
 * and a create.  That spares the file system an inode each time; ext4 without
 * a journal moreover gives a freed inode out again only after minutes and steps
 * over all such inodes one by one at each create, which cost half the CPU of
 * the message path there (docs/PERFORMANCE.md).
 *
 * After a power cut the name and the content of such a file may be of different
 * messages; the new one was not acknowledged, and the old one is on disk
 * elsewhere.  The id inside and the length tell (qfile_get_head()).
 *
 * A spare keeps its old name; so that it cannot come back as a message, it is
 * emptied within a second, like any mark, or at once where nobody would notice
 * that it is delivered once more.
 */
#include <fcntl.h>

#include "base/fsx.h"
#include "queue/spool_int.h"

enum { IDLE_ROUNDS = 5 };

static bool
take(struct spool *sp, uint64_t *id)
{
	bool any;

	pthread_mutex_lock(&sp->lock);
	any = sp->nspare > 0;
	if (any) {
		sp->nspare--;
		*id = sp->spare[sp->nspare].id;
		if (!sp->spare[sp->nspare].blank)
			sp->fresh_spares--;
		sp->spares_taken++;
	}
	pthread_mutex_unlock(&sp->lock);
	return any;
}

int
spool_spare_reuse(struct spool *sp, uint64_t id)
{
	char old_name[SPOOL_NAME_MAX], name[SPOOL_NAME_MAX];
	int old_dir, dir = sp->dir[spool_dir_of(id)], fd;
	uint64_t old;

	if (!take(sp, &old))
		return -1;
	old_dir = sp->dir[spool_dir_of(old)];
	spool_name(old, "", old_name);
	fd = fsx_open(old_dir, old_name, O_WRONLY, 0);
	/* Emptied first: what a power cut leaves of the write is then too
	 * short, as in a new file, never new bytes before old ones. */
	if (fd >= 0 && fsx_ftruncate(fd, 0) == 0 &&
	    fsx_rename_new(old_dir, old_name, dir, spool_name(id, "", name)) ==
		    0)
		return fd;
	if (fd >= 0)
		fsx_close(fd);
	fsx_unlink(old_dir, old_name);
	return -1;
}

/* Its message is finished for good: no head, no message. */
static int
empty(struct spool *sp, uint64_t id)
{
	int dir = sp->dir[spool_dir_of(id)], rc, fd;
	char name[SPOOL_NAME_MAX];

	fd = fsx_open(dir, spool_name(id, "", name), O_WRONLY, 0);
	if (fd < 0)
		return -1;
	rc = fsx_ftruncate(fd, 0);
	fsx_close(fd);
	return rc;
}

bool
spool_spare_put(struct spool *sp, uint64_t id, bool at_once)
{
	bool room;

	/* Before anybody else may take it. */
	if (at_once && empty(sp, id) < 0)
		return false;
	pthread_mutex_lock(&sp->lock);
	room = sp->nspare < SPOOL_SPARES;
	if (room) {
		sp->spare[sp->nspare++] = (struct spool_spare){ id, false };
		sp->fresh_spares++;
	}
	pthread_mutex_unlock(&sp->lock);
	return room;
}

static void
drop(struct spool *sp, uint64_t id)
{
	unsigned d = spool_dir_of(id);
	char name[SPOOL_NAME_MAX];

	fsx_unlink(sp->dir[d], spool_name(id, "", name));
	pthread_mutex_lock(&sp->lock);
	sp->dirty[d] = true;
	sp->any_dirty = true;
	pthread_mutex_unlock(&sp->lock);
}

static void
put_back(struct spool *sp, uint64_t id)
{
	bool back;

	pthread_mutex_lock(&sp->lock);
	back = sp->nspare < SPOOL_SPARES;
	if (back)
		sp->spare[sp->nspare++] = (struct spool_spare){ id, true };
	pthread_mutex_unlock(&sp->lock);
	if (!back)
		drop(sp, id);
}

void
spool_spare_tidy(struct spool *sp)
{
	struct spool_spare v[SPOOL_SPARES];
	bool idle, synced = true;
	size_t i, n, fresh = 0;

	pthread_mutex_lock(&sp->lock);
	sp->idle_rounds = sp->spares_taken ? 0 : sp->idle_rounds + 1;
	sp->spares_taken = 0;
	idle = sp->idle_rounds >= IDLE_ROUNDS;
	n = sp->nspare;
	memcpy(v, sp->spare, n * sizeof(v[0]));
	sp->nspare = sp->fresh_spares = 0;
	pthread_mutex_unlock(&sp->lock);

	for (i = 0; i < n && !idle; i++) {
		if (v[i].blank)
			continue;
		fresh++;
		if (empty(sp, v[i].id) < 0)
			synced = false;
	}
	/* One sync for all of them. */
	if (fresh && fsx_syncfs(sp->msg) < 0)
		synced = false;
	for (i = 0; i < n; i++) {
		if (idle || (!v[i].blank && !synced))
			drop(sp, v[i].id);
		else
			put_back(sp, v[i].id);
	}
}

void
spool_spare_drop_all(struct spool *sp)
{
	while (sp->nspare)
		drop(sp, sp->spare[--sp->nspare].id);
}
