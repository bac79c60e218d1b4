/* SPDX-License-Identifier: ISC */
#include "autoexpunge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"

enum {
	DAY = 86400,
	PORTION = 200,	     /* files looked at in a turn */
	REMOVE_MAX = 100000, /* of a folder in a day */
};

static const char stamp[] = "posthouse.autoexpunge";

struct autoexpunge {
	struct loop *loop;
	struct store *store;
	int root;
	const char *user;
	struct str rules;
	struct event *turn;
	int64_t next_s; /* not before that; 0: the file says */
	/* under way: */
	bool busy;
	struct str rest; /* of the rules */
	struct autoexpunge_rule rule;
	struct mailbox *mb;
	uint32_t from; /* the next UID to be looked at */
	uint32_t *uids;
	size_t n;
};

/* --- when ----------------------------------------------------------------- */

static int64_t
now_s(void)
{
	return (int64_t)(clock_wall_us() / 1000000);
}

static bool
is_due(struct autoexpunge *a)
{
	struct stat st;

	if (a->next_s == 0 && fsx_fstatat(a->root, stamp, &st) == 0 &&
	    st.st_mtime <= now_s())
		a->next_s = st.st_mtime + DAY;
	return now_s() >= a->next_s;
}

static void
note_time(struct autoexpunge *a)
{
	struct timespec ts[2] = { { .tv_sec = now_s() },
				  { .tv_sec = now_s() } };
	int fd = fsx_open(a->root, stamp,
			  O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	a->next_s = now_s() + DAY;
	if (fd < 0)
		return;
	(void)!fsx_futimens(fd, ts);
	fsx_close(fd);
}

/* --- a folder ------------------------------------------------------------- */

/* False: there is none to begin with; the next one, then. */
static bool
open_folder(struct autoexpunge *a)
{
	struct err err;

	if (!a->rule.folder.p)
		return false;
	a->mb = mailbox_open(a->store, a->rule.folder, &err);
	if (!a->mb) {
		if (err.code != ENOENT)
			log_warn("imap(%s): autoexpunge: %s",
				 LOGQ(str_of(a->user)), LOGQ(str_of(err.text)));
		return false;
	}
	a->uids = calloc(REMOVE_MAX, sizeof(*a->uids));
	a->from = 1;
	a->n = 0;
	return true;
}

static void
close_folder(struct autoexpunge *a)
{
	if (a->mb)
		mailbox_release(a->mb);
	a->mb = NULL;
	free(a->uids);
	a->uids = NULL;
}

static bool
is_old(struct autoexpunge *a, uint32_t uid)
{
	struct message_reader r;
	struct stat st;
	struct err err;
	bool old;

	if (mailbox_read(a->mb, uid, &r, &err) < 0)
		return false;
	old = fsx_fstat(r.fd, &st) == 0 &&
	      st.st_ctime < now_s() - (int64_t)a->rule.seconds;
	reader_close(&r);
	return old;
}

/* False: all were looked at. */
static bool
look(struct autoexpunge *a)
{
	size_t slot = mailbox_lower(a->mb, a->from), looked = 0;
	uint32_t uid;

	while (slot < mailbox_slots(a->mb) && a->n < REMOVE_MAX) {
		if (looked++ == PORTION)
			return true;
		uid = mailbox_at(a->mb, slot)->uid;
		a->from = uid + 1;
		if (!mailbox_at(a->mb, slot)->gone && is_old(a, uid))
			a->uids[a->n++] = uid;
		/* Reading may have taken in what others did. */
		slot = mailbox_lower(a->mb, a->from);
	}
	return false;
}

static void
remove_old(struct autoexpunge *a)
{
	struct err err;

	if (a->n == 0)
		return;
	if (mailbox_expunge(a->mb, a->uids, a->n, &err) < 0)
		log_warn("imap(%s): autoexpunge: %s", LOGQ(str_of(a->user)),
			 LOGQ(str_of(err.text)));
	else
		log_info("imap(%s): autoexpunge: %zu of %s",
			 LOGQ(str_of(a->user)), a->n, LOGQ(a->rule.text));
}

/* --- turns ---------------------------------------------------------------- */

static void
again(struct autoexpunge *a)
{
	static const struct timeval soon = { 0, 1000 };

	evtimer_add(a->turn, &soon);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct autoexpunge *a = arg;

	(void)fd;
	(void)what;
	if (!a->mb) {
		if (!autoexpunge_next(&a->rest, &a->rule)) {
			a->busy = false;
			note_time(a);
			return;
		}
		(void)!open_folder(a);
	} else if (!a->uids || mailbox_deleted(a->mb)) {
		close_folder(a);
	} else if (!look(a)) {
		remove_old(a);
		close_folder(a);
	}
	again(a);
}

void
autoexpunge_want(struct autoexpunge *a)
{
	if (!a || a->busy || !is_due(a))
		return;
	a->busy = true;
	a->rest = a->rules;
	again(a);
}

bool
autoexpunge_is_busy(const struct autoexpunge *a)
{
	return a && a->busy;
}

struct autoexpunge *
autoexpunge_new(struct loop *l, struct store *st, int root, const char *user,
		struct str rules)
{
	struct autoexpunge *a = calloc(1, sizeof(*a));
	struct autoexpunge_rule r;
	struct str rest = rules;
	bool some = false;

	if (!a)
		return NULL;
	while (autoexpunge_next(&rest, &r))
		some |= r.folder.p != NULL;
	*a = (struct autoexpunge){ .loop = l,
				   .store = st,
				   .root = root,
				   .user = user,
				   .rules = rules };
	a->turn = some ? evtimer_new(l->base, on_turn, a) : NULL;
	if (!a->turn) {
		free(a);
		return NULL;
	}
	return a;
}

void
autoexpunge_free(struct autoexpunge *a)
{
	if (!a)
		return;
	close_folder(a);
	event_free(a->turn);
	free(a);
}
