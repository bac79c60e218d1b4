/* SPDX-License-Identifier: ISC */
#include "router.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &router_ops);
}
