/* SPDX-License-Identifier: ISC */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <limits.h>

#include "frame/config.h"
#include "frame/service.h"
#include "net/addr.h"
#include "net/loop.h"

/*
 * master: the only process that reads main.cf and the only one that may bind,
 * fork and exec.  It starts the daemons in the order of their stages, hands
 * each the descriptors of its row, restarts what dies, makes channels between
 * those whom the channel table allows, and is then out of the way.
 */
enum {
	BACKOFF_MIN_S = 1,
	BACKOFF_MAX_S = 60,
	STABLE_S = 10,	    /* lived that long: the next death starts anew */
	RECYCLED_MS = 1000, /* an orderly end before that is none */
	WORKERS_MAX = 64,
	LISTEN_BACKLOG = 1024,
	BIND_PATIENCE_MS = 10 * 1000, /* for a dead master's children to end */
	STOP_STAGE_MS = 5000,	      /* for each stage to finish its work */
	DRAIN_S = 600,		      /* replaced workers may finish sessions */
	UID_BLOCK = 64,
};

struct options {
	const char *confdir;
	const char *bindir; /* where the daemons are: beside master */
	uint32_t uid_base;  /* 0: named users */
	bool unprivileged;  /* -u */
};

/* 0, an exit status after a line on stderr, or -1 after --help. */
int options_parse(struct options *o, int argc, char **argv);

/* --- listening sockets (listen.c) ----------------------------------------- */

enum { ALL_WORKERS = UINT_MAX };

/* TCP sockets are bound once for each worker (SO_REUSEPORT); one in the file
 * system, or one that was given to us, is shared by all workers. */
struct listener {
	struct list link;
	const char *param; /* "listen_smtp", "submit_socket" */
	char at[PATH_MAX]; /* "127.0.0.1:25", "/run/posthouse/submit.sock" */
	struct addr addr;  /* AF_UNSPEC: in the file system */
	unsigned worker;   /* or ALL_WORKERS */
	int fd;
	bool given;	  /* by systemd, which keeps it and its name */
	bool keep, fresh; /* while a new configuration is laid over the old */
};

/* --- sockets in the file system (unix.c)
 * ------------------------------------- */

struct unix_place {
	const char *path;
	int type;    /* SOCK_STREAM, SOCK_SEQPACKET */
	mode_t mode; /* who may connect */
	gid_t gid;   /* -1: our own */
	int backlog;
	int patience_ms; /* to wait for the end of whoever listens there */
};

/*
 * A listening socket at this place; what a dead process left there is replaced.
 * Refused: where somebody listens, where something else than a socket is, and
 * in a directory that others than its owner may write.
 */
ERR_WARN_UNUSED int unix_listen(const struct unix_place *place,
				struct err *err);

/* --- sockets that systemd hands over (given.c)
 * ------------------------------- */

enum { GIVEN_MAX = 64 };

struct given {
	int fd[GIVEN_MAX]; /* kept open, for a configuration to come */
	char *at[GIVEN_MAX];
	bool used[GIVEN_MAX];
	unsigned n;
};

/* sd_listen_fds(3): what LISTEN_FDS says, if LISTEN_PID is this process. */
void given_read(struct given *g);
/* A duplicate of the one that listens at this place ("127.0.0.1:25", a path);
 * -1: none. */
int given_take(struct given *g, const char *at);
/* Say which ones the configuration does not name. */
void given_complain(const struct given *g);

/* --- files handed out as sealed memfds (table.c)
 * ------------------------------ */

struct master;
struct table;

/* Read it anew if it has changed on disk; true: t->memfd is a new one. */
typedef bool table_read(struct master *m, struct table *t);

enum { MASTER_TABLES = 10, LOGS_MAX = 8 };

struct table {
	const char *name; /* as in the rows' fds */
	char path[512];	  /* of a table that is one file */
	table_read *read;
	bool optional;	     /* a file that is not there is empty */
	uint64_t seen;	     /* hash of what memfd was made of */
	uint64_t complained; /* hash of what the last complaint was about */
	int memfd;	     /* -1: could not be read */
};

/* --- children (child.c)
 * ---------------------------------------------------------- */

enum child_state {
	CHILD_DOWN,	/* not running; restarts when the timer fires */
	CHILD_STARTING, /* until READY */
	CHILD_READY,
	CHILD_DRAINING, /* replaced or stopping: takes nothing new */
	CHILD_FAILED,	/* exit 64: not started again */
};

struct joined {
	pid_t to;
	uint16_t n;
};

struct child {
	struct list link; /* master.children */
	struct master *m;
	const struct service *svc;
	unsigned worker;
	enum child_state state;
	pid_t pid;
	struct chan *control;
	/* logd's ends: this process and its users' processes */
	int log_fds[LOGS_MAX];
	unsigned nlogs;
	uint64_t started_ms;
	unsigned backoff_s, restarts;
	struct event *timer;
	bool replaces; /* drain the older one of this worker when READY */
	pid_t lent_to; /* the sibling that has its listening sockets too */
	/* Channels made for this process, by service and its worker. */
	struct joined joined[SVC_COUNT][WORKERS_MAX];
};

/* A log channel whose writer died while logd was away: the next one reads what
 * was its last word. */
struct orphan {
	struct list link; /* master.orphans */
	const char *name;
	int fd;
};

struct pending {
	struct list link; /* master.pending */
	struct chan *asker;
	struct child *who; /* it asks; NULL: the administrator */
	uint32_t tag;
	const struct chan_row *row;
	unsigned worker; /* that one only, from 1; 0: any */
};

struct master {
	struct loop loop;
	struct options opt;
	struct config conf;
	struct list children, listeners, pending, orphans;
	struct given given;
	struct table tables[MASTER_TABLES];
	int empty_dir, spool_dir, log_dir;
	int syslog;
	unsigned stage; /* being started; past the last: all is up */
	bool up, stopping, failed_config;
	uint64_t patient_until_ms; /* with sockets that are in use */
	int exit_code;
	struct event *ev_term, *ev_int, *ev_hup, *ev_chld, *ev_tick, *ev_stop;
	struct event *ev_ctl;
	int control_sock, pid_fd;
	/* Where they are: a reload does not move them. */
	char control_path[4096], pid_path[4096];
	char hostname[256];
	unsigned turn; /* round robin among workers */
};

/* --- config.c
 * ------------------------------------------------------------------------ */

/* Load main.cf: problems go to out, one line each.  On failure *c is not
 * usable and the old one stands. */
int master_load(struct master *m, struct config *c, struct buf *out);
/* Directories, sockets and tables of m->conf; lines to out. */
int master_prepare(struct master *m, struct buf *out);
/* A sealed memfd with the lines of this child; -1. */
int master_params_fd(struct master *m, const struct service *svc);
struct ids {
	uint32_t uid, gid;
};

/* Who this service is: its row's number in the block, or the user
 * posthouse-NAME. */
ERR_WARN_UNUSED int master_ids(struct master *m, const struct service *svc,
			       struct ids *ids, struct err *err);
unsigned master_workers(struct master *m, const struct service *svc);
int sealed_memfd(const char *name, struct str content);

/* --- listen.c
 * -------------------------------------------------------------------- */

/* Make the set of listening sockets what m->conf says, keeping what is there
 * already; -1 (with lines in out) changes nothing. */
int listeners_update(struct master *m, struct buf *out);
/* Is it to accept there? Sockets of workers that are configured no longer are
 * shared among the others. */
bool listener_is_of(const struct listener *l, const struct child *c);
/* Close them all; their names in the file system go, too. */
void listeners_close(struct master *m);

/* --- table.c
 * ---------------------------------------------------------------------- */

void tables_init(struct master *m);
/* Read anew what changed on disk; send it to those who have it. */
void tables_watch(struct master *m);
int table_fd(struct master *m, const char *name);
/* Does the service's row name this table? */
bool table_is_of(const struct service *svc, const char *name);
/* For those that read tables: append the state of a file to seen, return its
 * size; make memfd the table's. */
size_t table_look(struct buf *seen, const char *path);
void table_set(struct table *t, int memfd, uint64_t seen);
/* A connected datagram socket of /dev/log, or -1. */
int syslog_connect(void);
/* The file of last logins, made if it is missing, or -1 after a warning. */
int last_use_open(const struct config *c);

/* --- keys.c
 * ----------------------------------------------------------------------- */

/* Do the parameters name files that can be listed?  Problems go to out. */
int keys_check(const struct config *c, struct buf *out);
table_read keys_read;

/* --- authorities.c
 * ----------------------------------------------------------------------- */

table_read authorities_read;

/* --- child.c
 * ------------------------------------------------------------------------- */

struct child *child_new(struct master *m, const struct service *svc,
			unsigned worker);
void child_start(struct child *c);
void child_free(struct child *c);
void child_drain(struct child *c);
/* Drain it if it runs; what does not run is freed and will not either. */
void child_retire(struct child *c);
/* After SIGCHLD. */
void children_reap(struct master *m);
const char *child_state_name(const struct child *c);
/* logd's ends of all log channels, to a new logd. */
void child_give_logs(struct child *c, struct child *logd);
struct child *child_of(struct master *m, enum service_id id);

/* --- broker.c
 * ------------------------------------------------------------------------- */

extern const struct chan_ops broker_child_ops;
/* Connect asker (the control channel of who, or, with NULL, of the
 * administrator) to service if a row allows it, or keep it waiting. */
void broker_connect(struct master *m, struct chan *asker, struct child *who,
		    uint32_t tag, uint8_t service, unsigned worker);
/* service has become ready: serve those who wait for it. */
void broker_serve(struct master *m, enum service_id service);
void broker_forget(struct master *m, struct chan *asker);

/* --- admin.c
 * ----------------------------------------------------------------------------
 */

int admin_open(struct master *m, struct buf *out);
void admin_close(struct master *m);

/* --- notify.c
 * -------------------------------------------------------------------------- */

/* sd_notify(3): "READY=1" and the like to NOTIFY_SOCKET, if there is one. */
void notify(const char *state);

/* --- master.c
 * ---------------------------------------------------------------------------
 */

/* A child has become ready, or failed for good. */
void master_progress(struct master *m);
/* New configuration if it is good: 0; else -1 with the problems in out. */
int master_reload(struct master *m, struct buf *out);
void master_stop(struct master *m, int exit_code);
int master_run(const struct options *opt);

#endif
