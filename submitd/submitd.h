/* SPDX-License-Identifier: ISC */
#ifndef SUBMITD_H
#define SUBMITD_H

#include "receive/session.h"

extern const struct daemon_ops submitd_ops;

/* The parts of submission, for the engine (receive/receiver.h). */
void auth_mechs(struct session *s, char *to, size_t size);
struct reply auth_begin(struct session *s, struct str args);
struct reply auth_response(struct session *s, struct str line);
void header_fix(struct session *s);
struct reply sender_check(struct session *s);
struct reply local_verb(struct session *s, const struct smtp_line *l);

#endif
