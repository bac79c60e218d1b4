/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "frame/rawlog.h"
#include "session.h"

enum {
	INPUT_MAX = PENDING_MAX,
	OUTPUT_MAX = 256 * 1024,
	LINGER_MS = 5000,
};

static void on_input(struct conn *c, void *arg);
static void on_drained(struct conn *c, void *arg);
static void on_end(struct conn *c, void *arg, enum conn_end why);

static const struct conn_ops conn_ops = { on_input, on_drained, on_end };

void
pop3_conf_init(struct pop3_conf *c, const struct params *p)
{
	*c = (struct pop3_conf){
		.timeout_ms = (unsigned)params_num(p, "pop3_timeout") * 1000,
		.max_sessions = (unsigned)params_num(p, "pop3_session_limit"),
		.max_userip =
			(unsigned)params_num(p, "mail_max_userip_connections"),
		.uidl_format = params_str(p, "pop3_uidl_format"),
		.update.flags = !params_bool(p, "pop3_no_flag_updates"),
	};
	c->mechanisms = params_str(p, "auth_mechanisms");
	pop3_capa_init(&c->capa, p);
	c->update.expire_s = (uint64_t)c->capa.expire_days * 86400;
}

void
session_enter(struct session *s, enum pop3_state state)
{
	s->state = state;
}

/* --- the end -------------------------------------------------------------- */

void
session_release(struct session *s)
{
	struct pop3d *p = s->p;

	reader_close(&s->reader);
	buf_fini(&s->ahead_text);
	maildrop_close(&s->drop);
	list_remove(&s->link);
	p->nsessions--;
	free(s);
	if (list_empty(&p->sessions))
		p->on_idle(p);
}

void
session_log_end(const struct session *s, const char *why, size_t deleted)
{
	uint64_t bytes;
	size_t n;

	maildrop_count(&s->drop, &n, &bytes);
	log_info("pop3(%s)<%ld><%s>: Disconnected: %s top=%u, retr=%u/%llu, "
		 "del=%zu/%zu, size=%llu",
		 LOGQ(str_of(s->user)), (long)getpid(), LOGQ(str_of(s->who.id)),
		 why, s->tops, s->retrs, (unsigned long long)s->retr_bytes,
		 deleted, s->drop.n, (unsigned long long)bytes);
}

void
session_close(struct session *s, const char *why)
{
	session_log_end(s, why, 0);
	session_enter(s, POP3_CLOSED);
	conn_close(s->conn);
	session_release(s);
}

void
session_bye(struct session *s, const char *said, const char *why)
{
	/* In the middle of a message it would be a part of it. */
	if (s->state != POP3_SENDING)
		conn_writef(s->conn, "-ERR %s\r\n", said);
	session_log_end(s, why, 0);
	session_enter(s, POP3_CLOSED);
	conn_close_drained(s->conn, LINGER_MS);
	session_release(s);
}

/* --- limits --------------------------------------------------------------- */

/* The parameter whose limit one more session would break; NULL: none. */
static const char *
broken_limit(struct pop3d *p, const struct user_session *us)
{
	unsigned n = 0;
	struct list *it;

	if (p->nsessions >= p->conf.max_sessions)
		return "pop3_session_limit";
	list_for_each (it, &p->sessions)
		n += user_session_same_client(
			us, &LIST_OF(it, struct session, link)->who);
	return p->conf.max_userip && n >= p->conf.max_userip
		       ? "mail_max_userip_connections"
		       : NULL;
}

/* Seconds until the next login is welcome (RFC 2449 6.5); a file remembers the
 * last one, for this process does not live long. */
static int64_t
login_delay(struct pop3d *p)
{
	int64_t now = (int64_t)(clock_wall_us() / 1000000), wait = 0;
	struct timespec ts[2] = { { .tv_sec = now }, { .tv_sec = now } };
	struct stat st;
	int fd;

	if (!p->conf.capa.login_delay)
		return 0;
	fd = fsx_open(p->root, "posthouse.pop3-login",
		      O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return 0;
	if (fsx_fstat(fd, &st) == 0 && st.st_size && st.st_mtime <= now)
		wait = st.st_mtime + p->conf.capa.login_delay - now;
	if (wait <= 0) {
		/* Not empty: there was a login. */
		if (fsx_pwrite(fd, "\n", 1, 0) == 1)
			(void)!fsx_futimens(fd, ts);
		wait = 0;
	}
	fsx_close(fd);
	return wait;
}

static bool
is_welcome(struct pop3d *p, const struct user_session *us,
	   const struct msg_client *m)
{
	const char *limit = broken_limit(p, us);
	int64_t wait;

	if (limit) {
		log_warn("pop3(%s): too many sessions (%s), refused %s",
			 LOGQ(m->user), limit, LOGQ(str_of(us->client)));
		dprintf(m->fd, "-ERR [SYS/TEMP] Too many sessions (%s).\r\n",
			limit);
		return false;
	}
	wait = login_delay(p);
	if (wait == 0)
		return true;
	log_info("pop3(%s): login too soon (pop3_login_delay), refused %s",
		 LOGQ(m->user), LOGQ(str_of(us->client)));
	dprintf(m->fd, "-ERR [LOGIN-DELAY] Log in again in %lld s.\r\n",
		(long long)wait);
	return false;
}

/* --- the beginning -------------------------------------------------------- */

static struct session *
session_new(struct pop3d *p, struct msg_client *m,
	    const struct user_session *us)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->p = p;
	s->who = *us;
	s->reader.fd = -1;
	buf_init(&s->ahead_text, OUTPUT_MAX);
	(void)!str_copy(s->user, sizeof(s->user), m->user);
	list_init(&s->link);
	s->conn = conn_new(p->loop, m->fd, INPUT_MAX, OUTPUT_MAX, &conn_ops, s);
	m->fd = -1;
	if (!s->conn) {
		free(s);
		return NULL;
	}
	list_append(&p->sessions, &s->link);
	p->nsessions++;
	return s;
}

void
session_open(struct pop3d *p, struct msg_client *m)
{
	struct err err = { .class = ERR_NONE };
	struct user_session us;
	struct session *s = NULL;

	user_session_init(&us, m);
	if (is_welcome(p, &us, m))
		s = session_new(p, m, &us);
	if (!s) { /* the channel closes the descriptor */
		if (list_empty(&p->sessions))
			p->on_idle(p);
		return;
	}
	if (!p->store || maildrop_open(&s->drop, p->store, &err) < 0 ||
	    conn_preload(s->conn, m->pending) < 0) {
		if (err.class != ERR_NONE)
			log_warn("pop3(%s): %s", LOGQ(str_of(s->user)),
				 LOGQ(str_of(err.text)));
		session_bye(s,
			    err.code == EBUSY
				    ? "[IN-USE] The mailbox is locked by "
				      "another program."
				    : "[SYS/TEMP] The mailbox cannot be read "
				      "now.",
			    "Mailbox unreadable");
		return;
	}
	p->on_work(p);
	rawlog_open(s->conn, p->params, p->root, "pop3", s->user, &us);
	conn_deadline(s->conn, p->conf.timeout_ms);
	conn_write(s->conn, STR("+OK Logged in.\r\n"));
}

/* --- the connection ------------------------------------------------------- */

static void
on_input(struct conn *c, void *arg)
{
	struct session *s = arg;

	conn_deadline(c, s->p->conf.timeout_ms);
	session_commands(s);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct session *s = arg;

	if (s->state == POP3_SENDING) {
		conn_deadline(c, s->p->conf.timeout_ms);
		session_go_on(s);
	} else if (conn_input(c).n) {
		conn_resume(c); /* on_input() had left it */
	} else {
		session_read_ahead(s);
	}
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
