/* SPDX-License-Identifier: ISC */
#include "receive/receiver.h"
#include "smtpd.h"

static int
load(struct receive_conf *c, const struct params *p, struct err *err)
{
	struct str level = params_str(p, "smtpd_tls_security_level");

	c->tls = str_eq(level, STR("encrypt")) ? RECEIVE_TLS_ENCRYPT
		 : str_eq(level, STR("may"))   ? RECEIVE_TLS_MAY
					       : RECEIVE_TLS_NONE;
	c->untrusted_routing = params_bool(p, "allow_untrusted_routing");
	return nets_load(&c->trusted, p, "mynetworks", err);
}

static const struct receiver receiver = {
	.id = SVC_SMTPD,
	.name = "smtp",
	.tlsd = SVC_TLSD_MX,
	.use = TLS_SMTP,
	.offers = SMTP_OFFER_DSN | SMTP_OFFER_UTF8,
	.load = load,
};

static int
start(struct daemon *d, struct err *err)
{
	return receiver_start(d, &receiver, err);
}

const struct daemon_ops smtpd_ops = {
	.id = SVC_SMTPD,
	.start = start,
	.table = receiver_table,
	.drain = receiver_drain,
};
