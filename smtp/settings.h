/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SETTINGS_H
#define SMTP_SETTINGS_H

#include "base/param.h"
#include "net/addr.h"
#include "sasl.h"
#include "tls_policy.h"

enum dns_level { DNS_LEVEL_DISABLED, DNS_LEVEL_ENABLED, DNS_LEVEL_DNSSEC };
enum address_preference { PREFER_ANY, PREFER_IPV4, PREFER_IPV6 };

/*
 * What main.cf says of one transport: smtp_*, lmtp_*, or NAME_* of one of
 * $transports.  Slices are those of the process's parameters, which live as
 * long as it does (it is replaced at reload).  Times in milliseconds.
 */
struct settings {
	char transport[65];
	bool lmtp;
	struct str helo_name; /* smtp_helo_name; lhlo for LMTP */
	struct str myhostname;
	bool always_ehlo, never_ehlo;
	unsigned connect_ms, helo_ms, mail_ms, rcpt_ms, data_init_ms,
		data_xfer_ms, data_done_ms, rset_ms, quit_ms;
	bool skip_5xx_greeting, skip_quit_response, defer_if_no_mx;
	bool randomize_addresses;
	unsigned line_length_limit; /* smtp_line_length_limit; 0: none */
	unsigned discard;	    /* bits of smtp_discard_ehlo_keywords */
	unsigned mx_address_limit, mx_session_limit;
	enum address_preference preference;
	bool balance;	 /* smtp_balance_inet_protocols */
	bool ipv4, ipv6; /* inet_protocols */
	enum dns_level dns_level;
	struct addr bind4, bind6; /* family 0: none */
	unsigned port;		  /* smtp_tcp_port, lmtp_tcp_port */
	bool cache_on_demand;
	struct str cache_destinations;
	unsigned cache_ms, reuse_ms, reuse_count;
	struct str fallback_relay; /* smtp_fallback_relay */
	struct tls_settings tls;
	struct sasl_settings sasl;
};

enum ehlo_discard {
	DISCARD_PIPELINING = 1,
	DISCARD_SIZE = 2,
	DISCARD_8BITMIME = 4,
	DISCARD_SMTPUTF8 = 8,
	DISCARD_DSN = 16,
	DISCARD_CHUNKING = 32,
	DISCARD_STARTTLS = 64,
	DISCARD_AUTH = 128,
};

/* NULL with err: faulty or no memory; PERM also: no such transport. */
struct settings *settings_load(const struct params *p, struct str transport,
			       struct err *err);
void settings_free(struct settings *s);

#endif
