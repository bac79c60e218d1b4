/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "named.h"
#include "settings.h"

static void
load_numbers(struct settings *s, const struct params *p)
{
	const struct {
		const char *key;
		unsigned *to, factor;
	} rows[] = {
		{ "connect_timeout", &s->connect_ms, 1000 },
		{ "helo_timeout", &s->helo_ms, 1000 },
		{ "mail_timeout", &s->mail_ms, 1000 },
		{ "rcpt_timeout", &s->rcpt_ms, 1000 },
		{ "data_init_timeout", &s->data_init_ms, 1000 },
		{ "data_xfer_timeout", &s->data_xfer_ms, 1000 },
		{ "data_done_timeout", &s->data_done_ms, 1000 },
		{ "rset_timeout", &s->rset_ms, 1000 },
		{ "quit_timeout", &s->quit_ms, 1000 },
		{ "line_length_limit", &s->line_length_limit, 1 },
		{ "mx_address_limit", &s->mx_address_limit, 1 },
		{ "mx_session_limit", &s->mx_session_limit, 1 },
		{ "connection_cache_time_limit", &s->cache_ms, 1000 },
		{ "connection_reuse_time_limit", &s->reuse_ms, 1000 },
		{ "connection_reuse_count_limit", &s->reuse_count, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		*rows[i].to = named_num(p, s->transport, rows[i].key) *
			      rows[i].factor;
}

static void
load_switches(struct settings *s, const struct params *p)
{
	const struct {
		const char *key;
		bool *to;
	} rows[] = {
		{ "always_send_ehlo", &s->always_ehlo },
		{ "never_send_ehlo", &s->never_ehlo },
		{ "skip_5xx_greeting", &s->skip_5xx_greeting },
		{ "skip_quit_response", &s->skip_quit_response },
		{ "defer_if_no_mx_address_found", &s->defer_if_no_mx },
		{ "randomize_addresses", &s->randomize_addresses },
		{ "balance_inet_protocols", &s->balance },
		{ "connection_cache_on_demand", &s->cache_on_demand },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		*rows[i].to = named_num(p, s->transport, rows[i].key) != 0;
}

static unsigned
discarded(struct str list)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "pipelining", DISCARD_PIPELINING },
		{ "size", DISCARD_SIZE },
		{ "8bitmime", DISCARD_8BITMIME },
		{ "smtputf8", DISCARD_SMTPUTF8 },
		{ "dsn", DISCARD_DSN },
		{ "chunking", DISCARD_CHUNKING },
		{ "starttls", DISCARD_STARTTLS },
		{ "auth", DISCARD_AUTH },
	};
	struct str word;
	unsigned bits = 0;
	size_t i;

	while (str_token(&list, ", \t", &word))
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (str_ieq(word, str_of(words[i].word)))
				bits |= words[i].bit;
	return bits;
}

static int
bind_address(struct addr *a, struct str s, int family, const char *name,
	     struct err *err)
{
	*a = (struct addr){ 0 };
	if (s.n == 0)
		return 0;
	if (addr_parse(s, a, err) == 0 && a->sa.sa_family == family)
		return 0;
	return err_set(err, ERR_PERM, EINVAL,
		       "%s: \"%.*s\" is no IPv%d address", name,
		       STR_FMT(str_head(s, 60)), family == AF_INET ? 4 : 6);
}

/* The client of the transport: its own name says which ("lmtp"), or
 * NAME_transport of one of $transports does. */
static int
find_client(struct settings *s, const struct params *p, struct err *err)
{
	char name[128];
	struct str by = str_of(s->transport);

	if (str_eq(by, STR("smtp")) || str_eq(by, STR("relay")))
		return 0;
	(void)snprintf(name, sizeof(name), "%s_transport", s->transport);
	if (!str_eq(by, STR("lmtp")) && params_has(p, name)) {
		by = params_str(p, name);
		(void)str_cut(&by, ':', &by);
	}
	s->lmtp = str_eq(by, STR("lmtp"));
	if (s->lmtp || str_eq(by, STR("smtp")) || str_eq(by, STR("relay")))
		return 0;
	return err_set(err, ERR_PERM, ENOENT, "mail transport unavailable");
}

static void
load_texts(struct settings *s, const struct params *p)
{
	struct str v;

	s->myhostname = params_str(p, "myhostname");
	s->helo_name =
		named_str(p, s->transport, s->lmtp ? "lhlo_name" : "helo_name");
	s->port = named_num(p, s->transport, "tcp_port");
	s->cache_destinations =
		named_str(p, s->transport, "connection_cache_destinations");
	s->fallback_relay = named_str(p, s->transport, "fallback_relay");
	s->discard =
		discarded(named_str(p, s->transport, "discard_ehlo_keywords"));
	v = named_str(p, s->transport, "address_preference");
	s->preference = str_eq(v, STR("ipv4"))	 ? PREFER_IPV4
			: str_eq(v, STR("ipv6")) ? PREFER_IPV6
						 : PREFER_ANY;
	v = named_str(p, s->transport, "dns_support_level");
	s->dns_level = str_eq(v, STR("disabled")) ? DNS_LEVEL_DISABLED
		       : str_eq(v, STR("dnssec")) ? DNS_LEVEL_DNSSEC
						  : DNS_LEVEL_ENABLED;
	v = params_str(p, "inet_protocols");
	s->ipv4 = !str_eq(v, STR("ipv6"));
	s->ipv6 = !str_eq(v, STR("ipv4"));
}

struct settings *
settings_load(const struct params *p, struct str transport, struct err *err)
{
	struct settings *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(err, ERR_TEMP, ENOMEM, "no memory");
		return NULL;
	}
	if (!str_copy(s->transport, sizeof(s->transport), transport)) {
		err_set(err, ERR_PERM, ENOENT, "mail transport unavailable");
		goto fail;
	}
	if (find_client(s, p, err) < 0)
		goto fail;
	load_numbers(s, p);
	load_switches(s, p);
	load_texts(s, p);
	if (bind_address(&s->bind4, named_str(p, s->transport, "bind_address"),
			 AF_INET, "smtp_bind_address", err) < 0 ||
	    bind_address(&s->bind6, named_str(p, s->transport, "bind_address6"),
			 AF_INET6, "smtp_bind_address6", err) < 0 ||
	    tls_settings_load(&s->tls, p, s->transport, err) < 0 ||
	    sasl_settings_load(&s->sasl, p, s->transport, err) < 0)
		goto fail;
	return s;
fail:
	free(s);
	return NULL;
}

void
settings_free(struct settings *s)
{
	free(s);
}
