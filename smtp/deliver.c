/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver.h"
#include "mail/utf8.h"

enum { SITE_MS = 30000, KEY_MAX = TRANSPORT_MAX + WHERE_MAX + ADDRESS_MAX + 3 };

struct delivery {
	struct hub *hub;
	struct letter *letter;
	struct event *late;
	const struct settings *set;
	delivery_done_cb *done;
	void *arg;
	uint32_t *all; /* the numbers of all recipients */

	struct str rest, fallback; /* destinations that come later */
	bool in_fallback;
	struct str dest; /* the present one, as it is written */
	struct nexthop to;
	struct hosts *hosts; /* NULL: none are left, or a local socket */
	struct server server;
	struct session_plan plan;
	bool has_plan;	/* for each address of plan.host */
	bool no_login;	/* plan.host has refused the password */
	bool returning; /* no other server is to be tried */
	unsigned naddrs, nsessions;

	struct dial *dial;
	uint32_t site_tag;
	struct session *session;
	bool reused;	     /* session was kept */
	bool talked;	     /* it has been ready */
	struct addr used_at; /* a kept session has tried there; family 0: no */

	struct delivery_end end;
	struct fault last; /* for recipients without a fault of their own */
	char last_text[TEXT_MAX + 1], last_dsn[17];
	bool unsaid; /* log it if another server is tried */
	struct buf dialog;
};

static void proceed(struct delivery *d);
static void on_late(evutil_socket_t fd, short what, void *arg);
static void on_ready(void *arg);
static void on_done(void *arg, bool reusable);
static void on_end(void *arg, enum session_end why, const struct fault *f);

static const struct session_ops session_ops = { on_ready, on_done, on_end };

/* --- life ------------------------------------------------------------------
 */

struct delivery *
delivery_new(struct hub *hub, struct letter *l, const struct settings *set,
	     delivery_done_cb *done, void *arg)
{
	struct delivery *d = calloc(1, sizeof(*d));
	uint32_t i;

	if (d)
		d->all = calloc(l->nrcpts + 1, sizeof(*d->all));
	if (d && d->all)
		d->late = evtimer_new(hub->loop->base, on_late, d);
	if (!d || !d->late) {
		if (d)
			free(d->all);
		free(d);
		letter_free(l);
		return NULL;
	}
	for (i = 0; i < l->nrcpts; i++)
		d->all[i] = i;
	d->hub = hub;
	d->letter = l;
	d->set = set;
	d->done = done;
	d->arg = arg;
	d->rest = l->nexthop;
	d->fallback = set->fallback_relay;
	d->last = (struct fault){
		.class = DELIVER_TEMP,
		.dsn = STR("4.3.0"),
		.text = STR("out of memory"),
		.reply = STR(""),
	};
	buf_init(&d->dialog, SEND_DIALOG_MAX);
	return d;
}

static void
delivery_free(struct delivery *d)
{
	event_free(d->late);
	dial_cancel(d->dial);
	if (d->site_tag)
		asker_cancel(d->hub->router, d->site_tag);
	if (d->session)
		session_free(d->session);
	hosts_free(d->hosts);
	buf_fini(&d->dialog);
	explicit_bzero(d->plan.password, sizeof(d->plan.password));
	free(d->all);
	free(d);
}

void
delivery_cancel(struct delivery *d)
{
	struct letter *l = d->letter;

	delivery_free(d);
	letter_free(l);
}

static void
finish(struct delivery *d)
{
	struct letter *l = d->letter;
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++) {
		struct letter_rcpt *r = &l->rcpts[i];

		if (r->settled || r->has_result)
			continue;
		r->result = d->last;
		r->relay = STR("none");
		r->mta = STR("");
	}
	d->end.dialog = buf_str(&d->dialog);
	d->done(d->arg, l, &d->end);
	delivery_free(d);
}

/* --- faults --------------------------------------------------------------- */

static void
set_last(struct delivery *d, enum deliver_class class, const char *dsn,
	 struct str text)
{
	(void)snprintf(d->last_text, sizeof(d->last_text), "%.*s",
		       STR_FMT(text));
	d->last = (struct fault){
		.class = class,
		.dsn = str_of(dsn),
		.text = str_of(d->last_text),
		.reply = STR(""),
	};
}

static const struct letter_server nobody = { "none", "" };

/* Of the way to a server, not of one that was spoken to. */
static void fault(struct delivery *d, enum deliver_class class, const char *dsn,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
fault(struct delivery *d, enum deliver_class class, const char *dsn,
      const char *fmt, ...)
{
	char text[TEXT_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	set_last(d, class, dsn, str_of(text));
	letter_note_all(d->letter, &nobody, &d->last);
}

/* The destination could not be reached, as far as this server goes. */
static void
failed(struct delivery *d)
{
	if (d->end.site == SEND_SITE_UNKNOWN)
		d->end.site = SEND_SITE_FAILED;
}

/* Is the nexthop the domain of one of those who are written to?  Else it comes
 * from relayhost or a table. */
static bool
is_theirs(const struct letter *l)
{
	struct str domain;
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++) {
		domain = l->rcpts[i].to.address;
		domain = str_from(domain, (size_t)(str_rfind(domain, '@') + 1));
		if (str_ieq(domain, l->nexthop))
			return true;
	}
	return false;
}

/* What is wrong with our own configuration must not return mail (Postfix defers
 * so for relayhost; here for tables as well).  Where a server has said "later",
 * its words tell more. */
static void
configuration_fault(struct delivery *d, struct str text)
{
	const struct letter_rcpt *r;
	uint32_t i;

	log_warn("%s configuration problem: %s",
		 d->in_fallback ? "smtp_fallback_relay"
				: "relayhost or transport",
		 LOGQ(text));
	failed(d);
	set_last(d, DELIVER_TEMP, "4.3.5", text);
	for (i = 0; i < d->letter->nrcpts; i++) {
		r = &d->letter->rcpts[i];
		if (!r->has_result || r->result.class != DELIVER_TEMP ||
		    !r->mta.n)
			letter_note(d->letter, i, &nobody, &d->last);
	}
}

/* There are no servers. */
static void
destination_fault(struct delivery *d, enum deliver_class class, const char *dsn,
		  struct str text)
{
	if (class == DELIVER_PERM &&
	    (d->in_fallback || !is_theirs(d->letter))) {
		configuration_fault(d, text);
		return;
	}
	if (class == DELIVER_TEMP)
		failed(d);
	fault(d, class, dsn, "%.*s", STR_FMT(text));
}

static void
say_last(struct delivery *d)
{
	if (d->unsaid)
		log_line(LOG_INFO_, d->letter->id.p, "%s",
			 LOGQ(str_of(d->last_text)));
	d->unsaid = false;
}

/* --- sessions that are kept ----------------------------------------------- */

static struct str
site_key(const struct delivery *d, char key[KEY_MAX])
{
	const struct letter *l = d->letter;
	bool by_sender = d->set->sasl.enable && d->set->sasl.sender_dependent;
	struct str sender = by_sender ? l->sender : STR("");
	int n = snprintf(key, KEY_MAX, "%.*s %.*s %.*s", STR_FMT(l->transport),
			 STR_FMT(l->nexthop), STR_FMT(sender));

	return str_mem(key, n < KEY_MAX ? (size_t)n : KEY_MAX - 1);
}

static bool
is_listed(struct str list, struct str nexthop)
{
	struct str item;

	while (nexthop_next(&list, &item))
		if (str_ieq(item, nexthop))
			return true;
	return false;
}

/* Keep the session, or end it.  One with a fallback relay is not kept: the next
 * letter should look for the real servers again. */
static void
put_away(struct delivery *d, struct session *s)
{
	const struct settings *set = d->set;
	uint64_t age = clock_mono_ms() - session_opened_ms(s);
	unsigned ms = set->cache_ms;
	char key[KEY_MAX];

	if (age < set->reuse_ms && set->reuse_ms - age < ms)
		ms = (unsigned)(set->reuse_ms - age);
	if (!d->in_fallback && age < set->reuse_ms &&
	    (set->reuse_count == 0 || session_uses(s) < set->reuse_count) &&
	    (set->cache_on_demand ||
	     is_listed(set->cache_destinations, d->letter->nexthop)) &&
	    kept_put(&d->hub->kept, site_key(d, key), s,
		     d->reused ? &d->used_at : &d->server.addr, ms))
		d->end.kept = true;
	else
		session_quit(s);
}

static bool
take_kept(struct delivery *d)
{
	char key[KEY_MAX];

	d->session = kept_take(&d->hub->kept, site_key(d, key), &d->used_at);
	if (!d->session)
		return false;
	d->reused = d->talked = true;
	session_set_owner(d->session, &session_ops, d);
	session_send(d->session, d->letter, d->all, d->letter->nrcpts);
	return true;
}

/* --- destinations and their servers ----------------------------------------
 */

static void
on_hosts(void *arg)
{
	proceed(arg);
}

/* False: there is none any more. */
static bool
next_destination(struct delivery *d)
{
	struct err err;

	hosts_free(d->hosts);
	d->hosts = NULL;
	d->has_plan = false;
	d->naddrs = d->nsessions = 0;
	if (!nexthop_next(&d->rest, &d->dest)) {
		d->rest = d->fallback;
		d->fallback = STR("");
		d->in_fallback = true;
		if (!nexthop_next(&d->rest, &d->dest))
			return false;
	}
	if (nexthop_parse(d->dest, d->set->lmtp, d->set->port, &d->to, &err) <
	    0) {
		destination_fault(d, DELIVER_PERM, "5.1.2", str_of(err.text));
		d->to.kind = NEXTHOP_DOMAIN; /* without hosts */
		return true;
	}
	if (d->to.kind == NEXTHOP_UNIX)
		return true;
	d->hosts = hosts_new(d->hub->dns, &d->hub->own, d->set, &d->to,
			     on_hosts, d);
	if (!d->hosts)
		fault(d, DELIVER_TEMP, "4.3.0", "out of memory");
	return true;
}

/* A kept session was with this one; or a host that has refused the password
 * under one address is not to count more failures under the others. */
static bool
is_passed_over(const struct delivery *d)
{
	return addr_same(&d->server.addr, &d->used_at) ||
	       (d->no_login && strcmp(d->server.host, d->plan.host) == 0);
}

/* The next server of the present destination. */
static enum hosts_next
next_server(struct delivery *d)
{
	const struct settings *set = d->set;
	const struct fault *f;
	enum hosts_next next;

	if ((set->mx_address_limit && d->naddrs >= set->mx_address_limit) ||
	    (set->mx_session_limit && d->nsessions >= set->mx_session_limit))
		return HOSTS_END;
	if (d->to.kind == NEXTHOP_UNIX) {
		d->server = (struct server){ .addr.sa.sa_family = AF_UNIX };
		(void)str_copy(d->server.host, sizeof(d->server.host),
			       set->myhostname);
		return d->naddrs++ || d->used_at.sa.sa_family == AF_UNIX
			       ? HOSTS_END
			       : HOSTS_SERVER;
	}
	if (!d->hosts)
		return HOSTS_END;
	do
		next = hosts_next(d->hosts, &d->server);
	while (next == HOSTS_SERVER && is_passed_over(d));
	if (next == HOSTS_SERVER)
		d->naddrs++;
	if (next != HOSTS_END)
		return next;
	if ((f = hosts_fault(d->hosts)))
		destination_fault(d, f->class, f->dsn.p, f->text);
	if (hosts_no_fallback(d->hosts))
		d->fallback = STR("");
	return next;
}

/* --- connecting -------------------------------------------------------------
 */

static void
connect_failed(struct delivery *d, const char *why, bool local)
{
	fault(d, DELIVER_TEMP, "4.4.1", "connect to %s: %s", d->plan.relay,
	      why);
	log_info("%s", LOGQ(str_of(d->last_text)));
	if (!local)
		failed(d);
}

static void
on_dialed(void *arg, int fd, const char *why, bool local)
{
	struct delivery *d = arg;

	d->dial = NULL;
	if (fd < 0) {
		connect_failed(d, why, local);
		proceed(d);
		return;
	}
	d->reused = d->talked = false;
	d->session = session_new(d->hub->loop, fd, &d->plan, d->hub->tls,
				 &session_ops, d);
	if (!d->session) {
		fault(d, DELIVER_TEMP, "4.3.0", "out of memory");
		proceed(d);
	}
}

static bool
may_connect(const struct hub *hub, unsigned port)
{
	const uint16_t *p = hub->ports;

	while (p && *p && *p != port)
		p++;
	return !p || *p;
}

/* False: it has failed at once. */
static bool
dial(struct delivery *d)
{
	unsigned port = d->to.port;
	struct err err;

	if (!d->end.began_us)
		d->end.began_us = clock_wall_us();
	if (d->to.kind == NEXTHOP_UNIX) {
		d->dial = dial_unix(d->hub->dialer, d->set, d->to.path,
				    on_dialed, d, &err);
	} else if (may_connect(d->hub, port)) {
		d->dial = dial_tcp(d->hub->loop, d->set, &d->server.addr,
				   on_dialed, d, &err);
	} else {
		err_set(&err, ERR_TEMP, EMFILE,
			"port %u is not among smtp_connect_ports", port);
	}
	if (d->dial)
		return true;
	connect_failed(d, err.text, dial_is_local(err.code));
	return false;
}

/* How to speak with the hosts of this name; false: it cannot be told. */
static bool
make_plan(struct delivery *d, const struct msg_sited *site)
{
	struct session_plan *p = &d->plan;
	struct err err;

	if (site && site->verdict != ROUTE_OK) {
		/* It would be so with each server. */
		fault(d, DELIVER_TEMP, "4.3.0", "%.*s", STR_FMT(site->text));
		d->returning = true;
		return false;
	}
	p->lmtp = d->set->lmtp;
	p->set = d->set;
	(void)str_copy(p->host, sizeof(p->host), str_of(d->server.host));
	(void)str_copy(p->nexthop, sizeof(p->nexthop), str_of(d->to.host));
	p->loop_detect = !p->lmtp && d->to.port == d->set->port;
	p->has_auth = d->set->sasl.enable && site && site->has_auth;
	if (p->has_auth &&
	    (!str_copy(p->user, sizeof(p->user), site->user) ||
	     !str_copy(p->password, sizeof(p->password), site->password))) {
		fault(d, DELIVER_TEMP, "4.7.0",
		      "user or password for %s is too long", p->host);
		return false;
	}
	if (d->to.kind == NEXTHOP_UNIX) {
		p->tls = (struct tls_plan){ .level = TLS_PLAN_NONE };
	} else if (tls_policy(&d->set->tls, site, d->dest, str_of(p->host),
			      d->server.literal, &p->tls, &err) < 0) {
		fault(d, DELIVER_TEMP, "4.7.5", "%s", err.text);
		failed(d);
		return false;
	}
	d->has_plan = true;
	d->no_login = false;
	return true;
}

static bool
connect_to(struct delivery *d)
{
	struct session_plan *p = &d->plan;
	char text[ADDR_TEXT_MAX];

	p->addr = d->server.addr;
	p->best_mx = d->server.best;
	if (d->to.kind == NEXTHOP_UNIX)
		(void)snprintf(p->relay, sizeof(p->relay), "%.200s[%s]",
			       p->host, d->to.path);
	else
		(void)snprintf(p->relay, sizeof(p->relay), "%s[%s]:%u", p->host,
			       addr_text(&p->addr, text), d->to.port);
	return dial(d);
}

static void
on_sited(void *arg, const struct msg_def *def, void *msg)
{
	struct delivery *d = arg;
	struct msg_sited none = {
		.verdict = ROUTE_TEMP,
		.text = STR("router is not there"),
	};

	d->site_tag = 0;
	if (!make_plan(d, def ? msg : &none) || !connect_to(d))
		proceed(d);
}

/* The destination as tables have it: as it is written, but a domain of other
 * letters in one form only, so that no policy can be evaded by the spelling. */
static struct str
site_nexthop(const struct delivery *d)
{
	return utf8_is_ascii(d->dest) || d->to.kind != NEXTHOP_DOMAIN ||
			       d->to.port != d->set->port
		       ? d->dest
		       : str_of(d->to.host);
}

static bool
ask_site(struct delivery *d)
{
	bool tls = d->set->tls.has_maps, auth = d->set->sasl.enable;
	struct msg_site m = {
		.transport = d->letter->transport,
		.nexthop = site_nexthop(d),
		.host = str_of(d->server.host),
		.sender = d->letter->sender,
		.port = (uint16_t)d->to.port,
		.want = (uint8_t)((tls ? SITE_TLS : 0) |
				  (auth ? SITE_AUTH : 0)),
	};

	d->site_tag = asker_send(d->hub->router, &msg_site_def, &m, SITE_MS,
				 on_sited, d);
	if (!d->site_tag)
		fault(d, DELIVER_TEMP, "4.3.0", "router is busy");
	return d->site_tag != 0;
}

/* Begin with d->server; false: that has failed at once. */
static bool
approach(struct delivery *d)
{
	say_last(d);
	if (d->has_plan && strcmp(d->plan.host, d->server.host) == 0)
		return connect_to(d);
	d->has_plan = false;
	if (d->set->tls.has_maps || d->set->sasl.enable)
		return ask_site(d);
	return make_plan(d, NULL) && connect_to(d);
}

/* Go on where the delivery stands, until something has to be waited for. */
static void
proceed(struct delivery *d)
{
	while (d->letter->nsettled < d->letter->nrcpts && !d->returning) {
		switch (next_server(d)) {
		case HOSTS_SERVER:
			if (approach(d))
				return;
			break;
		case HOSTS_WAIT:
			return;
		case HOSTS_END:
			if (!next_destination(d))
				d->returning = true;
			break;
		}
	}
	finish(d);
}

void
delivery_start(struct delivery *d)
{
	const struct timeval tv = { d->hub->within_ms / 1000,
				    d->hub->within_ms % 1000 * 1000 };

	if (d->hub->within_ms)
		evtimer_add(d->late, &tv);
	if (!take_kept(d))
		proceed(d);
}

/* --- the session ------------------------------------------------------------
 */

static void
keep_dialog(struct delivery *d)
{
	struct str s = session_dialog(d->session);

	buf_reset(&d->dialog);
	if (s.n > SEND_DIALOG_MAX)
		s = str_from(s, s.n - SEND_DIALOG_MAX);
	(void)buf_add_str(&d->dialog, s);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct delivery *d = arg;

	(void)fd;
	(void)what;
	if (d->session)
		keep_dialog(d);
	fault(d, DELIVER_TEMP, "4.4.2", "delivery is not done after %u seconds",
	      d->hub->within_ms / 1000);
	failed(d);
	finish(d);
}

static void
on_ready(void *arg)
{
	struct delivery *d = arg;

	d->talked = true;
	d->nsessions++;
	if (!d->end.up_us)
		d->end.up_us = clock_wall_us();
	session_send(d->session, d->letter, d->all, d->letter->nrcpts);
}

static void
on_done(void *arg, bool reusable)
{
	struct delivery *d = arg;
	struct session *s = d->session;
	const struct letter *l = d->letter;
	uint32_t i;

	for (i = 0; i < l->nrcpts; i++)
		if (!l->rcpts[i].settled ||
		    l->rcpts[i].result.class != DELIVER_OK)
			break;
	if (i < l->nrcpts)
		keep_dialog(d);
	d->end.site = SEND_SITE_OK;
	d->session = NULL;
	if (reusable)
		put_away(d, s);
	proceed(d);
}

/* A handshake that failed where TLS was to be had for the asking: once more
 * without (RFC 7435). Not with a password to be shown to whoever broke it. */
static bool
may_go_plain(const struct delivery *d)
{
	return d->plan.tls.level == TLS_MAY && !d->plan.tls.wrapper &&
	       !d->plan.has_auth;
}

static void
note_end(struct delivery *d, const struct fault *f)
{
	const struct letter_server at = { d->plan.relay, d->plan.host };
	uint32_t i;

	(void)snprintf(d->last_text, sizeof(d->last_text), "%.*s",
		       STR_FMT(f->text));
	(void)!str_copy(d->last_dsn, sizeof(d->last_dsn), f->dsn);
	d->last = *f;
	d->last.dsn = str_of(d->last_dsn);
	d->last.text = str_of(d->last_text);
	d->last.reply = STR("");
	d->unsaid = true;
	for (i = 0; !d->talked && i < d->letter->nrcpts; i++)
		if (f->class == DELIVER_PERM)
			letter_settle(d->letter, i, &at, f, false);
		else
			letter_note(d->letter, i, &at, f);
}

static void
on_end(void *arg, enum session_end why, const struct fault *f)
{
	struct delivery *d = arg;
	uint32_t i;

	keep_dialog(d);
	d->session = NULL;
	if (why == SESSION_STALE) {
		/* Servers close what is kept whenever they like: from the
		 * beginning. (Not if it is lost later: after the text, the
		 * message may have been taken.) */
		d->used_at = (struct addr){ 0 };
		for (i = 0; i < d->letter->nrcpts; i++)
			d->letter->rcpts[i].has_result =
				d->letter->rcpts[i].settled;
		proceed(d);
		return;
	}
	note_end(d, f);
	if (why != SESSION_LOCAL)
		failed(d);
	d->no_login = why == SESSION_NO_LOGIN;
	if (why == SESSION_NO_TLS && may_go_plain(d)) {
		say_last(d);
		d->plan.tls.level = TLS_PLAN_NONE;
		d->has_plan = false; /* for the next address */
		if (dial(d))
			return;
	}
	proceed(d);
}
