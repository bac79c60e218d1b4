/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_ROUTER_H
#define FRAME_MSG_ROUTER_H

#include "frame/msg_rcpt.h"

/* To router: one question per RCPT (smtpd), one expansion per message (qmgr).
 * Types 32-47. */
enum {
	MSG_ROUTE = 32,
	MSG_ROUTED,
	MSG_EXPAND_PART,
	MSG_EXPAND,
	MSG_EXPANDED_PART,
	MSG_EXPANDED,
	MSG_OWNS,
	MSG_OWNED,
	MSG_SITE,
	MSG_SITED,
};

/* smtpd → router, request: may this address be accepted, and is it ours? */
struct msg_route {
	struct str address;
	struct str sender; /* "" for <> */
};

/* reply.  verdict OK with own=0: a relay request (smtpd decides whether this
 * client may).  Otherwise code, dsn and text are what to say, text in
 * Postfix's words: "User unknown in virtual mailbox table". */
enum route_verdict { ROUTE_OK, ROUTE_TEMP, ROUTE_PERM };
struct msg_routed {
	uint8_t verdict;
	uint8_t own;
	uint16_t code;	/* 550, 450 … */
	struct str dsn; /* "5.1.1" */
	struct str text;
};

/* submitd → router, request: may this login use this sender address
 * (smtpd_sender_login_maps; without an entry: the login's own addresses)? */
struct msg_owns {
	struct str login;
	struct str sender;
};

/* reply.  verdict ROUTE_OK: yes; ROUTE_PERM: no; ROUTE_TEMP: a table cannot be
 * read now. */
struct msg_owned {
	uint8_t verdict;
	struct str text; /* for the log */
};

/*
 * smtp → router, request: what do the tables say of this server, before it is
 * connected to?  nexthop as in the route ("example.com",
 * "[relay.example.com]:587"), host the name that is being connected to (of an
 * MX, or nexthop's own).
 */
struct msg_site {
	struct str transport;
	struct str nexthop;
	struct str host;
	struct str sender; /* "" for <> */
	uint16_t port;
	uint8_t want; /* enum site_want */
};
enum site_want { SITE_TLS = 1, SITE_AUTH = 2 };

enum {
	SITE_USER_MAX = 255,
	SITE_PASSWORD_MAX = 4096, /* tokens of XOAUTH2 are long */
};

/* reply.  verdict ROUTE_OK, or ROUTE_TEMP: a table cannot be read now. */
struct msg_sited {
	uint8_t verdict;
	struct str text; /* of ROUTE_TEMP */
	uint8_t has_tls; /* smtp_tls_policy_maps has the nexthop (or, without a
			    port, a parent domain of it) */
	struct str tls;	 /* what it says: "secure match=.example.com" */
	uint8_t has_auth;
	struct str user, password; /* smtp_sasl_password_maps */
};

/* qmgr → router: the recipients of one message, parts first, the last (or
 * only) ones in the request itself. */
struct msg_expand_part {
	struct msg_list rcpts; /* msg_rcpt_in */
};
struct msg_expand {
	struct str sender;
	struct msg_list rcpts;
	uint32_t count; /* of all, parts included: less is not expanded */
};

/* router → qmgr, parts, then the reply.  temp=1: tables cannot be read now;
 * nothing was expanded, text says why. */
struct msg_expanded_part {
	struct msg_list rcpts; /* msg_rcpt */
};
struct msg_expanded {
	uint8_t temp;
	struct str text;
	struct msg_list rcpts;
};

extern const struct msg_def msg_route_def, msg_routed_def, msg_expand_part_def,
	msg_expand_def, msg_expanded_part_def, msg_expanded_def, msg_owns_def,
	msg_owned_def, msg_site_def, msg_sited_def;

#endif
