/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "mail/mutf7.h"
#include "store/store_int.h"

static const char validity_file[] = "posthouse.uidvalidity";
static const char trash_prefix[] = "posthouse.gone.";

/* Courier's has a file for each message with keywords. */
static const char *const known_subs[] = { "cur", "new", "tmp",
					  "courierimapkeywords", NULL };

bool
store_is_known_sub(const char *name)
{
	size_t i;

	for (i = 0; known_subs[i]; i++)
		if (strcmp(name, known_subs[i]) == 0)
			return true;
	return false;
}

void
store_remove_dir(struct store *st, const char *name)
{
	int fd = fsx_open(st->mail, name, O_RDONLY | O_DIRECTORY, 0);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; known_subs[i]; i++)
		store_empty_dir(fd, known_subs[i]);
	store_empty_dir(fd, NULL);
	fsx_close(fd);
	(void)!fsx_rmdir(st->mail, name);
}

/* A folder that was renamed away to be deleted, when the power went. */
static void
clean_up(struct store *st)
{
	struct fsx_dir *d = fsx_opendir(st->mail, ".");
	const char *name;

	if (!d)
		return;
	while ((name = fsx_readdir(d, NULL)))
		if (str_starts(str_of(name), str_of(trash_prefix)))
			store_remove_dir(st, name);
	fsx_closedir(d);
}

/* Remove the files of dir/sub and sub itself; of dir alone for NULL. */
void
store_empty_dir(int dir, const char *sub)
{
	int fd = sub ? fsx_open(dir, sub, O_RDONLY | O_DIRECTORY, 0) : dir;
	struct fsx_dir *d;
	const char *name;

	if (fd < 0)
		return;
	d = fsx_opendir(fd, ".");
	while (d && (name = fsx_readdir(d, NULL)))
		(void)!fsx_unlink(fd, name);
	if (d)
		fsx_closedir(d);
	if (sub) {
		fsx_close(fd);
		(void)!fsx_rmdir(dir, sub);
	}
}

struct store *
store_open(int root, const char *mail, const char *host, struct err *err)
{
	struct store *st = calloc(1, sizeof(*st));

	if (!st) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	list_init(&st->boxes);
	st->root = root;
	st->mail = st->inotify = -1;
	st->path = strdup(mail);
	st->host = strdup(host);
	if (!st->path || !st->host) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		goto fail;
	}
	if (maildir_create(root, mail, err) < 0)
		goto fail;
	if (strcmp(mail, ".") == 0) {
		st->mail = fsx_open(root, ".", O_RDONLY | O_DIRECTORY, 0);
		if (st->mail < 0)
			err_sys(err, errno, "the mail directory");
	} else {
		st->mail = fsx_open_below(root, mail, O_RDONLY | O_DIRECTORY, 0,
					  0, err);
	}
	if (st->mail < 0)
		goto fail;
	clean_up(st);
	return st;
fail:
	store_close(st);
	return NULL;
}

void
store_close(struct store *st)
{
	struct mailbox *mb;

	while (!list_empty(&st->boxes)) {
		mb = LIST_OF(st->boxes.next, struct mailbox, link);
		BUG_ON(mb->refs);
		mailbox_free(mb);
	}
	summary_free(st);
	watch_close(st);
	if (st->mail >= 0)
		fsx_close(st->mail);
	free(st->path);
	free(st->host);
	free(st);
}

int
store_watch_fd(struct store *st)
{
	st->wants_watch = true;
	if (st->inotify < 0)
		watch_open(st);
	return st->inotify;
}

bool
store_is_watched(const struct store *st)
{
	const struct list *it;

	list_for_each (it, &st->boxes)
		if (LIST_OF(it, struct mailbox, link)->wd_cur < 0)
			return false;
	return st->inotify >= 0;
}

/* What could not be watched may be able to be by now. */
static void
watch_again(struct store *st)
{
	struct mailbox *mb;
	struct list *it;

	if (!st->wants_watch || store_watch_fd(st) < 0)
		return;
	list_for_each (it, &st->boxes) {
		mb = LIST_OF(it, struct mailbox, link);
		if (mb->wd_cur >= 0 || mb->deleted)
			continue;
		watch_box(st, mb);
		scan_look(mb);
	}
}

void
store_poll(struct store *st)
{
	struct list *it, *next;
	struct mailbox *mb;
	struct err err;

	watch_again(st);
	watch_drain(st);
	for (it = st->boxes.next; it != &st->boxes; it = next) {
		mb = LIST_OF(it, struct mailbox, link);
		next = it->next;
		mb->unsure = true; /* no event tells of rmdir(2) */
		if (mb->refs && mailbox_refresh(mb, &err) < 0)
			log_warn("%s: %s", mb->name, LOGQ(str_of(err.text)));
	}
}

/* The last UIDVALIDITY that a folder of this store was given. */
static int
last_validity(struct store *st, uint64_t *last, struct err *err)
{
	char text[32];
	ssize_t n = 0;
	int fd;

	*last = 0;
	fd = fsx_open(st->mail, validity_file, O_RDONLY | O_NONBLOCK, 0);
	if (fd >= 0) {
		n = fsx_read(fd, text, sizeof(text));
		fsx_close(fd);
	}
	if (n < 0 || (fd < 0 && errno != ENOENT))
		return err_sys(err, errno, validity_file);
	if (n > 0 && str_u64(str_trim(str_mem(text, (size_t)n)), UINT32_MAX - 1,
			     last) < 0)
		*last = 0;
	return 0;
}

static int
write_validity(struct store *st, uint64_t v, struct err *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)v);

	return fsx_replace(st->mail, validity_file, text, (size_t)n, 0600, err);
}

/*
 * A UIDVALIDITY that no folder of this store has had: seconds since 1970, or
 * one more than the last one given.  0 with err: it could come again, because
 * the last one cannot be read or this one not be noted.
 */
uint32_t
store_fresh_validity(struct store *st, uint32_t above, struct err *err)
{
	uint64_t v = clock_wall_us() / 1000000, last;

	if (last_validity(st, &last, err) < 0)
		return 0;
	if (v <= last)
		v = last + 1;
	if (v <= above)
		v = (uint64_t)above + 1;
	v = v > UINT32_MAX ? 1 : v;
	return write_validity(st, v, err) < 0 ? 0 : (uint32_t)v;
}

int
store_note_validity(struct store *st, uint32_t v, struct err *err)
{
	uint64_t last;

	if (last_validity(st, &last, err) < 0)
		return -1;
	return v > last ? write_validity(st, v, err) : 0;
}

/* --- names -----------------------------------------------------------------
 */

void
store_dir_of(const char *name, char *out)
{
	if (strcmp(name, "INBOX") == 0)
		*out = '\0';
	else
		snprintf(out, STORE_NAME_MAX + 2, ".%s", name);
}

int
store_name_check(struct str name, char *out, struct err *err)
{
	struct str rest, part;
	size_t depth = 0;
	bool last;

	if (name.n && name.p[name.n - 1] == STORE_SEPARATOR)
		name.n--;
	if (str_ieq(name, STR("INBOX")))
		name = STR("INBOX");
	if (name.n == 0 || !str_copy(out, STORE_NAME_MAX + 1, name))
		return err_set(err, ERR_PERM, EINVAL,
			       "Mailbox name is empty or too long");
	if (str_find(name, '/') >= 0 || !mutf7_is_valid(name))
		return err_set(err, ERR_PERM, EINVAL,
			       "Mailbox name is not valid");
	for (rest = name, last = false; !last; depth++) {
		last = !str_cut(&rest, STORE_SEPARATOR, &part);
		if (last)
			part = rest;
		if (part.n == 0)
			return err_set(err, ERR_PERM, EINVAL,
				       "Mailbox name has an empty level");
	}
	if (depth > STORE_DEPTH_MAX)
		return err_set(err, ERR_PERM, EINVAL,
			       "Mailbox name has too many levels");
	return 0;
}

struct mailbox *
store_find_open(struct store *st, const char *name)
{
	struct list *it;

	list_for_each (it, &st->boxes) {
		struct mailbox *mb = LIST_OF(it, struct mailbox, link);

		if (!mb->deleted && strcmp(mb->name, name) == 0)
			return mb;
	}
	return NULL;
}

/* --- opening and keeping ---------------------------------------------------
 */

int
store_open_sub(int dir, const char *name, struct err *err)
{
	int fd = fsx_open(dir, name, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT && fsx_mkdir(dir, name, 0700) == 0 &&
	    fsx_fsync(dir) == 0)
		fd = fsx_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		err_sys(err, errno, "%s", name);
	return fd;
}

static int
open_dirs(struct mailbox *mb, struct err *err)
{
	char path[STORE_NAME_MAX + 2];

	store_dir_of(mb->name, path);
	mb->dir = fsx_open(mb->st->mail, *path ? path : ".",
			   O_RDONLY | O_DIRECTORY, 0);
	if (mb->dir < 0)
		return err_sys(err, errno, "%s", mb->name);
	if ((mb->tmp = store_open_sub(mb->dir, "tmp", err)) < 0 ||
	    (mb->new = store_open_sub(mb->dir, "new", err)) < 0 ||
	    (mb->cur = store_open_sub(mb->dir, "cur", err)) < 0)
		return -1;
	mb->ix = index_open(mb->dir, mb->name, &mailbox_index_ops, mb, err);
	return mb->ix ? 0 : -1;
}

/*
 * A log that somebody has cut off, or zeroed, at its end looks as it did before
 * the last messages came (zeros are made in advance).  Their UIDs must not be
 * given again: the summary may know of them.
 */
static int
check_uids(struct mailbox *mb, struct err *err)
{
	struct index_totals t;
	uint32_t uidnext;
	int rc;

	index_totals(mb->ix, &t);
	uidnext = summary_uidnext(mb->st, mb->name, t.uidvalidity);
	if (uidnext <= t.uidnext)
		return 0;
	log_warn("%s: UIDs %u to %u are not in its log any more, and not given "
		 "again",
		 mb->name, t.uidnext, uidnext - 1);
	if (index_lock(mb->ix, err) < 0)
		return -1;
	rc = index_skip_uids(mb->ix, uidnext, err);
	index_unlock(mb->ix);
	return rc;
}

/* A folder that nobody uses any more; what is due of it is done. */
static void
close_idle(struct mailbox *mb)
{
	mb->st->idle--;
	work_finish(mb, false);
	mailbox_free(mb);
}

static bool
is_that(int fd, int dir, const char *name)
{
	struct stat have, now;

	return fsx_fstat(fd, &have) == 0 && fsx_fstatat(dir, name, &now) == 0 &&
	       have.st_ino == now.st_ino && have.st_dev == now.st_dev;
}

bool
store_is_whole(const struct mailbox *mb)
{
	return is_that(mb->new, mb->dir, "new") &&
	       is_that(mb->cur, mb->dir, "cur");
}

/* Is the folder of this name still the directory we have open? */
static bool
is_current(struct mailbox *mb)
{
	char path[STORE_NAME_MAX + 2];

	store_dir_of(mb->name, path);
	return (*path == '\0' || is_that(mb->dir, mb->st->mail, path)) &&
	       store_is_whole(mb);
}

void
store_forget(struct mailbox *mb)
{
	watch_unbox(mb);
	mb->deleted = true;
	mb->news = true;
	if (mb->refs)
		mailbox_tell(mb);
	else
		close_idle(mb);
}

static struct mailbox *
open_new(struct store *st, const char *name, struct err *err)
{
	struct mailbox *mb = mailbox_new(st, name);
	struct index_totals t;

	if (!mb) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	if (open_dirs(mb, err) < 0 || check_uids(mb, err) < 0) {
		mailbox_free(mb);
		return NULL;
	}
	watch_box(st, mb);
	scan_look(mb);
	index_totals(mb->ix, &t);
	if (t.unnamed) /* left by a process that died */
		work_all(mb);
	list_prepend(&st->boxes, &mb->link);
	st->idle++;
	return mb;
}

static struct mailbox *
open_and_refresh(struct store *st, const char *clean, struct err *err)
{
	struct mailbox *mb = store_find_open(st, clean);

	if (mb && !is_current(mb)) {
		store_forget(mb);
		mb = NULL;
	}
	if (!mb && !(mb = open_new(st, clean, err)))
		return NULL;
	if (mb->refs++ == 0)
		st->idle--;
	if (mailbox_refresh(mb, err) < 0) {
		mailbox_release(mb);
		return NULL;
	}
	return mb;
}

struct mailbox *
mailbox_open(struct store *st, struct str name, struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	struct mailbox *mb;
	int tries;

	if (store_name_check(name, clean, err) < 0)
		return NULL;
	/* While it was read it may have been found damaged, and begun anew. */
	for (tries = 0; tries < 3; tries++) {
		mb = open_and_refresh(st, clean, err);
		if (!mb || !mb->deleted)
			return mb;
		mailbox_release(mb);
	}
	err_set(err, ERR_TEMP, EAGAIN, "%s keeps changing", clean);
	return NULL;
}

void
mailbox_release(struct mailbox *mb)
{
	struct store *st = mb->st;
	struct mailbox *old;
	struct list *it;

	BUG_ON(mb->refs == 0);
	if (--mb->refs)
		return;
	st->idle++;
	if (mb->deleted) {
		close_idle(mb);
		return;
	}
	list_remove(&mb->link);
	list_prepend(&st->boxes, &mb->link);
	if (st->idle <= STORE_IDLE_BOXES)
		return;
	for (it = st->boxes.prev; it != &st->boxes; it = it->prev) {
		old = LIST_OF(it, struct mailbox, link);
		if (old->refs == 0) {
			close_idle(old);
			return;
		}
	}
}
