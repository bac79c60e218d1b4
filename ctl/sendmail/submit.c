/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "mail/smtpline.h"
#include "mail/xtext.h"
#include "sendmail.h"

enum {
	/* How long the mail system may be away (a restart) before the caller
	 * is told to try again later. */
	PATIENCE_MS = 30 * 1000,
	CHUNK = 64 * 1024,
};

struct job {
	struct sendmail *sm;
	struct envelope env;
	struct message msg;
	size_t done;	 /* recipients that the message was stored for, or
			    that were refused */
	bool refused;	 /* some were */
	bool full;	 /* no more fit this transaction */
	size_t accepted; /* in this transaction */
	int status;	 /* after a final refusal */
};

/* --- who calls ------------------------------------------------------------ */

/* The name in the password file: up to the first comma, "&" is the login. */
static void
gecos_name(const struct passwd *pw, struct buf *out)
{
	const char *p;

	for (p = pw->pw_gecos ? pw->pw_gecos : ""; *p && *p != ','; p++) {
		if (*p != '&') {
			(void)!buf_add_byte(out, *p);
			continue;
		}
		(void)!buf_add_byte(out, ascii_upper(pw->pw_name[0]));
		if (pw->pw_name[0])
			(void)!buf_add_c(out, pw->pw_name + 1);
	}
}

/* A login name as an address: in quotes, which go again where they are not
 * needed ("DOM\\alice"), or alice@domain as it is. */
static void
login_address(struct buf *out, const char *login)
{
	bool whole = strchr(login, '@');

	if (!whole)
		(void)!buf_add_byte(out, '"');
	for (; *login; login++) {
		if (!whole && (*login == '"' || *login == '\\'))
			(void)!buf_add_byte(out, '\\');
		(void)!buf_add_byte(out, *login);
	}
	if (!whole)
		(void)!buf_add_byte(out, '"');
}

/* The sender of the envelope, and a From if the message has none. */
static int
set_sender(struct job *j, struct err *err)
{
	const struct options *o = &j->sm->opt;
	const struct passwd *pw = getpwuid(getuid());
	const char *env = getenv("NAME");
	char login[40];
	struct buf name;
	int rc;

	snprintf(login, sizeof(login), "uid%u", (unsigned)getuid());
	buf_init(&name, 1024);
	login_address(&name, pw ? pw->pw_name : login);
	rc = envelope_sender(&j->env, o->sender ? o->sender : buf_cstr(&name),
			     err);
	buf_fini(&name);
	if (rc < 0)
		return -1;
	buf_init(&name, 1024);
	if (o->name)
		(void)!buf_add_c(&name, o->name);
	else if (env && *env)
		(void)!buf_add_c(&name, env);
	else if (pw)
		gecos_name(pw, &name);
	message_add_from(&j->msg, buf_str(&name), path_str(&j->env.sender));
	buf_fini(&name);
	return 0;
}

/* --- the server's answers ------------------------------------------------- */

/* 0: taken; -1 TEMP or PERM with the server's words. */
static int
judge(const struct server *s, const struct reply *r, const char *what,
      struct err *err)
{
	if (r->code >= 200 && r->code < 400)
		return 0;
	return err_set(err, r->code < 500 ? ERR_TEMP : ERR_PERM,
		       r->code == 421 ? ECONNRESET : 0, "%s: %s%s%u %.180s",
		       s->path, what, *what ? ": " : "", r->code, r->text);
}

static int
say_mail(const struct job *j, struct server *s, struct err *err)
{
	const struct options *o = &j->sm->opt;
	struct reply r;
	struct buf b;

	if (j->env.utf8 && !s->utf8)
		return err_set(err, ERR_PERM, 0,
			       "%s takes only ASCII addresses", s->path);
	buf_init(&b, 4096);
	(void)!buf_addf(&b, "MAIL FROM:<%s>", j->env.sender.text);
	if (s->size)
		(void)!buf_addf(&b, " SIZE=%llu",
				(unsigned long long)j->msg.size +
					j->msg.header.n);
	if (s->eightbit && (o->body_8bit || j->msg.has_8bit))
		(void)!buf_add_c(&b, " BODY=8BITMIME");
	if (j->env.utf8)
		(void)!buf_add_c(&b, " SMTPUTF8");
	if (s->dsn && o->ret)
		(void)!buf_add_c(&b, o->ret == SMTP_RET_FULL ? " RET=FULL"
							     : " RET=HDRS");
	if (s->dsn && o->envid) {
		(void)!buf_add_c(&b, " ENVID=");
		(void)!xtext_encode(&b, str_of(o->envid));
	}
	if (server_ask(s, &r, err, "%s", buf_cstr(&b)) < 0)
		r.code = 0;
	buf_fini(&b);
	return r.code ? judge(s, &r, "sender", err) : -1;
}

static void
notify_param(const struct options *o, const struct server *s, char *out,
	     size_t size)
{
	struct buf b;

	out[0] = '\0';
	if (!o->has_notify || !s->dsn)
		return;
	buf_init(&b, size);
	smtpline_put_notify(&b, o->notify);
	(void)!str_copy(out, size, buf_str(&b));
	buf_fini(&b);
}

/* The recipients from j->done on: as many as the server takes at once.  *next
 * is the first one left for another transaction. */
static int
say_rcpts(struct job *j, struct server *s, size_t *next, struct err *err)
{
	char notify[64];
	struct reply r;
	size_t i;

	notify_param(&j->sm->opt, s, notify, sizeof(notify));
	for (i = j->done, j->accepted = 0; i < j->env.n; i++) {
		if (server_ask(s, &r, err, "RCPT TO:<%s>%s",
			       j->env.rcpts[i].text, notify) < 0)
			return -1;
		if (r.code == 452 && j->accepted)
			break; /* RFC 5321 4.5.3.1.10 */
		if (r.code >= 400 && r.code < 500)
			return judge(s, &r, j->env.rcpts[i].text, err);
		if (r.code >= 500) {
			complain(j->sm, "%s: %u %s", j->env.rcpts[i].text,
				 r.code, r.text);
			j->refused = true;
			/* Not asked about again after a lost connection. */
			j->env.rcpts[i] = j->env.rcpts[j->done];
			j->done++;
		} else {
			j->accepted++;
			if (j->sm->opt.mode == MODE_VERIFY)
				(void)printf("%s: deliverable\n",
					     j->env.rcpts[i].text);
		}
	}
	*next = i;
	return 0;
}

static int
send_text(struct job *j, struct server *s, struct err *err)
{
	bool bol = true;
	struct buf out;
	uint64_t at = 0;
	char *chunk = malloc(CHUNK);
	ssize_t n = 0;
	int rc = chunk ? 0 : err_set(err, ERR_TEMP, ENOMEM, "out of memory");

	buf_init(&out, HEADER_MAX * 3ul);
	wire_add(&out, buf_str(&j->msg.header), &bol);
	while (rc == 0) {
		if (buf_overflown(&out))
			rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		else
			rc = server_send(s, buf_str(&out), err);
		buf_reset(&out);
		if (rc < 0)
			break;
		n = message_body(&j->msg, at, chunk, CHUNK, err);
		if (n <= 0)
			break;
		at += (uint64_t)n;
		wire_add(&out, str_mem(chunk, (size_t)n), &bol);
	}
	if (rc == 0 && n < 0)
		rc = -1;
	if (rc == 0)
		rc = server_send(s, bol ? STR(".\r\n") : STR("\r\n.\r\n"), err);
	buf_fini(&out);
	free(chunk);
	return rc;
}

/* One transaction: for the recipients that there still are, or as many as the
 * server takes at once.  -1: nothing was stored by it (TEMP with a code: the
 * connection is gone). */
static int
transaction(struct job *j, struct server *s, struct err *err)
{
	struct reply r;
	size_t next = 0;

	if (say_mail(j, s, err) < 0 || say_rcpts(j, s, &next, err) < 0)
		return -1;
	if (j->accepted && j->sm->opt.mode == MODE_SUBMIT) {
		if (server_ask(s, &r, err, "DATA") < 0 ||
		    judge(s, &r, "", err) < 0 || send_text(j, s, err) < 0 ||
		    server_reply(s, &r, err) < 0 || judge(s, &r, "", err) < 0)
			return -1;
	} else if (server_ask(s, &r, err, "RSET") < 0) {
		return -1;
	}
	j->done = next;
	return 0;
}

/* --- as long as it takes -------------------------------------------------- */

static bool
pause_until(uint64_t until)
{
	if (clock_mono_ms() >= until)
		return false;
	usleep(200 * 1000);
	return true;
}

int
wait_for_server(const struct sendmail *sm, struct server *s, uint64_t until,
		struct err *err)
{
	s->verbose = sm->opt.verbose;
	for (;;) {
		if (server_open(s, sm->socket, false, err) == 0) {
			if (server_hello(s, err) == 0)
				return 0;
			server_close(s);
		}
		/* EACCES and the like do not pass by waiting. */
		if (err->class != ERR_TEMP || err->code == EACCES ||
		    err->code == EPERM || err->code == ENOTSOCK ||
		    !pause_until(until))
			return -1;
	}
}

static int
send_all(struct job *j, struct err *err)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;
	struct server s = { .fd = -1 };
	struct reply r;
	struct err ignored;
	int rc = 0;

	while (rc == 0 && j->done < j->env.n) {
		if (s.fd < 0 && wait_for_server(j->sm, &s, until, err) < 0)
			return -1;
		rc = transaction(j, &s, err);
		if (rc < 0 && err->class == ERR_TEMP && err->code &&
		    err->code != ENOMEM && pause_until(until)) {
			server_close(&s); /* it went away: once more */
			rc = 0;
		}
	}
	if (s.fd >= 0) {
		if (rc == 0)
			(void)!server_ask(&s, &r, &ignored, "QUIT");
		server_close(&s);
	}
	return rc;
}

static int
read_message(struct job *j, struct err *err)
{
	const struct sendmail *sm = j->sm;
	struct text_in t = {
		.dots = sm->opt.dots,
		.line_max = (size_t)config_number(&sm->conf,
						  "smtpd_text_line_limit"),
	};

	if (sm->opt.mode == MODE_VERIFY)
		return 0;
	return message_read(
		&j->msg, STDIN_FILENO, &t,
		(uint64_t)config_number(&sm->conf, "message_size_limit"), err);
}

static int
collect_rcpts(struct job *j, struct err *err)
{
	const struct options *o = &j->sm->opt;
	int i;

	for (i = 0; i < o->nrcpts; i++)
		if (envelope_add(&j->env, o->rcpts[i], err) < 0)
			return -1;
	if (o->header_rcpts &&
	    envelope_from_header(&j->env, buf_str(&j->msg.header), err) < 0)
		return -1;
	if (j->env.n == 0)
		return err_set(
			err, ERR_PERM, 0,
			"No recipient addresses found in message header");
	return 0;
}

int
do_submit(struct sendmail *sm)
{
	struct job j = { .sm = sm, .msg = { .file = -1 } };
	struct err err = { 0 };
	int status = EX_OK;

	if (read_message(&j, &err) < 0)
		status = err.class == ERR_TEMP ? EX_TEMPFAIL : EX_UNAVAILABLE;
	else if (collect_rcpts(&j, &err) < 0 || set_sender(&j, &err) < 0)
		status = sm->opt.header_rcpts ? EX_DATAERR : EX_USAGE;
	else if (send_all(&j, &err) < 0)
		status = err.class == ERR_TEMP ? EX_TEMPFAIL : EX_UNAVAILABLE;
	else if (j.refused)
		status = EX_NOUSER;
	if (err.text[0] && status != EX_OK && status != EX_NOUSER)
		complain(sm, "%s", err.text);
	envelope_fini(&j.env);
	message_fini(&j.msg);
	return status;
}
