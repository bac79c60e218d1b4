/* SPDX-License-Identifier: ISC */
/* posthouse check: main.cf, and what stands where it points to. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl.h"
#include "store/mbox_file.h"

/* 1: something is to be mended. */
static int
check_spool(struct ctl *c)
{
	struct str path = config_get(&c->conf, "mail_spool_directory");
	char name[PATH_MAX];
	const char *problem;
	struct stat st;

	if (config_get(&c->conf, "home_mailbox").n)
		return 0; /* mail goes to the homes */
	if (!str_copy(name, sizeof(name), path))
		problem = strerror(ENAMETOOLONG);
	else if (stat(name, &st) < 0)
		problem = strerror(errno);
	else
		problem = mbox_dir_problem(&st);
	if (problem)
		(void)printf("mail_spool_directory = %.*s: %s\n", STR_FMT(path),
			     problem);
	return problem != NULL;
}

int
cmd_check(struct ctl *c, int argc, char **argv)
{
	if (argc != 1)
		return ctl_usage(argv[0]);
	if (ctl_config(c) != 0)
		return EX_USAGE;
	return check_spool(c);
}
