/* SPDX-License-Identifier: ISC */
#include "dnsd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &dnsd_ops);
}
