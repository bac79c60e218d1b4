/* SPDX-License-Identifier: ISC */
#ifndef TLSD_STREAM_H
#define TLSD_STREAM_H

#include "tlsd.h"

/*
 * One client's connection, from the handshake to its end; or one of our own to
 * a server (out), which the comments call a client as well: bytes are moved in
 * the same way.
 *
 *	client == TLS == tls [SSL] plain == local stream == service
 *
 * "up" goes from the client to the service, "down" to the client.  In each
 * direction a chunk is read, turned, and sent in one go; only what the other
 * side does not take is kept, and then no more is read until it has.
 */
struct stream {
	struct list link; /* tlsd.streams, or tls_asker.handshakes */
	struct list again;
	struct tlsd *t;
	struct tls_asker *asker; /* NULL: the handshake is done */
	uint32_t tag;
	SSL *ssl;
	struct outgoing *out; /* NULL: we are the server */
	int tls, plain;
	struct event *tls_rd, *tls_wr, *plain_rd, *plain_wr, *plain_end, *timer;
	struct buf up, down;   /* what is stuck */
	size_t up_at, down_at; /* sent so far */
	size_t moved; /* stuck bytes the client took since the timer was set */
	uint8_t use, client_cert;
	bool tls_dry;	/* no more input now: do not ask the kernel */
	bool tls_ended; /* recv() said so */
	bool tls_watched, plain_watched; /* their events are added */
	bool tls_eof;		 /* nothing more comes from the client */
	bool tls_gone;		 /* and nothing can be sent to it */
	bool plain_eof;		 /* nothing more comes from the service */
	bool plain_gone;	 /* and it takes nothing */
	bool plain_fin, tls_fin; /* we have closed that way */
};

/* Take a client's connection (fd in every case) and shake hands; the answer
 * goes to the asker. */
void stream_start(struct tls_asker *a, uint32_t tag,
		  const struct msg_tls_server *m, int fd);
/* The same with a server's. */
void stream_connect(struct tls_asker *a, uint32_t tag,
		    const struct msg_tls_client *m, int fd);
/* No answer, no farewell. */
void stream_free(struct stream *s);

/* --- between stream.c and pump.c --- */

/* Make the local stream: the service's end of it, or -1. */
int pump_open(struct stream *s);
/* The service has its end: go. */
void pump_start(struct stream *s);
/* Read from the client; may free s. */
void pump_tls_readable(struct stream *s);
/* Free what is stuck, and forget it. */
void pump_unstick(struct stream *s, struct buf *b, size_t *at);
/* Send what TLS wants sent, t->out, behind what is stuck already; -1: the
 * client is gone. */
int pump_send_tls(struct stream *s);

#endif
