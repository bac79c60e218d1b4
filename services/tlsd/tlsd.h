/* SPDX-License-Identifier: ISC */
#ifndef TLSD_H
#define TLSD_H

#include "context.h"
#include "frame/asker.h"
#include "frame/daemon.h"
#include "frame/msg_tlsd.h"
#include "sessions.h"

enum {
	/* What is moved at once: several records, one system call a side. */
	STREAM_CHUNK = 64 * 1024,
	/* Encrypted bytes that a client does not take; more than one chunk
	 * only where it makes TLS itself answer. */
	STREAM_DOWN_MAX = 4 * STREAM_CHUNK,
	/* After the service closed: the client takes as much of what is left
	 * in each such time, and then has that long to close its side. */
	STREAM_DRAIN_MIN = 4096,
	STREAM_DRAIN_MS = 30000,
	STREAM_LINGER_MS = 3000,
	TLSD_CA_MAX = 8 * 1024 * 1024,
};

/* Who asks: a worker of smtpd, submitd or login. */
struct tls_asker {
	struct tlsd *t;
	struct chan *chan;
	struct list link;
	struct list handshakes; /* struct stream */
	bool connects;		/* asks for TLS_CLIENT */
	bool offered;		/* what it was told last */
};

struct tlsd {
	struct loop *loop;
	struct tls_conf conf;
	struct list askers;
	struct list streams; /* those whose handshake is done */
	struct list again;   /* streams that have more to do at once */
	struct event *again_timer;
	unsigned nstreams, max_streams; /* handshakes too */
	bool draining;
	void (*drained)(void *arg); /* the last stream ended while draining */
	void *arg;

	struct contexts *contexts; /* NULL: no certificate */
	struct keyset *keys;	   /* what they were made from, or NULL */
	struct keyset *pending;	   /* not complete yet, or NULL */
	/* The same of what servers are shown. */
	struct keyset *out_keys, *out_pending;
	struct ticket_keys tickets;
	X509_STORE *ca;	   /* of clients */
	uint8_t ca_id[16]; /* of its content */
	/* Where we are the client: outgoing.c. */
	X509_STORE *server_ca;
	struct list out_contexts;
	unsigned nout_contexts;
	struct sessions sessions;
	struct asker *keyd;
	struct remote remote;
	struct event *remote_end; /* the channel of remote ended */
	void (*remote_lost)(void *arg);

	BIO_METHOD *bio;
	char *chunk;	/* scratch of STREAM_CHUNK bytes */
	struct buf out; /* what TLS wants sent, empty between events */
};

/* Zeroed before.  max_streams: handshakes and streams at once; remote_lost:
 * the channel given with tlsd_remote() ended. */
ERR_WARN_UNUSED int tlsd_init(struct tlsd *t, struct loop *l,
			      unsigned max_streams, struct err *err);
/* Ends all streams. */
void tlsd_fini(struct tlsd *t);

/* New parameters; new contexts are made. */
void tlsd_configure(struct tlsd *t, const struct tls_conf *conf);
/* smtpd_tls_CAfile as a memfd; takes fd. */
void tlsd_ca(struct tlsd *t, int fd);
/* The same of servers: smtp_tls_CAfile, smtp_tls_CApath, the system's. */
void tlsd_server_ca(struct tlsd *t, int fd);
/* A new asker; takes fd. */
void tlsd_peer(struct tlsd *t, const struct chan_row *row, int fd);
/* keyd's messages: for asker_new(), arg is the tlsd. */
void tlsd_on_keyd_note(void *arg, const struct msg_def *def, void *msg);
void tlsd_on_keyd_state(void *arg, bool up);
/* The channel over which keyd signs; takes fd. */
void tlsd_remote(struct tlsd *t, int fd);
/* Take no more handshakes; t->drained is called when there is no stream. */
void tlsd_drain(struct tlsd *t);

extern const struct context_hooks tlsd_hooks;

/* One room, two programs: each group has its own uid and its own keys. */
extern const struct daemon_ops tlsd_mx_ops, tlsd_user_ops;

#endif
