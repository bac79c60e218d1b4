/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_EXCHANGE_H
#define AUTHD_EXCHANGE_H

#include <sasl/sasl.h>

#include "frame/msg_sasl.h"
#include "user_table.h"

/*
 * One SASL exchange, by libsasl2, whose server side is used here and nowhere
 * else, in the loop's thread.  Each step costs microseconds: libsasl2 never
 * checks a password that came in the clear.  It takes PLAIN and LOGIN apart and
 * hands us user and password (EXCHANGE_PASSWORD); whether they belong together
 * is verify.h's business, the same for a password that came without SASL.
 * SCRAM it decides by itself, with keys from the user table.
 */
enum exchange_says {
	EXCHANGE_MORE,	   /* a challenge for the client */
	EXCHANGE_PASSWORD, /* user and password are there, nothing is decided */
	EXCHANGE_PROVED,   /* SCRAM: the client knows the password, and knows
			      that we know */
	EXCHANGE_FAILED,
	EXCHANGE_TROUBLE, /* no memory */
};

/* A mechanism without its "-PLUS"; the index is its bit in auth_mechanisms. */
struct exchange_mech {
	const char *name;
	enum users_scheme scheme; /* of its keys; USERS_LOCKED: plain */
};
enum { EXCHANGE_MECHS = 4 };
extern const struct exchange_mech exchange_mechs[EXCHANGE_MECHS];
/* By name, whatever its case; NULL: not one of ours. */
const struct exchange_mech *exchange_mech_find(struct str name, bool *plus);

struct exchange_binding {
	uint8_t bytes[TLS_BINDING_MAX];
	size_t n; /* 0: the connection has none of this type */
};

struct exchange {
	/* As BEGIN says it. */
	const struct exchange_mech *mech;
	bool plus, secured;
	struct exchange_binding exporter, endpoint, unique;
	/* As the client named the user, in lower case; "" until it did. */
	char user[USERS_NAME_MAX + 1];
	/* The user has these keys (SCRAM). */
	bool real;
	uint64_t credential; /* user_credential() of the keys */
	/* The owner's PASSWORD_MAX + 1 bytes: filled with EXCHANGE_PASSWORD,
	 * "" if it is one that nobody can have (a NUL in it, too long). */
	char *password;
	/* private */
	sasl_conn_t *conn;
	sasl_callback_t callbacks[3];
	sasl_channel_binding_t binding;
	const struct user_table *users; /* during a step */
	unsigned steps;
	bool named; /* LOGIN: the name has come */
	bool asked; /* PLAIN, LOGIN: the password has */
};

/* Load libsasl2 with our mechanisms and no other: before the jail.  Later
 * calls return what the first one found. */
ERR_WARN_UNUSED int exchange_preload(struct err *err);

/* The mechanism may be used with what this connection is (a plain one wants
 * secured, -PLUS a binding). */
bool exchange_may_begin(const struct exchange *x);
/* input.p NULL: no initial response.  *challenge lives until the next call. */
enum exchange_says exchange_step(struct exchange *x,
				 const struct user_table *users,
				 struct str input, struct str *challenge);
/* The next step will show whether the client knows the password. */
bool exchange_decides_next(const struct exchange *x);
void exchange_fini(struct exchange *x);

/* --- parts, pure -----------------------------------------------------------
 */

enum gs2_flag { GS2_BAD, GS2_NO, GS2_CLIENT_COULD, GS2_BOUND };
/* The channel binding flag at the start of SCRAM's first message (RFC 5802 7:
 * "n,", "y,", "p=TYPE,"); *type for GS2_BOUND. */
enum gs2_flag gs2_flag_parse(struct str message, struct str *type);

#endif
