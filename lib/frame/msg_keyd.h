/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_KEYD_H
#define FRAME_MSG_KEYD_H

#include "net/msg.h"

/*
 * Between tlsd and keyd, the sole holder of the private keys; and the form in
 * which master hands the files over.  Types 120-127.
 */
enum {
	MSG_KEY_WATCH = 120,
	MSG_KEY_CHAIN,
	MSG_KEY_SET,
	MSG_KEY_TICKETS,
	MSG_KEY_SIGN,
	MSG_KEY_SIGNED,
	MSG_KEY_REFUSED,
};

enum {
	KEY_CHAIN_MAX = 48 * 1024, /* certificates of one chain, DER */
	KEY_CHAIN_CERTS = 10,
	KEY_DATA_MAX = 1024, /* what is signed: a digest or a padded block */
	KEY_SIGNATURE_MAX = 1024,
	KEY_FILE_MAX = 65535,
	KEY_FILES_MAX = 256,
	KEY_SET_MAX = 512, /* chains of one set */
	KEY_TICKETS_MAX = 3,
	KEY_TICKET_NAME = 16,
	KEY_TICKET_SECRET = 64, /* AES-256, then HMAC-SHA256 */
};

/* tlsd → keyd, note: tell me the certificates and ticket keys of my group, now
 * and at every change. */
struct msg_key_watch {
	uint8_t unused;
};

/* keyd → tlsd, notes: the chains of a new set, then SET, which makes it valid.
 * Within a set key is 0, 1, 2 ...; a certificate serves those who ask for one
 * of its names by SNI, and the chains with fallback=1 serve all others. */
struct msg_key_der {
	struct str der; /* MSG_BYTES */
};
struct msg_key_chain {
	uint32_t set;
	uint16_t key;
	uint8_t fallback;
	uint8_t out; /* for servers, where we are the client: a set of its own
		      */
	struct str names;      /* SNI names this chain was configured for
				  (tls_server_sni_maps), blank-separated, or "" */
	struct msg_list certs; /* msg_key_der, the leaf first */
};
struct msg_key_set {
	uint32_t set;
	uint16_t keys; /* 0: there is no certificate */
	uint8_t out;
};

/* keyd → tlsd, note: session ticket keys; the first one seals, all open. */
struct msg_key_ticket {
	struct str name;   /* MSG_BYTES, KEY_TICKET_NAME */
	struct str secret; /* MSG_BYTES, KEY_TICKET_SECRET */
};
struct msg_key_tickets {
	struct msg_list keys; /* msg_key_ticket */
};

/* tlsd → keyd, request. */
enum key_scheme {
	KEY_ECDSA = 1, /* data is a digest; answered in DER */
	KEY_RSA_PKCS1, /* data is a DigestInfo */
	KEY_RSA_RAW,   /* data is a block as long as the modulus, padded by
			  PSS */
};
struct msg_key_sign {
	uint32_t set;
	uint16_t key;
	uint8_t scheme;
	struct str data; /* MSG_BYTES */
};

/* reply. */
struct msg_key_signed {
	struct str signature; /* MSG_BYTES */
};

/* reply: no such key for this asker, or this scheme is not its own. */
struct msg_key_refused {
	struct str text;
};

/*
 * The table "keys" that master hands to keyd: a sealed memfd that is one
 * encoded list of these (no frame around it).  Files are bytes that master has
 * not looked into.
 */
enum key_group { /* bits */
		 KEY_GROUP_MX = 1,
		 KEY_GROUP_USER = 2,
		 KEY_GROUP_OUT = 4, /* tlsd_mx, where it is the client */
};
struct key_file {
	uint8_t groups;	  /* enum key_group: who may use it */
	struct str names; /* of tls_server_sni_maps, or "": for everybody */
	struct str path;  /* for the log */
	struct str error; /* why it could not be read, or "" */
	struct str bytes; /* MSG_BYTES */
	/* A certificate whose key stands in another file (Postfix's older
	 * form, smtpd_tls_key_file); "" for a chain file. */
	struct str key_path;
	struct str key_bytes; /* MSG_BYTES */
};

extern const struct msg_def msg_key_watch_def, msg_key_der_def,
	msg_key_chain_def, msg_key_set_def, msg_key_ticket_def,
	msg_key_tickets_def, msg_key_sign_def, msg_key_signed_def,
	msg_key_refused_def, key_file_def;

#endif
