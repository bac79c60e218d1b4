/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param authd_params[] = {
	{ .name = "users_file",
	  .kind = PARAM_PATH,
	  .def = "users",
	  .users = SVC_BIT(SVC_MASTER) | SVC_BIT(SVC_CTL),
	  .text = "The file of the users who may log in, in the form of "
		  "Dovecot's passwd-file: user:{CRYPT}hash:uid:gid:gecos:home:"
		  "shell:extra fields. It belongs to root alone (0600). Its "
		  "changes take effect by themselves; \"posthouse user\" "
		  "edits it." },
	{ .name = "app_passwords_file",
	  .kind = PARAM_PATH,
	  .def = "app_passwords",
	  .users = SVC_BIT(SVC_MASTER) | SVC_BIT(SVC_CTL),
	  .text = "The file of the app passwords: each user may have up to "
		  "32, named, for some of imap, pop3 and smtp, and for a "
		  "time. It belongs to root alone (0600); no file means no "
		  "app passwords. Its changes take effect by themselves; "
		  "\"posthouse user app\" edits it. App passwords are "
		  "taken with PLAIN and LOGIN, not with SCRAM." },
	{ .name = "last_use_file",
	  .kind = PARAM_PATH,
	  .def = "/var/lib/posthouse/last_use",
	  .users = SVC_BIT(SVC_MASTER) | SVC_BIT(SVC_CTL),
	  .text = "The file where time, service and client of the last login "
		  "of each user and app password are written down, for "
		  "\"posthouse user\"; of about 16000 of them, the oldest "
		  "give way. Made if it is missing, at most 8 MB. Takes "
		  "effect when authd starts." },
	{ .name = "user_password_scheme",
	  .kind = PARAM_ENUM,
	  .def = "sha512",
	  .choices = "sha512|yescrypt|bcrypt",
	  .users = SVC_BIT(SVC_CTL),
	  .text = "How \"posthouse user\" hashes new passwords, with the "
		  "cost that crypt(3) thinks right. A password takes about "
		  "1 ms of processor time with sha512, 13 ms with "
		  "yescrypt." },
	{ .name = "auth_mechanisms",
	  .kind = PARAM_LIST,
	  .def = "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256",
	  .users = SVC_BIT(SVC_AUTHD) | SVC_BIT(SVC_LOGIN) |
		   SVC_BIT(SVC_SUBMITD),
	  .text = "The SASL mechanisms offered to people's programs, of PLAIN, "
		  "LOGIN, SCRAM-SHA-1 and SCRAM-SHA-256. PLAIN and LOGIN are "
		  "offered only where plain passwords may be sent. Under TLS "
		  "each SCRAM mechanism is offered with channel binding as "
		  "well (SCRAM-SHA-256-PLUS). SCRAM needs keys in the users "
		  "file, which \"posthouse user\" writes." },
	{ .name = "auth_hash_threads",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 32,
	  .users = SVC_BIT(SVC_AUTHD),
	  .text = "How many passwords are hashed at the same time. Takes "
		  "effect when authd starts." },
	{ .name = "auth_queue_limit",
	  .kind = PARAM_INT,
	  .def = "256",
	  .min = 1,
	  .max = 10000,
	  .users = SVC_BIT(SVC_AUTHD),
	  .text = "How many passwords may wait to be hashed; further logins "
		  "fail with a temporary error. Takes effect when authd "
		  "starts." },
	{ .name = "auth_verbose",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SVC_BIT(SVC_AUTHD),
	  .text = "Log for each failed login whether the user is unknown or "
		  "the password did not match." },
	{ .name = NULL },
};
