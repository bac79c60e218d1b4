/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_TESTBED_DIALOG_H
#define RECEIVE_TESTBED_DIALOG_H

#include "receive/testbed.h"

/*
 * Runs the dialogues in dir (or those named as arguments) against a worker of
 * this daemon, each as a test; returns the exit status.
 */
int testbed_dialogs(const struct daemon_ops *ops, const char *dir, int argc,
		    char **argv);

#endif
