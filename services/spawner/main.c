/* SPDX-License-Identifier: ISC */
#include "spawner.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &spawner_ops);
}
