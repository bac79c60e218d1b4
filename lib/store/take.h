/* SPDX-License-Identifier: ISC */
#ifndef STORE_TAKE_H
#define STORE_TAKE_H

#include <stdint.h>

#include "base/err.h"

/*
 * The messages of an mbox, which the caller has locked, move into a Maildir:
 * into new/, or cur/ with the flags of Status and X-Status; the date of the
 * From_ line becomes the file's.  Only when all are durable there is the mbox
 * emptied, if nobody has made it longer.
 *
 * Nothing is lost or doubled by a crash: from before the first message has its
 * name until the mbox is empty there is posthouse.take in the Maildir, with a
 * random key, and a message's name follows from the key, its bytes, and its
 * place among messages of the same bytes.  Who finds posthouse.take skips
 * what is there under such a name.  (A message that a reader removed in
 * between comes again.)
 */
/* mail: the Maildir; mbox: open to read and write.  *count: how many messages
 * came.  ERR_PERM, EINVAL: it is no mbox, and stays. */
ERR_WARN_UNUSED int take_mbox(int mail, int mbox, const char *host,
			      uint32_t *count, struct err *err);

#endif
