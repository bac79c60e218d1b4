/* SPDX-License-Identifier: ISC */
#ifndef CTL_QUEUE_H
#define CTL_QUEUE_H

#include "base/pool.h"
#include "ctl.h"
#include "frame/msg_qmgr.h"
#include "mail/path.h"

/* What the files of "posthouse queue" share. */

/* --- the command line (queue_args.c) -------------------------------------- */

struct queue_args {
	struct msg_queue m;	   /* the selection */
	struct msg_queue_change c; /* change */
	struct buf ids, add, drop; /* behind their lists */
	struct path sender;	   /* behind c.sender */
	bool selects;		   /* some test was given */
	bool json, body, hold;
	const char *file; /* import; NULL: standard input */
};

/* argv[0] is the verb.  -1: wrong use, err says what. */
ERR_WARN_UNUSED int queue_args_parse(struct queue_args *a, enum queue_verb verb,
				     int argc, char **argv, struct err *err);
ERR_WARN_UNUSED int queue_args_change(struct queue_args *a, int argc,
				      char **argv, struct err *err);
ERR_WARN_UNUSED int queue_args_import(struct queue_args *a, int argc,
				      char **argv, struct err *err);
void queue_args_init(struct queue_args *a);
void queue_args_fini(struct queue_args *a);
/* "90s", "30m", "2h", "7d", "1w"; a number alone is seconds. */
ERR_WARN_UNUSED int queue_time(struct str s, uint64_t *us);
/* "512", "10k", "2m", "1g" */
ERR_WARN_UNUSED int queue_size(struct str s, uint64_t *bytes);

/* --- answers -------------------------------------------------------------- */

/* How a verb shows what comes; it may be told of rows, attempts, texts. */
struct queue_view {
	void (*row)(struct queue_view *v, const struct msg_queue_row *m,
		    bool more);
	void (*attempt)(struct queue_view *v,
			const struct msg_queue_attempt *m);
	void (*text)(struct queue_view *v, struct str text);
	void (*end)(struct queue_view *v);
};

/* Each is made with calloc() by a function below and freed by its end(). */
struct queue_view *queue_list_view(bool json); /* queue_list.c */
struct queue_view *queue_stats_view(void);     /* queue_stats.c */
struct queue_view *queue_show_view(bool body); /* queue_show.c */
struct queue_view *queue_export_view(void);    /* queue_show.c */

/* "Sun Nov 22 08:30:01" */
void queue_print_time(uint64_t us);
/* A JSON string; what is not UTF-8 becomes U+FFFD. */
void queue_print_json(struct str s);
/* " NOTIFY=NEVER ORCPT=rfc822;a@b", as a client gave it. */
void queue_print_dsn(const struct msg_queue_rcpt *r);
/* "smtp:example.com", "virtual", ... */
void queue_print_route(const struct msg_queue_rcpt *r);

/* --- export and import (queue_text.c, queue_import.c) --------------------- */

/*
 * A message as text, to be edited: lines beginning with "#" are comments;
 * "HOLD" puts it on hold; the envelope is written as SMTP has it (RFC 5321,
 * RFC 3461); behind DATA comes the message as it is, without transparency.
 *
 *	MAIL FROM:<a@example.com> BODY=8BITMIME RET=HDRS
 *	RCPT TO:<b@example.net> NOTIFY=NEVER
 *	DATA
 *	Subject: ...
 */
struct exported {
	struct str sender, envid;
	uint8_t flags, ret; /* COMMIT_*, RET_* */
	struct buf rcpts;   /* msg_rcpt_in */
	uint32_t nrcpts;
	struct str header, body; /* slices of the text */
};

enum { QUEUE_TEXT_MAX = 512 * 1024 * 1024, QUEUE_LINE_MAX = 8192 };

/* CR LF becomes LF, in place. */
size_t queue_text_unix(char *p, size_t n);
/* Pure.  -1: err names the line. */
ERR_WARN_UNUSED int queue_text_parse(struct exported *t, struct str in,
				     struct pool *pool, struct err *err);
void queue_text_fini(struct exported *t);

int queue_import(struct ctl *c, const struct queue_args *a);

#endif
