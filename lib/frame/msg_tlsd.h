/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_TLSD_H
#define FRAME_MSG_TLSD_H

#include "net/msg.h"

/*
 * To tlsd: a client's connection, to have TLS spoken on it.  Types 112-119.
 *
 * The asker sends the client's socket with nothing of it unread (implicit TLS
 * is STARTTLS at byte 0) and keeps its own copy until the answer, only to shut
 * it down if it gives up; tlsd shakes hands and answers with one end of a local
 * stream that carries the plain text.  EOF on it is the end of the TLS stream,
 * and closing it ends the TLS stream.
 */
enum {
	MSG_TLS_SERVER = 112,
	MSG_TLS_UP,
	MSG_TLS_FAIL,
	MSG_TLS_OFFER,
	MSG_TLS_CLIENT,
};

/* What will be spoken: chooses ALPN and the context of session tickets. */
enum tls_use { TLS_SMTP = 1, TLS_SUBMISSION, TLS_IMAP, TLS_POP3 };

enum {
	TLS_NAME_MAX = 255,
	TLS_FINGERPRINT_MAX = 191, /* 64 octets, "AB:CD:..." */
	TLS_BINDING_MAX = 64,
	TLS_TEXT_MAX = 200,
};

/* request. */
struct msg_tls_server {
	uint8_t use;	     /* enum tls_use */
	uint8_t client_cert; /* 0: none wanted, 1: asked for, 2: required */
	uint32_t timeout_ms; /* for the handshake */
	int fd;
};

/*
 * request: the other way round, we are the client (port 25 and submission of
 * other hosts).  The asker has decided the policy, and all of it is here; tlsd
 * verifies what it says.
 */
enum tls_level {
	TLS_MAY = 1,	 /* whoever it is; a certificate is looked at for the
			    log alone */
	TLS_ENCRYPT,	 /* the same, but there is no way without TLS */
	TLS_FINGERPRINT, /* certificate or its public key is in the list */
	TLS_VERIFY,	 /* by a trusted authority, and for one of the names */
	TLS_SECURE,	 /* the same; the names do not come from the DNS */
};
enum tls_grade { TLS_GRADE_MEDIUM, TLS_GRADE_HIGH };
enum { TLS_MATCH_MAX = 32, TLS_EXCLUDE_MAX = 512, TLS_DIGEST_MAX = 15 };
struct msg_tls_match {
	struct str text; /* "mx.example.com", ".example.com" (any name below),
			    "192.0.2.1"; or a fingerprint, "AB:CD:..." */
};
struct msg_tls_client {
	uint8_t level;	       /* enum tls_level */
	uint8_t protocols;     /* bits, frame/tls_protocols.h */
	uint8_t grade;	       /* enum tls_grade, of ciphers */
	struct str exclude;    /* ciphers that are not used */
	struct str host;       /* for SNI; "": none */
	struct msg_list match; /* msg_tls_match */
	struct str digest;     /* of fingerprints: "sha256" */
	uint32_t timeout_ms;   /* for the handshake */
	int fd;
};

enum tls_peer_cert {
	TLS_PEER_NONE,
	TLS_PEER_UNTRUSTED, /* a certificate, but not by a CA we know */
	TLS_PEER_TRUSTED,
	TLS_PEER_VERIFIED, /* of TLS_CLIENT: and the name is right, or the
			      fingerprint */
};

/* reply: the handshake is done. */
struct msg_tls_up {
	int fd;		     /* the plain stream */
	struct str protocol; /* "TLSv1.3" */
	struct str cipher;   /* "TLS_AES_256_GCM_SHA384" */
	uint16_t bits, alg_bits;
	struct str kex;	 /* "X25519", "" if unknown */
	struct str auth; /* server-signature: "ECDSA (P-256)" */
	struct str hash; /* server-digest: "SHA256" */
	uint8_t resumed;
	struct str sni;			 /* asked for by the client, "" */
	uint8_t peer;			 /* enum tls_peer_cert */
	struct str peer_cn, peer_issuer; /* escaped, for header and log */
	struct str peer_fingerprint;	 /* of the certificate, "AB:CD:…" */
	/* Channel bindings (RFC 9266, RFC 5929); "" where there is none. */
	struct str exporter; /* MSG_BYTES: tls-exporter */
	struct str endpoint; /* MSG_BYTES: tls-server-end-point */
	struct str unique;   /* MSG_BYTES: tls-unique, TLS 1.2 only */
};

/* reply: there is no connection any more. */
enum tls_fail_class {
	TLS_FAIL_HANDSHAKE = 1, /* the peer spoke no TLS we accept */
	TLS_FAIL_CERT,		/* the client's certificate */
	TLS_FAIL_TIMEOUT,
	TLS_FAIL_CLOSED, /* by the client */
	TLS_FAIL_LOCAL,	 /* our side: no key, no memory */
	TLS_FAIL_PEER,	 /* the server's certificate is not what level asks
			    for */
};
struct msg_tls_fail {
	uint8_t class;
	struct str text;
};

/* tlsd → asker, note, at once and at every change: can it be asked?  For those
 * who ask for TLS_SERVER: is there a certificate, so that TLS can be offered?
 * TLS_CLIENT needs none. */
struct msg_tls_offer {
	uint8_t on;
};

extern const struct msg_def msg_tls_server_def, msg_tls_up_def,
	msg_tls_fail_def, msg_tls_offer_def, msg_tls_match_def,
	msg_tls_client_def;

#endif
