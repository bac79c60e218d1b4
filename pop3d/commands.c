/* SPDX-License-Identifier: ISC */
/* The commands of the TRANSACTION state (RFC 1939 5), and QUIT. */
#include <errno.h>

#include "base/fsx.h"
#include "base/log.h"
#include "frame/sasl_client.h"
#include "net/line.h"
#include "session.h"

enum {
	OUTPUT_HIGH = 64 * 1024, /* no more is made while so much waits */
	CHUNK = 32 * 1024,
	LINGER_MS = 5000,
};

static bool
is_full(const struct session *s)
{
	return conn_unsent(s->conn) >= OUTPUT_HIGH;
}

/* Message by number; NULL: said so to the client. */
static struct drop *
find(struct session *s, uint32_t number)
{
	struct drop *d = NULL;

	if (number >= 1 && number <= s->drop.n)
		d = &s->drop.v[number - 1];
	if (d && !d->deleted)
		return d;
	conn_writef(s->conn, "-ERR %s\r\n",
		    d ? "The message is deleted." : "No such message.");
	return NULL;
}

/* --- long answers --------------------------------------------------------- */

static void
put_row(struct session *s, const struct drop *d, struct buf *out)
{
	(void)!buf_add_u64(out, (uint64_t)(d - s->drop.v) + 1);
	(void)!buf_add_byte(out, ' ');
	if (s->uidl)
		maildrop_uidl(&s->drop, d, s->p->root, s->p->conf.uidl_format,
			      out);
	else
		(void)!buf_add_u64(out, d->size);
	(void)!buf_add_c(out, "\r\n");
}

static void
send_rows(struct session *s)
{
	struct buf *out = conn_out(s->conn);

	for (; s->at < s->drop.n; s->at++) {
		if (is_full(s))
			return;
		if (!s->drop.v[s->at].deleted)
			put_row(s, &s->drop.v[s->at], out);
	}
	(void)!buf_add_c(out, ".\r\n");
	session_enter(s, POP3_READY);
}

/* A read of a file that is cut short is its end: small ones cost one. */
static int
send_message(struct session *s, struct err *err)
{
	struct buf *out = conn_out(s->conn);
	char chunk[CHUNK];
	ssize_t n = CHUNK;

	while (n == CHUNK && !s->stuff.full) {
		if (is_full(s))
			return 0;
		n = fsx_pread(s->reader.fd, chunk, CHUNK, (off_t)s->offset);
		if (n < 0)
			return err_sys(err, errno, "reading a message");
		s->offset += (uint64_t)n;
		if (stuff_add(&s->stuff, str_mem(chunk, (size_t)n), out) < 0)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	(void)!stuff_end(&s->stuff, out);
	reader_close(&s->reader);
	if (s->sending) {
		s->sending->sent = true;
		mailbox_note_end(s->drop.mb, s->sending->uid,
				 stuff_lacks(&s->stuff));
	}
	session_enter(s, POP3_READY);
	return 0;
}

/* As much of the answer as there is room for.  False: the session is gone. */
static bool
send_more(struct session *s)
{
	struct err err;

	if (s->listing) {
		send_rows(s);
	} else if (send_message(s, &err) < 0) {
		/* In the middle of a message there is no way to say so. */
		log_warn("pop3(%s): %s", LOGQ(str_of(s->user)),
			 LOGQ(str_of(err.text)));
		session_close(s, "Internal error");
		return false;
	}
	return true;
}

void
session_go_on(struct session *s)
{
	if (send_more(s) && s->state == POP3_READY)
		conn_resume(s->conn);
}

/* A client that has taken a message is likely to want the one behind it.  It is
 * read while the client is busy with the first, so that it need not wait. */
void
session_read_ahead(struct session *s)
{
	struct drop *d = s->next;
	struct message_reader r;
	char chunk[CHUNK];
	struct stuff stuff;
	struct err err;
	ssize_t n;

	s->next = NULL;
	if (!d || d->sent || d->deleted || d->size >= CHUNK ||
	    maildrop_read(&s->drop, d, &r, &err) < 0)
		return;
	n = fsx_pread(r.fd, chunk, CHUNK, 0);
	reader_close(&r);
	s->ahead = NULL;
	buf_reset(&s->ahead_text);
	stuff_init(&stuff, false, 0);
	if (n >= 0 && n < CHUNK &&
	    stuff_add(&stuff, str_mem(chunk, (size_t)n), &s->ahead_text) == 0 &&
	    stuff_end(&stuff, &s->ahead_text) == 0) {
		s->ahead = d;
		mailbox_note_end(s->drop.mb, d->uid, stuff_lacks(&stuff));
	}
}

/* --- commands ------------------------------------------------------------- */

static void
cmd_stat(struct session *s)
{
	uint64_t bytes;
	size_t n;

	maildrop_count(&s->drop, &n, &bytes);
	conn_writef(s->conn, "+OK %zu %llu\r\n", n, (unsigned long long)bytes);
}

static void
cmd_list(struct session *s, const struct pop3_command *c)
{
	const struct drop *d;
	uint64_t bytes;
	size_t n;

	s->uidl = c->verb == POP3_UIDL;
	if (c->nargs == 0) {
		maildrop_count(&s->drop, &n, &bytes);
		conn_writef(s->conn, "+OK %zu messages:\r\n", n);
		s->listing = true;
		s->at = 0;
		session_enter(s, POP3_SENDING);
		return;
	}
	d = find(s, c->arg[0]);
	if (!d)
		return;
	conn_write(s->conn, STR("+OK "));
	put_row(s, d, conn_out(s->conn));
}

/* The first line of the answer to RETR. */
static void
begin_retr(struct session *s, struct drop *d)
{
	struct buf *out = conn_out(s->conn);

	s->retrs++;
	s->retr_bytes += d->size;
	s->next = d + 1 < s->drop.v + s->drop.n ? d + 1 : NULL;
	(void)!buf_add_c(out, "+OK ");
	(void)!buf_add_u64(out, d->size);
	(void)!buf_add_c(out, " octets\r\n");
}

/* RETR of what was read ahead.  False: it was not. */
static bool
retr_at_once(struct session *s, struct drop *d)
{
	if (s->ahead != d)
		return false;
	begin_retr(s, d);
	(void)!buf_add_str(conn_out(s->conn), buf_str(&s->ahead_text));
	s->ahead = NULL;
	d->sent = true;
	return true;
}

static void
cmd_retr(struct session *s, const struct pop3_command *c)
{
	struct drop *d = find(s, c->arg[0]);
	bool top = c->verb == POP3_TOP;
	struct err err;

	if (!d)
		return;
	if (!top && retr_at_once(s, d))
		return;
	if (maildrop_read(&s->drop, d, &s->reader, &err) < 0) {
		conn_writef(s->conn, "-ERR [SYS/TEMP] %s\r\n",
			    err.code == ENOENT ? "The message has been removed."
					       : "The message cannot be read.");
		return;
	}
	if (top) {
		s->tops++;
		conn_write(s->conn, STR("+OK\r\n"));
	} else {
		begin_retr(s, d);
	}
	stuff_init(&s->stuff, top, c->arg[1]);
	s->offset = 0;
	s->sending = top ? NULL : d;
	s->listing = false;
	session_enter(s, POP3_SENDING);
}

static void
cmd_dele(struct session *s, const struct pop3_command *c)
{
	struct drop *d = find(s, c->arg[0]);

	if (!d)
		return;
	d->deleted = true;
	conn_write(s->conn, STR("+OK Marked to be deleted.\r\n"));
}

/* RFC 2449 5 */
static void
cmd_capa(struct session *s)
{
	struct buf sasl;

	buf_init(&sasl, 512);
	/* As login has said: else the client would not be here. */
	(void)!sasl_announce(&sasl, s->p->conf.mechanisms, true, s->who.secured,
			     "");
	conn_write(s->conn, STR("+OK\r\n"));
	pop3_capa_put(conn_out(s->conn), &s->p->conf.capa, buf_str(&sasl));
	conn_write(s->conn, STR(".\r\n"));
	buf_fini(&sasl);
}

/* RFC 1939 6: UPDATE. */
static void
cmd_quit(struct session *s)
{
	struct str said = STR("+OK Logging out.\r\n");
	size_t removed;
	struct err err;

	if (maildrop_update(&s->drop, &s->p->conf.update, &removed, &err) < 0) {
		log_warn("pop3(%s): %s", LOGQ(str_of(s->user)),
			 LOGQ(str_of(err.text)));
		said = STR("-ERR [SYS/TEMP] Some deleted messages were not "
			   "removed.\r\n");
	}
	s->p->on_work(s->p);
	conn_write(s->conn, said);
	session_log_end(s, "Logged out", removed);
	session_enter(s, POP3_CLOSED);
	conn_close_drained(s->conn, LINGER_MS);
	session_release(s);
}

static void
dispatch(struct session *s, const struct pop3_command *c)
{
	switch (c->verb) {
	case POP3_STAT:
		cmd_stat(s);
		break;
	case POP3_LIST:
	case POP3_UIDL:
		cmd_list(s, c);
		break;
	case POP3_RETR:
	case POP3_TOP:
		cmd_retr(s, c);
		break;
	case POP3_DELE:
		cmd_dele(s, c);
		break;
	case POP3_RSET:
		maildrop_reset(&s->drop);
		conn_write(s->conn, STR("+OK\r\n"));
		break;
	case POP3_NOOP:
		conn_write(s->conn, STR("+OK\r\n"));
		break;
	case POP3_CAPA:
		cmd_capa(s);
		break;
	case POP3_QUIT:
	case POP3_VERBS:
		cmd_quit(s);
		break;
	}
}

/* A command that makes no sense; false: that was one too many. */
static bool
complain(struct session *s, const char *wrong)
{
	if (++s->errors > POP3_ERRORS_MAX) {
		session_bye(s, "Too many invalid commands.",
			    "Too many invalid commands");
		return false;
	}
	conn_writef(s->conn, "-ERR %s\r\n", wrong);
	return true;
}

/* One command; false: none is there, or the session has ended. */
static bool
take_command(struct session *s)
{
	const char *wrong = "The line is not well-formed.";
	struct pop3_command c;
	struct str line;
	size_t used;

	switch (line_get(conn_input(s->conn), POP3_COMMAND_MAX, &line, &used)) {
	case LINE_MORE:
		return false;
	case LINE_TOO_LONG:
		session_bye(s, "The line is too long.", "Line too long");
		return false;
	case LINE_OK:
		wrong = pop3_command_parse(line, &c);
		break;
	default:
		break;
	}
	conn_consume(s->conn, used);
	if (wrong)
		return complain(s, wrong);
	dispatch(s, &c);
	return c.verb != POP3_QUIT;
}

void
session_commands(struct session *s)
{
	/* A client that sends without reading waits for its answers. */
	while (s->state == POP3_READY && !is_full(s)) {
		if (!take_command(s))
			return;
		if (s->state == POP3_SENDING && !send_more(s))
			return;
	}
	if (s->state == POP3_SENDING)
		conn_pause(s->conn);
}
