/* SPDX-License-Identifier: ISC */
#include "logd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &logd_ops);
}
