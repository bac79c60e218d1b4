/* SPDX-License-Identifier: ISC */
#include "submitd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &submitd_ops);
}
