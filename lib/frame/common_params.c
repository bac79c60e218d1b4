/* SPDX-License-Identifier: ISC */
#include "frame/registry.h"
#include "frame/service.h"

enum {
	MASTER = SVC_BIT(SVC_MASTER),
	SMTPD = SVC_BIT(SVC_SMTPD),
	RECEIVERS = SMTPD | SVC_BIT(SVC_SUBMITD),
	SMTP = SVC_BIT(SVC_SMTP),
	ROUTER = SVC_BIT(SVC_ROUTER),
	QMGR = SVC_BIT(SVC_QMGR),
	KEYD = SVC_BIT(SVC_KEYD),
	SPAWNER = SVC_BIT(SVC_SPAWNER),
	LOGD = SVC_BIT(SVC_LOGD),
	CTL = SVC_BIT(SVC_CTL),
	/* All that master starts: those from logd to spawner. */
	JAILED = SVC_BIT(SVC_SPAWNER + 1) - SVC_BIT(SVC_LOGD),
};

const struct param common_params[] = {
	{ .name = "myhostname",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = LOGD | RECEIVERS | QMGR | SMTP | KEYD | SPAWNER | CTL,
	  .text = "The fully qualified name of this mail system. When it is "
		  "not set, it is the host's own name; if that has no dot, "
		  "$mydomain (or localdomain) is put behind it." },
	{ .name = "mydomain",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = QMGR,
	  .text = "The domain of this mail system. When it is not set, it is "
		  "$myhostname without its first label, or localdomain." },
	{ .name = "myorigin",
	  .kind = PARAM_STR,
	  .def = "$myhostname",
	  .users = RECEIVERS | ROUTER | QMGR,
	  .text = "The domain that is put behind an address that has none." },
	{ .name = "mynetworks",
	  .kind = PARAM_NETS,
	  .def = "127.0.0.0/8 [::1]/128",
	  .users = SMTPD,
	  .text = "The networks whose clients may relay mail through this "
		  "system: ADDRESS/BITS or a single address, IPv6 in brackets "
		  "or without. The default is this machine alone." },
	{ .name = "mail_name",
	  .kind = PARAM_STR,
	  .def = "Posthouse",
	  .users = RECEIVERS | QMGR,
	  .text = "The name of the mail system in greetings and Received "
		  "header fields." },
	{ .name = "mail_version",
	  .kind = PARAM_STR,
	  .def = POSTHOUSE_VERSION,
	  .text = "The version of the mail system, to be used as "
		  "$mail_version in other values." },
	{ .name = "transports",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = ROUTER | CTL,
	  .text = "Names of further ways to send mail, beside smtp, lmtp and "
		  "relay, for use in transport_maps and the like. Each NAME "
		  "is based on what NAME_transport says (smtp, which is the "
		  "default, lmtp or relay), and each parameter smtp_X or "
		  "lmtp_X of that base is there as NAME_X with the base's "
		  "value as its default; so is NAME_destination_X with the "
		  "value of default_destination_X, and "
		  "NAME_initial_destination_concurrency. lmtp and relay are "
		  "related to smtp in the same way: relay_X is $smtp_X "
		  "unless it is set, and so is lmtp_X where it has no "
		  "entry of its own here. Example: transports = slow, "
		  "slow_destination_concurrency_limit = 1, "
		  "slow_tls_security_level = encrypt." },
	{ .name = "debug_services",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = JAILED,
	  .text = "The processes, by their names in the log (login, smtp, "
		  "imapd ...), that also tell what they do at each step, "
		  "for the search of errors; \"all\": each of them." },
	{ .name = "queue_directory",
	  .kind = PARAM_PATH,
	  .def = "/var/spool/posthouse",
	  .users = MASTER | SVC_BIT(SVC_DIALER),
	  .text = "The directory of the queue. It belongs to qmgr's user "
		  "alone (0700)." },
	{ .name = "log_directory",
	  .kind = PARAM_PATH,
	  .def = "/var/log/posthouse",
	  .users = MASTER | CTL,
	  .text = "The directory of maillog_file. It belongs to logd's user "
		  "alone (0700)." },
	{ .name = "empty_directory",
	  .kind = PARAM_PATH,
	  .def = "/var/lib/posthouse/empty",
	  .users = MASTER,
	  .text = "The directory that is the root of every daemon that needs "
		  "no files. It is empty, belongs to root and nobody may "
		  "write it (0555)." },
	{ .name = "socket_directory",
	  .kind = PARAM_PATH,
	  .def = "/run/posthouse",
	  .users = MASTER | CTL,
	  .text = "The directory of control.sock, through which the command "
		  "posthouse(8) speaks to the running system." },
	{ .name = "pid_file",
	  .kind = PARAM_PATH,
	  .def = "$socket_directory/master.pid",
	  .users = MASTER | CTL,
	  .text = "The file that master writes its process number into, and "
		  "keeps locked while it runs." },
	{ .name = "syslog_name",
	  .kind = PARAM_STR,
	  .def = "posthouse",
	  .users = LOGD,
	  .text = "The first part of the program name in each line of the "
		  "log: posthouse/smtpd. Set it to postfix for programs that "
		  "look for that name." },
	{ .name = "mailbox_syslog_name",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = LOGD,
	  .text = "When set, the whole program name in the log of those "
		  "processes whose lines are in Dovecot's words: login, authd, "
		  "imapd, pop3d. Set it to dovecot for programs that look for "
		  "that name; when empty, syslog_name counts for these "
		  "processes as well." },
	{ .name = "maillog_file",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = LOGD | CTL,
	  .text = "Where the log goes: a file name below log_directory, or - "
		  "for the standard error of master; when empty, the system's "
		  "log (/dev/log)." },
	{ .name = "log_format",
	  .kind = PARAM_ENUM,
	  .def = "text",
	  .choices = "text|json",
	  .users = LOGD,
	  .text = "The form of a line of the log: text in Postfix's words, or "
		  "one JSON object." },
	{ .name = "sandbox_missing",
	  .kind = PARAM_ENUM,
	  .def = "refuse",
	  .choices = "refuse|allow",
	  .users = MASTER | JAILED,
	  .text = "What to do where the kernel has no Landlock and a process "
		  "depends on it (router, spawner and the users' processes): "
		  "refuse to start, or go on with the rest of the jail." },
	{ .name = NULL },
};
