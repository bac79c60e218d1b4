/* SPDX-License-Identifier: ISC */
#include "master.h"

int
main(int argc, char **argv)
{
	struct options opt;
	int status = options_parse(&opt, argc, argv);

	if (status)
		return status < 0 ? 0 : status; /* -1: --help */
	return master_run(&opt);
}
