/* SPDX-License-Identifier: ISC */
/*
 * inotify: what is done to new/ and cur/, told by the kernel.  Our own changes
 * are told as well, in the order they were made; they are expected and passed
 * over.  What others did is kept by name until scan_merge() takes it in.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

enum {
	CAME = IN_CREATE | IN_MOVED_TO,
	WENT = IN_DELETE | IN_MOVED_FROM,
	AWAY = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED,
	EVENTS = CAME | WENT | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR |
		 IN_DONT_FOLLOW,
	OWN_MAX = 2048, /* the kernel queues 16384 events by default */
};

struct own {
	uint64_t hash;
	int wd;
	bool came;
};

void
watch_open(struct store *st)
{
	st->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (st->inotify < 0)
		log_debug("no inotify: %s", strerror(errno));
}

void
watch_close(struct store *st)
{
	if (st->inotify >= 0)
		close(st->inotify);
	st->inotify = -1;
	free(st->own);
	st->own = NULL;
	st->nown = st->own_at = st->own_size = 0;
}

/* inotify wants a path.  /proc is not in the user's root; there the working
 * directory is the root, and is proved to be by the directory's identity. */
static int
add(struct store *st, int dirfd, int sub, const char *folder, const char *name)
{
	char path[MAILDIR_PATH_MAX + STORE_NAME_MAX + 64];
	struct stat want, got;
	int i;

	if (fsx_fstat(sub, &want) < 0)
		return -1;
	for (i = 0; i < 2; i++) {
		if (i == 0)
			snprintf(path, sizeof(path), "/proc/self/fd/%d/%s",
				 dirfd, name);
		else
			snprintf(path, sizeof(path), "%s/%s/%s", st->path,
				 *folder ? folder : ".", name);
		if (fsx_fstatat(AT_FDCWD, path, &got) == 0 &&
		    got.st_ino == want.st_ino && got.st_dev == want.st_dev)
			return inotify_add_watch(st->inotify, path, EVENTS);
	}
	return -1;
}

/* Such a folder is looked at every few seconds instead. */
static void
say_blind(struct store *st, const char *folder)
{
	if (errno != ENOSPC || st->blind_said)
		log_debug("%s: no watch: %s", folder, strerror(errno));
	else
		log_warn("%s: no watch: fs.inotify.max_user_watches is "
			 "reached; what other programs deliver is seen some "
			 "seconds later",
			 folder);
	st->blind_said |= errno == ENOSPC;
}

void
watch_box(struct store *st, struct mailbox *mb)
{
	char folder[STORE_NAME_MAX + 2];

	if (st->inotify < 0)
		return;
	store_dir_of(mb->name, folder);
	mb->wd_new = add(st, mb->dir, mb->new, folder, "new");
	mb->wd_cur = add(st, mb->dir, mb->cur, folder, "cur");
	if (mb->wd_new < 0 || mb->wd_cur < 0) {
		say_blind(st, mb->name);
		watch_unbox(mb);
	}
}

void
watch_unbox(struct mailbox *mb)
{
	if (mb->wd_new >= 0)
		inotify_rm_watch(mb->st->inotify, mb->wd_new);
	if (mb->wd_cur >= 0)
		inotify_rm_watch(mb->st->inotify, mb->wd_cur);
	mb->wd_new = mb->wd_cur = -1;
}

/* --- what we did -----------------------------------------------------------
 */

void
watch_own(struct mailbox *mb, uint64_t disk, const char *name, bool came)
{
	struct store *st = mb->st;
	struct own *v;
	size_t size;

	if (mb->wd_cur < 0)
		return;
	if (st->nown == st->own_size) {
		size = st->own_size ? st->own_size * 2 : 64;
		v = realloc(st->own, size * sizeof(*v));
		if (!v)
			return; /* told as another's: costs a look */
		st->own = v;
		st->own_size = size;
	}
	st->own[st->nown++] = (struct own){
		.hash = enc_hash(str_of(name)),
		.wd = disk & MESSAGE_IN_NEW ? mb->wd_new : mb->wd_cur,
		.came = came,
	};
	if (st->nown >= OWN_MAX)
		watch_drain(st);
}

static bool
is_own(struct store *st, const struct inotify_event *e)
{
	const struct own *o;

	if (st->own_at == st->nown)
		return false;
	o = &st->own[st->own_at];
	if (o->wd != e->wd || o->came != !!(e->mask & CAME) ||
	    o->hash != enc_hash(str_of(e->name)))
		return false;
	st->own_at++;
	return true;
}

/* --- what others did -------------------------------------------------------
 */

enum { EV_CAME = 1, EV_NEW = 2, EV_HEAD = 2 };

static void
keep(struct mailbox *mb, const struct inotify_event *e)
{
	bool in_new = mb->wd_new == e->wd;
	struct str name = e->len ? str_of(e->name) : STR_NULL;
	struct maildir_name parsed;
	char head[EV_HEAD];

	if (e->mask & AWAY) {
		mb->dirty_new = mb->dirty_cur = mb->unsure = true;
		if (e->mask & IN_IGNORED) {
			/* The directory has gone, or was watched for a folder
			 * of another name as well, which has been closed. */
			watch_unbox(mb);
			watch_box(mb->st, mb);
		}
		return;
	}
	if (e->mask & IN_ISDIR || maildir_parse(name, &parsed) < 0)
		return; /* no message of ours either way */
	head[0] =
		(char)((e->mask & CAME ? EV_CAME : 0) | (in_new ? EV_NEW : 0));
	head[1] = (char)(unsigned char)name.n;
	if (buf_reserve(&mb->events, EV_HEAD + name.n)) {
		buf_add(&mb->events, head, EV_HEAD);
		buf_add_str(&mb->events, name);
	}
	if (buf_overflown(&mb->events)) {
		buf_reset(&mb->events);
		mb->dirty_new = mb->dirty_cur = true;
	}
}

bool
watch_next(struct str *events, bool *in_new, bool *came, struct str *name)
{
	if (events->n < EV_HEAD)
		return false;
	*came = events->p[0] & EV_CAME;
	*in_new = events->p[0] & EV_NEW;
	*name = str_mem(events->p + EV_HEAD, (unsigned char)events->p[1]);
	*events = str_from(*events, EV_HEAD + name->n);
	return true;
}

static void
on_event(struct store *st, const struct inotify_event *e)
{
	struct list *it;
	struct mailbox *mb;

	if (e->len && is_own(st, e))
		return;
	list_for_each (it, &st->boxes) {
		mb = LIST_OF(it, struct mailbox, link);
		if (e->mask & IN_Q_OVERFLOW)
			mb->dirty_new = mb->dirty_cur = true;
		else if (mb->wd_new == e->wd || mb->wd_cur == e->wd)
			keep(mb, e);
	}
}

bool
watch_drain(struct store *st)
{
	_Alignas(struct inotify_event) char buf[32768];
	const struct inotify_event *e;
	size_t at;
	ssize_t n;

	if (st->inotify < 0)
		return false;
	/* A read gives all that fit: with room for one more there was none. */
	do {
		n = read(st->inotify, buf, sizeof(buf));
		for (at = 0; n > 0 && at < (size_t)n;
		     at += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(void *)(buf + at);
			on_event(st, e);
		}
	} while (n > 0 && (size_t)n + sizeof(*e) + NAME_MAX + 1 > sizeof(buf));
	/* All that we did has been told, or will never be. */
	st->nown = st->own_at = 0;
	return true;
}
