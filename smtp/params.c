/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum {
	SMTP = SVC_BIT(SVC_SMTP),
	QMGR = SVC_BIT(SVC_QMGR),
	ROUTER = SVC_BIT(SVC_ROUTER),
	DAY = 86400,
};

/* Of smtp_NAME there is a NAME of its own for lmtp, relay and each of
 * $transports, with $smtp_NAME as its default (lib/frame/config.c). */
const struct param smtp_params[] = {
	{ .name = "smtp_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = SVC_BIT(SVC_MASTER) | QMGR,
	  .text = "How many processes send mail to other hosts. Each "
		  "serves many connections.",
	  .once = true },
	{ .name = "smtp_connect_ports",
	  .kind = PARAM_LIST,
	  .def = "25, 465, 587",
	  .users = SMTP,
	  .text = "The TCP ports of other hosts that mail may be sent "
		  "to; the ports in $relayhost, $smtp_fallback_relay "
		  "and the *_transport parameters, and smtp_tcp_port "
		  "and lmtp_tcp_port, are added by themselves. A port "
		  "in a table of transport_maps that is not among "
		  "them cannot be connected to: the process is "
		  "confined to these.",
	  .once = true },
	{ .name = "inet_protocols",
	  .kind = PARAM_ENUM,
	  .def = "all",
	  .choices = "all|ipv4|ipv6|ipv4, ipv6|ipv6, ipv4",
	  .users = SMTP,
	  .text = "The protocols by which other hosts are connected "
		  "to. Addresses of the other protocol are not even "
		  "looked up." },
	{ .name = "proxy_interfaces",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "Addresses at which this host is reached by way of "
		  "a proxy or an address translator. A host in the "
		  "DNS that has one of these is this host itself, so "
		  "that mail does not go round in a circle." },
	{ .name = "smtp_connect_timeout",
	  .kind = PARAM_TIME,
	  .def = "30s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for a TCP connection to one "
		  "address; then the next one is tried." },
	{ .name = "smtp_helo_timeout",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the greeting of the server, "
		  "and for its answer to EHLO, HELO or LHLO." },
	{ .name = "smtp_starttls_timeout",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the answer to STARTTLS and "
		  "for the handshake." },
	{ .name = "smtp_mail_timeout",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the answer to MAIL." },
	{ .name = "smtp_rcpt_timeout",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the answer to RCPT." },
	{ .name = "smtp_data_init_timeout",
	  .kind = PARAM_TIME,
	  .def = "120s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the answer to DATA." },
	{ .name = "smtp_data_xfer_timeout",
	  .kind = PARAM_TIME,
	  .def = "180s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait until the server has taken more "
		  "of the text." },
	{ .name = "smtp_data_done_timeout",
	  .kind = PARAM_TIME,
	  .def = "600s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the answer to the whole text. "
		  "A server that has taken it and is not heard gets "
		  "it again (RFC 1047): this should be long." },
	{ .name = "smtp_rset_timeout",
	  .kind = PARAM_TIME,
	  .def = "20s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the answer to RSET." },
	{ .name = "smtp_quit_timeout",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How long to wait for the answer to QUIT, if it is "
		  "waited for at all (smtp_skip_quit_response)." },
	{ .name = "smtp_helo_name",
	  .kind = PARAM_STR,
	  .def = "$myhostname",
	  .users = SMTP,
	  .text = "The name this host gives itself in EHLO and HELO." },
	{ .name = "lmtp_lhlo_name",
	  .kind = PARAM_STR,
	  .def = "$myhostname",
	  .users = SMTP,
	  .text = "The name this host gives itself in LHLO." },
	{ .name = "smtp_always_send_ehlo",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SMTP,
	  .text = "Begin with EHLO whatever the greeting says; "
		  "otherwise only if the word ESMTP is in it." },
	{ .name = "smtp_never_send_ehlo",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP,
	  .text = "Never say EHLO: no extensions, hence no TLS and no "
		  "login." },
	{ .name = "smtp_skip_5xx_greeting",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SMTP,
	  .text = "Go on with the next server where one greets with a "
		  "5yz code; otherwise the mail is returned." },
	{ .name = "smtp_skip_quit_response",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SMTP,
	  .text = "Close the connection after QUIT without waiting "
		  "for the answer." },
	{ .name = "smtp_line_length_limit",
	  .kind = PARAM_INT,
	  .def = "998",
	  .min = 0,
	  .max = INT32_MAX,
	  .users = SMTP,
	  .text = "Longer lines are broken when they are sent: CR LF "
		  "and a blank are put in; 0: never." },
	{ .name = "smtp_discard_ehlo_keywords",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "The keywords in answers to EHLO and LHLO that are "
		  "passed over: pipelining, size, 8bitmime, smtputf8, "
		  "dsn, chunking, starttls, auth. Others mean nothing." },
	{ .name = "smtp_mx_address_limit",
	  .kind = PARAM_INT,
	  .def = "5",
	  .min = 0,
	  .max = 1000,
	  .users = SMTP,
	  .text = "How many addresses of servers of one destination "
		  "are tried in one delivery; 0: no limit." },
	{ .name = "smtp_mx_session_limit",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 0,
	  .max = 1000,
	  .users = SMTP,
	  .text = "How many servers that could be connected to are "
		  "tried in one delivery; 0: no limit." },
	{ .name = "smtp_randomize_addresses",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SMTP,
	  .text = "Try servers of equal preference, and the addresses "
		  "of a host, in random order." },
	{ .name = "smtp_address_preference",
	  .kind = PARAM_ENUM,
	  .def = "any",
	  .choices = "any|ipv4|ipv6",
	  .users = SMTP,
	  .text = "The protocol that is tried first among the "
		  "addresses of servers of equal preference: with "
		  "any, chance decides." },
	{ .name = "smtp_balance_inet_protocols",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SMTP,
	  .text = "See to it that addresses of both protocols are "
		  "among the smtp_mx_address_limit that are tried, so "
		  "that a broken protocol does not keep mail from a "
		  "host that has both." },
	{ .name = "smtp_dns_support_level",
	  .kind = PARAM_ENUM,
	  .def = "",
	  .choices = "|disabled|enabled|dnssec",
	  .users = SMTP,
	  .text = "disabled: MX records are not asked for, only "
		  "addresses. enabled, or empty: they are. dnssec: "
		  "TLS policies may rely on records that DNSSEC has "
		  "proved." },
	{ .name = "smtp_bind_address",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = SMTP,
	  .text = "The IPv4 address that connections to other hosts "
		  "are made from; empty: the system chooses." },
	{ .name = "smtp_bind_address6",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = SMTP,
	  .text = "The same for connections by IPv6." },
	{ .name = "smtp_tcp_port",
	  .kind = PARAM_INT,
	  .def = "25",
	  .min = 1,
	  .max = 65535,
	  .users = SMTP,
	  .text = "The port of servers when the destination does not "
		  "name one." },
	{ .name = "lmtp_tcp_port",
	  .kind = PARAM_INT,
	  .def = "24",
	  .min = 1,
	  .max = 65535,
	  .users = SMTP,
	  .text = "The same of servers by LMTP." },
	{ .name = "smtp_connection_cache_on_demand",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SMTP,
	  .text = "Keep a connection for a moment after a delivery, "
		  "for the next message to the same destination." },
	{ .name = "smtp_connection_cache_destinations",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "Destinations for which connections are kept even "
		  "where smtp_connection_cache_on_demand says no: "
		  "domains or hosts as in the route." },
	{ .name = "smtp_connection_cache_time_limit",
	  .kind = PARAM_TIME,
	  .def = "2s",
	  .min = 1,
	  .max = 300,
	  .users = SMTP,
	  .text = "How long a connection that nobody uses is kept." },
	{ .name = "smtp_connection_reuse_time_limit",
	  .kind = PARAM_TIME,
	  .def = "300s",
	  .min = 1,
	  .max = DAY,
	  .users = SMTP,
	  .text = "How old a connection may become: then it is closed "
		  "after the message that is under way." },
	{ .name = "smtp_connection_reuse_count_limit",
	  .kind = PARAM_INT,
	  .def = "0",
	  .min = 0,
	  .max = 1000000000,
	  .users = SMTP,
	  .text = "How many messages are sent by one connection; 0: "
		  "no limit." },
	{ .name = "smtp_fallback_relay",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "Hosts that get the mail where no server of the "
		  "destination can be found or reached, or none takes "
		  "it for now: HOST, HOST:PORT, [HOST], [HOST]:PORT. "
		  "Without brackets the MX records of the name count. "
		  "Not for destinations that this host is an MX of, "
		  "nor where the DNS says that no mail is taken." },
	{ .name = "lmtp_fallback_relay",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "The same for mail by LMTP; smtp's does not count "
		  "for it." },
	{ .name = "smtp_defer_if_no_mx_address_found",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP,
	  .text = "Try again later where none of the hosts of the MX "
		  "records has an address; otherwise the mail is "
		  "returned." },
	{ .name = "smtp_tls_security_level",
	  .kind = PARAM_ENUM,
	  .def = "may",
	  .choices = "|none|may|encrypt|fingerprint|verify|secure",
	  .later = "dane|dane-only",
	  .users = SMTP,
	  .text = "How TLS is used with other hosts: none, or nothing: not at "
		  "all; may: where the host offers it, and in plain text if "
		  "that does not work; encrypt: mail is not sent without, "
		  "whoever the host is; fingerprint: its certificate or the "
		  "key in it must be in smtp_tls_fingerprint_cert_match; "
		  "verify and secure: it must be issued by an authority of "
		  "smtp_tls_CAfile for a name of smtp_tls_verify_cert_match "
		  "or smtp_tls_secure_cert_match. From encrypt on mail waits "
		  "in the queue while the host does not do as it should." },
	{ .name = "lmtp_tls_security_level",
	  .kind = PARAM_ENUM,
	  .def = "may",
	  .choices = "|none|may|encrypt|fingerprint|verify|secure",
	  .later = "dane|dane-only",
	  .users = SMTP,
	  .text = "The same for servers by LMTP, which are mostly in the "
		  "house; smtp's level does not count for them." },
	{ .name = "smtp_tls_policy_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = SMTP | SVC_BIT(SVC_ROUTER),
	  .text = "What holds instead of smtp_tls_security_level and the "
		  "parameters behind it, for one destination: \"example.com "
		  "secure match=.example.com ciphers=high\". The key is the "
		  "next hop as the route has it (example.com, "
		  "[relay.example.com]:587), or .example.com for all domains "
		  "below; names of other letters in ASCII (xn--...). The value "
		  "is a level, then attributes without "
		  "blanks, or in braces: match (names by \":\", "
		  "fingerprints by \"|\"), protocols, ciphers, exclude, "
		  "servername. A faulty one keeps the mail in the queue." },
	{ .name = "smtp_tls_wrappermode",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP,
	  .text = "Speak TLS from the first byte on instead of STARTTLS, as "
		  "on port 465. Then the level may means encrypt." },
	{ .name = "lmtp_tls_wrappermode",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP,
	  .text = "The same for servers by LMTP." },
	{ .name = "smtp_tls_protocols",
	  .kind = PARAM_PROTOCOLS,
	  .def = ">=TLSv1.2",
	  .users = SMTP,
	  .text = "The TLS protocols that are spoken with other hosts at the "
		  "level may. Form: as smtpd_tls_protocols." },
	{ .name = "smtp_tls_mandatory_protocols",
	  .kind = PARAM_PROTOCOLS,
	  .def = ">=TLSv1.2",
	  .users = SMTP,
	  .text = "The same at the levels above may." },
	{ .name = "smtp_tls_ciphers",
	  .kind = PARAM_ENUM,
	  .def = "medium",
	  .choices = "high|medium|low|export",
	  .users = SMTP,
	  .text = "The ciphers of TLS 1.2 that are used with other hosts at "
		  "the level may: those of tls_high_cipherlist or "
		  "tls_medium_cipherlist. low and export mean medium." },
	{ .name = "smtp_tls_mandatory_ciphers",
	  .kind = PARAM_ENUM,
	  .def = "medium",
	  .choices = "high|medium|low|export",
	  .users = SMTP,
	  .text = "The same at the levels above may." },
	{ .name = "smtp_tls_exclude_ciphers",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "Ciphers, or kinds of ciphers, that are not used with other "
		  "hosts, in the words of openssl-ciphers(1ssl). Those "
		  "without a certificate (aNULL), without encryption (eNULL), "
		  "PSK and SRP are never used." },
	{ .name = "smtp_tls_mandatory_exclude_ciphers",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "Ciphers that are not used at the levels above may, beyond "
		  "those of smtp_tls_exclude_ciphers." },
	{ .name = "smtp_tls_verify_cert_match",
	  .kind = PARAM_LIST,
	  .def = "hostname",
	  .users = SMTP,
	  .text = "What the certificate must be for at the level verify, one "
		  "of: hostname (of the host that is connected to, which "
		  "comes from the DNS for an MX), nexthop (the domain of the "
		  "route), dot-nexthop (any name below it), or names "
		  "themselves; \".example.com\" is any name below. By commas, "
		  "blanks or \":\"." },
	{ .name = "smtp_tls_secure_cert_match",
	  .kind = PARAM_LIST,
	  .def = "nexthop, dot-nexthop",
	  .users = SMTP,
	  .text = "The same at the level secure, where nothing should come "
		  "from the DNS." },
	{ .name = "smtp_tls_fingerprint_cert_match",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = SMTP,
	  .text = "The digests of certificates, or of the public keys in "
		  "them, that are good at the level fingerprint: "
		  "\"AB:CD:...\". \"posthouse tls show\" prints those of "
		  "our own." },
	{ .name = "smtp_tls_fingerprint_digest",
	  .kind = PARAM_ENUM,
	  .def = "sha256",
	  .choices = "sha256|sha384|sha512|sha1|md5",
	  .users = SMTP,
	  .text = "The digest of smtp_tls_fingerprint_cert_match." },
	{ .name = "smtp_tls_servername",
	  .kind = PARAM_STR,
	  .def = "hostname",
	  .users = SMTP,
	  .text = "The name that the host is asked for by SNI: hostname, "
		  "nexthop (as in smtp_tls_verify_cert_match), a name, or "
		  "nothing. An address is never sent." },
	{ .name = "smtp_tls_loglevel",
	  .kind = PARAM_INT,
	  .def = "1",
	  .min = 0,
	  .max = 4,
	  .users = SMTP,
	  .text = "0: log no TLS activity of sending; 1: log one line for "
		  "each handshake. More is not known here and means 1." },
	{ .name = "smtp_tls_note_starttls_offer",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP,
	  .text = "Log the hosts that offer STARTTLS where the level is "
		  "none." },
	{ .name = "smtp_sasl_auth_enable",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP,
	  .text = "Log in at servers for which smtp_sasl_password_maps has a "
		  "name and a password. A server that does not offer AUTH, or "
		  "refuses, gets no mail." },
	{ .name = "lmtp_sasl_auth_enable",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP,
	  .text = "The same for servers by LMTP." },
	{ .name = "smtp_sasl_password_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables with the user:password for a server. Keys are tried "
		  "in the order: the sender, if "
		  "smtp_sender_dependent_authentication says so (also as "
		  "@domain); the name of the host; the destination as it is "
		  "written in the route or relayhost "
		  "([mail.example.com]:587). Prefer that one: a host's name "
		  "may come from somebody's MX record, and its password is "
		  "then shown under the TLS policy of his domain. Without a "
		  "colon the value is a user whose password is empty. The "
		  "files are read by "
		  "router: its user, posthouse-router, should be their owner, "
		  "and nobody else able to read them." },
	{ .name = "smtp_sender_dependent_authentication",
	  .kind = PARAM_BOOL,
	  .def = "no",
	  .users = SMTP | ROUTER,
	  .text = "Look for the password by the sender's address first. "
		  "Connections are then not shared between senders. A "
		  "sender's password is shown to whatever server his mail "
		  "goes to by this transport and that asks for one: use it "
		  "where all of his mail goes to his relay host." },
	{ .name = "smtp_sasl_security_options",
	  .kind = PARAM_LIST,
	  .def = "noplaintext, noanonymous",
	  .users = SMTP,
	  .text = "What a mechanism must give to be used on a connection "
		  "without TLS: noplaintext (the password is not sent), "
		  "noactive, nodictionary, noanonymous, mutual_auth (the "
		  "server proves that it knows the password)." },
	{ .name = "smtp_sasl_tls_security_options",
	  .kind = PARAM_LIST,
	  .def = "$smtp_sasl_security_options",
	  .users = SMTP,
	  .text = "The same for connections under TLS. With noanonymous "
		  "passwords may be sent there as they are, which most relay "
		  "hosts ask for." },
	{ .name = "smtp_sasl_tls_verified_security_options",
	  .kind = PARAM_LIST,
	  .def = "$smtp_sasl_tls_security_options",
	  .users = SMTP,
	  .text = "The same where the server's certificate was verified." },
	{ .name = "smtp_sasl_mechanism_filter",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = SMTP,
	  .text = "The mechanisms that may be used, of SCRAM-SHA-256-PLUS, "
		  "SCRAM-SHA-256, SCRAM-SHA-1-PLUS, SCRAM-SHA-1, PLAIN, LOGIN "
		  "and XOAUTH2, in the order in which they are preferred: "
		  "names, \"!\" in front to exclude, and static:all for all "
		  "others; the first item that matches decides. For XOAUTH2 "
		  "the password is the token." },
	{ .name = "smtp_sasl_auth_soft_bounce",
	  .kind = PARAM_BOOL,
	  .def = "yes",
	  .users = SMTP,
	  .text = "Keep the mail and try again later where a server refuses "
		  "a login for good (535); otherwise the mail is returned." },
	{ .name = NULL },
};
