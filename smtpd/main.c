/* SPDX-License-Identifier: ISC */
#include "smtpd.h"

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &smtpd_ops);
}
