/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"
#include "qmgr_params.h"

enum { QMGR = SVC_BIT(SVC_QMGR), DAY = 24 * 3600 };

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
	  .text = "How long delivery of a message is tried. A message that "
		  "is older when an attempt fails is put on hold." },
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
