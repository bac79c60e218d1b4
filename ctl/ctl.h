/* SPDX-License-Identifier: ISC */
#ifndef CTL_H
#define CTL_H

#include <sysexits.h>

#include "frame/config.h"
#include "net/msg.h"

/*
 * The administrator's command:  posthouse [-c CONFDIR] COMMAND ...
 *
 * Each command is one function and one row of the table in commands.c.  It gets
 * argv with the command's own name in argv[0], writes its result to stdout,
 * problems to stderr (ctl_error), and returns the exit status: 0, 1 (asked
 * about something that is not there), EX_USAGE (64: wrong use, bad
 * configuration), EX_UNAVAILABLE (69: the service is not running), EX_TEMPFAIL
 * (75), EX_NOPERM (77).
 */
struct ctl {
	const char *confdir;
	struct config conf; /* after ctl_config() */
	bool loaded;
	int status; /* of ctl_config(): 0 or EX_USAGE */
};

/* The command line: finds the command in the table and runs it. */
int ctl_main(int argc, char **argv);

typedef int ctl_command(struct ctl *c, int argc, char **argv);

ctl_command cmd_check, cmd_conf, cmd_dns, cmd_map, cmd_queue, cmd_user,
	cmd_status, cmd_reload, cmd_stop, cmd_tls, cmd_topology, cmd_trace,
	cmd_who, cmd_kick, cmd_mail;

/* "posthouse COMMAND: text" on stderr. */
void ctl_error(const char *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The usage line of a command on stderr; returns EX_USAGE. */
int ctl_usage(const char *command);

/* EX_TEMPFAIL or EX_UNAVAILABLE for TEMP, EX_NOPERM for EPERM and EACCES, else
 * 1. */
int ctl_status(const struct err *err);

/* Load main.cf into c->conf, once; its problems go to stderr.  0 or EX_USAGE.
 */
ERR_WARN_UNUSED int ctl_config(struct ctl *c);

/* Put "NAME=VALUE" each (up to NULL) into main.cf, as "posthouse conf -e". */
ERR_WARN_UNUSED int ctl_conf_set(struct ctl *c, char **settings,
				 struct err *err);

/*
 * A channel to a service through control.sock.  SVC_MASTER is the connection
 * to control.sock itself.  The configuration need not be free of errors.  The
 * caller closes *fd.  TEMP: not running now; PERM: not allowed.
 */
ERR_WARN_UNUSED int ctl_connect(struct ctl *c, enum service_id service, int *fd,
				const struct chan_row **row, struct err *err);

/* To one worker of the service, counted from 1. */
ERR_WARN_UNUSED int ctl_connect_worker(struct ctl *c, enum service_id service,
				       unsigned worker, int *fd,
				       const struct chan_row **row,
				       struct err *err);

/* One message that came under the request's tag: parts first, the reply last.
 * Descriptors are closed afterwards unless the callback sets the field to -1.
 */
typedef void ctl_msg_cb(void *arg, const struct msg_def *def, void *msg);

/*
 * Ask one request and wait for its reply.  Notes and parts under other tags
 * are passed over.  timeout_ms bounds the wait for each single message.  0
 * after the reply was given to cb; -1: EOF, time-out, or a message that breaks
 * the row.
 */
enum { CTL_TIMEOUT_MS = 30 * 1000 };
ERR_WARN_UNUSED int ctl_call(int fd, const struct chan_row *row,
			     const struct msg_def *def, const void *msg,
			     unsigned timeout_ms, ctl_msg_cb *cb, void *arg,
			     struct err *err);
/* A part that belongs before a request; it goes under the same tag. */
ERR_WARN_UNUSED int ctl_send(int fd, const struct msg_def *def, const void *msg,
			     struct err *err);

#endif
