/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "attempt.h"
#include "base/clock.h"
#include "base/log.h"

void
authd_fail(struct chan *c, uint32_t tag, bool temp, const char *text,
	   const char *user)
{
	struct msg_auth_fail m = { .temp = temp,
				   .text = str_of(text),
				   .user = str_of(user) };

	chan_send(c, tag, &msg_auth_fail_def, &m);
}

const struct user *
authd_pam_user(struct authd *a, const char *name)
{
	const struct user *u;

	if (!a->pam || !a->passwd || !a->users ||
	    user_table_find(a->users, str_of(name)))
		return NULL;
	u = user_table_find(a->passwd, str_of(name));
	return u && u->line.uid >= a->first_uid ? u : NULL;
}

bool
authd_identity(struct authd *a, const char *name, struct identity *id)
{
	const struct user *u =
		a->users ? user_table_find(a->users, str_of(name)) : NULL;
	const struct user *p =
		a->passwd ? user_table_find(a->passwd, str_of(name)) : NULL;
	struct err err;

	if (!u)
		u = authd_pam_user(a, name);
	if (!u)
		return false;
	if (identity_of(u->name, &u->line, p ? &p->line : NULL, &a->conf, id,
			&err) < 0) {
		log_warn("user %s: %s", LOGQ(u->name), err.text);
		return false;
	}
	return true;
}

/* --- questions ------------------------------------------------------------ */

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
		authd_fail(c, tag, false, "no such ticket", "");
		return;
	}
	if (!authd_identity(a, user, &id)) {
		authd_fail(c, tag, false, "no identity", "");
		return;
	}
	reply = (struct msg_identity){ .user = str_of(user),
				       .uid = id.uid,
				       .gid = id.gid,
				       .home = str_of(id.home),
				       .mail = str_of(id.mail) };
	chan_send(c, tag, &msg_identity_def, &reply);
}

/* --- exchanges that wait -------------------------------------------------- */

static void
await_expiry(struct authd *a)
{
	int64_t ms;
	struct timeval tv;

	if (list_empty(&a->idle) || event_pending(a->expire, EV_TIMEOUT, NULL))
		return;
	ms = attempts_expire(a, clock_mono_ms());
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	if (ms >= 0)
		event_add(a->expire, &tv);
}

static void
on_expire(evutil_socket_t fd, short what, void *arg)
{
	struct authd *a = arg;

	(void)fd;
	(void)what;
	(void)attempts_expire(a, clock_mono_ms());
	await_expiry(a);
}

/* --- askers --------------------------------------------------------------- */

/* Not spawner, which redeems. */
static bool
asks_for_logins(const struct peer *p)
{
	return p->asker != SVC_SPAWNER;
}

/* It stands in the loop's own receive buffer. */
static void
wipe(struct str secret)
{
	if (secret.n)
		explicit_bzero((void *)(uintptr_t)secret.p, secret.n);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct peer *p = arg;

	if (def == &msg_auth_def) {
		attempt_on_auth(p, tag, msg);
		wipe(((struct msg_auth *)msg)->password);
	} else if (def == &msg_sasl_begin_def) {
		attempt_on_begin(p, tag, msg);
		wipe(((struct msg_sasl_begin *)msg)->initial);
	} else if (def == &msg_sasl_step_def) {
		attempt_on_step(p, tag, msg);
		wipe(((struct msg_sasl_step *)msg)->response);
	} else if (def == &msg_sasl_cancel_def) {
		attempt_on_cancel(p, msg);
	} else if (def == &msg_redeem_def) {
		on_redeem(p->authd, c, tag, msg);
	}
	await_expiry(p->authd);
}

static void
peer_free(struct peer *p)
{
	if (asks_for_logins(p))
		attempts_close(p);
	list_remove(&p->link);
	free(p);
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	peer_free(arg);
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
	p->asker = row->asker;
	list_append(&a->peers, &p->link);
	list_init(&p->attempts);
	if (asks_for_logins(p))
		work_queue_open(a->workers, &p->queue);
}

/* --- life ------------------------------------------------------------------
 */

static void
take_apps(struct authd *a, int fd)
{
	struct err err;
	struct app_passwords *fresh = app_passwords_new(fd, &err);

	if (!fresh) {
		log_error("%s%s", err.text,
			  a->apps ? "; keeping the old ones" : "");
		return;
	}
	app_passwords_free(a->apps);
	a->apps = fresh;
	log_debug("app passwords: %zu", fresh->n);
}

void
authd_table(struct authd *a, struct str name, int fd)
{
	bool users = str_eq(name, STR("users"));
	struct user_table **at = users ? &a->users : &a->passwd;
	struct user_table *fresh;
	struct err err;

	if (str_eq(name, STR("app_passwords"))) {
		take_apps(a, fd);
		return;
	}
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

void
authd_set_mechs(struct authd *a, struct str names)
{
	const struct exchange_mech *m;
	struct str name;
	bool plus;

	a->mechs = a->plus = 0;
	while (str_token(&names, ", \t", &name)) {
		m = exchange_mech_find(name, &plus);
		if (m)
			*(plus ? &a->plus : &a->mechs) |=
				1u << (m - exchange_mechs);
		else
			log_warn("auth_mechanisms: %s is not served; want "
				 "PLAIN, LOGIN, SCRAM-SHA-1[-PLUS], "
				 "SCRAM-SHA-256[-PLUS]",
				 LOGQ(name));
	}
}

int
authd_init(struct authd *a, struct loop *l, unsigned threads,
	   unsigned queue_limit, struct err *err)
{
	*a = (struct authd){ .loop = l, .last_use = -1 };
	penalties_init(&a->penalties);
	list_init(&a->peers);
	list_init(&a->idle);
	tickets_init(&a->tickets);
	a->conf.vmail_uid = a->conf.vmail_gid = USERS_NO_ID;
	a->mechs = a->plus = (1u << EXCHANGE_MECHS) - 1;
	if (exchange_preload(err) < 0)
		return -1;
	a->expire = evtimer_new(l->base, on_expire, a);
	a->due = evtimer_new(l->base, attempts_on_gate, a);
	if (!a->expire || !a->due)
		return err_set(err, ERR_TEMP, ENOMEM, "no event");
	a->workers = workers_new(l, threads, queue_limit, err);
	return a->workers ? 0 : -1;
}

void
authd_fini(struct authd *a)
{
	struct peer *p;

	while (!list_empty(&a->peers)) {
		p = LIST_OF(a->peers.next, struct peer, link);
		chan_close(p->chan);
		peer_free(p);
	}
	workers_free(a->workers);
	if (a->pam)
		asker_free(a->pam);
	penalties_fini(&a->penalties);
	if (a->expire)
		event_free(a->expire);
	if (a->due)
		event_free(a->due);
	tickets_fini(&a->tickets);
	user_table_free(a->users);
	user_table_free(a->passwd);
	app_passwords_free(a->apps);
}
