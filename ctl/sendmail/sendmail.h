/* SPDX-License-Identifier: ISC */
#ifndef SENDMAIL_H
#define SENDMAIL_H

#include <sysexits.h>

#include "base/buf.h"
#include "base/err.h"
#include "frame/config.h"
#include "mail/header.h"
#include "mail/path.h"

/*
 * sendmail(1), mailq(1) and newaliases(1): one program without privileges,
 * with the options that Postfix's takes.  All but newaliases speak SMTP with
 * submitd on submit.sock; the kernel tells it who calls.
 */

/* --- options (options.c) -------------------------------------------------- */

enum mode {
	MODE_SUBMIT,  /* -bm, or nothing */
	MODE_SMTP,    /* -bs */
	MODE_VERIFY,  /* -bv */
	MODE_LIST,    /* -bp, mailq */
	MODE_FLUSH,   /* -q */
	MODE_ALIASES, /* -bi, -I, newaliases */
};

struct options {
	enum mode mode;
	char config[1024];	/* directory of main.cf */
	const char *sender;	/* -f, NULL: the caller */
	const char *name;	/* -F, NULL: the caller's */
	const char *envid;	/* -V, NULL: none */
	const char *aliases;	/* -oA, NULL: alias_database */
	const char *flush_id;	/* -qI, NULL: all */
	const char *flush_site; /* -qR */
	bool header_rcpts;	/* -t */
	bool dots;		/* -i: "." alone on a line ends nothing */
	bool verbose;		/* -v */
	bool body_8bit;		/* -B8BITMIME */
	bool has_notify;	/* -N */
	unsigned notify;	/* smtp_notify */
	unsigned ret;		/* smtp_ret */
	char **rcpts;		/* of the command line */
	int nrcpts;
};

/* env_config: $MAIL_CONFIG, may be NULL.  argv may be put in another order.
 * -1: wrong use. */
ERR_WARN_UNUSED int options_parse(struct options *o, int argc, char **argv,
				  const char *env_config, struct err *err);

/* --- the message on standard input (input.c) ------------------------------ */

/* Text as programs write it to text as it is kept: LF line ends (CR LF becomes
 * one, and behind the header CR alone; there it is a blank, so that who lets
 * strangers fill in a field and strips only LF lets them add no field), no NUL,
 * no "From " line of a mailbox at the beginning, no line longer than line_max
 * (it is broken), up to a "." alone on its line unless dots is set. */
struct text_in {
	bool dots;
	size_t line_max; /* 0: any */
	/* private */
	bool started; /* behind the first line */
	bool body;    /* behind the first empty line */
	bool done;
	bool cr;  /* the last byte was CR */
	bool dot; /* the line is "." so far */
	size_t line;
	bool skip;	/* the first line is one of a mailbox */
	unsigned match; /* bytes of "From " matched in the first line */
};

/* Append to out; false after the end. */
bool text_in_feed(struct text_in *t, struct str in, struct buf *out);
/* The end of the input: what was held back. */
void text_in_end(struct text_in *t, struct buf *out);

/* A message as it was read. */
struct message {
	struct buf header; /* with LF, without the empty line */
	struct buf body;   /* from the empty line on; what is beyond.. */
	int file;	   /* ..BODY_MEMORY is in this file, -1: none */
	uint64_t size;	   /* of the body */
	bool has_8bit;
};

enum {
	HEADER_MAX = 4 * 1024 * 1024,
	BODY_MEMORY = 256 * 1024,
};

/* Read all of fd.  size_max: 0: any.  -1: PERM: too large; TEMP: cannot be
 * read or kept. */
ERR_WARN_UNUSED int message_read(struct message *m, int fd, struct text_in *t,
				 uint64_t size_max, struct err *err);
void message_fini(struct message *m);
/* From here on: From if it is missing. */
void message_add_from(struct message *m, struct str name, struct str sender);

/* The next part of the body from offset at, at most size bytes into p; 0: the
 * end; -1. */
ERR_WARN_UNUSED ssize_t message_body(const struct message *m, uint64_t at,
				     char *p, size_t size, struct err *err);

/* Text to what goes over the wire: CR LF, and another "." in front of one.
 * *bol: at the beginning of a line (true at first). */
void wire_add(struct buf *out, struct str text, bool *bol);

/* --- the envelope (envelope.c) -------------------------------------------- */

struct envelope {
	struct path sender;
	struct path *rcpts;
	size_t n, size;
	bool utf8; /* some address needs SMTPUTF8 */
};

/* What one argument says: addresses, with names and commas as in a header.
 * -1: what is none. */
ERR_WARN_UNUSED int envelope_sender(struct envelope *e, const char *arg,
				    struct err *err);
ERR_WARN_UNUSED int envelope_add(struct envelope *e, const char *arg,
				 struct err *err);
/* Those that the header names. */
ERR_WARN_UNUSED int envelope_from_header(struct envelope *e, struct str header,
					 struct err *err);
void envelope_fini(struct envelope *e);

/* --- the server (server.c) ------------------------------------------------ */

enum { REPLY_TEXT_MAX = 4096 };

struct server {
	const char *path;
	int fd;
	bool verbose;
	struct buf in;
	size_t taken; /* of it, by the line given last */
	/* of EHLO */
	bool dsn, utf8, eightbit, size;
};

struct reply {
	unsigned code;
	char text[REPLY_TEXT_MAX]; /* of the last line, without the code */
};

/* Connect, and wait for the greeting unless raw.  -1 (TEMP): not there now. */
ERR_WARN_UNUSED int server_open(struct server *s, const char *path, bool raw,
				struct err *err);
void server_close(struct server *s);
/* EHLO. */
ERR_WARN_UNUSED int server_hello(struct server *s, struct err *err);
ERR_WARN_UNUSED int server_send(struct server *s, struct str bytes,
				struct err *err);
/* One line without its end; it lives until the next call. */
ERR_WARN_UNUSED int server_line(struct server *s, struct str *line,
				struct err *err);
ERR_WARN_UNUSED int server_reply(struct server *s, struct reply *r,
				 struct err *err);
/* A command line and its reply. */
ERR_WARN_UNUSED int server_ask(struct server *s, struct reply *r,
			       struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* --- what the program does ------------------------------------------------ */

struct sendmail {
	struct options opt;
	const char *name; /* in messages to the caller */
	struct config conf;
	const char *socket;
};

/* "sendmail: text" on standard error. */
void complain(const struct sendmail *sm, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Wait for the server as long as it makes sense; s is open and greeted, with
 * EHLO if hello. -1: TEMP or PERM. until: clock_mono_ms(). */
ERR_WARN_UNUSED int wait_for_server(const struct sendmail *sm, struct server *s,
				    uint64_t until, struct err *err);

/* Each returns the exit status. */
int do_submit(struct sendmail *sm);  /* submit.c, also MODE_VERIFY */
int do_smtp(struct sendmail *sm);    /* join.c */
int do_list(struct sendmail *sm);    /* mailq.c */
int do_flush(struct sendmail *sm);   /* mailq.c */
int do_aliases(struct sendmail *sm); /* aliases.c */

int sendmail_main(int argc, char **argv);

#endif
