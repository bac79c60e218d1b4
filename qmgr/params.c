/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"
#include "qmgr_params.h"

enum {
	QMGR = SVC_BIT(SVC_QMGR),
	RECEIVERS = SVC_BIT(SVC_SMTPD) | SVC_BIT(SVC_SUBMITD),
	DAY = 24 * 3600,
};

const struct param qmgr_params[] = {
	{ .name = "minimal_backoff_time",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = 30 * DAY,
	  .users = QMGR,
	  .text = "The least time between two attempts to deliver a message "
		  "that was deferred." },
	{ .name = "maximal_backoff_time",
	  .kind = PARAM_TIME,
	  .def = "4000s",
	  .min = 1,
	  .max = 30 * DAY,
	  .users = QMGR,
	  .text = "The greatest time between two attempts to deliver a "
		  "message that was deferred. In between, a message waits "
		  "for as long as it has been in the queue." },
	{ .name = "maximal_queue_lifetime",
	  .kind = PARAM_TIME,
	  .def = "5d",
	  .min = 0,
	  .max = 365 * DAY,
	  .users = QMGR,
	  .text = "How long delivery of a message is tried. When it is older "
		  "as an attempt fails, it is returned to its sender. 0: one "
		  "attempt." },
	{ .name = "bounce_queue_lifetime",
	  .kind = PARAM_TIME,
	  .def = "5d",
	  .min = 0,
	  .max = 365 * DAY,
	  .users = QMGR,
	  .text = "The same of a message with the sender <>, which no report "
		  "can be sent to: 2bounce_notice_recipient is told." },
	{ .name = "delay_warning_time",
	  .kind = PARAM_TIME,
	  .def = "0h",
	  .min = 0,
	  .max = 365 * DAY,
	  .users = QMGR,
	  .text = "When a message has waited for this long, its sender is told "
		  "once that it is late, unless NOTIFY (RFC 3461) says "
		  "otherwise. 0: never." },
	{ .name = "soft_bounce",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = QMGR | RECEIVERS,
	  .text = "For trying out a configuration: nothing fails for good. "
		  "What a server refuses with 5yz is deferred (the log says "
		  "SOFTBOUNCE), and smtpd and submitd answer 4yz where they "
		  "would answer 5yz." },
	{ .name = "bounce_template_file",
	  .kind = PARAM_PATH,
	  .def = "",
	  .users = SVC_BIT(SVC_MASTER),
	  .text = "The file with the words of delivery reports, see "
		  "posthouse-bounce(5). It is read again when it changes. When "
		  "it is faulty the log says so, and the usual words are "
		  "used." },
	{ .name = "bounce_size_limit",
	  .kind = PARAM_BYTES,
	  .def = "50000",
	  .min = 1,
	  .max = 16 * 1024 * 1024,
	  .users = QMGR,
	  .text = "The size up to which a message that could not be delivered "
		  "is returned whole; of a larger one its header is, and of "
		  "that no more than this." },
	{ .name = "double_bounce_sender",
	  .kind = PARAM_STR,
	  .def = "double-bounce",
	  .users = QMGR,
	  .text = "The sender of what is sent to the postmaster, with "
		  "$myorigin behind it if it has no domain. Mail of this "
		  "sender that cannot be delivered is dropped, so that nothing "
		  "goes round for ever." },
	{ .name = "notify_classes",
	  .kind = PARAM_LIST,
	  .def = "2bounce resource software",
	  .users = QMGR,
	  .text = "What the postmaster is told of: bounce (a copy of the "
		  "header of each message that is returned), 2bounce (reports "
		  "and other mail of the sender <> that cannot be delivered), "
		  "delay (the same as bounce for warnings of "
		  "delay_warning_time). resource, software, policy, protocol "
		  "and data are taken as in Postfix; of those the log tells." },
	{ .name = "bounce_notice_recipient",
	  .kind = PARAM_STR,
	  .def = "postmaster",
	  .users = QMGR,
	  .text = "Who gets the copies of the class bounce." },
	{ .name = "2bounce_notice_recipient",
	  .kind = PARAM_STR,
	  .def = "postmaster",
	  .users = QMGR,
	  .text = "Who gets the messages of the class 2bounce." },
	{ .name = "delay_notice_recipient",
	  .kind = PARAM_STR,
	  .def = "postmaster",
	  .users = QMGR,
	  .text = "Who gets the copies of the class delay." },
	{ .name = "initial_destination_concurrency",
	  .kind = PARAM_INT,
	  .def = "5",
	  .min = 1,
	  .max = 10000,
	  .users = QMGR,
	  .text = "How many deliveries to one destination run at the same "
		  "time at first. From there the number follows success and "
		  "failure." },
	{ .name = "default_destination_concurrency_limit",
	  .kind = PARAM_INT,
	  .def = "20",
	  .min = 0,
	  .max = 10000,
	  .users = QMGR,
	  .text = "How many deliveries to one destination (a nexthop of one "
		  "transport) run at the same time at most. 0: any number." },
	{ .name = "default_destination_recipient_limit",
	  .kind = PARAM_INT,
	  .def = "50",
	  .min = 1,
	  .max = 1000,
	  .users = QMGR,
	  .text = "How many recipients of a message are sent in one "
		  "transaction at most." },
	{ .name = "default_destination_rate_delay",
	  .kind = PARAM_TIME,
	  .def = "0s",
	  .min = 0,
	  .max = DAY,
	  .users = QMGR,
	  .text = "How long to wait after a delivery before the next one to "
		  "the same destination. If it is not 0, deliveries to one "
		  "destination run one at a time." },
	{ .name = "default_destination_concurrency_failed_cohort_limit",
	  .kind = PARAM_INT,
	  .def = "1",
	  .min = 0,
	  .max = 10000,
	  .users = QMGR,
	  .text = "After how many times as many failures as deliveries run at "
		  "the same time, with no success in between, a destination "
		  "is taken for dead: nothing is sent there until "
		  "$minimal_backoff_time has passed and one message has found "
		  "out more. A destination that stays dead is asked less and "
		  "less often, down to $maximal_backoff_time. 0: never." },
	{ .name = "default_destination_concurrency_positive_feedback",
	  .kind = PARAM_STR,
	  .def = "1",
	  .users = QMGR,
	  .text = "How much a delivery that reached its destination adds to "
		  "the number of deliveries that may run there: a number up "
		  "to 1, NUMBER/concurrency or NUMBER/sqrt_concurrency." },
	{ .name = "default_destination_concurrency_negative_feedback",
	  .kind = PARAM_STR,
	  .def = "1",
	  .users = QMGR,
	  .text = "How much a delivery that could not reach its destination "
		  "takes from the number of deliveries that may run there, in "
		  "the same form." },
	{ .name = "defer_transports",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = QMGR,
	  .text = "Transports to other hosts that send nothing unless the "
		  "queue is flushed. Example: defer_transports = smtp." },
	{ .name = "queue_minfree",
	  .kind = PARAM_BYTES,
	  .def = "0",
	  .min = 0,
	  .max = INT64_MAX,
	  .users = QMGR,
	  .text = "The free space that must remain in the file system of the "
		  "queue: with less, MAIL is answered 452 4.3.1. 0: any." },
	{ .name = "qmgr_message_active_limit",
	  .kind = PARAM_INT,
	  .def = "20000",
	  .min = 1,
	  .max = 1000000,
	  .users = QMGR,
	  .text = "How many messages are in hand at the same time: being "
		  "read, delivered or marked. The others wait on disk." },
	{ .name = "qmgr_message_memory_limit",
	  .kind = PARAM_BYTES,
	  .def = "64m",
	  .min = 1024 * 1024,
	  .max = 1ll << 40,
	  .users = QMGR,
	  .text = "How much memory the texts and recipients of the messages "
		  "in hand may take together. A new message for which there "
		  "is no room waits on disk." },
	{ .name = "qmgr_commit_threads",
	  .kind = PARAM_INT,
	  .def = "4",
	  .min = 1,
	  .max = 48,
	  .users = QMGR,
	  .text = "How many threads write and sync the queue. Each takes up "
		  "to 16 messages at once." },
	{ .name = "default_process_limit",
	  .kind = PARAM_INT,
	  .def = "100",
	  .min = 1,
	  .max = 4000,
	  .users = QMGR,
	  .text = "How many delivery processes run at the same time, each of "
		  "which serves one user, or all virtual mailboxes; and how "
		  "many deliveries to other hosts run at the same time by each "
		  "transport." },
	{ .name = "max_idle",
	  .kind = PARAM_TIME,
	  .def = "60s",
	  .min = 1,
	  .max = DAY,
	  .users = QMGR,
	  .text = "How long a delivery process with nothing to do is kept." },
	{ .name = NULL },
};
