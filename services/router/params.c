/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum { ROUTER = SVC_BIT(SVC_ROUTER), CTL = SVC_BIT(SVC_CTL) };

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
	{ .name = NULL },
};
