/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum {
	MASTER = SVC_BIT(SVC_MASTER),
	SUBMITD = SVC_BIT(SVC_SUBMITD),
	CTL = SVC_BIT(SVC_CTL),
};

const struct param submitd_params[] = {
	{ .name = "listen_submission",
	  .kind = PARAM_LISTEN,
	  .def = "",
	  .users = MASTER,
	  .text = "The addresses and ports on which users' programs submit "
		  "mail, with STARTTLS: 0.0.0.0:587 [::]:587 for programs "
		  "that cannot use listen_submissions, which RFC 8314 "
		  "prefers." },
	{ .name = "listen_submissions",
	  .kind = PARAM_LISTEN,
	  .def = "0.0.0.0:465 [::]:465",
	  .users = MASTER,
	  .text = "The addresses and ports on which users' programs submit "
		  "mail, under TLS from the first byte. As long as there is "
		  "no certificate, a connection is closed at once." },
	{ .name = "submit_socket",
	  .kind = PARAM_PATH,
	  .def = "$socket_directory/submit.sock",
	  .users = MASTER | CTL,
	  .text = "The socket in the file system at which the users of this "
		  "machine submit mail: sendmail(1) does so, and the queue is "
		  "shown to mailq(1) through it. Everybody may connect; the "
		  "kernel says who it is. Empty: there is none." },
	{ .name = "authorized_submit_users",
	  .kind = PARAM_LIST,
	  .def = "static:anyone",
	  .users = SUBMITD,
	  .text = "Which users of this machine may submit mail through "
		  "$submit_socket: names of the password file, with \"!\" in "
		  "front who may not; the first that fits decides. "
		  "static:anyone, or static:all, is everybody, \"unknown\" "
		  "who has no name. Not for logins." },
	{ .name = "authorized_mailq_users",
	  .kind = PARAM_LIST,
	  .def = "static:anyone",
	  .users = SUBMITD,
	  .text = "Which users of this machine, beside root, may look at the "
		  "queue with mailq(1); as authorized_submit_users." },
	{ .name = "authorized_flush_users",
	  .kind = PARAM_LIST,
	  .def = "static:anyone",
	  .users = SUBMITD,
	  .text = "Which users of this machine, beside root, may have the "
		  "queue tried at once with sendmail -q; as "
		  "authorized_submit_users." },
	{ .name = "submitd_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = MASTER,
	  .text = "How many processes take submitted mail." },
	{ .name = "submission_check_sender",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SUBMITD,
	  .text = "Refuse a sender address (MAIL FROM) that does not belong "
		  "to the user who has logged in, see "
		  "smtpd_sender_login_maps. The empty sender address is "
		  "anybody's. Programs of this machine (submit_socket) are "
		  "not asked." },
	{ .name = "submission_uid_connection_limit",
	  .kind = PARAM_INT,
	  .def = "50",
	  .min = 0,
	  .max = 100000,
	  .users = SUBMITD,
	  .text = "How many connections to $submit_socket each user of this "
		  "machine may have at a time. This and the two limits that "
		  "follow hold for each worker process by itself, and not for "
		  "root. 0: no limit." },
	{ .name = "submission_uid_message_rate_limit",
	  .kind = PARAM_INT,
	  .def = "600",
	  .min = 0,
	  .max = 1000000,
	  .users = SUBMITD,
	  .text = "How many messages each user of this machine may submit in a "
		  "minute through $submit_socket. Beyond, sendmail(1) says "
		  "\"try again later\" (exit status 75). 0: no limit." },
	{ .name = "submission_uid_message_hour_limit",
	  .kind = PARAM_INT,
	  .def = "0",
	  .min = 0,
	  .max = 10000000,
	  .users = SUBMITD,
	  .text = "The same in an hour. 0: no limit." },
	{ .name = "submission_hide_client",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SUBMITD,
	  .text = "Leave the name and address of the user's machine, and how "
		  "it was connected, out of the Received header field." },
	{ .name = "smtpd_sasl_authenticated_header",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SUBMITD,
	  .text = "Say in the Received header field who had logged in." },
	{ .name = "broken_sasl_auth_clients",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SUBMITD,
	  .text = "Announce AUTH a second time as \"AUTH=\", for programs "
		  "from before RFC 2554." },
	{ .name = NULL },
};
