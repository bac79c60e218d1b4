/* SPDX-License-Identifier: ISC */
#ifndef LOGD_SINK_H
#define LOGD_SINK_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Where lines end up: a file below the log directory, standard error, or the
 * system's logger.  Lines are gathered and written once a turn; what cannot be
 * written is dropped and counted, and the count is said once writing works
 * again.
 */
enum sink_kind { SINK_STDERR, SINK_FILE, SINK_SYSLOG };

struct sink {
	enum sink_kind kind;
	int dir;	/* log directory */
	char file[256]; /* name in dir */
	int fd;		/* file, or the connected socket of /dev/log; -1 */
	struct buf lines;
	uint64_t lost;
};

void sink_init(struct sink *s, int dir);
void sink_fini(struct sink *s);
/* target: "-", "" (syslog) or a file name.  Opens (again); the file is created
 * 0640.  On failure lines go to standard error. */
void sink_open(struct sink *s, const char *target);
/* SINK_SYSLOG: the socket to use; takes fd. */
void sink_set_socket(struct sink *s, int fd);
/* Where to append lines of a file or of standard error. */
struct buf *sink_lines(struct sink *s);
/* Write out.  False: the logger's socket is dead and a new one is wanted. */
bool sink_flush(struct sink *s);
/* One syslog datagram.  False as above. */
bool sink_datagram(struct sink *s, struct str line);

#endif
