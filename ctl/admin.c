/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl.h"
#include "frame/msg_control.h"

/* Orders to master: reload, stop, status. */

struct admin_answer {
	int status;
	char text[1025];
};

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct admin_answer *a = arg;

	if (def == &msg_admin_text_def) {
		const struct msg_admin_text *m = msg;

		(void)fwrite(m->text.p, 1, m->text.n, stdout);
	} else if (def == &msg_admin_done_def) {
		const struct msg_admin_done *m = msg;

		a->status = m->status;
		(void)str_copy(a->text, sizeof(a->text), m->text);
	}
}

static int
order(struct ctl *c, const char *command, enum admin_verb verb)
{
	/* Stopping and reloading wait for what is in hand. */
	enum { ORDER_TIMEOUT_MS = 120 * 1000 };
	struct msg_admin ask = { .verb = (uint8_t)verb };
	struct admin_answer answer = { .status = EX_UNAVAILABLE };
	const struct chan_row *row;
	struct err err;
	int fd, rc;

	if (ctl_connect(c, SVC_MASTER, &fd, &row, &err) < 0) {
		ctl_error(command, "%s", err.text);
		return ctl_status(&err);
	}
	rc = ctl_call(fd, row, &msg_admin_def, &ask, ORDER_TIMEOUT_MS,
		      on_answer, &answer, &err);
	close(fd);
	if (rc < 0) {
		ctl_error(command, "%s", err.text);
		return ctl_status(&err);
	}
	if (answer.status)
		ctl_error(command, "%s", answer.text);
	else if (answer.text[0])
		(void)puts(answer.text);
	return answer.status;
}

int
cmd_reload(struct ctl *c, int argc, char **argv)
{
	if (argc != 1)
		return ctl_usage(argv[0]);
	/* What master would refuse is said here, with file and line. */
	if (ctl_config(c) != 0)
		return EX_USAGE;
	return order(c, argv[0], ADMIN_RELOAD);
}

int
cmd_status(struct ctl *c, int argc, char **argv)
{
	if (argc != 1)
		return ctl_usage(argv[0]);
	return order(c, argv[0], ADMIN_STATUS);
}

/*
 * master keeps its pid file locked as long as it lives: open it before it is
 * removed, and wait for the lock.  -1: there is no such file.
 */
static int
open_pid_file(struct ctl *c)
{
	(void)!ctl_config(c); /* faults do not matter here */
	return open(config_get(&c->conf, "pid_file").p, O_RDONLY | O_CLOEXEC);
}

static bool
wait_for_lock(int fd)
{
	enum { STEP_MS = 20, LIMIT_MS = 60 * 1000 };
	unsigned waited;

	for (waited = 0; waited < LIMIT_MS; waited += STEP_MS) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0)
			return true;
		(void)poll(NULL, 0, STEP_MS);
	}
	return false;
}

int
cmd_stop(struct ctl *c, int argc, char **argv)
{
	int fd, rc;

	if (argc != 1)
		return ctl_usage(argv[0]);
	fd = open_pid_file(c);
	rc = order(c, argv[0], ADMIN_STOP);
	if (rc == 0 && fd >= 0 && !wait_for_lock(fd)) {
		ctl_error(argv[0], "master still has work in hand");
		rc = EX_TEMPFAIL;
	}
	if (fd >= 0)
		close(fd);
	return rc;
}
