/* SPDX-License-Identifier: ISC */
#include "receive/testbed_dialog.h"
#include "submitd.h"

int
main(int argc, char **argv)
{
	return testbed_dialogs(&submitd_ops, "../tests/dialog/submitd", argc,
			       argv);
}
