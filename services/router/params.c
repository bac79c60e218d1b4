/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum {
	ROUTER = SVC_BIT(SVC_ROUTER),
	CTL = SVC_BIT(SVC_CTL),
	/* It finds ports to connect to in them. */
	SMTP = SVC_BIT(SVC_SMTP),
};

const struct param router_params[] = {
	{ .name = "mydestination",
	  .kind = PARAM_LIST,
	  .def = "$myhostname, localhost.$mydomain, localhost",
	  .users = ROUTER | CTL,
	  .text = "The domains whose mail is delivered to this machine's own "
		  "users: names, TYPE:TABLE (a domain is in the list if the "
		  "table has it as a key) and /FILE (its text stands for "
		  "itself); \"!\" in front excludes. The first item that "
		  "matches decides." },
	{ .name = "local_recipient_maps",
	  .kind = PARAM_MAPS,
	  .def = "unix:passwd.byname $alias_maps",
	  .users = ROUTER,
	  .text = "Tables with all names and addresses that exist in the "
		  "domains of $mydestination; others are refused when a client "
		  "names them. Empty: who has no account and no alias is "
		  "refused all the same." },
	{ .name = "alias_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "The aliases(5) of local names. The value is a list of "
		  "addresses and of local names; \\name is that user's own "
		  "mailbox. \"posthouse map -a FILE\" builds the table of an "
		  "aliases file." },
	{ .name = "alias_database",
	  .kind = PARAM_MAPS,
	  .def = "$alias_maps",
	  .users = CTL,
	  .text = "The tables that newaliases(1) builds anew: those of type "
		  "hash: and btree: in this list." },
	{ .name = "recipient_delimiter",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = ROUTER,
	  .text = "The characters that may separate a user name from an "
		  "address extension (user+extension@domain). Tables are asked "
		  "for the whole address first, then without the extension." },
	{ .name = "smtpd_sender_login_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables from a sender address to the logins that may use it "
		  "on the submission ports, asked like virtual_alias_maps. For "
		  "an address that they do not know, a login may use what is "
		  "its own: the address that it is called, with any "
		  "extension that no other table gives to somebody else; for "
		  "a user of this machine, that name in $mydestination and "
		  "$myorigin; and an alias whose only target is one of "
		  "these." },
	{ .name = "virtual_alias_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables that replace an address by one or more others, "
		  "again and again until none is found. Keys are tried in the "
		  "order user+extension@domain, user@domain, user (if the "
		  "domain is $myorigin or in $mydestination), @domain." },
	{ .name = "virtual_alias_domains",
	  .kind = PARAM_LIST,
	  .def = "$virtual_alias_maps",
	  .users = ROUTER,
	  .text = "Domains all of whose addresses are aliases. The items are "
		  "as in mydestination." },
	{ .name = "virtual_alias_expansion_limit",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 1,
	  .max = 10000,
	  .users = ROUTER,
	  .text = "How many addresses one recipient may become. Beyond that "
		  "the message is not accepted for now, and the log says so." },
	{ .name = "virtual_alias_recursion_limit",
	  .kind = PARAM_INT,
	  .def = "1000",
	  .min = 1,
	  .max = 10000,
	  .users = ROUTER,
	  .text = "How many aliases may follow one from the other." },
	{ .name = "virtual_mailbox_domains",
	  .kind = PARAM_LIST,
	  .def = "$virtual_mailbox_maps",
	  .users = ROUTER | CTL,
	  .text = "Domains whose mail is delivered to the mailboxes of "
		  "$virtual_mailbox_maps, without accounts on this machine. "
		  "The items are as in mydestination." },
	{ .name = "virtual_mailbox_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER | CTL,
	  .text = "Tables from an address to the path of its mailbox below "
		  "$virtual_mailbox_base; a \"/\" at the end means Maildir. "
		  "Keys are tried in the order user+extension@domain, "
		  "user@domain, @domain." },
	{ .name = "transport_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables from an address or a domain, this system's own too, "
		  "to TRANSPORT:NEXTHOP. Keys are tried in the order "
		  "user+extension@domain, user@domain, domain, .domain (all "
		  "below that domain), *. TRANSPORT is smtp, lmtp, relay, "
		  "local, virtual, one of $transports, error (the mail is "
		  "returned; NEXTHOP is the reason, perhaps with a code: "
		  "error:5.7.1 not today), retry (the same, but it is tried "
		  "again later), or discard. Without NEXTHOP the mail goes to "
		  "the domain of the address; :NEXTHOP leaves the transport "
		  "as it is without the table, and \":\" both." },
	{ .name = "parent_domain_matches_subdomains",
	  .kind = PARAM_LIST,
	  .def = "relay_domains",
	  .users = ROUTER,
	  .text = "Which of relay_domains and transport_maps mean by "
		  "example.com also all domains below it. In the others, "
		  ".example.com means those. Other names that may stand here "
		  "have no effect." },
	{ .name = "relay_domains",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users = ROUTER,
	  .text = "Domains whose mail this system takes from anybody and "
		  "passes on, by $relay_transport. The items are as in "
		  "mydestination." },
	{ .name = "relay_recipient_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables with all addresses that exist in $relay_domains; "
		  "others are refused when a client names them. Keys are "
		  "tried in the order user+extension@domain, user@domain, "
		  "@domain. Empty: none is refused." },
	{ .name = "local_transport",
	  .kind = PARAM_STR,
	  .def = "local",
	  .users = ROUTER | SMTP,
	  .text = "TRANSPORT:NEXTHOP of the domains in $mydestination." },
	{ .name = "virtual_transport",
	  .kind = PARAM_STR,
	  .def = "virtual",
	  .users = ROUTER | SMTP,
	  .text = "TRANSPORT:NEXTHOP of the domains in "
		  "$virtual_mailbox_domains, such as "
		  "lmtp:unix:/run/dovecot/lmtp. If virtual_mailbox_maps is "
		  "set, addresses that it does not have are refused all the "
		  "same." },
	{ .name = "relay_transport",
	  .kind = PARAM_STR,
	  .def = "relay",
	  .users = ROUTER | SMTP,
	  .text = "TRANSPORT:NEXTHOP of the domains in $relay_domains. "
		  "Without NEXTHOP the relay host counts, or else the "
		  "domain." },
	{ .name = "default_transport",
	  .kind = PARAM_STR,
	  .def = "smtp",
	  .users = ROUTER | SMTP,
	  .text = "TRANSPORT:NEXTHOP of all other domains. Without NEXTHOP "
		  "the relay host counts, or else the domain." },
	{ .name = "sender_dependent_default_transport_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables from the sender's address to what counts instead of "
		  "default_transport. Keys are tried in the order "
		  "user+extension@domain, user@domain, @domain. DUNNO: "
		  "default_transport counts." },
	{ .name = "empty_address_default_transport_maps_lookup_key",
	  .kind = PARAM_STR,
	  .def = "<>",
	  .users = ROUTER,
	  .text = "The key for the empty sender in "
		  "sender_dependent_default_transport_maps." },
	{ .name = "relayhost",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = ROUTER | SMTP,
	  .text = "Where mail is sent that is not for a domain of this "
		  "system: HOST, HOST:PORT (the MX records of HOST count), "
		  "[HOST] or [HOST]:PORT. Empty: to the domain of the "
		  "address." },
	{ .name = "sender_dependent_relayhost_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables from the sender's address to what counts instead of "
		  "relayhost; see sender_dependent_default_transport_maps." },
	{ .name = "empty_address_relayhost_maps_lookup_key",
	  .kind = PARAM_STR,
	  .def = "<>",
	  .users = ROUTER,
	  .text = "The key for the empty sender in "
		  "sender_dependent_relayhost_maps." },
	{ .name = "mailbox_transport",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = ROUTER | SMTP,
	  .text = "TRANSPORT:NEXTHOP that the mail of all local users is "
		  "handed to after their aliases are expanded, whether or not "
		  "they have an account (but see local_recipient_maps)." },
	{ .name = "mailbox_transport_maps",
	  .kind = PARAM_MAPS,
	  .def = "",
	  .users = ROUTER,
	  .text = "Tables from a user's name to what counts for that user "
		  "instead of mailbox_transport." },
	{ .name = "fallback_transport",
	  .kind = PARAM_STR,
	  .def = "",
	  .users = ROUTER | SMTP,
	  .text = "TRANSPORT:NEXTHOP for names in $mydestination that are "
		  "neither an alias nor a user of this machine. "
		  "local_recipient_maps must have them, or be empty." },
	{ .name = NULL },
};
