/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_CONTROL_H
#define FRAME_MSG_CONTROL_H

#include "net/msg.h"

/*
 * Between master and every child, and between ctl (control.sock) and master.
 * Types 1-31.
 */
enum {
	MSG_READY = 1,
	MSG_CONNECT,
	MSG_CONNECTED,
	MSG_UNAVAILABLE,
	MSG_PEER,
	MSG_CONFIG,
	MSG_TABLE,
	MSG_DRAIN,
	MSG_LOG_PEER,
	MSG_ADMIN,
	MSG_ADMIN_DONE,
	MSG_ADMIN_TEXT,
	MSG_WANT,
};

/* child → master, note: start() is done, peers may be connected. */
struct msg_ready {
	uint8_t unused;
};

/* asker → master, request: connect me to this service (enum service_id). */
struct msg_connect {
	uint8_t service;
	uint8_t worker; /* 0: any; else this one, counted from 1 */
};

/* reply: the asker's end of a channel and the number of its row. */
struct msg_connected {
	uint16_t row; /* enum channel_id */
	int fd;
};

/* reply: not now (try again after a second), or never (not in the table). */
struct msg_unavailable {
	uint8_t never;
};

/* master → child, note: the service's end of a new channel. */
struct msg_peer {
	uint16_t row;
	int fd;
};

/* master → child, note: new parameters (sealed memfd). */
struct msg_config {
	int fd;
};

/* master → child, note: a new edition of a watched file (sealed memfd). */
struct msg_table {
	struct str name; /* "users", "passwd" */
	int fd;
};

/* child → master, note: send me this descriptor anew: logd's "syslog", after
 * the system's logger restarted, or a table of the child's row. */
struct msg_want {
	struct str name;
};

/* master → child, note: take nothing new, finish, exit. */
struct msg_drain {
	uint8_t unused;
};

/* master → logd, note: the reading end of a new log channel. */
struct msg_log_peer {
	struct str name; /* "smtpd" */
	int fd;
};

/* ctl → master, request. */
enum admin_verb { ADMIN_RELOAD = 1, ADMIN_STOP, ADMIN_STATUS };
struct msg_admin {
	uint8_t verb;
};

/* master → ctl, part: text to print. */
struct msg_admin_text {
	struct str text; /* MSG_BYTES */
};

/* master → ctl, reply: exit status and one line. */
struct msg_admin_done {
	uint8_t status;
	struct str text;
};

extern const struct msg_def msg_ready_def, msg_connect_def, msg_connected_def,
	msg_unavailable_def, msg_peer_def, msg_config_def, msg_table_def,
	msg_drain_def, msg_log_peer_def, msg_admin_def, msg_admin_text_def,
	msg_admin_done_def, msg_want_def;

#endif
