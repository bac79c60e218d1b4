/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param authd_params[] = {
	{ .name = "users_file",
	  .kind = PARAM_PATH,
	  .def = "users",
	  .users = SVC_BIT(SVC_MASTER) | SVC_BIT(SVC_CTL),
	  .text = "The file of the users who may log in, in the form of "
		  "Dovecot's passwd-file: user:password:uid:gid:gecos:home:"
		  "shell:extra fields. The password is {SCRAM-SHA-256} or "
		  "{SCRAM-SHA-1} and keys, or {CRYPT} and a hash of crypt(3); "
		  "keys for SCRAM may stand beside either in the extra fields "
		  "scram_sha_256= and scram_sha_1=. Who replaces a password by "
		  "hand must replace or remove those as well. The file belongs "
		  "to root alone (0600). Its changes take effect by "
		  "themselves; \"posthouse user\" edits it." },
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
	  .def = "scram",
	  .choices = "scram|sha512|yescrypt|bcrypt",
	  .users = SVC_BIT(SVC_CTL),
	  .text = "How \"posthouse user\" stores new passwords: as keys for "
		  "SCRAM-SHA-256 and SCRAM-SHA-1 with 10000 iterations, which "
		  "serve every mechanism, or as a hash with the cost that "
		  "crypt(3) thinks right, which serves PLAIN and LOGIN alone. "
		  "A login by PLAIN or LOGIN takes about 3 ms of processor "
		  "time with scram, 1 ms with sha512, 13 ms with yescrypt; one "
		  "by SCRAM takes next to nothing here." },
	{ .name = "auth_mechanisms",
	  .kind = PARAM_LIST,
	  .def = "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256",
	  .users = SVC_BIT(SVC_AUTHD) | SVC_BIT(SVC_LOGIN) |
		   SVC_BIT(SVC_SUBMITD) | SVC_BIT(SVC_SPAWNER),
	  .text = "The SASL mechanisms offered to people's programs, of PLAIN, "
		  "LOGIN, SCRAM-SHA-1, SCRAM-SHA-256, and the forms of the "
		  "latter two that bind the login to its TLS connection, "
		  "SCRAM-SHA-1-PLUS and SCRAM-SHA-256-PLUS. PLAIN and LOGIN "
		  "are offered only where plain passwords may be sent, -PLUS "
		  "only under TLS. -PLUS keeps out whoever stands between with "
		  "a certificate that the client takes; it is not the default "
		  "because some programs choose it and then cannot do it "
		  "(mutt 2.2 with GNU SASL). SCRAM needs keys in the users "
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
	  .def = "1024",
	  .min = 1,
	  .max = 10000,
	  .users = SVC_BIT(SVC_AUTHD),
	  .text = "How many passwords may wait to be hashed; further logins "
		  "fail with a temporary error. Each process of login and "
		  "submitd has an equal share of it, and each client at most "
		  "half of that. Takes effect when authd starts." },
	{ .name = "login_penalty",
	  .kind = PARAM_TIME,
	  .def = "15s",
	  .min = 0,
	  .max = 20,
	  .users = SVC_BIT(SVC_AUTHD),
	  .text = "How long a client (an IPv4 address, an IPv6 /64) waits "
		  "at most before its next password is looked at: after the "
		  "second wrong one 2 s, then 4, 8 and so on up to this; 0 "
		  "switches it off. It counts for all services together; a "
		  "right password, or five minutes without a wrong one, ends "
		  "it, and the same wrong password again counts once. Users "
		  "are not slowed where they have logged in before by what "
		  "others try." },
	{ .name = "login_penalty_exceptions",
	  .kind = PARAM_NETS,
	  .def = "127.0.0.0/8 [::1]/128",
	  .users = SVC_BIT(SVC_AUTHD),
	  .text = "Clients that stand for many people, like webmail: there "
		  "wrong passwords slow the logins of that user alone, by at "
		  "most 4 s." },
	{ .name = "auth_verbose",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SVC_BIT(SVC_AUTHD),
	  .text = "Log for each failed login whether the user is unknown or "
		  "the password did not match." },
	{ .name = NULL },
};
