/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum {
	SMTPD = SVC_BIT(SVC_SMTPD),
	RECEIVERS = SMTPD | SVC_BIT(SVC_SUBMITD),
	MASTER = SVC_BIT(SVC_MASTER),
	DAY = 86400,
};

const struct param smtpd_params[] = {
	{ .name = "listen_smtp",
	  .kind = PARAM_LISTEN,
	  .def = "0.0.0.0:25 [::]:25",
	  .users = MASTER | SVC_BIT(SVC_SMTP),
	  .text = "The addresses and ports on which mail is received from "
		  "other hosts by SMTP." },
	{ .name = "smtpd_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = MASTER,
	  .text = "The number of smtpd processes. Each has its own listening "
		  "sockets (SO_REUSEPORT) and serves smtpd_session_limit "
		  "clients at a time." },
	{ .name = "smtpd_banner",
	  .kind = PARAM_STR,
	  .def = "$myhostname ESMTP $mail_name",
	  .users = RECEIVERS,
	  .text = "The text after the code 220 of the greeting. It has to "
		  "begin with $myhostname (RFC 5321 4.2)." },
	{ .name = "smtpd_helo_required",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = RECEIVERS,
	  .text = "Refuse MAIL from a client that has not said HELO or "
		  "EHLO." },
	{ .name = "disable_vrfy_command",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = RECEIVERS,
	  .text = "Refuse VRFY. Without this it is answered with 252 for "
		  "every address, so it tells nobody who exists." },
	{ .name = "smtputf8_enable",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = RECEIVERS,
	  .text = "Take addresses and header fields in UTF-8 (RFC 6531). Such "
		  "a message can leave only by hosts that take them as "
		  "well." },
	{ .name = "strict_rfc821_envelopes",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = RECEIVERS,
	  .text = "Insist on <> around the addresses of MAIL and RCPT, with "
		  "no blank before them." },
	{ .name = "allow_untrusted_routing",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTPD,
	  .text = "Take addresses whose local part contains %, ! or @ from "
		  "clients outside mynetworks. Such addresses were once ways "
		  "to have mail relayed by a third host; here they never "
		  "are, but a host behind this one may still read them so." },
	{ .name = "smtpd_discard_ehlo_keywords",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = RECEIVERS,
	  .text = "The keywords that are left out of the answer to EHLO: "
		  "pipelining, size, 8bitmime, enhancedstatuscodes, "
		  "starttls, auth, dsn, smtputf8. STARTTLS and AUTH are then "
		  "not taken either." },
	{ .name = "smtpd_forbidden_commands",
	  .kind = PARAM_LIST,
	  .def = "CONNECT GET POST",
	  .users = RECEIVERS,
	  .text = "Words that are never SMTP: a client that sends one is "
		  "disconnected at once." },
	{ .name = "smtpd_forbid_unauth_pipelining",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = RECEIVERS,
	  .text = "Disconnect a client that sends more without waiting for "
		  "the answer to a command that has to be the last of its "
		  "group (RFC 2920 3.1): HELO, EHLO, STARTTLS, AUTH, DATA, "
		  "NOOP, VRFY, HELP, QUIT. Behind STARTTLS it is "
		  "disconnected in any case." },
	{ .name = "message_size_limit",
	  .kind = PARAM_BYTES,
	  .def = "10240000",
	  .min = 0,
	  .max = INT64_C(1) << 40,
	  .users = RECEIVERS | SVC_BIT(SVC_QMGR) | SVC_BIT(SVC_CTL),
	  .text = "The greatest size of a message, in bytes as they are "
		  "sent (with CR LF), that is taken; 0: no limit. It is "
		  "announced by SIZE." },
	{ .name = "header_size_limit",
	  .kind = PARAM_BYTES,
	  .def = "102400",
	  .min = 1000,
	  .max = 1024 * 1024,
	  .users = RECEIVERS,
	  .text = "The greatest length of one header field with all its "
		  "lines. A message with a longer one is refused, not cut." },
	{ .name = "header_block_size_limit",
	  .kind = PARAM_BYTES,
	  .def = "131072",
	  .min = 16384,
	  .max = 4 * 1024 * 1024,
	  .users = RECEIVERS,
	  .text = "The greatest length of all header fields of a message "
		  "together. The header block is held in memory until the "
		  "message is complete." },
	{ .name = "line_length_limit",
	  .kind = PARAM_BYTES,
	  .def = "2048",
	  .min = 512,
	  .max = 32768,
	  .users = RECEIVERS,
	  .text = "The greatest length of an SMTP command with its CR LF "
		  "(RFC 5321 4.5.3.1.4 asks for 512 and more for "
		  "extensions)." },
	{ .name = "smtpd_text_line_limit",
	  .kind = PARAM_BYTES,
	  .def = "65536",
	  .min = 0,
	  .max = INT64_C(1) << 30,
	  .users = RECEIVERS | SVC_BIT(SVC_CTL),
	  .text = "The greatest length of a line of a message; 0: no limit. "
		  "Senders should stay below 998 (RFC 5321 4.5.3.1.6); "
		  "longer lines are kept as they are, and above this limit "
		  "the message is refused." },
	{ .name = "hopcount_limit",
	  .kind = PARAM_INT,
	  .def = "50",
	  .min = 1,
	  .max = 1000,
	  .users = RECEIVERS,
	  .text = "A message with this many Received header fields is taken "
		  "to be in a loop and refused." },
	{ .name = "smtpd_recipient_limit",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 100,
	  .max = 10000,
	  .users = RECEIVERS,
	  .text = "The greatest number of recipients of one message; further "
		  "ones are told to come in another (452)." },
	{ .name = "smtpd_soft_error_limit",
	  .kind = PARAM_INT,
	  .def = "10",
	  .min = 0,
	  .max = 1000000,
	  .users = RECEIVERS,
	  .text = "After this many errors without a message delivered each "
		  "further answer comes smtpd_error_sleep_time late." },
	{ .name = "smtpd_hard_error_limit",
	  .kind = PARAM_INT,
	  .def = "20",
	  .min = 1,
	  .max = 1000000,
	  .users = RECEIVERS,
	  .text = "After this many errors without a message delivered the "
		  "client is disconnected (421)." },
	{ .name = "smtpd_error_sleep_time",
	  .kind = PARAM_TIME,
	  .def = "1s",
	  .min = 0,
	  .max = 60,
	  .users = RECEIVERS,
	  .text = "How late answers come above smtpd_soft_error_limit." },
	{ .name = "smtpd_junk_command_limit",
	  .kind = PARAM_INT,
	  .def = "100",
	  .min = 1,
	  .max = 1000000,
	  .users = RECEIVERS,
	  .text = "The number of commands that bring no mail (HELO, EHLO, "
		  "RSET, NOOP, VRFY, HELP) a client may send without a "
		  "message delivered before each one counts as an error." },
	{ .name = "smtpd_timeout",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = DAY,
	  .users = RECEIVERS,
	  .text = "How long a client may take for a whole command line "
		  "(bytes of an unfinished line do not extend it). During "
		  "DATA it is the time without progress, see "
		  "smtpd_min_data_rate." },
	{ .name = "smtpd_min_data_rate",
	  .kind = PARAM_INT,
	  .def = "500",
	  .min = 1,
	  .max = 1000000000,
	  .users = RECEIVERS,
	  .text = "The slowest rate of DATA in bytes a second: so many bytes "
		  "extend the client's time by one second, never beyond "
		  "smtpd_timeout." },
	{ .name = "smtpd_session_limit",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 1,
	  .max = 1800,
	  .users = RECEIVERS,
	  .text = "The greatest number of clients of one smtpd process. For "
		  "a further one whoever has been silent for longest, if for "
		  "10 s or more, is disconnected; if nobody has, the new one "
		  "is turned away with 421 4.3.2." },
	{ .name = "smtpd_client_connection_count_limit",
	  .kind = PARAM_INT,
	  .def = "50",
	  .min = 0,
	  .max = 100000,
	  .users = RECEIVERS,
	  .text = "The greatest number of connections of one client address "
		  "to one smtpd process; 0: no limit." },
	{ .name = "smtpd_client_event_limit_exceptions",
	  .kind = PARAM_NETS,
	  .def = "$mynetworks",
	  .users = RECEIVERS,
	  .text = "The networks that have no such limit." },
	{ .name = "smtpd_worker_sessions",
	  .kind = PARAM_INT,
	  .def = "20000",
	  .min = 0,
	  .max = 1000000000,
	  .users = RECEIVERS,
	  .text = "After this many clients an smtpd process finishes its "
		  "sessions and makes room for a fresh one; 0: never." },
	{ .name = NULL },
};
