/* SPDX-License-Identifier: ISC */
#include "receive/testbed_dialog.h"
#include "smtpd.h"

int
main(int argc, char **argv)
{
	return testbed_dialogs(&smtpd_ops, "../tests/dialog/smtpd", argc, argv);
}
