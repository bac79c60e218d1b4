/* SPDX-License-Identifier: ISC */
#ifndef PAMD_PAM_CHECK_H
#define PAMD_PAM_CHECK_H

#include "frame/msg_pamd.h"

/*
 * One password through PAM: pam_authenticate, then pam_acct_mgmt.  The
 * conversation answers what is asked without echo with the password, and
 * refuses any other question.  PAM's own delay after failures is left out:
 * penalties are authd's.
 */
struct pam_checker {
	char service[33];
	const char *confdir; /* NULL: the system's */
	void *loaded;	     /* a handle, open for ever: libpam would load and
				unload the modules for each one */
	char dummy[256];     /* setting of crypt(3) for nobody's password */
};

/* 1 to 32 of a-z, 0-9, "-", "_", ".", not beginning with ".". */
bool pam_service_ok(struct str name);

/* Before the jail: load the modules of the service and what libc needs to look
 * up users.  Service is copied; confdir (NULL: the system's) is kept. */
ERR_WARN_UNUSED int pam_checker_init(struct pam_checker *p, struct str service,
				     const char *confdir, struct err *err);
void pam_checker_fini(struct pam_checker *p);

/* Blocks.  text: for the log, lives until the next call. */
enum pam_verdict pam_check(struct pam_checker *p, const char *user,
			   const char *password, const char *client,
			   const char **text);

#endif
