/* SPDX-License-Identifier: ISC */
/* What spawner says and asks beside new clients: posthouse who and kick, and
 * that mail has come. */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/rawlog.h"
#include "session.h"

void
imap_session_log_end(const struct imap_session *s, const char *why)
{
	log_info("imap(%s)<%ld><%s>: Disconnected: %s in=%llu out=%llu",
		 LOGQ(str_of(s->user->name)), (long)getpid(),
		 LOGQ(str_of(s->who.id)), why, (unsigned long long)s->bytes_in,
		 (unsigned long long)s->bytes_out);
}

/* May this client have one more session?  If not, say so. */
static bool
is_within_limits(struct imap_user *u, const struct user_session *us,
		 const struct msg_client *m)
{
	const char *parameter = "imap_session_limit";
	size_t n = 0, limit = u->max_sessions;
	struct list *it;

	list_for_each (it, &u->sessions)
		n += user_session_same_client(
			us, &LIST_OF(it, struct imap_session, link)->who);
	if (u->nsessions < limit) {
		parameter = "mail_max_userip_connections";
		limit = u->max_userip;
		if (limit == 0 || n < limit)
			return true;
	}
	log_warn("imap(%s): too many sessions (%s=%zu), refused %s",
		 LOGQ(str_of(u->name)), parameter, limit,
		 LOGQ(str_of(us->client)));
	if (m->tag.n) /* RFC 5530 3: LIMIT */
		dprintf(m->fd, "%.*s NO [LIMIT] Too many sessions (%s=%zu)\r\n",
			STR_FMT(m->tag), parameter, limit);
	dprintf(m->fd, "* BYE Too many sessions\r\n");
	return false;
}

void
imap_control_client(struct imap_user *u, struct msg_client *m)
{
	struct imap_session *s;
	struct user_session us;
	int fd = m->fd;

	user_session_init(&us, m);
	if (!is_within_limits(u, &us, m))
		return; /* the channel closes the descriptor */
	m->fd = -1;
	s = imap_session_new(u, fd, m->tag, m->pending, m->client);
	if (!s) {
		log_warn("imap(%s): no memory for a session",
			 LOGQ(str_of(u->name)));
		return;
	}
	s->who = us;
	rawlog_open(s->conn, u->params, u->root, "imap", u->name, &us);
}

void
imap_control_who(struct imap_user *u, struct chan *c, uint32_t tag)
{
	struct msg_who_done done = { 0 };
	char state[FOLDER_MAX + 32];
	struct list *it;

	list_for_each (it, &u->sessions) {
		struct imap_session *s = LIST_OF(it, struct imap_session, link);
		struct mailbox *mb = s->view.mb;

		snprintf(state, sizeof(state), "%.*s%s", FOLDER_MAX,
			 mb ? mailbox_name(mb) : "-",
			 s->stage == STAGE_IDLE ? ", idle" : "");
		user_session_row(&s->who, c, tag, str_of(state));
		done.count++;
	}
	chan_send(c, tag, &msg_who_done_def, &done);
}

void
imap_control_kick(struct imap_user *u, struct chan *c, uint32_t tag,
		  const struct msg_kick *m)
{
	struct msg_who_done done = { 0 };
	struct list *it;

	list_for_each (it, &u->sessions) {
		struct imap_session *s = LIST_OF(it, struct imap_session, link);

		if (!user_session_is_meant(&s->who, m))
			continue;
		s->why = "Kicked by the administrator";
		imap_bye(s, "Disconnected by the administrator");
		done.count++;
	}
	chan_send(c, tag, &msg_who_done_def, &done);
}

/* It costs nothing if inotify was faster. */
void
imap_control_poke(struct imap_user *u, struct str folder)
{
	struct imap_session *s;
	struct list *it;
	struct err err;

	if (folder.n == 0)
		folder = STR("INBOX");
	list_for_each (it, &u->sessions) {
		s = LIST_OF(it, struct imap_session, link);
		if (!s->view.mb ||
		    !str_eq(str_of(mailbox_name(s->view.mb)), folder))
			continue;
		/* All sessions of this folder are told by the mailbox. */
		if (mailbox_refresh(s->view.mb, &err) < 0)
			log_warn("imap(%s): %s", LOGQ(str_of(u->name)),
				 LOGQ(str_of(err.text)));
		/* What is heard of other folders on the way is work. */
		imap_user_work(u);
		return;
	}
}
