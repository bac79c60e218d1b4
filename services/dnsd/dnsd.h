/* SPDX-License-Identifier: ISC */
#ifndef DNSD_H
#define DNSD_H

#include "frame/daemon.h"
#include "hosts.h"
#include "resolver.h"

extern const struct daemon_ops dnsd_ops;

enum {
	DNSD_RUNNING_MAX = 2048,    /* flights in libunbound */
	DNSD_QUESTIONS_MAX = 32768, /* of all askers */
	DNSD_LINGER_MS = 60 * 1000, /* of a flight without questions */
	DNSD_PROBE_MS = 5000,
	DNSD_PROBE_AGAIN_MS = 30 * 1000,
	DNSD_DNSSEC_AGAIN_MS = 3600 * 1000,
	DNSD_TABLE_MAX = 8 << 20,
};

enum dnsd_mode { DNSD_AUTO, DNSD_FORWARD, DNSD_RECURSE };

struct dnsd_conf {
	enum dnsd_mode mode;
	struct resolv servers; /* dns_servers */
	unsigned timeout_ms;
	size_t cache;
};

struct edition;

struct dnsd {
	struct loop *loop;
	struct dnsd_conf conf;
	struct resolv resolv; /* of resolv.conf */
	struct buf anchors;
	struct hosts hosts;

	struct edition *now; /* NULL: libunbound cannot be set up */
	struct list old;     /* editions that still have questions */
	struct loop_flush sweep;
	bool renew;	/* another edition is wanted */
	bool no_dnssec; /* the name servers do not pass it on */
	bool warned;	/* of which the log knows */

	struct map shared;   /* flights that may be joined, by key */
	struct list waiting; /* flights that have not been asked */
	unsigned running;    /* flights that have */
	unsigned questions;
	bool starting;
};

int dnsd_init(struct dnsd *d, struct loop *l, struct err *err);
void dnsd_fini(struct dnsd *d);

/*
 * Settings; the tables resolv_conf, hosts and dns_anchors (fd is taken).  What
 * they change is in force from the end of this turn of the loop on.
 */
void dnsd_configure(struct dnsd *d, const struct dnsd_conf *c);
void dnsd_table(struct dnsd *d, struct str name, int fd);

/* A new asker; takes fd. */
void dnsd_peer(struct dnsd *d, const struct chan_row *row, int fd);

/* Who is asked: dns_servers or, without any, those of resolv.conf. */
const struct resolv *dnsd_servers(const struct dnsd_conf *c,
				  const struct resolv *resolv_conf);

/* The content of a table, to be released by munmap(); -1 with err. */
ERR_WARN_UNUSED int dnsd_map(int fd, struct str *text, struct err *err);

#endif
