/* SPDX-License-Identifier: ISC */
#include "worker.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &smtp_ops);
}
