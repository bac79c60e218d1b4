/* SPDX-License-Identifier: ISC */
#include "authd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &authd_ops);
}
