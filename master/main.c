/* SPDX-License-Identifier: ISC */
#include "master.h"

int
main(int argc, char **argv)
{
	struct options opt;
	int status = options_parse(&opt, argc, argv);

	return status ? status : master_run(&opt);
}
