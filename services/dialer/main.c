/* SPDX-License-Identifier: ISC */
#include "dialer.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &dialer_ops);
}
