/* SPDX-License-Identifier: ISC */
#include "sendmail.h"

int
main(int argc, char **argv)
{
	return sendmail_main(argc, argv);
}
