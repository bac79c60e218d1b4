/* SPDX-License-Identifier: ISC */
#include "tls.h"

/* posthouse tls init|show|check */
int
cmd_tls(struct ctl *c, int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "init") == 0)
		return tls_init(c, argc - 1, argv + 1);
	return ctl_usage(argv[0]);
}
