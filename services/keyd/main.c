/* SPDX-License-Identifier: ISC */
#include "keyd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &keyd_ops);
}
