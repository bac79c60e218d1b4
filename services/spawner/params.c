/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum {
	SPAWNER = SVC_BIT(SVC_SPAWNER),
	AUTHD = SVC_BIT(SVC_AUTHD),
	ROUTER = SVC_BIT(SVC_ROUTER),
	CTL = SVC_BIT(SVC_CTL),
};

const struct param spawner_params[] = {
	{ .name = "virtual_mailbox_base",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = SPAWNER | AUTHD | CTL,
	  .text = "The directory below which all virtual mailboxes stand; what "
		  "virtual_mailbox_maps says is a path below it. It belongs "
		  "to the user of virtual_uid_maps. When empty, there are no "
		  "virtual mailboxes." },
	{ .name = "virtual_uid_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = SPAWNER | AUTHD | CTL,
	  .text = "The user id that owns all virtual mailboxes, as "
		  "static:UID. It must lie between first_valid_uid and "
		  "last_valid_uid." },
	{ .name = "virtual_gid_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = SPAWNER | AUTHD | CTL,
	  .text = "The group id that owns all virtual mailboxes, as "
		  "static:GID. It must lie between first_valid_gid and "
		  "last_valid_gid." },
	{ .name = "first_valid_uid",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 1,
	  .max = 4294967293,
	  .users = SPAWNER | ROUTER | AUTHD | CTL,
	  .text = "The lowest user id for which mail is delivered or read. "
		  "The kernel holds spawner to it: it can become no user "
		  "below." },
	{ .name = "last_valid_uid",
	  .kind = PARAM_INT,
	  .def = "59999",
	  .min = 1,
	  .max = 4294967293,
	  .users = SPAWNER | ROUTER | CTL,
	  .text = "The highest user id for which mail is delivered or read." },
	{ .name = "first_valid_gid",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 1,
	  .max = 4294967293,
	  .users = SPAWNER | CTL,
	  .text = "The lowest group id a user's process may run under." },
	{ .name = "last_valid_gid",
	  .kind = PARAM_INT,
	  .def = "59999",
	  .min = 1,
	  .max = 4294967293,
	  .users = SPAWNER | CTL,
	  .text = "The highest group id a user's process may run under." },
	{ .name = "home_parents",
	  .kind = PARAM_LIST,
	  .def = "/home",
	  .users = SPAWNER | CTL,
	  .text = "The directories below which the homes of system users "
		  "stand. The mail of a user whose home is elsewhere is "
		  "neither delivered nor served. A change takes a restart." },
	{ .name = "home_mailbox",
	  .kind = PARAM_STR,
	  .def = "Maildir/",
	  .users = SPAWNER | AUTHD | CTL,
	  .text = "The mailbox of a system user, below the home. It is a "
		  "Maildir and ends in \"/\"." },
	{ .name = "user_process_limit",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 1,
	  .max = 4000,
	  .users = SPAWNER,
	  .text = "How many processes of users (deliver, imapd, pop3d) may run "
		  "at a time. Above it, deliveries are deferred and logins "
		  "refused." },
	{ .name = "mail_max_userip_connections",
	  .kind = PARAM_INT,
	  .def = "20",
	  .min = 0,
	  .max = 800,
	  .users = SPAWNER,
	  .text = "How many sessions one user may have from one address, for "
		  "IMAP and for POP3 each (Dovecot's parameter; its default is "
		  "10); 0: any number. Loopback addresses are not limited: "
		  "behind them stand webmail and proxies." },
	{ .name = "rawlog_users",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SPAWNER,
	  .text = "The users whose IMAP and POP3 sessions are written down, "
		  "for the search of errors: two files a session in "
		  "posthouse.rawlog/ in the user's mailbox, what the client "
		  "said and what it was told, each line behind its time. "
		  "Their sessions are not offered COMPRESS. They begin behind "
		  "the login, so no password is in them, unless a client sends "
		  "it again; mail is. The newest 100 files are kept." },
	{ .name = "rawlog_size_limit",
	  .kind = PARAM_BYTES,
	  .def = "10m",
	  .min = 1024,
	  .max = 4000000000,
	  .users = SPAWNER,
	  .text = "Where a file of rawlog_users ends, each of a session's "
		  "two." },
	{ .name = NULL },
};
