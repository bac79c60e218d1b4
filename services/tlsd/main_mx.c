/* SPDX-License-Identifier: ISC */
#include "tlsd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &tlsd_mx_ops);
}
