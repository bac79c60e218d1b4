/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_OWNS_H
#define ROUTER_OWNS_H

#include "routes.h"

/*
 * May a login use a sender address?  smtpd_sender_login_maps decides where it
 * has an entry.  Where it has none, a login owns
 *  - the address that it is itself ("alice@box.test"), with any extension that
 * no table gives another meaning;
 *  - without a domain (a user of this machine): that name in each domain of
 *    mydestination, and in myorigin unless that has mailboxes of its own;
 *  - an alias whose one and only target is such an address.
 * Anybody may use the empty sender, which is that of notifications.
 *
 * 1: yes; 0: no; -1 (TEMP): a table cannot be read.
 */
ERR_WARN_UNUSED int owns(const struct routes *r, struct str login,
			 struct str sender, struct err *err);

#endif
