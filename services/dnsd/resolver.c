/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <unbound-event.h>
#include <unbound.h>

#include "name.h"
#include "resolver.h"

struct resolver {
	struct ub_ctx *ctx;
};

enum { CLASS_IN = 1, SEC_BOGUS = 1, SEC_SECURE = 2 };

/* --- settings ------------------------------------------------------------ */

static int
ub_fail(int rc, const char *what, struct err *err)
{
	return err_set(err, rc == UB_NOMEM ? ERR_TEMP : ERR_PERM, 0,
		       "libunbound: %s: %s", what, ub_strerror(rc));
}

static int
set(struct resolver *r, const char *option, const char *value, struct err *err)
{
	int rc = ub_ctx_set_option(r->ctx, option, value);

	return rc ? ub_fail(rc, option, err) : 0;
}

static int
set_size(struct resolver *r, const char *option, size_t n, struct err *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", n);
	return set(r, option, text, err);
}

static int
set_options(struct resolver *r, const struct resolver_conf *c, struct err *err)
{
	static const struct {
		const char *option, *value;
	} rows[] = {
		/* What name servers are asked is not libunbound's to judge. */
		{ "do-not-query-localhost:", "no" },
		{ "unblock-lan-zones:", "yes" },
		{ "insecure-lan-zones:", "yes" },
		/* A name server that was away is asked again soon. */
		{ "infra-host-ttl:", "30" },
		{ "infra-keep-probing:", "yes" },
		/* Sockets: of UDP, and of TCP. */
		{ "outgoing-range:", "256" },
		{ "outgoing-num-tcp:", "64" },
		{ "infra-cache-numhosts:", "10000" },
		{ "trust-anchor-signaling:", "no" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (set(r, rows[i].option, rows[i].value, err) < 0)
			return -1;
	if (set_size(r, "msg-cache-size:", c->cache / 4, err) < 0 ||
	    set_size(r, "rrset-cache-size:", c->cache / 2, err) < 0 ||
	    set_size(r, "key-cache-size:", c->cache / 8, err) < 0 ||
	    set_size(r, "neg-cache-size:", c->cache / 8, err) < 0)
		return -1;
	return c->anchors.n ? 0 : set(r, "module-config:", "iterator", err);
}

static int
set_servers(struct resolver *r, const struct resolver_conf *c, struct err *err)
{
	char host[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 8];
	unsigned i;
	int rc;

	for (i = 0; i < c->servers->n; i++) {
		const struct addr *a = &c->servers->v[i];

		snprintf(text, sizeof(text), "%s@%u", addr_text(a, host),
			 addr_port(a));
		rc = c->forward ? ub_ctx_set_fwd(r->ctx, text)
				: ub_ctx_set_stub(r->ctx, ".", text, 0);
		if (rc)
			return ub_fail(rc, text, err);
	}
	return 0;
}

/* The next record of the file, without its comment; false at the end. */
static bool
next_anchor(struct str *text, struct str *record)
{
	struct str line, before;

	while (text->n) {
		if (!str_cut(text, '\n', &line)) {
			line = *text;
			*text = STR_NULL;
		}
		if (str_cut(&line, ';', &before))
			line = before;
		*record = str_trim(line);
		if (record->n)
			return true;
	}
	return false;
}

bool
resolver_anchor_zone(struct str anchors, char *out, size_t size)
{
	char name[DNS_NAME_MAX + 1];
	struct str record, word;

	return next_anchor(&anchors, &record) &&
	       str_token(&record, " \t", &word) &&
	       name_normal(word, name, NULL) == 0 &&
	       str_copy(out, size, str_of(name));
}

static int
set_anchors(struct resolver *r, struct str text, struct err *err)
{
	char line[2048];
	struct str record;
	int rc;

	while (next_anchor(&text, &record)) {
		if (!str_copy(line, sizeof(line), record))
			return err_set(err, ERR_PERM, 0,
				       "a trust anchor is too long");
		rc = ub_ctx_add_ta(r->ctx, line);
		if (rc)
			return ub_fail(rc, "a trust anchor", err);
	}
	return 0;
}

/* What libunbound answers itself (RFC 6761 6.2, RFC 8375 4) may be a zone like
 * others here.  The first of these calls makes the settings final, and fails
 * if they are wrong: it comes last. */
static int
drop_zones(struct resolver *r, struct err *err)
{
	static const char *const zones[] = { "test.", "home.arpa." };
	size_t i;
	int rc;

	for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		rc = ub_ctx_zone_remove(r->ctx, zones[i]);
		if (rc)
			return ub_fail(rc, "its settings", err);
	}
	return 0;
}

struct resolver *
resolver_new(struct loop *l, const struct resolver_conf *c, struct err *err)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r)
		r->ctx = ub_ctx_create_event(l->base);
	if (!r || !r->ctx) {
		err_set(err, ERR_TEMP, ENOMEM, "libunbound: out of memory");
		goto fail;
	}
	(void)ub_ctx_debugout(r->ctx, NULL); /* not to standard error */
	if (set_options(r, c, err) < 0 || set_servers(r, c, err) < 0 ||
	    set_anchors(r, c->anchors, err) < 0)
		goto fail;
	if (drop_zones(r, err) < 0)
		goto fail;
	return r;
fail:
	resolver_free(r);
	return NULL;
}

void
resolver_free(struct resolver *r)
{
	if (!r)
		return;
	if (r->ctx)
		ub_ctx_delete(r->ctx);
	free(r);
}

/* --- questions ----------------------------------------------------------- */

static void
on_answer(void *arg, int rcode, void *packet, int n, int sec, char *why_bogus,
	  int was_ratelimited)
{
	struct resolver_query *q = arg;
	struct resolver_answer a = {
		.rcode = (unsigned)rcode,
		.secure = sec == SEC_SECURE,
	};

	(void)was_ratelimited;
	if (rcode == 0 && packet && n > 0)
		a.packet = str_mem(packet, (size_t)n);
	/* A bogus answer comes with its data: look at this first. */
	if (sec == SEC_BOGUS)
		a.bogus = why_bogus ? why_bogus : "validation failure";
	q->cb(q->arg, &a);
}

int
resolver_ask(struct resolver *r, struct resolver_query *q, const char *name,
	     uint16_t type, struct err *err)
{
	int rc = ub_resolve_event(r->ctx, name, type, CLASS_IN, q, on_answer,
				  &q->id);

	return rc ? ub_fail(rc, "question", err) : 0;
}

void
resolver_cancel(struct resolver *r, const struct resolver_query *q)
{
	(void)ub_cancel(r->ctx, q->id);
}
