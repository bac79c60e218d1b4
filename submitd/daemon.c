/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "receive/receiver.h"
#include "submitd.h"

static int
load(struct receive_conf *c, const struct params *p, struct err *err)
{
	c->may_submit = params_str(p, "authorized_submit_users");
	c->may_list = params_str(p, "authorized_mailq_users");
	c->may_flush = params_str(p, "authorized_flush_users");
	c->tls = params_bool(p, "smtpd_tls_auth_only") ? RECEIVE_TLS_ENCRYPT
						       : RECEIVE_TLS_MAY;
	c->mechs = params_str(p, "auth_mechanisms");
	c->plain_loopback =
		str_eq(params_str(p, "plaintext_logins"), STR("loopback"));
	c->failure_ms = (unsigned)params_num(p, "auth_failure_delay") * 1000;
	c->old_auth_line = params_bool(p, "broken_sasl_auth_clients");
	c->uid_connections =
		(unsigned)params_num(p, "submission_uid_connection_limit");
	c->uid_minute =
		(unsigned)params_num(p, "submission_uid_message_rate_limit");
	c->uid_hour =
		(unsigned)params_num(p, "submission_uid_message_hour_limit");
	c->check_sender = params_bool(p, "submission_check_sender");
	c->hide_client = params_bool(p, "submission_hide_client");
	c->auth_header = params_bool(p, "smtpd_sasl_authenticated_header");
	if (authorized_check(c->may_submit, "authorized_submit_users", err) <
		    0 ||
	    authorized_check(c->may_list, "authorized_mailq_users", err) < 0)
		return -1;
	return authorized_check(c->may_flush, "authorized_flush_users", err);
}

static const struct receiver receiver = {
	.id = SVC_SUBMITD,
	.name = "submission",
	.tlsd = SVC_TLSD_USER,
	.use = TLS_SUBMISSION,
	.offers = SMTP_OFFER_DSN | SMTP_OFFER_UTF8 | SMTP_OFFER_AUTH,
	.tls_listens = "listen_submissions",
	.load = load,
	.mechs = auth_mechs,
	.auth = auth_begin,
	.response = auth_response,
	.mail = sender_check,
	.header = header_fix,
	.local = local_verb,
};

static int
start(struct daemon *d, struct err *err)
{
	int fd = daemon_fd(d, "passwd", 0);

	if (receiver_start(d, &receiver, err) < 0)
		return -1;
	if (fd >= 0 && (fd = dup(fd)) >= 0)
		authorized_table(d, STR("passwd"), fd);
	return 0;
}

const struct daemon_ops submitd_ops = {
	.id = SVC_SUBMITD,
	.start = start,
	.table = authorized_table,
	.drain = receiver_drain,
};
