/* SPDX-License-Identifier: ISC */
#include "autoexpunge_rule.h"
#include "base/param.h"
#include "frame/service.h"

extern const struct param imapd_params[];

/* imapd is forked by spawner, which receives these for it. */
const struct param imapd_params[] = {
	{ .name = "imap_session_limit",
	  .kind = PARAM_INT,
	  .def = "100",
	  .min = 1,
	  .max = 800,
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "How many IMAP sessions one user may have at a time; the "
		  "next one is told BYE." },
	{ .name = "imap_append_limit",
	  .kind = PARAM_BYTES,
	  .def = "64m",
	  .min = 1024,
	  .max = 4000000000,
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "The largest message that an IMAP client may store with "
		  "APPEND." },
	{ .name = "imap_compress",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "Whether IMAP clients may ask for compression "
		  "(COMPRESS=DEFLATE, RFC 4978). It saves most of the bytes of "
		  "mailing lists and headers and costs processor time. Whoever "
		  "can both send mail to a user and measure the length of what "
		  "that user's client is sent under TLS might guess at parts "
		  "of "
		  "it; where that matters, say no." },
	{ .name = "imap_timeout",
	  .kind = PARAM_TIME,
	  .def = "30m",
	  .min = 1800,
	  .max = 86400,
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "After how much time without a command an IMAP session is "
		  "ended, also one in IDLE. RFC 3501 forbids less than 30 "
		  "minutes." },
	{ .name = "imap_autoexpunge",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = SVC_BIT(SVC_SPAWNER),
	  .check = autoexpunge_check,
	  .text = "Folders from which old messages are removed, whatever their "
		  "flags, and how old: \"Trash=30d, Junk=30d\" (names as IMAP "
		  "has them, a day at least). The age counts from when the "
		  "message's file was last saved, copied, moved, or renamed "
		  "for a flag. It is done when an IMAP session of the user "
		  "ends, at most once a day; who uses POP3 alone sees INBOX "
		  "alone, for which there is pop3_expire." },
	{ 0 },
};
