/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "frame/registry.h"
#include "sendmail.h"

void
complain(const struct sendmail *sm, const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "%s: ", sm->name);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

/* What cannot be read, or is wrong elsewhere in main.cf, is not the caller's
 * business: the defaults then. */
static void
load_config(struct sendmail *sm)
{
	struct buf messages;
	struct err err;

	buf_init(&messages, 64 * 1024);
	if (config_load(&sm->conf, param_sets, sm->opt.config, &messages,
			&err) < 0 &&
	    sm->opt.verbose)
		complain(sm, "%s%s", buf_cstr(&messages), err.text);
	buf_fini(&messages);
	sm->socket = config_get(&sm->conf, "submit_socket").p;
}

static int
run(struct sendmail *sm)
{
	if (sm->opt.mode == MODE_ALIASES)
		return do_aliases(sm);
	if (!sm->socket || !*sm->socket) {
		complain(sm, "submit_socket is empty in main.cf: this mail "
			     "system takes no mail from local users");
		return EX_UNAVAILABLE;
	}
	switch (sm->opt.mode) {
	case MODE_SMTP:
		return do_smtp(sm);
	case MODE_LIST:
		return do_list(sm);
	case MODE_FLUSH:
		return do_flush(sm);
	default:
		return do_submit(sm);
	}
}

/* The connection must not get the number of a standard stream that the caller
 * has closed: what is said to people would go there. */
static int
fill_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd < 0 ? -1 : close(fd);
}

int
sendmail_main(int argc, char **argv)
{
	struct sendmail sm = { .name = "sendmail" };
	const char *slash;
	struct err err;
	int status;

	if (argc > 0) {
		slash = strrchr(argv[0], '/');
		sm.name = slash ? slash + 1 : argv[0];
	}
	if (fill_streams() < 0)
		return EX_OSERR;
	(void)signal(SIGPIPE, SIG_IGN);
	if (options_parse(&sm.opt, argc, argv, getenv("MAIL_CONFIG"), &err) <
	    0) {
		complain(&sm, "%s", err.text);
		return EX_USAGE;
	}
	load_config(&sm);
	status = run(&sm);
	config_fini(&sm.conf);
	if (fflush(stdout) != 0 && errno != EPIPE) {
		complain(&sm, "cannot write the result");
		return EX_IOERR;
	}
	return status;
}
