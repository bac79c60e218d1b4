/* SPDX-License-Identifier: ISC */
#include "pamd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &pamd_ops);
}
