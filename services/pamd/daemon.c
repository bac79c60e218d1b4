/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/jail.h"
#include "pamd.h"

/*
 * What pam_unix and its neighbours read.  Landlock allows files by their
 * inodes, and passwd(1) puts new ones in their places: once a second we look
 * whether these are still those we may read, and start anew if not.  The whole
 * of /etc would spare that, and open the private keys there.
 */
static const char *const readable[] = {
	"/etc/passwd",	   "/etc/shadow", "/etc/group",	   "/etc/nsswitch.conf",
	"/etc/login.defs", "/etc/pam.d",  "/etc/pam.conf", "/etc/security",
};
enum { READABLE = sizeof(readable) / sizeof(readable[0]), WATCH_S = 1 };

struct seen {
	dev_t dev;
	ino_t ino; /* 0: not there */
	struct timespec changed;
};

struct pamd {
	struct pam_checker checker;
	struct list peers;
	struct event *tick;
	int fds[READABLE + 1];
	struct seen seen[READABLE];
};

struct peer {
	struct list link;
	struct pamd *pamd;
	struct chan *chan;
};

/* --- questions ------------------------------------------------------------ */

static void
on_check(struct pamd *p, struct chan *c, uint32_t tag, struct msg_pam_check *m)
{
	char user[USER_MAX + 1], password[PASSWORD_MAX + 1], client[65];
	struct msg_pam_result r = { .verdict = PAM_VERDICT_NO };
	const char *text = "a NUL in the password";

	if (str_copy(user, sizeof(user), m->user) &&
	    str_copy(client, sizeof(client), m->client) &&
	    str_copy(password, sizeof(password), m->password))
		r.verdict = (uint8_t)pam_check(&p->checker, user, password,
					       client, &text);
	explicit_bzero(password, sizeof(password));
	if (m->password.n) /* it stands in the loop's own receive buffer */
		explicit_bzero((void *)(uintptr_t)m->password.p, m->password.n);
	r.text = str_of(text);
	chan_send(c, tag, &msg_pam_result_def, &r);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct peer *p = arg;

	if (def == &msg_pam_check_def)
		on_check(p->pamd, c, tag, msg);
}

static void
on_close(struct chan *c, void *arg)
{
	struct peer *p = arg;

	(void)c;
	list_remove(&p->link);
	free(p);
}

static const struct chan_ops peer_ops = { on_msg, on_close };

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	struct pamd *pamd = d->app;
	struct peer *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return;
	}
	p->pamd = pamd;
	p->chan = chan_new(&d->loop, fd, row, CHAN_SERVICE, &peer_ops, p);
	if (!p->chan) {
		free(p);
		return;
	}
	list_append(&pamd->peers, &p->link);
}

/* --- life ----------------------------------------------------------------- */

static struct seen
look(const char *path)
{
	struct seen seen = { .ino = 0 };
	struct stat st;

	if (stat(path, &st) < 0)
		return seen;
	seen = (struct seen){ .dev = st.st_dev, .ino = st.st_ino };
	/* A service that names another module now. */
	if (S_ISDIR(st.st_mode))
		seen.changed = st.st_mtim;
	return seen;
}

static bool
is_same(struct seen a, struct seen b)
{
	return a.dev == b.dev && a.ino == b.ino &&
	       a.changed.tv_sec == b.changed.tv_sec &&
	       a.changed.tv_nsec == b.changed.tv_nsec;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct pamd *p = d->app;
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < READABLE; i++) {
		if (is_same(look(readable[i]), p->seen[i]))
			continue;
		log_info("%s is new: starting anew", readable[i]);
		daemon_exit(d, EX_OK);
		return;
	}
}

/* As root, with all that PAM's modules want: they are loaded here and never
 * again.  master has the service's name from root's main.cf. */
static int
confine(struct daemon *d, struct jail *j, struct err *err)
{
	struct pamd *p = calloc(1, sizeof(*p)); /* until the process ends */
	size_t i, n = 0;

	if (!p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->app = p;
	list_init(&p->peers);
	if (pam_checker_init(&p->checker, params_str(&d->params, "pam_service"),
			     NULL, err) < 0)
		return -1;
	for (i = 0; i < READABLE; i++) {
		p->seen[i] = look(readable[i]);
		p->fds[n] = open(readable[i], O_PATH | O_CLOEXEC);
		if (p->fds[n] >= 0)
			n++;
	}
	p->fds[n] = -1;
	j->read_below = p->fds;
	return 0;
}

static int
start(struct daemon *d, struct err *err)
{
	struct pamd *p = d->app;
	struct timeval tv = { WATCH_S, 0 };

	p->tick = event_new(d->loop.base, -1, EV_PERSIST, on_tick, d);
	if (!p->tick || event_add(p->tick, &tv) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "no event");
	return 0;
}

/* Other modules cannot be loaded any more. */
static void
reload(struct daemon *d)
{
	struct pamd *p = d->app;

	if (!str_eq(params_str(&d->params, "pam_service"),
		    str_of(p->checker.service)))
		daemon_exit(d, EX_OK);
}

const struct daemon_ops pamd_ops = {
	.id = SVC_PAMD,
	.confine = confine,
	.start = start,
	.reload = reload,
	.peer = peer,
};
