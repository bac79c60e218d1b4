/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/param.h"
#include "frame/service.h"

enum {
	SPAWNER = SVC_BIT(SVC_SPAWNER),
	AUTHD = SVC_BIT(SVC_AUTHD),
	ROUTER = SVC_BIT(SVC_ROUTER),
	CTL = SVC_BIT(SVC_CTL),
};

static int
check_spool(struct str value, struct err *err)
{
	if (value.n && value.p[0] == '/' && !str_ends(value, STR("/")))
		return 0;
	return err_set(err, ERR_PERM, EINVAL,
		       "mail_spool_directory: want an absolute path without "
		       "\"/\" at the end: it holds mbox files (for Maildirs "
		       "set home_mailbox)");
}

static int
check_locks(struct str value, struct err *err)
{
	struct str item;
	bool any = false, bad = false;

	while (str_token(&value, ", \t", &item)) {
		any = true;
		bad |= !str_eq(item, STR("fcntl")) &&
		       !str_eq(item, STR("dotlock"));
	}
	return any && !bad ? 0
			   : err_set(err, ERR_PERM, EINVAL,
				     "mailbox_delivery_lock: want fcntl, "
				     "dotlock, or both");
}

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
	  .text = "The mailbox of a system user, below the home: a Maildir "
		  "if it ends in \"/\", otherwise an mbox file. When empty, "
		  "mail goes to mail_spool_directory." },
	{ .name = "mail_spool_directory",
	  .kind = PARAM_STR,
	  .def = "/var/mail",
	  .users = SPAWNER | CTL,
	  .text = "The directory in which each system user has an mbox file "
		  "of the user's name; used when home_mailbox is empty. If its "
		  "group may write there (mail, on Debian), those who deliver "
		  "have that group; it should be sticky (chmod +t), so "
		  "that nobody can remove another's mailbox. Maildirs stand "
		  "below the home only: a "
		  "\"/\" at the end is an error. A change takes a restart.",
	  .check = check_spool },
	{ .name = "mailbox_delivery_lock",
	  .kind = PARAM_LIST,
	  .def = "fcntl, dotlock",
	  .users = SPAWNER,
	  .text = "How an mbox file is locked, for virtual mailboxes too: "
		  "fcntl, dotlock (a file of its name with \".lock\" beside "
		  "it), or both; always fcntl first. Every program that "
		  "changes the file must use the same.",
	  .check = check_locks },
	{ .name = "deliver_lock_attempts",
	  .kind = PARAM_INT,
	  .def = "20",
	  .min = 1,
	  .max = 100000,
	  .users = SPAWNER,
	  .text = "How often a lock of an mbox file is tried for before the "
		  "mail is deferred." },
	{ .name = "deliver_lock_delay",
	  .kind = PARAM_TIME,
	  .def = "1s",
	  .min = 1,
	  .max = 3600,
	  .users = SPAWNER,
	  .text = "The time between two attempts to lock an mbox file." },
	{ .name = "stale_lock_time",
	  .kind = PARAM_TIME,
	  .def = "500s",
	  .min = 1,
	  .max = 1000000,
	  .users = SPAWNER,
	  .text = "A lock file beside an mbox that is older is removed: "
		  "whoever made it has died. One of a process of ours that "
		  "was killed is seen for what it is at once, if "
		  "mailbox_delivery_lock has fcntl and the file system is "
		  "local." },
	{ .name = "mailbox_size_limit",
	  .kind = PARAM_BYTES,
	  .def = "51200000",
	  .min = 0,
	  .max = 4000000000000,
	  .users = SPAWNER,
	  .text = "How large an mbox file may become by a delivery; 0: any "
		  "size. Mail that has no room is returned to its sender "
		  "(5.2.2). Maildirs are not limited by it." },
	{ .name = "strict_mailbox_ownership",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SPAWNER,
	  .text = "Deliver to an mbox file only if it belongs to its user." },
	{ .name = "mbox_take_in",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SPAWNER,
	  .text = "Where mail of system users goes to mbox files (home_mailbox "
		  "does not end in \"/\"): move what has come into the "
		  "Maildir Maildir/ below the user's home when the user logs "
		  "in by IMAP or POP3, and while an IMAP session lasts. Users "
		  "who never log in keep their mbox. With no, IMAP and POP3 "
		  "do not show what stands in mbox files, and mutt or mail "
		  "can read them beside." },
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
