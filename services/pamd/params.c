/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param pamd_params[] = {
	{ .name = "pam_service",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = SVC_BIT(SVC_AUTHD) | SVC_BIT(SVC_PAMD) | SVC_BIT(SVC_CTL),
	  .text = "The PAM service (the file's name in /etc/pam.d) that "
		  "decides about the passwords of system users who are not in "
		  "users_file, e.g. \"login\" or one of your own; empty: they "
		  "cannot log in. Only users from first_valid_uid on are "
		  "asked about, with PLAIN and LOGIN. A helper process of "
		  "its own, pamd, runs PAM as root without any capability; "
		  "its modules can read /etc/passwd, /etc/shadow, "
		  "/etc/group, /etc/nsswitch.conf, /etc/login.defs, "
		  "/etc/pam.d and /etc/security, and cannot write, execute "
		  "or connect: pam_unix works, pam_ldap does not." },
	{ .name = NULL },
};
