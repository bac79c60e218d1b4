/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"
#include "mail/uidl.h"

const struct param pop3d_params[] = {
	{ .name = "pop3_timeout",
	  .kind = PARAM_TIME,
	  .def = "10m",
	  .min = 1,
	  .max = 86400,
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "How long a POP3 client may be silent after its login "
		  "before it is disconnected, without deleting anything. "
		  "RFC 1939 wants at least ten minutes." },
	{ .name = "pop3_session_limit",
	  .kind = PARAM_INT,
	  .def = "20",
	  .min = 1,
	  .max = 200,
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "How many POP3 sessions one user may have at a time; there "
		  "is no lock, so several are welcome." },
	{ .name = "pop3_uidl_format",
	  .kind = PARAM_STR,
	  .def = "%08Xu%08Xv",
	  .users = SVC_BIT(SVC_SPAWNER) | SVC_BIT(SVC_CTL),
	  .check = uidl_format_check,
	  .text = "The names of messages in POP3 (UIDL), by which a client "
		  "that leaves mail here knows what it has; a change makes all "
		  "of them download everything again. Dovecot's variables and "
		  "default: %u is the UID, %v UIDVALIDITY, %f the name of the "
		  "file without its flags; X between them makes a number "
		  "hexadecimal, 08 fills it with zeros to eight digits. For "
		  "users of Courier: %f or %v-%u; Cyrus: %v.%u; UW: "
		  "%08Xv%08Xu. A file posthouse.uidl in the mailbox, left by "
		  "an "
		  "import, goes before it." },
	{ .name = "pop3_no_flag_updates",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "Leave flags alone. By default a message that was sent "
		  "whole to a POP3 client is marked as seen at QUIT, as in "
		  "Dovecot." },
	{ .name = "pop3_expire",
	  .kind = PARAM_TIME,
	  .def = "0",
	  .min = 0,
	  .max = 315360000,
	  .users = SVC_BIT(SVC_SPAWNER) | SVC_BIT(SVC_LOGIN),
	  .text = "How long mail may stay for POP3 clients that leave it here, "
		  "in whole days, which CAPA announces (EXPIRE); 0: for ever. "
		  "When a POP3 session ends with QUIT, those messages go that "
		  "are marked as seen and whose file is older; the age is "
		  "counted from when the file was last saved, copied or "
		  "renamed for its flags. Mail nobody has read stays." },
	{ .name = "pop3_login_delay",
	  .kind = PARAM_TIME,
	  .def = "0",
	  .min = 0,
	  .max = 86400,
	  .users = SVC_BIT(SVC_SPAWNER) | SVC_BIT(SVC_LOGIN),
	  .text = "How long after a POP3 login the same user's next one is "
		  "refused (LOGIN-DELAY); 0: no time." },
	{ .name = NULL },
};
