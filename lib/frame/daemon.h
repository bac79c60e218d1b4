/* SPDX-License-Identifier: ISC */
#ifndef FRAME_DAEMON_H
#define FRAME_DAEMON_H

#include "base/param.h"
#include "frame/service.h"

/*
 * The life of every daemon that master execs.  daemon_main() reads its own
 * parameters, preloads, enters the jail and only then reads anything else;
 * the daemon's part is the operations below.
 *
 * Arguments: "NAME=FD" each: control, log, params, root, the listening
 * sockets ("listen_smtp=7", repeated), and the descriptors of the service's row
 * ("users=9").  Beside its own parameters each child receives jail_uid,
 * jail_gid and jail_unprivileged, which master alone decides.
 */
struct daemon {
	struct loop loop;
	const struct service *svc;
	struct params params; /* replaced before reload() is called */
	struct chan *control;
	void *app; /* the daemon's own state */
	bool draining;
	/* private to frame/daemon.c */
	const struct daemon_ops *ops;
	struct daemon_fd *fds;
	size_t nfds;
	struct list connects;
	uint32_t next_tag;
	int exit_code;
};

struct jail;

struct daemon_ops {
	enum service_id id;
	/* Before the jail, as root: what dlopen()s or reads files. */
	void (*preload)(void);
	/* For rows with root /: which directories the jail leaves open
	 * (read_below, write_below), and spawner's ids. May open them. */
	int (*confine)(struct daemon *d, struct jail *j, struct err *err);
	/* Jailed.  -1 with err: master is told and tries again later. */
	int (*start)(struct daemon *d, struct err *err);
	/* New parameters are in d->params (RELOAD_INPLACE rows only). */
	void (*reload)(struct daemon *d);
	/* A new edition of a table (a sealed memfd), or, for logd, a new
	 * log channel of the process NAME; take fd. */
	void (*table)(struct daemon *d, struct str name, int fd);
	/* A new asker; take fd. NULL: this service has none. */
	void (*peer)(struct daemon *d, const struct chan_row *row, int fd);
	/* Take nothing new; call daemon_exit() when all is finished.  NULL:
	 * exit at once.  Called as well when master is gone (EOF on control):
	 * after 5 s the process ends by itself. */
	void (*drain)(struct daemon *d);
};

/* Exit status for bad configuration: master does not start it again. */
enum { DAEMON_BAD_CONFIG = 64 };

int daemon_main(int argc, char **argv, const struct daemon_ops *ops);

/*
 * What a daemon does once it is jailed, started and ready: run its loop.  It
 * stands in a file of its own, so that the jail test can link another one,
 * which tries first what the jail must prevent (tests/jail/intruder.c).
 */
void daemon_serve(struct daemon *d);

/* An inherited descriptor by name and number among those of that name; -1:
 * none. It stays the daemon's. */
int daemon_fd(const struct daemon *d, const char *name, size_t i);

/* Leave the loop; the process exits with this status. */
void daemon_exit(struct daemon *d, int status);

/* Ask master for a channel: cb gets the asker's end, or -1 (never: not in the
 * channel table).  One answer per call.  worker: 0 for the one that master
 * gives us, or the number of one, from 1. */
typedef void daemon_connect_cb(void *arg, int fd, bool never);
void daemon_connect(struct daemon *d, enum service_id service, unsigned worker,
		    daemon_connect_cb *cb, void *arg);
/* No answer wanted any more. */
void daemon_connect_cancel(struct daemon *d, void *arg);

#endif
