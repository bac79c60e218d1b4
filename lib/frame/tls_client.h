/* SPDX-License-Identifier: ISC */
#ifndef FRAME_TLS_CLIENT_H
#define FRAME_TLS_CLIENT_H

#include "frame/asker.h"
#include "frame/msg_tlsd.h"
#include "net/conn.h"

/*
 * The asking side of tlsd, as every service uses it that has TLS spoken for
 * it: hand the client's connection over, get the plain stream and the facts
 * back.
 */
struct tls_client; /* one a process: the channel to tlsd */

/* service: SVC_TLSD_MX or SVC_TLSD_USER.  changed (may be NULL) is called when
 * tlsd says first what tls_client_offers() is, and when that changes. */
struct tls_client *tls_client_new(struct daemon *d, enum service_id service,
				  void (*changed)(void *arg), void *arg);
/* Over a channel a test made; takes fd. */
struct tls_client *tls_client_new_fd(struct loop *l, int fd,
				     const struct chan_row *row);
void tls_client_free(struct tls_client *t);
/* Is tlsd there, and has it a certificate: may STARTTLS be offered? */
bool tls_client_offers(const struct tls_client *t);

/* What is known of a connection under TLS; copies, NUL-terminated. */
struct tls_facts {
	char protocol[17], cipher[65], kex[33], auth[33], hash[17];
	unsigned bits, alg_bits;
	bool resumed;
	char sni[TLS_NAME_MAX + 1];
	enum tls_peer_cert peer;
	char peer_cn[TLS_NAME_MAX + 1], peer_issuer[TLS_NAME_MAX + 1];
	char peer_fingerprint[TLS_FINGERPRINT_MAX + 1];
	uint8_t exporter[TLS_BINDING_MAX], endpoint[TLS_BINDING_MAX],
		unique[TLS_BINDING_MAX];
	size_t exporter_n, endpoint_n, unique_n;
};

/* fd: the plain stream (the callee's), facts valid during the call; or fd -1:
 * the connection is gone, class (enum tls_fail_class) and text say why. */
typedef void tls_done_cb(void *arg, int fd, const struct tls_facts *facts,
			 unsigned class, const char *text);

/*
 * Have TLS spoken on this connection.  *conn is sent its output ("220 Ready"),
 * detached and set to NULL in every case.  The call fails (-1, the connection
 * is closed, done is not called) if input is there that was sent before TLS:
 * that would be an injection (CVE-2011-0411); or if the output cannot be sent,
 * or tlsd cannot be asked.  err says which.  Otherwise done is called once,
 * later, unless tls_client_cancel(tag) comes first; *tag is that number.
 */
ERR_WARN_UNUSED int tls_client_start(struct tls_client *t, struct conn **conn,
				     enum tls_use use, unsigned client_cert,
				     unsigned timeout_ms, tls_done_cb *done,
				     void *arg, uint32_t *tag, struct err *err);
/* For a connection nothing was read from or written to yet (implicit TLS);
 * takes fd in every case. */
ERR_WARN_UNUSED int tls_client_start_fd(struct tls_client *t, int fd,
					enum tls_use use, unsigned client_cert,
					unsigned timeout_ms, tls_done_cb *done,
					void *arg, uint32_t *tag,
					struct err *err);
/* As tls_client_start(), but TLS is spoken as the client of the other side: w
 * says how; its fd and timeout_ms are filled in here. */
ERR_WARN_UNUSED int tls_client_connect(struct tls_client *t, struct conn **conn,
				       const struct msg_tls_client *w,
				       unsigned timeout_ms, tls_done_cb *done,
				       void *arg, uint32_t *tag,
				       struct err *err);
/* Ends the connection, wherever the handshake is. */
void tls_client_cancel(struct tls_client *t, uint32_t tag);

#endif
