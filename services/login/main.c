/* SPDX-License-Identifier: ISC */
#include "worker.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &login_ops);
}
