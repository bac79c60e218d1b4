/* SPDX-License-Identifier: ISC */
/* inotify: what others do to new/ and cur/, told by the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

enum {
	EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
		 IN_DELETE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW,
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
		log_debug("%s: no watch: %s", mb->name, strerror(errno));
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

/* Does the event say what we know already (mostly: our own doing)? */
static bool
is_known(struct mailbox *mb, const struct inotify_event *e, bool in_new)
{
	struct maildir_name parsed;
	struct str name = e->len ? str_of(e->name) : STR_NULL;
	struct message *m;
	bool here;

	if (e->mask & (IN_DELETE_SELF | IN_IGNORED))
		return false;
	if (maildir_parse(name, &parsed) < 0)
		return true; /* no message of ours either way */
	m = map_get(&mb->by_base, parsed.base);
	here = m && m->in_new == in_new && str_eq(str_of(m->name), name);
	if (e->mask & (IN_CREATE | IN_MOVED_TO))
		return here;
	return !here;
}

static void
on_event(struct store *st, const struct inotify_event *e)
{
	struct list *it;
	struct mailbox *mb;

	list_for_each (it, &st->boxes) {
		mb = LIST_OF(it, struct mailbox, link);
		if (e->mask & IN_Q_OVERFLOW)
			mb->dirty = true;
		else if (mb->wd_new == e->wd || mb->wd_cur == e->wd)
			mb->dirty |= !is_known(mb, e, mb->wd_new == e->wd);
	}
}

bool
watch_drain(struct store *st)
{
	_Alignas(struct inotify_event) char buf[8192];
	const struct inotify_event *e;
	ssize_t n, at;

	if (st->inotify < 0)
		return false;
	while ((n = read(st->inotify, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const struct inotify_event *)(void *)(buf + at);
			on_event(st, e);
		}
	}
	return true;
}
