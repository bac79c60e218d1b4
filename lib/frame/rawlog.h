/* SPDX-License-Identifier: ISC */
#ifndef FRAME_RAWLOG_H
#define FRAME_RAWLOG_H

#include "base/param.h"
#include "frame/user_session.h"
#include "net/conn.h"

/*
 * What a client and its user's process say to each other, for the search of
 * errors: for the users that rawlog_users names, two files a session in
 * posthouse.rawlog/ in the user's own mailbox, NAME.in and NAME.out, each line
 * with the time its first byte passed.  The process writes them, in its jail,
 * after the login: no password is in them.  A file ends at rawlog_size_limit;
 * of more than RAWLOG_FILES_MAX files the oldest are removed.  Nothing is
 * synced, and a log that cannot be written hinders nobody.
 */
enum { RAWLOG_FILES_MAX = 100 };

/* Are this user's sessions written down?  They are then not compressed. */
bool rawlog_wants(const struct params *p, const char *user);

/* Begin one, if this user has any.  dir: the mailbox; proto: "imap", for the
 * names of the files. */
void rawlog_open(struct conn *c, const struct params *p, int dir,
		 const char *proto, const char *user,
		 const struct user_session *us);

#endif
