/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/rawlog.h"
#include "net/line.h"
#include "session.h"

enum {
	INPUT_MAX = PENDING_MAX,
	OUTPUT_MAX = 256 * 1024,
	OUTPUT_HIGH = 64 * 1024, /* no more is made while so much waits */
	CHUNK = 16 * 1024,
	LINGER_MS = 5000,
};

static void on_input(struct conn *c, void *arg);
static void on_drained(struct conn *c, void *arg);
static void on_end(struct conn *c, void *arg, enum conn_end why);

static const struct conn_ops conn_ops = { on_input, on_drained, on_end };

static void
session_enter(struct session *s, enum pop3_state state)
{
	static const char *const names[] = { "READY", "SENDING", "CLOSED" };

	log_debug("pop3(%s): %s -> %s", LOGQ(str_of(s->user)), names[s->state],
		  names[state]);
	s->state = state;
}

/* --- the snapshot --------------------------------------------------------- */

static int
take_snapshot(struct session *s, struct err *err)
{
	const struct message *m;
	struct index_totals t;
	size_t i, n;

	s->mb = mailbox_open(s->p->store, STR("INBOX"), err);
	s->p->on_work(s->p);
	if (!s->mb || mailbox_refresh(s->mb, err) < 0)
		return -1;
	mailbox_totals(s->mb, &t);
	s->uidvalidity = t.uidvalidity;
	n = mailbox_slots(s->mb);
	s->v = calloc(n ? n : 1, sizeof(*s->v));
	if (!s->v)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		struct drop *d = &s->v[s->n];

		m = mailbox_at(s->mb, i);
		if (m->gone)
			continue;
		d->uid = m->uid;
		if (mailbox_wsize(s->mb, d->uid, &d->size, err) == 0)
			s->n++;
		else if (err->code != ENOENT) /* gone just now: not ours */
			return -1;
	}
	return 0;
}

static void
count(const struct session *s, size_t *n, uint64_t *bytes, size_t *deleted)
{
	size_t i;

	*n = *deleted = 0;
	*bytes = 0;
	for (i = 0; i < s->n; i++) {
		if (s->v[i].deleted) {
			++*deleted;
			continue;
		}
		++*n;
		*bytes += s->v[i].size;
	}
}

/* Message by number; NULL: said so to the client. */
static struct drop *
find(struct session *s, uint32_t number)
{
	struct drop *d = NULL;

	if (number >= 1 && number <= s->n)
		d = &s->v[number - 1];
	if (d && !d->deleted)
		return d;
	conn_writef(s->conn, "-ERR %s\r\n",
		    d ? "The message is deleted." : "No such message.");
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

static void
release(struct session *s)
{
	struct pop3d *p = s->p;

	reader_close(&s->reader);
	if (s->mb)
		mailbox_release(s->mb);
	free(s->v);
	list_remove(&s->link);
	p->nsessions--;
	free(s);
	if (list_empty(&p->sessions))
		p->on_idle(p);
}

static void
log_end(const struct session *s, const char *why, size_t deleted)
{
	size_t n, marked;
	uint64_t bytes;

	count(s, &n, &bytes, &marked);
	log_info("pop3(%s)<%ld><%s>: Disconnected: %s top=%u, retr=%u/%llu, "
		 "del=%zu/%zu, size=%llu",
		 LOGQ(str_of(s->user)), (long)getpid(), LOGQ(str_of(s->who.id)),
		 why, s->tops, s->retrs, (unsigned long long)s->retr_bytes,
		 deleted, s->n, (unsigned long long)bytes);
}

void
session_close(struct session *s, const char *why)
{
	log_end(s, why, 0);
	session_enter(s, POP3_CLOSED);
	conn_close(s->conn);
	release(s);
}

static void
close_told(struct session *s, const char *said, const char *why)
{
	conn_writef(s->conn, "-ERR %s\r\n", said);
	log_end(s, why, 0);
	session_enter(s, POP3_CLOSED);
	conn_close_drained(s->conn, LINGER_MS);
	release(s);
}

void
session_kick(struct session *s)
{
	close_told(s, "Disconnected by the administrator.",
		   "Kicked by the administrator");
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	static const char *const words[] = {
		[CONN_EOF] = "Connection closed",
		[CONN_ERROR] = "Connection lost",
		[CONN_DEADLINE] = "Inactivity", /* RFC 1939 3: without a word */
		[CONN_STUCK] = "Output stuck",
	};

	(void)c;
	session_close(arg, words[why]);
}

/* The parameter whose limit one more session would break; NULL: none. */
static const char *
broken_limit(struct pop3d *p, const struct user_session *us)
{
	unsigned n = 0;
	struct list *it;

	if (p->nsessions >= p->max_sessions)
		return "pop3_session_limit";
	list_for_each (it, &p->sessions)
		n += user_session_same_client(
			us, &LIST_OF(it, struct session, link)->who);
	return p->max_userip && n >= p->max_userip
		       ? "mail_max_userip_connections"
		       : NULL;
}

static bool
is_within_limits(struct pop3d *p, const struct user_session *us,
		 const struct msg_client *m)
{
	const char *limit = broken_limit(p, us);

	if (!limit)
		return true;
	log_warn("pop3(%s): too many sessions (%s), refused %s", LOGQ(m->user),
		 limit, LOGQ(str_of(us->client)));
	dprintf(m->fd, "-ERR [SYS/TEMP] Too many sessions (%s).\r\n", limit);
	if (list_empty(&p->sessions))
		p->on_idle(p);
	return false;
}

void
session_open(struct pop3d *p, struct msg_client *m)
{
	struct err err = { .class = ERR_NONE };
	struct user_session us;
	struct session *s;
	int fd = m->fd;

	user_session_init(&us, m);
	if (!is_within_limits(p, &us, m))
		return; /* the channel closes the descriptor */
	m->fd = -1;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return;
	}
	s->p = p;
	s->who = us;
	s->reader.fd = -1;
	(void)!str_copy(s->user, sizeof(s->user), m->user);
	list_init(&s->link);
	s->conn = conn_new(p->loop, fd, INPUT_MAX, OUTPUT_MAX, &conn_ops, s);
	if (!s->conn) {
		free(s);
		return;
	}
	list_append(&p->sessions, &s->link);
	p->nsessions++;
	if (!p->store || take_snapshot(s, &err) < 0 ||
	    conn_preload(s->conn, m->pending) < 0) {
		if (err.class != ERR_NONE)
			log_warn("pop3(%s): %s", LOGQ(str_of(s->user)),
				 LOGQ(str_of(err.text)));
		conn_write(s->conn, STR("-ERR [SYS/TEMP] The mailbox cannot "
					"be read now.\r\n"));
		session_enter(s, POP3_CLOSED);
		conn_close_drained(s->conn, LINGER_MS);
		release(s);
		return;
	}
	rawlog_open(s->conn, p->params, p->root, "pop3", s->user, &us);
	conn_deadline(s->conn, p->timeout_ms);
	conn_write(s->conn, STR("+OK Logged in.\r\n"));
}

/* --- long answers --------------------------------------------------------- */

static void
send_rows(struct session *s)
{
	struct buf *out = conn_out(s->conn);

	for (; s->at < s->n && out->n < OUTPUT_HIGH; s->at++) {
		const struct drop *d = &s->v[s->at];

		if (d->deleted)
			continue;
		if (s->uidl)
			buf_addf(out, "%zu %u.%u\r\n", s->at + 1,
				 s->uidvalidity, d->uid);
		else
			buf_addf(out, "%zu %llu\r\n", s->at + 1,
				 (unsigned long long)d->size);
	}
	if (s->at < s->n)
		return;
	buf_add_c(out, ".\r\n");
	session_enter(s, POP3_READY);
}

static int
send_message(struct session *s, struct err *err)
{
	struct buf *out = conn_out(s->conn);
	char chunk[CHUNK];
	ssize_t n = 1;

	while (n > 0 && !s->stuff.full && conn_unsent(s->conn) < OUTPUT_HIGH) {
		n = reader_get(&s->reader, chunk, sizeof(chunk), err);
		if (n < 0)
			return -1;
		if (stuff_add(&s->stuff, str_mem(chunk, (size_t)n), out) < 0)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	if (n > 0 && !s->stuff.full)
		return 0;
	(void)!stuff_end(&s->stuff, out);
	reader_close(&s->reader);
	session_enter(s, POP3_READY);
	return 0;
}

/* Make more of the answer; when it is complete, take input again. */
static void
go_on(struct session *s)
{
	struct err err;

	if (s->listing) {
		send_rows(s);
	} else if (send_message(s, &err) < 0) {
		/* In the middle of a message there is no way to say so. */
		log_warn("pop3(%s): %s", LOGQ(str_of(s->user)),
			 LOGQ(str_of(err.text)));
		session_close(s, "Internal error");
		return;
	}
	conn_deadline(s->conn, s->p->timeout_ms);
	if (s->state == POP3_READY)
		conn_resume(s->conn);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	if (s->state == POP3_SENDING)
		go_on(s);
	else if (conn_input(s->conn).n)
		conn_resume(s->conn); /* on_input() had left it */
}

static void
start_sending(struct session *s, bool listing)
{
	s->listing = listing;
	s->at = 0;
	session_enter(s, POP3_SENDING);
	conn_pause(s->conn);
	/* The rest follows each time the output has drained. */
	(void)conn_out(s->conn);
}

/* --- commands ------------------------------------------------------------- */

static void
cmd_stat(struct session *s)
{
	size_t n, deleted;
	uint64_t bytes;

	count(s, &n, &bytes, &deleted);
	conn_writef(s->conn, "+OK %zu %llu\r\n", n, (unsigned long long)bytes);
}

static void
cmd_list(struct session *s, const struct pop3_command *c)
{
	size_t n, deleted;
	uint64_t bytes;
	struct drop *d;

	s->uidl = c->verb == POP3_UIDL;
	if (c->nargs == 0) {
		count(s, &n, &bytes, &deleted);
		conn_writef(s->conn, "+OK %zu messages:\r\n", n);
		start_sending(s, true);
		return;
	}
	d = find(s, c->arg[0]);
	if (d && s->uidl)
		conn_writef(s->conn, "+OK %u %u.%u\r\n", c->arg[0],
			    s->uidvalidity, d->uid);
	else if (d)
		conn_writef(s->conn, "+OK %u %llu\r\n", c->arg[0],
			    (unsigned long long)d->size);
}

/* A message whose file has got another name, because IMAP changed its flags,
 * is found at the second look. */
static int
open_message(struct session *s, uint32_t uid, struct err *err)
{
	if (mailbox_read(s->mb, uid, &s->reader, err) == 0)
		return 0;
	if (err->code == ENOENT && mailbox_refresh(s->mb, err) == 0 &&
	    mailbox_read(s->mb, uid, &s->reader, err) == 0)
		return 0;
	s->reader.fd = -1;
	return -1;
}

static void
mark_seen(struct session *s, uint32_t uid)
{
	static const struct flag_change seen = { .how = FLAGS_ADD,
						 .flags = MAILDIR_SEEN };
	struct err err;

	if (mailbox_change(s->mb, &uid, 1, &seen, &err) < 0)
		log_warn("pop3(%s): \\Seen: %s", LOGQ(str_of(s->user)),
			 LOGQ(str_of(err.text)));
	s->p->on_work(s->p);
}

static void
cmd_retr(struct session *s, const struct pop3_command *c)
{
	struct drop *d = find(s, c->arg[0]);
	bool top = c->verb == POP3_TOP;
	struct err err;

	if (!d)
		return;
	if (open_message(s, d->uid, &err) < 0) {
		conn_writef(s->conn, "-ERR %s\r\n",
			    err.code == ENOENT
				    ? "The message has been removed."
				    : "[SYS/TEMP] The message cannot be read.");
		return;
	}
	if (top) {
		s->tops++;
	} else {
		s->retrs++;
		s->retr_bytes += d->size;
		mark_seen(s, d->uid);
	}
	stuff_init(&s->stuff, top, c->arg[1]);
	conn_writef(s->conn, "+OK %llu octets\r\n",
		    (unsigned long long)d->size);
	start_sending(s, false);
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

static void
cmd_rset(struct session *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		s->v[i].deleted = false;
	conn_write(s->conn, STR("+OK\r\n"));
}

/* RFC 1939 6: UPDATE. */
static void
cmd_quit(struct session *s)
{
	uint32_t *uids = calloc(s->n ? s->n : 1, sizeof(*uids));
	size_t i, n = 0;
	struct err err;
	bool ok = uids != NULL;

	for (i = 0; ok && i < s->n; i++)
		if (s->v[i].deleted)
			uids[n++] = s->v[i].uid;
	if (ok && n && mailbox_expunge(s->mb, uids, n, &err) < 0) {
		log_warn("pop3(%s): %s", LOGQ(str_of(s->user)),
			 LOGQ(str_of(err.text)));
		ok = false;
	}
	free(uids);
	conn_write(s->conn,
		   ok ? STR("+OK Logging out.\r\n")
		      : STR("-ERR [SYS/TEMP] Some deleted messages were not "
			    "removed.\r\n"));
	log_end(s, "Logged out", ok ? n : 0);
	session_enter(s, POP3_CLOSED);
	conn_close_drained(s->conn, LINGER_MS);
	release(s);
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
		cmd_rset(s);
		break;
	case POP3_NOOP:
		conn_write(s->conn, STR("+OK\r\n"));
		break;
	case POP3_CAPA: /* RFC 2449 5 */
		conn_write(s->conn, STR("+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\n"
					"AUTH-RESP-CODE\r\nPIPELINING\r\n"
					"EXPIRE NEVER\r\n"
					"IMPLEMENTATION Posthouse\r\n.\r\n"));
		break;
	case POP3_QUIT:
	case POP3_VERBS:
		cmd_quit(s);
		break;
	}
}

/* One command; false: none is there, or the session has ended. */
static bool
take_command(struct session *s)
{
	struct pop3_command c;
	struct str line;
	const char *wrong = "The line is not well-formed.";
	size_t used;

	switch (line_get(conn_input(s->conn), POP3_COMMAND_MAX, &line, &used)) {
	case LINE_MORE:
		return false;
	case LINE_TOO_LONG:
		close_told(s, "The line is too long.", "Line too long");
		return false;
	case LINE_OK:
		wrong = pop3_command_parse(line, &c);
		break;
	default:
		break;
	}
	conn_consume(s->conn, used);
	conn_deadline(s->conn, s->p->timeout_ms);
	if (wrong) {
		conn_writef(s->conn, "-ERR %s\r\n", wrong);
		return true;
	}
	dispatch(s, &c);
	return c.verb != POP3_QUIT;
}

static void
on_input(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	/* A client that sends without reading waits for its answers. */
	while (s->state == POP3_READY && conn_unsent(s->conn) < OUTPUT_HIGH)
		if (!take_command(s))
			return;
}
