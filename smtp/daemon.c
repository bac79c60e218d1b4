/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log.h"
#include "frame/jail.h"
#include "sasl.h"
#include "worker.h"

/* How long a worker that is being replaced may take to finish what it has. */
enum { DRAIN_S = 600 };

static void
preload(void)
{
	struct err err;

	if (sasl_preload(&err) < 0)
		log_warn("SASL: %s", err.text);
}

/* What the jail forbids later: the addresses of the interfaces. */
static int
confine(struct daemon *d, struct jail *j, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ERR_TEMP, ENOMEM, "no memory");
	d->app = w;
	if (worker_ports(w, &d->params, err) < 0 ||
	    own_load(&w->hub.own, params_str(&d->params, "listen_smtp"),
		     params_str(&d->params, "proxy_interfaces"), err) < 0)
		return -1;
	j->ports = w->ports;
	return 0;
}

static int
start(struct daemon *d, struct err *err)
{
	struct worker *w = d->app;
	struct hub *h = &w->hub;
	bool local = params_str(&d->params, "dialer_sockets").n != 0;

	h->loop = &d->loop;
	h->ports = w->ports;
	h->dns = dns_client_new(d);
	h->router = asker_new(d, SVC_ROUTER, NULL, NULL, d);
	h->tls = tls_client_new(d, SVC_TLSD_MX, NULL, NULL);
	if (local)
		h->dialer = asker_new(d, SVC_DIALER, NULL, NULL, d);
	if (!h->dns || !h->router || !h->tls || (local && !h->dialer))
		return err_set(err, ERR_TEMP, ENOMEM, "no memory");
	return worker_init(w, &d->params, err);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	worker_peer(d->app, row, fd);
}

static void
leave(void *arg)
{
	struct daemon *d = arg;
	struct worker *w = d->app;

	kept_fini(&w->hub.kept); /* with QUIT */
	daemon_exit(d, EX_OK);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct worker *w = d->app;

	(void)fd;
	(void)what;
	log_warn("%u deliveries have not ended after %d s: given up",
		 w->ndeliveries, DRAIN_S);
	leave(d);
}

static void
drain(struct daemon *d)
{
	struct timeval tv = { DRAIN_S, 0 };
	struct worker *w = d->app;

	worker_leave(w);
	w->idle = leave;
	w->arg = d;
	if (w->ndeliveries == 0)
		leave(d);
	else
		event_base_once(d->loop.base, -1, EV_TIMEOUT, on_late, d, &tv);
}

const struct daemon_ops smtp_ops = {
	.id = SVC_SMTP,
	.preload = preload,
	.confine = confine,
	.start = start,
	.peer = peer,
	.drain = drain,
};
