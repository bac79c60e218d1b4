/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_TESTBED_H
#define SPAWNER_TESTBED_H

/*
 * spawner over its channels: login, qmgr and authd are played by the test in
 * the same loop; the users' processes are real forks that open their mailbox
 * as the true child does, without ids and jail, and then play a short script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frame/msg_deliver.h"
#include "frame/msg_spawner.h"
#include "spawner.h"

struct rig {
	char dir[40];
	struct loop loop;
	struct params params;
	struct spawner spawner;
	struct chan *authd, *login, *qmgr;
	unsigned redeemed;
	/* what authd says: identity, or fail */
	struct msg_identity identity;
	bool authd_fails, authd_silent;
	/* answers to login or qmgr */
	unsigned answers;
	uint32_t tag;
	const struct msg_def *def;
	int fd;
	uint8_t class;
	char dsn[20], text[600];
};

/* --- the users' processes ------------------------------------------------- */

/* Answers each client with its pid and what it was given. */
void good_child(const struct child_spec *spec, const struct child_env *env,
		int spawner, int birth);
/* An mbox's process that is asked for its file and does not answer; for others
 * as the good one. */
void mute_mbox_child(const struct child_spec *spec, const struct child_env *env,
		     int spawner, int birth);
/* Dies before it is ready. */
void stillborn_child(const struct child_spec *spec, const struct child_env *env,
		     int spawner, int birth);
/* The first one dies with the client in its hands; a file says that it did. */
void clumsy_child(const struct child_spec *spec, const struct child_env *env,
		  int spawner, int birth);
/* Each one does. */
void hopeless_child(const struct child_spec *spec, const struct child_env *env,
		    int spawner, int birth);
/* It has been taken over, and answers with what belongs to other questions. */
void lying_child(const struct child_spec *spec, const struct child_env *env,
		 int spawner, int birth);

/* --- authd, login, qmgr --------------------------------------------------- */

void load_params(struct rig *r, const char *home_mailbox);
/* A mail system in a directory of its own, with user alice. */
void rig_open(struct rig *r);
void rig_close(struct rig *r);
/* Until there are so many processes. */
void turn_until_procs(struct rig *r, unsigned n);
/* A login; what the process wrote to the client comes back in text, which has
 * 200 bytes. */
void start(struct rig *r, uint32_t tag, uint8_t service, const char *home,
	   const char *imap_tag, char *text);
/* As qmgr. */
void open_channel(struct rig *r, uint32_t tag, uint8_t kind, const char *user);
bool exists(struct rig *r, const char *path);

#endif
