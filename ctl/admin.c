/* SPDX-License-Identifier: ISC */
#include <stdio.h>
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

int
cmd_stop(struct ctl *c, int argc, char **argv)
{
	if (argc != 1)
		return ctl_usage(argv[0]);
	return order(c, argv[0], ADMIN_STOP);
}
