/* SPDX-License-Identifier: ISC */
#ifndef SMTP_DIAL_H
#define SMTP_DIAL_H

#include "frame/asker.h"
#include "settings.h"

/* Making a connection: by TCP from here, to a local socket through dialer. */
struct dial;

/* The connected descriptor (the callee's), or -1: why says it in words
 * ("Connection refused").  local: the fault is on this side. */
typedef void dial_done_cb(void *arg, int fd, const char *why, bool local);

/* Never calls done from inside.  NULL: it failed at once, err says why (TEMP)
 * with an errno value that is of this side or not, see dial_is_local(). */
struct dial *dial_tcp(struct loop *l, const struct settings *set,
		      const struct addr *to, dial_done_cb *done, void *arg,
		      struct err *err);
struct dial *dial_unix(struct asker *dialer, const struct settings *set,
		       const char *path, dial_done_cb *done, void *arg,
		       struct err *err);
void dial_cancel(struct dial *d);
/* Out of descriptors or memory: says nothing of the server. */
bool dial_is_local(int code);

#endif
