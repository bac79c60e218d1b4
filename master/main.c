/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <sysexits.h>
#include <unistd.h>

#include "master.h"

/* A child's 0 and 1 become /dev/null: none of ours may have such a number. */
static int
have_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	return fd < 0 ? -1 : close(fd);
}

int
main(int argc, char **argv)
{
	struct options opt;
	int status;

	if (have_standard_files() < 0)
		return EX_OSERR;
	status = options_parse(&opt, argc, argv);
	if (status)
		return status < 0 ? 0 : status; /* -1: --help */
	return master_run(&opt);
}
