/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CONFIG_H
#define SMTPD_CONFIG_H

#include "base/param.h"
#include "net/addr.h"

/* The parameters of smtpd as values.  Strings live as long as the params they
 * came from. */
struct nets {
	struct addr_net *v;
	size_t n;
};

enum smtpd_ehlo { /* what is not announced */
		  EHLO_NO_PIPELINING = 1,
		  EHLO_NO_SIZE = 2,
		  EHLO_NO_8BITMIME = 4,
		  EHLO_NO_STATUSCODES = 8,
};

struct smtpd_conf {
	struct str hostname, origin, banner, mail_name, forbidden;
	struct nets mynetworks, unlimited;
	bool helo_required, no_vrfy, strict_envelopes, untrusted_routing;
	bool forbid_pipelining;
	unsigned ehlo;	       /* enum smtpd_ehlo */
	uint64_t message_size; /* 0: no limit */
	size_t field_size, header_size, command_line, text_line;
	unsigned hops, rcpts, soft_errors, hard_errors, junk, sleep_ms;
	unsigned timeout_ms, data_rate, sessions, client_sessions,
		worker_sessions;
};

ERR_WARN_UNUSED int config_load(struct smtpd_conf *c, const struct params *p,
				struct err *err);
void config_fini(struct smtpd_conf *c);

bool nets_have(const struct nets *nets, const struct addr *a);

#endif
