/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_TESTBED_DEFAULTS_H
#define ROUTER_TESTBED_DEFAULTS_H

/* For tests: the parameters of sending, at their defaults; lines that follow
 * count instead. */
#define SENDING_DEFAULTS                                           \
	"transports =\n"                                           \
	"smtp_tls_policy_maps =\nsmtp_sasl_password_maps =\n"      \
	"smtp_sender_dependent_authentication = 0\n"               \
	"lmtp_tls_policy_maps =\nlmtp_sasl_password_maps =\n"      \
	"lmtp_sender_dependent_authentication = 0\n"               \
	"relay_tls_policy_maps =\nrelay_sasl_password_maps =\n"    \
	"relay_sender_dependent_authentication = 0\n"              \
	"transport_maps =\n"                                       \
	"parent_domain_matches_subdomains = relay_domains\n"       \
	"relay_domains =\nrelay_recipient_maps =\n"                \
	"local_transport = local\nvirtual_transport = virtual\n"   \
	"relay_transport = relay\ndefault_transport = smtp\n"      \
	"relayhost =\nmailbox_transport =\nfallback_transport =\n" \
	"mailbox_transport_maps =\n"                               \
	"sender_dependent_default_transport_maps =\n"              \
	"empty_address_default_transport_maps_lookup_key = <>\n"   \
	"sender_dependent_relayhost_maps =\n"                      \
	"empty_address_relayhost_maps_lookup_key = <>\n"

#endif
