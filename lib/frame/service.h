/* SPDX-License-Identifier: ISC */
#ifndef FRAME_SERVICE_H
#define FRAME_SERVICE_H

#include "net/chan.h"

/*
 * Who there is, what each may do, and who may ask whom for what: the service
 * table and the channel table.  master, the jail, the jail test, `posthouse
 * topology` and the process table in ARCHITECTURE.md all come from these.
 */
enum service_id {
	SVC_MASTER,
	SVC_LOGD,
	SVC_SMTPD,
	SVC_SUBMITD,
	SVC_QMGR,
	SVC_SMTP, /* sends, also by LMTP */
	SVC_ROUTER,
	SVC_DNSD,
	SVC_DIALER, /* only if dialer_sockets is set */
	SVC_KEYD,
	SVC_TLSD_MX,   /* TLS with other hosts */
	SVC_TLSD_USER, /* TLS with people's programs; the same program */
	SVC_AUTHD,
	SVC_PAMD, /* only if pam_service is set */
	SVC_LOGIN,
	SVC_SPAWNER,
	SVC_DELIVER, /* forked by spawner, as the recipient */
	SVC_MBOX,    /* forked by spawner: delivers to one mbox */
	SVC_TAKER,   /* forked by spawner: from an mbox into a Maildir */
	SVC_IMAPD,   /* forked by spawner, as the user */
	SVC_POP3D,
	SVC_CTL, /* the administrator's command on control.sock */
	SVC_COUNT,
};

#define SVC_BIT(id) (1u << (id))

enum service_root {
	ROOT_SLASH, /* / under Landlock */
	ROOT_EMPTY, /* an empty directory nobody can write */
	ROOT_SPOOL, /* the queue directory */
	ROOT_LOG,   /* the log directory */
	ROOT_USER,  /* the user's home or mailbox, virtual_mailbox_base, or
		       where an mbox stands */
};

/* What a filter allows beside read, write, close, mmap without PROT_EXEC,
 * futex, clock, exit (see jail.c, where each class is one list). */
enum service_calls {
	CALLS_NET = 1,	    /* accept, send, recv on descriptors it has */
	CALLS_READ = 2,	    /* open to read, stat, list */
	CALLS_WRITE = 4,    /* create, write, rename, unlink, sync */
	CALLS_THREADS = 8,  /* clone for threads only */
	CALLS_FORK = 16,    /* spawner: fork, setres[ug]id, chroot, wait */
	CALLS_DELIVER = 32, /* openat only to create anew or directories */
	CALLS_INOTIFY = 64,
	CALLS_PAIR = 128,    /* socketpair, local ones only */
	CALLS_LIBC = 256,    /* what libc tries in vain: see jail_filter.c */
	CALLS_CONNECT = 512, /* make TCP sockets (IPv4, IPv6), bind and connect
				them */
	CALLS_UDP = 1024,    /* with CALLS_CONNECT: UDP sockets as well */
	CALLS_DIAL = 2048,   /* make local stream sockets and connect them */
	CALLS_MBOX = 4096,   /* change one open file; make and remove files,
				open none */
};

enum service_reload {
	RELOAD_REPLACE, /* a new process, then the old one drains */
	RELOAD_INPLACE, /* takes CONFIG and TABLE */
};

struct service {
	enum service_id id;
	const char *name; /* also the program's file name */
	uint8_t uid_slot; /* uid of a numeric block: base + slot */
	enum service_root root;
	unsigned calls;
	enum service_reload reload;
	const char *workers; /* parameter that holds the number, NULL: one */
	const char *listens; /* blank-separated names of parameters that say
				where: PARAM_LISTEN, PARAM_PATH */
	const char *fds;     /* blank-separated names of other descriptors */
	uint16_t nofile;
	uint16_t nproc;		 /* RLIMIT_NPROC; 0: may not fork or thread */
	uint32_t data_mb;	 /* RLIMIT_DATA */
	uint8_t stage;		 /* start order: lower first */
	const char *may, *taken; /* the columns of the process table */
	/* Runs only while this parameter is not empty; NULL: always. */
	const char *when;
	/* Keeps uid 0 (gid JAIL_ROOT_GID), for the files that belong to root,
	 * without a single capability; Landlock is then a must. */
	bool as_root;
};

extern const struct service services[SVC_COUNT];

enum channel_id {
	CH_NONE,
	CH_CONTROL, /* child → master (asker: the child) */
	CH_CTL_MASTER,
	CH_CTL_QMGR,
	CH_CTL_DNSD,
	CH_CTL_LOGIN,
	CH_CTL_SPAWNER,
	CH_SMTPD_ROUTER,
	CH_SMTPD_QMGR,
	CH_SMTPD_TLSD,
	CH_SUBMITD_ROUTER,
	CH_SUBMITD_QMGR,
	CH_SUBMITD_TLSD,
	CH_SUBMITD_AUTHD,
	CH_QMGR_ROUTER,
	CH_QMGR_SMTP,
	CH_QMGR_SPAWNER,
	CH_QMGR_DELIVER, /* made by spawner */
	CH_SMTP_DNSD,
	CH_SMTP_ROUTER,
	CH_SMTP_TLSD,
	CH_SMTP_DIALER,
	CH_TLSD_MX_KEYD,
	CH_TLSD_USER_KEYD,
	CH_LOGIN_TLSD,
	CH_LOGIN_AUTHD,
	CH_LOGIN_SPAWNER,
	CH_SPAWNER_AUTHD,
	CH_AUTHD_PAMD,
	CH_SPAWNER_DELIVER, /* made at fork */
	CH_SPAWNER_MBOX,
	CH_SPAWNER_TAKER,
	CH_SPAWNER_IMAPD,
	CH_SPAWNER_POP3D,
	CH_COUNT,
};

extern const struct chan_row channels[CH_COUNT];

/* The row by which asker may ask service, brokered by master; NULL: none. */
const struct chan_row *channel_find(enum service_id asker,
				    enum service_id service);

#endif
