/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "receive/receiver.h"

int
nets_load(struct nets *nets, const struct params *p, const char *name,
	  struct err *err)
{
	struct str list = params_str(p, name);
	struct addr_net *v, net;
	struct str item;

	while (str_token(&list, ", \t", &item)) {
		if (addr_net_parse(item, &net, err) < 0)
			return err_prefix(err, "%s", name);
		v = reallocarray(nets->v, nets->n + 1, sizeof(*v));
		if (!v)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		nets->v = v;
		nets->v[nets->n++] = net;
	}
	return 0;
}

bool
nets_have(const struct nets *nets, const struct addr *a)
{
	size_t i;

	for (i = 0; i < nets->n; i++)
		if (addr_net_has(&nets->v[i], a))
			return true;
	return false;
}

static unsigned
load_ehlo(struct str list)
{
	static const struct {
		const char *word;
		enum receive_ehlo bit;
	} words[] = {
		{ "pipelining", EHLO_NO_PIPELINING },
		{ "size", EHLO_NO_SIZE },
		{ "8bitmime", EHLO_NO_8BITMIME },
		{ "enhancedstatuscodes", EHLO_NO_STATUSCODES },
		{ "starttls", EHLO_NO_STARTTLS },
		{ "auth", EHLO_NO_AUTH },
		{ "dsn", EHLO_NO_DSN },
		{ "smtputf8", EHLO_NO_UTF8 },
	};
	struct str item;
	unsigned bits = 0;
	size_t i;

	while (str_token(&list, ", \t", &item))
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (str_ieq(item, str_of(words[i].word)))
				bits |= words[i].bit;
	return bits;
}

static unsigned
number(const struct params *p, const char *name)
{
	return (unsigned)params_num(p, name);
}

int
receive_conf_load(struct receive_conf *c, const struct receiver *r,
		  const struct params *p, struct err *err)
{
	*c = (struct receive_conf){
		.hostname = params_str(p, "myhostname"),
		.origin = params_str(p, "myorigin"),
		.banner = params_str(p, "smtpd_banner"),
		.mail_name = params_str(p, "mail_name"),
		.forbidden = params_str(p, "smtpd_forbidden_commands"),
		.soft_bounce = params_bool(p, "soft_bounce"),
		.helo_required = params_bool(p, "smtpd_helo_required"),
		.no_vrfy = params_bool(p, "disable_vrfy_command"),
		.strict_envelopes = params_bool(p, "strict_rfc821_envelopes"),
		.forbid_pipelining =
			params_bool(p, "smtpd_forbid_unauth_pipelining"),
		.ehlo = load_ehlo(params_str(p, "smtpd_discard_ehlo_keywords")),
		.message_size = (uint64_t)params_num(p, "message_size_limit"),
		.field_size = (size_t)params_num(p, "header_size_limit"),
		.header_size = (size_t)params_num(p, "header_block_size_limit"),
		.command_line = (size_t)params_num(p, "line_length_limit"),
		.text_line = (size_t)params_num(p, "smtpd_text_line_limit"),
		.hops = number(p, "hopcount_limit"),
		.rcpts = number(p, "smtpd_recipient_limit"),
		.soft_errors = number(p, "smtpd_soft_error_limit"),
		.hard_errors = number(p, "smtpd_hard_error_limit"),
		.junk = number(p, "smtpd_junk_command_limit"),
		.sleep_ms = number(p, "smtpd_error_sleep_time") * 1000,
		.timeout_ms = number(p, "smtpd_timeout") * 1000,
		.data_rate = number(p, "smtpd_min_data_rate"),
		.sessions = number(p, "smtpd_session_limit"),
		.client_sessions =
			number(p, "smtpd_client_connection_count_limit"),
		.tls_header = params_bool(p, "smtpd_tls_received_header"),
		.tls_loglevel = number(p, "smtpd_tls_loglevel"),
		.tls_timeout_ms = number(p, "smtpd_starttls_timeout") * 1000,
		.worker_sessions = number(p, "smtpd_worker_sessions"),
	};
	if (r->load(c, p, err) < 0)
		return -1;
	if (params_bool(p, "smtpd_tls_req_ccert"))
		c->tls_ccert = c->tls == RECEIVE_TLS_ENCRYPT ? 2 : 1;
	else
		c->tls_ccert = params_bool(p, "smtpd_tls_ask_ccert");
	if (!params_bool(p, "smtputf8_enable"))
		c->ehlo |= EHLO_NO_UTF8;
	return nets_load(&c->unlimited, p,
			 "smtpd_client_event_limit_exceptions", err);
}

void
receive_conf_fini(struct receive_conf *c)
{
	free(c->trusted.v);
	free(c->unlimited.v);
	c->trusted = c->unlimited = (struct nets){ 0 };
}
