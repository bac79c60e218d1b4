/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "authd.h"
#include "base/clock.h"
#include "base/log.h"

struct peer {
	struct list link;
	struct authd *authd;
	struct chan *chan;
};

/* A login that is being decided. */
struct attempt {
	struct hash_job job; /* must be first */
	struct authd *authd;
	struct chan *chan; /* a reference */
	uint32_t tag;
	uint8_t service;
	bool unknown;		 /* hashed for the time it takes, never right */
	char user[USER_MAX + 1]; /* canonical */
	char client[64 + 1];
};

/* --- answers ------------------------------------------------------------- */

static void
send_fail(struct chan *c, uint32_t tag, bool temp, const char *text)
{
	struct msg_auth_fail m = { .temp = temp, .text = str_of(text) };

	chan_send(c, tag, &msg_auth_fail_def, &m);
}

static void
send_ok(struct attempt *t)
{
	uint8_t ticket[TICKET_LEN];
	struct msg_auth_ok m = { .user = str_of(t->user),
				 .ticket = str_mem(ticket, sizeof(ticket)) };

	if (ticket_issue(&t->authd->tickets, t->service, m.user,
			 clock_mono_ms(), ticket) < 0) {
		log_warn("too many logins wait to be served");
		send_fail(t->chan, t->tag, true, "too many logins");
		return;
	}
	chan_send(t->chan, t->tag, &msg_auth_ok_def, &m);
	explicit_bzero(ticket, sizeof(ticket));
}

/* Is there somebody a process could be started for?  As long as there is not,
 * the right password is no reason to say yes. */
static const struct user *
find_identity(struct authd *a, const char *name, struct identity *id)
{
	const struct user *u =
		a->users ? user_table_find(a->users, str_of(name)) : NULL;
	struct err err;

	if (!u)
		return NULL;
	if (identity_of(u, a->passwd, &a->conf, id, &err) < 0) {
		log_warn("user %s: %s", LOGQ(u->name), err.text);
		return NULL;
	}
	return u;
}

static void
on_hashed(struct hash_job *j)
{
	struct attempt *t = (struct attempt *)(void *)j;
	struct authd *a = t->authd;
	struct identity id;

	/* Dovecot's words; what was wrong is told to the log alone, login
	 * hears the same in both cases. */
	if (!j->match || t->unknown) {
		if (a->verbose)
			log_info("passwd-file(%s,%s): %s",
				 LOGQ(str_of(t->user)), LOGQ(str_of(t->client)),
				 t->unknown ? "unknown user"
					    : "Password mismatch");
		send_fail(t->chan, t->tag, false, "authentication failed");
	} else if (chan_is_open(t->chan)) {
		if (find_identity(a, t->user, &id))
			send_ok(t);
		else
			send_fail(t->chan, t->tag, true, "no identity");
	}
	chan_unref(t->chan);
	explicit_bzero(t, sizeof(*t));
	free(t);
}

/* At most one line a second: clients cause it. */
static void
log_busy(struct authd *a)
{
	uint64_t now = clock_mono_ms();

	if (now < a->busy_until_ms)
		return;
	a->busy_until_ms = now + 1000;
	log_warn("too many passwords wait to be checked");
}

/* --- questions ----------------------------------------------------------- */

static void
begin(struct authd *a, struct chan *c, uint32_t tag, const struct msg_auth *m)
{
	const struct user *u = user_table_find(a->users, m->user);
	struct attempt *t = calloc(1, sizeof(*t));

	if (!t) {
		send_fail(c, tag, true, "out of memory");
		return;
	}
	t->job.done = on_hashed;
	t->authd = a;
	t->tag = tag;
	t->service = m->service;
	(void)!str_copy(t->client, sizeof(t->client), m->client);
	(void)!str_copy(t->user, sizeof(t->user), u ? u->name : m->user);
	/* crypt(3) stops at a NUL: such a password is nobody's.  Neither is
	 * the empty one. */
	t->unknown = !u || u->line.hash.n == 0 || m->password.n == 0 ||
		     !str_copy(t->job.password, sizeof(t->job.password),
			       m->password);
	(void)!str_copy(t->job.hash, sizeof(t->job.hash),
			u && u->line.hash.n ? u->line.hash
					    : str_of(a->users->dummy));
	t->chan = chan_ref(c);
	if (hasher_submit(a->hasher, &t->job) == 0)
		return;
	log_busy(a);
	send_fail(c, tag, true, "too many logins");
	chan_unref(c);
	explicit_bzero(t, sizeof(*t));
	free(t);
}

static void
on_auth(struct authd *a, struct chan *c, uint32_t tag, struct msg_auth *m)
{
	if (m->service != SVC_IMAPD && m->service != SVC_POP3D)
		send_fail(c, tag, false, "no such service");
	else if (!a->users)
		send_fail(c, tag, true, "no users file");
	else
		begin(a, c, tag, m);
	if (m->password.n) /* it stands in the loop's own receive buffer */
		explicit_bzero((void *)(uintptr_t)m->password.p, m->password.n);
}

static void
on_redeem(struct authd *a, struct chan *c, uint32_t tag,
	  const struct msg_redeem *m)
{
	struct identity id;
	char user[USER_MAX + 1];
	struct msg_identity reply;

	if (!ticket_redeem(&a->tickets, m->service, m->ticket, clock_mono_ms(),
			   user)) {
		log_warn("spawner presented a ticket that is not valid");
		send_fail(c, tag, false, "no such ticket");
		return;
	}
	if (!find_identity(a, user, &id)) {
		send_fail(c, tag, false, "no identity");
		return;
	}
	reply = (struct msg_identity){ .user = str_of(user),
				       .uid = id.uid,
				       .gid = id.gid,
				       .home = str_of(id.home),
				       .mail = str_of(id.mail) };
	chan_send(c, tag, &msg_identity_def, &reply);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct peer *p = arg;

	if (def == &msg_auth_def)
		on_auth(p->authd, c, tag, msg);
	else if (def == &msg_redeem_def)
		on_redeem(p->authd, c, tag, msg);
}

static void
on_close(struct chan *c, void *arg)
{
	struct peer *p = arg;

	(void)c;
	list_remove(&p->link);
	free(p);
}

static const struct chan_ops peer_ops = { on_msg, on_close };

void
authd_peer(struct authd *a, const struct chan_row *row, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return;
	}
	p->authd = a;
	p->chan = chan_new(a->loop, fd, row, CHAN_SERVICE, &peer_ops, p);
	if (!p->chan) {
		free(p);
		return;
	}
	list_append(&a->peers, &p->link);
}

/* --- life ------------------------------------------------------------------
 */

void
authd_table(struct authd *a, struct str name, int fd)
{
	bool users = str_eq(name, STR("users"));
	struct user_table **at = users ? &a->users : &a->passwd;
	struct user_table *fresh;
	struct err err;

	if (!users && !str_eq(name, STR("passwd"))) {
		close(fd);
		return;
	}
	fresh = user_table_new(users ? TABLE_USERS : TABLE_PASSWD, fd, &err);
	if (!fresh) {
		log_error("%.*s: %s%s", STR_FMT(name), err.text,
			  *at ? "; keeping the old one" : "");
		return;
	}
	user_table_free(*at);
	*at = fresh;
	log_debug("%.*s: %zu entries", STR_FMT(name), fresh->by_name.n);
}

int
authd_init(struct authd *a, struct loop *l, unsigned threads,
	   unsigned queue_limit, struct err *err)
{
	*a = (struct authd){ .loop = l };
	list_init(&a->peers);
	tickets_init(&a->tickets);
	a->conf.vmail_uid = a->conf.vmail_gid = USERS_NO_ID;
	a->hasher = hasher_new(l, threads, queue_limit, err);
	return a->hasher ? 0 : -1;
}

void
authd_fini(struct authd *a)
{
	struct peer *p;

	hasher_free(a->hasher);
	while (!list_empty(&a->peers)) {
		p = LIST_OF(a->peers.next, struct peer, link);
		list_remove(&p->link);
		chan_close(p->chan);
		free(p);
	}
	tickets_fini(&a->tickets);
	user_table_free(a->users);
	user_table_free(a->passwd);
}
