/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_SPAWNER_H
#define FRAME_MSG_SPAWNER_H

#include "frame/msg_authd.h"

/* To spawner from login, qmgr and ctl, and between spawner and the users'
 * processes.  Types 80-95, 144-151. */
enum {
	MSG_START = 80,
	MSG_STARTED,
	MSG_OPEN,
	MSG_OPENED,
	MSG_SPAWN_FAIL,
	MSG_USER_PEER,
	MSG_CLIENT,
	MSG_CLIENT_TAKEN,
	MSG_WHO,
	MSG_WHO_ROW,
	MSG_WHO_DONE,
	MSG_KICK,
	MSG_POKE,
};
enum { MSG_LEASE = 144, MSG_LEASED, MSG_TAKE, MSG_TOOK };

enum { PENDING_MAX = 8192, SESSION_ID_MAX = 16, FOLDER_MAX = 200 };

/* login → spawner, request: this client has logged in.  Identity comes from
 * the ticket alone.  login keeps its own descriptor until the answer. */
struct msg_start {
	uint8_t service; /* SVC_IMAPD, SVC_POP3D */
	struct str ticket;
	struct str tag;	    /* IMAP: of the LOGIN command; imapd answers it */
	struct str pending; /* MSG_BYTES: input read but not consumed */
	struct str client, local; /* "192.0.2.1:4711", for the log */
	uint8_t secured;	  /* TLS */
	int fd;
	struct str session; /* its id in the log, unique */
};

/* reply: the user's process has it. */
struct msg_started {
	uint8_t unused;
};

/* qmgr → spawner, request: a channel to deliver. */
enum open_kind { OPEN_LOCAL = 1, OPEN_VIRTUAL, OPEN_VIRTUAL_MBOX };
struct msg_open {
	uint8_t kind;
	struct str user; /* OPEN_LOCAL */
	struct str path; /* OPEN_VIRTUAL_MBOX, below virtual_mailbox_base */
};

/* reply: the asker's end of row CH_QMGR_DELIVER. */
struct msg_opened {
	int fd;
};

/* reply to START or OPEN. */
struct msg_spawn_fail {
	uint8_t class; /* enum deliver_class: 1 temporary, 2 permanent */
	struct str dsn;
	struct str text;
};

/* spawner → deliver, note: the service's end of another qmgr channel. */
struct msg_user_peer {
	int fd;
};

/* spawner → imapd, pop3d, request; the process answers CLIENT_TAKEN as soon as
 * it has the descriptor; spawner keeps a duplicate until then. */
struct msg_client {
	struct str user;
	struct str tag;
	struct str pending;
	struct str client, local;
	uint8_t secured;
	int fd;
	struct str session;
};
struct msg_client_taken {
	uint8_t blind; /* the kernel had no inotify left for this process */
};

/* ctl → spawner and login, spawner → imapd and pop3d, request: who is there?
 * login has those who have not logged in yet. */
struct msg_who {
	struct str user; /* "": everybody */
};

/* part: a session. */
struct msg_who_row {
	uint8_t service; /* SVC_IMAPD, SVC_POP3D */
	struct str user; /* "": not logged in.  Of a user's process spawner
			    believes neither service nor user nor pid */
	uint32_t pid;
	struct str session; /* as in the log */
	struct str client;  /* "192.0.2.1:4711" */
	uint8_t secured;
	uint64_t since;	  /* seconds since 1970 */
	struct str state; /* "INBOX, idle": for people */
};

enum { WHO_ROW_USER = 1 }; /* the field's number, for the channel table */

/* reply to WHO and KICK: how many sessions; how many processes did not
 * answer in time. */
struct msg_who_done {
	uint32_t count, silent;
};

/* ctl → spawner → imapd and pop3d, request: end the session of this id, or all
 * of this user (exactly one of them is set). */
struct msg_kick {
	struct str user, session;
};

/* deliver → spawner, note: there is new mail in this Maildir, a path below
 * deliver's root.  spawner → imapd, note: in this folder.  May be lost. */
struct msg_poke {
	struct str path;
};

/* spawner → mbox, request: lock your file, for who takes its messages out. */
struct msg_lease {
	uint8_t unused;
};
/* reply: the file; it is locked until every copy of `until` is closed.  Both
 * -1: it is empty, or text says why it cannot be had. */
struct msg_leased {
	int fd, until;
	struct str text;
};

/* spawner → taker, request: move all messages of this file into the Maildir
 * that is your root, and empty it. */
struct msg_take {
	int fd, until;
};
/* reply */
struct msg_took {
	uint32_t count;
	struct str text; /* why not (all); "": done */
};

extern const struct msg_def msg_start_def, msg_started_def, msg_open_def,
	msg_opened_def, msg_spawn_fail_def, msg_user_peer_def, msg_client_def,
	msg_client_taken_def, msg_who_def, msg_who_row_def, msg_who_done_def,
	msg_kick_def, msg_poke_def, msg_lease_def, msg_leased_def, msg_take_def,
	msg_took_def;

#endif
