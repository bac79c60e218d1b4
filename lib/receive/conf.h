/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_CONF_H
#define RECEIVE_CONF_H

#include "base/param.h"
#include "net/addr.h"

/* The parameters of a receiver as values.  Strings live as long as the params
 * they came from. */
struct receiver;

struct nets {
	struct addr_net *v;
	size_t n;
};

enum receive_ehlo { /* what is not announced */
		    EHLO_NO_PIPELINING = 1,
		    EHLO_NO_SIZE = 2,
		    EHLO_NO_8BITMIME = 4,
		    EHLO_NO_STATUSCODES = 8,
		    EHLO_NO_STARTTLS = 16,
		    EHLO_NO_AUTH = 32,
		    EHLO_NO_DSN = 64,
		    EHLO_NO_UTF8 = 128,
};

enum receive_tls { RECEIVE_TLS_NONE, RECEIVE_TLS_MAY, RECEIVE_TLS_ENCRYPT };

struct receive_conf {
	struct str hostname, origin, banner, mail_name, forbidden;
	struct nets trusted; /* may send anywhere */
	struct nets unlimited;
	bool soft_bounce;
	bool helo_required, no_vrfy, strict_envelopes, untrusted_routing;
	bool forbid_pipelining;
	/* Of submission. */
	struct str mechs;
	bool plain_loopback; /* plain passwords from this host, without TLS */
	bool check_sender, old_auth_line;
	struct str may_submit, may_list, may_flush;	/* users of this host */
	unsigned uid_connections, uid_minute, uid_hour; /* 0: no limit */
	unsigned failure_ms;
	unsigned ehlo; /* enum receive_ehlo */
	enum receive_tls tls;
	bool tls_header, auth_header, hide_client;
	unsigned tls_ccert; /* msg_tls_server.client_cert */
	unsigned tls_loglevel, tls_timeout_ms;
	uint64_t message_size; /* 0: no limit */
	size_t field_size, header_size, command_line, text_line;
	unsigned hops, rcpts, soft_errors, hard_errors, junk, sleep_ms;
	unsigned timeout_ms, data_rate, sessions, client_sessions,
		worker_sessions;
};

ERR_WARN_UNUSED int receive_conf_load(struct receive_conf *c,
				      const struct receiver *r,
				      const struct params *p, struct err *err);
void receive_conf_fini(struct receive_conf *c);

/* Append the networks of this parameter. */
ERR_WARN_UNUSED int nets_load(struct nets *nets, const struct params *p,
			      const char *name, struct err *err);
bool nets_have(const struct nets *nets, const struct addr *a);

#endif
