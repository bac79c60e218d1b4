/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "attempt.h"
#include "base/clock.h"
#include "base/log.h"
#include "last_use.h"

/* --- the parts of an attempt's life --------------------------------------- */

/* How many attempts one client may have with one asker: half of what the asker
 * may have waiting, so that no client shuts out the others. */
static unsigned
client_limit(struct authd *a)
{
	unsigned half = work_queue_share(a->workers) / 2;

	return half < 4 ? 4 : half;
}

static void
detach(struct attempt *t)
{
	struct peer *p = t->peer;

	if (!p)
		return;
	if (t->is_exchange)
		map_del(&p->exchanges, MAP_KEY(t->number));
	if (t->count)
		clients_leave(&p->clients, t->count);
	t->count = NULL;
	list_remove(&t->link);
	p->n--;
	t->peer = NULL;
}

/* A name as it may stand before the address on a line that fail2ban reads:
 * nothing in it can look like that. */
static const char *
log_user(const struct attempt *t, char out[USER_MAX + 1])
{
	size_t i;

	for (i = 0; t->user[i] && i < USER_MAX; i++)
		out[i] = strchr("(),:<>= ", t->user[i]) ? '?' : t->user[i];
	out[i] = '\0';
	return out;
}

/* What came out of it, as soon as that is known; UNDECIDED if it never will
 * be. */
static void
attempt_judged(struct attempt *t, enum attempt_verdict verdict)
{
	static const enum penalty_result results[] = {
		[ATTEMPT_RIGHT] = PENALTY_RIGHT,
		[ATTEMPT_WRONG] = PENALTY_WRONG,
	};
	struct authd *a = t->authd;
	char user[USER_MAX + 1];

	if (t->judged)
		return;
	t->judged = true;
	if (verdict == ATTEMPT_UNDECIDED)
		penalty_cancel(&a->penalties, &t->penalty, clock_mono_ms());
	else
		penalty_leave(&a->penalties, &t->penalty, results[verdict],
			      t->digest, clock_mono_ms());
	attempts_await_gate(a);
	/* Dovecot's words; what was wrong is told to the log alone, the asker
	 * hears the same in each case. */
	if (verdict == ATTEMPT_WRONG && a->verbose && !t->pam)
		log_info("passwd-file(%s,%s): %s",
			 LOGQ(str_of(log_user(t, user))),
			 LOGQ(str_of(t->client)),
			 t->unknown ? "unknown user" : "Password mismatch");
}

static void
attempt_free(struct attempt *t)
{
	attempt_judged(t, ATTEMPT_UNDECIDED);
	detach(t);
	list_remove(&t->idle);
	exchange_fini(&t->x);
	buf_fini(&t->proof);
	chan_unref(t->chan);
	explicit_bzero(t, sizeof(*t));
	free(t);
}

/* Make one for this client; NULL: the asker has been answered. */
static struct attempt *
attempt_new(struct peer *p, uint32_t tag, uint8_t service, struct str client)
{
	struct attempt *t = NULL;
	struct addr addr;

	if (p->n < ATTEMPTS_MAX)
		t = calloc(1, sizeof(*t));
	if (!t) {
		authd_fail(p->chan, tag, true, "too many logins", "");
		return NULL;
	}
	t->authd = p->authd;
	t->peer = p;
	t->chan = chan_ref(p->chan);
	t->tag = tag;
	t->service = service;
	buf_init(&t->proof, SASL_DATA_MAX);
	list_init(&t->idle);
	list_append(&p->attempts, &t->link);
	p->n++;
	if (addr_parse(client, &addr, NULL) == 0) {
		(void)!str_copy(t->client, sizeof(t->client), client);
		t->count = clients_enter(&p->clients, &addr);
	}
	if (t->count && t->count->n > client_limit(t->authd)) {
		authd_fail(t->chan, tag, true, "too many logins of this client",
			   "");
		attempt_free(t);
		return NULL;
	}
	return t;
}

/* --- answers -------------------------------------------------------------- */

static void
answer_fail(struct attempt *t, bool temp, const char *text)
{
	authd_fail(t->chan, t->tag, temp, text, t->is_exchange ? t->user : "");
	attempt_free(t);
}

static bool
starts_process(uint8_t service)
{
	return service == SVC_IMAPD || service == SVC_POP3D;
}

/* Which of the user's app passwords, if it was one, was used where. */
static void
write_down(const struct attempt *t)
{
	struct last_use u = { .user = str_of(t->user),
			      .name = str_of(t->verify.app),
			      .client = str_of(t->client),
			      .time = clock_wall_us() / 1000000,
			      .service = LAST_USE_OTHER };

	if (t->service == SVC_IMAPD)
		u.service = LAST_USE_IMAP;
	else if (t->service == SVC_POP3D)
		u.service = LAST_USE_POP3;
	else if (t->service == SVC_SUBMITD)
		u.service = LAST_USE_SMTP;
	last_use_note(t->authd->last_use, &u);
}

static void
answer_ok(struct attempt *t)
{
	uint8_t ticket[TICKET_LEN];
	struct msg_auth_ok m = { .user = str_of(t->user) };

	if (starts_process(t->service)) {
		if (ticket_issue(&t->authd->tickets, t->service, m.user,
				 clock_mono_ms(), ticket) < 0) {
			log_warn("too many logins wait to be served");
			answer_fail(t, true, "too many logins");
			return;
		}
		m.ticket = str_mem(ticket, sizeof(ticket));
	}
	chan_send(t->chan, t->tag, &msg_auth_ok_def, &m);
	write_down(t);
	explicit_bzero(ticket, sizeof(ticket));
	attempt_free(t);
}

/* Right, and known to be so.  The user may have gone meanwhile, or have
 * another password; and as long as there is nobody whom a process could be
 * started for, the right password is no reason to say yes. */
static void
answer_right(struct attempt *t)
{
	struct authd *a = t->authd;
	const struct user *u =
		a->users ? user_table_find(a->users, str_of(t->user)) : NULL;
	bool same = t->pam ? authd_pam_user(a, t->user) != NULL
			   : u && user_credential(u) == t->credential;
	struct identity id;

	if (t->cancelled || !chan_is_open(t->chan) || !same)
		answer_fail(t, false, "authentication failed");
	else if (starts_process(t->service) && !authd_identity(a, t->user, &id))
		answer_fail(t, true, "no identity");
	else
		answer_ok(t);
}

static void
answer_wrong(struct attempt *t)
{
	attempt_judged(t, ATTEMPT_WRONG);
	answer_fail(t, false, "authentication failed");
}

static void
answer_undecided(struct attempt *t, const char *text)
{
	attempt_judged(t, ATTEMPT_UNDECIDED);
	answer_fail(t, true, text);
}

static void
answer_more(struct attempt *t, struct str challenge)
{
	struct msg_sasl_more m = { .challenge = challenge };

	t->state = ATTEMPT_CLIENT;
	t->idle_until_ms = clock_mono_ms() + ATTEMPT_IDLE_MS;
	list_append(&t->authd->idle, &t->idle);
	chan_send(t->chan, t->tag, &msg_sasl_more_def, &m);
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

/* --- checking ------------------------------------------------------------- */

static void
answer_known(struct attempt *t, bool right)
{
	if (!right) {
		answer_wrong(t);
		return;
	}
	attempt_judged(t, ATTEMPT_RIGHT);
	answer_right(t);
}

static void
on_pam_result(void *arg, const struct msg_def *def, void *msg)
{
	const struct msg_pam_result *m = msg;
	char user[USER_MAX + 1];
	struct attempt *t = arg;

	if (def && m->verdict == PAM_VERDICT_TEMP)
		log_warn("pam(%s,%s): %s", LOGQ(str_of(log_user(t, user))),
			 LOGQ(str_of(t->client)), LOGQ(m->text));
	else if (def && m->verdict == PAM_VERDICT_NO && t->authd->verbose)
		log_info("pam(%s,%s): %s", LOGQ(str_of(log_user(t, user))),
			 LOGQ(str_of(t->client)), LOGQ(m->text));
	if (!def || m->verdict == PAM_VERDICT_TEMP) {
		answer_undecided(t, "PAM could not decide");
	} else {
		answer_known(t, m->verdict == PAM_VERDICT_YES && !t->unknown);
	}
}

static void
ask_pam(struct attempt *t)
{
	struct verify *v = &t->verify;
	struct msg_pam_check m = { .user = str_of(t->pam_user),
				   .password = str_of(v->password),
				   .client = str_of(t->client) };
	struct asker *pam = t->authd->pam;

	if (pam && asker_pending(pam) < PAM_WAITING_MAX &&
	    asker_send(pam, &msg_pam_check_def, &m, PAM_DEADLINE_MS,
		       on_pam_result, t)) {
		verify_wipe(v);
		return;
	}
	log_busy(t->authd);
	answer_undecided(t, "too many logins");
}

static void
on_verified(struct work *w)
{
	struct attempt *t = (struct attempt *)(void *)w;
	struct verify *v = &t->verify;

	if (!v->checked)
		answer_undecided(t, "not checked");
	else if (t->pam && !v->app[0])
		ask_pam(t);
	else
		answer_known(t, (v->match && !t->unknown) || v->app[0]);
}

static unsigned
app_services(const struct attempt *t)
{
	return t->service == SVC_IMAPD	 ? USERS_APP_IMAP
	       : t->service == SVC_POP3D ? USERS_APP_POP3
					 : USERS_APP_SMTP;
}

/* Of names that nobody has, half take the time of a user of the users file and
 * half that of PAM, the same name always the same: no time tells anything. */
static bool
nobody_is_pams(struct authd *a, const char *name)
{
	return a->pam &&
	       penalty_digest(&a->penalties, str_of(name), STR("")) & 1;
}

/* A password in the clear: hashed in a thread, also where it cannot be right,
 * for the time that takes. */
static void
check_password(struct attempt *t)
{
	struct authd *a = t->authd;
	const struct user *u = user_table_find(a->users, str_of(t->user));
	const struct user *pam = authd_pam_user(a, t->user);
	bool locked = !u || u->line.scheme == USERS_LOCKED;
	struct verify *v = &t->verify;

	/* crypt(3) stops at a NUL: such a password is nobody's and has been
	 * left out.  Neither is the empty one. */
	t->unknown = (locked && !pam) || v->password[0] == '\0';
	t->credential = user_credential(u);
	t->pam = pam || (!u && nobody_is_pams(a, t->user));
	(void)!str_copy(t->pam_user, sizeof(t->pam_user),
			pam && !t->unknown ? pam->line.user : STR(""));
	v->work.run = verify_run;
	v->work.done = on_verified;
	v->keep = t->pam;
	v->scheme = t->pam   ? USERS_LOCKED
		    : locked ? a->users->dummy_scheme
			     : u->line.scheme;
	(void)!str_copy(v->secret, sizeof(v->secret),
			locked ? str_of(a->users->dummy) : u->line.hash);
	app_passwords_collect(t->unknown ? NULL : a->apps, str_of(t->user),
			      app_services(t), clock_wall_us() / 1000000,
			      &v->apps);
	t->state = ATTEMPT_WORK;
	if (t->peer && work_submit(a->workers, &t->peer->queue, &v->work) == 0)
		return;
	log_busy(a);
	answer_undecided(t, "too many logins");
}

static void sasl_step(struct attempt *t, struct str input);

/* Check what the client says it knows: its password, or SCRAM's proof. */
static void
attempt_check(struct attempt *t)
{
	if (!t->authd->users)
		answer_undecided(t, "no users file");
	else if (t->proof.n)
		sasl_step(t, buf_str(&t->proof));
	else
		check_password(t);
}

/* Before anything is checked. */
static void
attempt_gate(struct attempt *t)
{
	struct authd *a = t->authd;

	/* Of a SCRAM proof nobody can say whether it is the last one's. */
	if (!t->proof.n)
		t->digest = penalty_digest(&a->penalties, str_of(t->user),
					   str_of(t->verify.password));
	switch (penalty_enter(&a->penalties, &t->penalty, str_of(t->client),
			      str_of(t->user), clock_mono_ms())) {
	case PENALTY_GO:
		attempt_check(t);
		break;
	case PENALTY_PARKED:
		t->state = ATTEMPT_PARKED;
		attempts_await_gate(a);
		break;
	case PENALTY_REFUSED:
		answer_undecided(t, "too many failed logins");
		break;
	}
}

void
attempts_await_gate(struct authd *a)
{
	int64_t ms = penalty_next(&a->penalties, clock_mono_ms());
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (ms < 0)
		event_del(a->due);
	else
		event_add(a->due, &tv);
}

void
attempts_on_gate(evutil_socket_t fd, short what, void *arg)
{
	struct authd *a = arg;
	struct penalty_try *try;

	(void)fd;
	(void)what;
	while ((try = penalty_due(&a->penalties, clock_mono_ms())))
		attempt_check(LIST_OF(try, struct attempt, penalty));
	attempts_await_gate(a);
}

/* --- AUTH ----------------------------------------------------------------- */

static bool
may_ask_for(const struct peer *p, uint8_t service)
{
	if (p->asker == SVC_SUBMITD)
		return service == SVC_SUBMITD;
	return starts_process(service) || service == SVC_LOGIN;
}

static void
set_user(struct attempt *t, struct str name)
{
	size_t i;

	(void)!str_copy(t->user, sizeof(t->user), name);
	for (i = 0; t->user[i]; i++)
		t->user[i] = ascii_lower(t->user[i]);
}

void
attempt_on_auth(struct peer *p, uint32_t tag, const struct msg_auth *m)
{
	struct attempt *t;

	if (!may_ask_for(p, m->service)) {
		authd_fail(p->chan, tag, false, "no such service", "");
		return;
	}
	t = attempt_new(p, tag, m->service, m->client);
	if (!t)
		return;
	set_user(t, m->user);
	(void)!str_copy(t->verify.password, sizeof(t->verify.password),
			m->password);
	attempt_gate(t);
}

/* --- SASL ----------------------------------------------------------------- */

static void
sasl_step(struct attempt *t, struct str input)
{
	bool decides = exchange_decides_next(&t->x);
	enum exchange_says says;
	struct str challenge;

	says = exchange_step(&t->x, t->authd->users, input, &challenge);
	set_user(t, str_of(t->x.user));
	if (t->x.mech->scheme) {
		t->unknown = !t->x.real;
		t->credential = t->x.credential;
	}
	switch (says) {
	case EXCHANGE_MORE:
		/* SCRAM ends with a message of ours, whose receipt the client
		 * confirms; what it proves has been proved. */
		if (decides)
			attempt_judged(t, ATTEMPT_RIGHT);
		buf_reset(&t->proof);
		answer_more(t, challenge);
		break;
	case EXCHANGE_PASSWORD:
		attempt_gate(t);
		break;
	case EXCHANGE_PROVED:
		answer_right(t);
		break;
	case EXCHANGE_FAILED:
		answer_wrong(t);
		break;
	case EXCHANGE_TROUBLE:
		answer_undecided(t, "out of memory");
		break;
	}
}

static void
sasl_input(struct attempt *t, struct str input)
{
	if (!t->authd->users) {
		answer_undecided(t, "no users file");
	} else if (!exchange_decides_next(&t->x) || input.n == 0) {
		sasl_step(t, input);
	} else if (buf_add_str(&t->proof, input) < 0) {
		answer_undecided(t, "out of memory");
	} else {
		attempt_gate(t);
	}
}

static void
set_binding(struct exchange_binding *b, struct str bytes)
{
	b->n = bytes.n;
	memcpy(b->bytes, bytes.p, bytes.n); /* the codec bounds it */
}

static const char *
refuses(const struct peer *p, const struct msg_sasl_begin *m,
	const struct exchange_mech *mech, bool plus)
{
	unsigned offered = plus ? p->authd->plus : p->authd->mechs;

	if (!may_ask_for(p, m->service))
		return "no such service";
	if (!mech || !(offered & 1u << (mech - exchange_mechs)))
		return "no such mechanism";
	if (map_get(&p->exchanges, MAP_KEY(m->exchange)))
		return "exchange number in use";
	return NULL;
}

void
attempt_on_begin(struct peer *p, uint32_t tag, const struct msg_sasl_begin *m)
{
	bool plus;
	const struct exchange_mech *mech = exchange_mech_find(m->mech, &plus);
	const char *why = refuses(p, m, mech, plus);
	struct attempt *t;

	if (why) {
		authd_fail(p->chan, tag, false, why, "");
		return;
	}
	t = attempt_new(p, tag, m->service, m->client);
	if (!t)
		return;
	t->x.mech = mech;
	t->x.plus = plus;
	t->x.secured = m->secured;
	t->x.password = t->verify.password;
	/* Where -PLUS is not offered there is nothing to bind to, and "y" of
	 * the client is the truth. */
	if (p->authd->plus & 1u << (mech - exchange_mechs)) {
		set_binding(&t->x.exporter, m->exporter);
		set_binding(&t->x.endpoint, m->endpoint);
		set_binding(&t->x.unique, m->unique);
	}
	t->number = m->exchange;
	if (!exchange_may_begin(&t->x)) {
		answer_fail(t, false, "not on this connection");
		return;
	}
	if (map_put(&p->exchanges, MAP_KEY(t->number), t) < 0) {
		answer_fail(t, true, "out of memory");
		return;
	}
	t->is_exchange = true;
	sasl_input(t, m->has_initial ? str_mem(m->initial.n ? m->initial.p : "",
					       m->initial.n)
				     : STR_NULL);
}

void
attempt_on_step(struct peer *p, uint32_t tag, const struct msg_sasl_step *m)
{
	struct attempt *t = map_get(&p->exchanges, MAP_KEY(m->exchange));

	if (!t || t->state != ATTEMPT_CLIENT) {
		authd_fail(p->chan, tag, true, "no such exchange", "");
		return;
	}
	list_remove(&t->idle);
	t->state = ATTEMPT_WORK;
	t->tag = tag;
	sasl_input(t,
		   str_mem(m->response.n ? m->response.p : "", m->response.n));
}

/* A request that waits for its answer still gets one; a parked one at once. */
void
attempt_on_cancel(struct peer *p, const struct msg_sasl_cancel *m)
{
	struct attempt *t = map_get(&p->exchanges, MAP_KEY(m->exchange));

	if (!t)
		return;
	if (t->state == ATTEMPT_CLIENT)
		attempt_free(t);
	else if (t->state == ATTEMPT_PARKED)
		answer_undecided(t, "cancelled");
	else
		t->cancelled = true;
}

/* --- ends ----------------------------------------------------------------- */

void
attempts_close(struct peer *p)
{
	struct attempt *t;

	work_queue_close(p->authd->workers, &p->queue);
	while (!list_empty(&p->attempts)) {
		t = LIST_OF(p->attempts.next, struct attempt, link);
		if (t->state == ATTEMPT_WORK)
			detach(t); /* in a thread, or with pamd */
		else
			attempt_free(t);
	}
	clients_fini(&p->clients);
	map_fini(&p->exchanges);
}

int64_t
attempts_expire(struct authd *a, uint64_t now_ms)
{
	struct attempt *t;

	while (!list_empty(&a->idle)) {
		t = LIST_OF(a->idle.next, struct attempt, idle);
		if (t->idle_until_ms > now_ms)
			return (int64_t)(t->idle_until_ms - now_ms);
		attempt_free(t);
	}
	return -1;
}
