/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "named.h"
#include "sasl.h"
#include "sasl/library.h"
#include "sasl_mechs.h"
#include "xoauth2.h"

struct sasl {
	const struct sasl_mech *mech;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[4];
	sasl_channel_binding_t binding;
	uint8_t bytes[TLS_BINDING_MAX]; /* of the binding */
	char *user;
	sasl_secret_t *secret;
	int last; /* of libsasl2 */
};

/* --- settings ------------------------------------------------------------- */

int
sasl_settings_load(struct sasl_settings *s, const struct params *p,
		   const char *transport, struct err *err)
{
	struct {
		const char *key;
		unsigned *bits;
	} options[] = {
		{ "sasl_security_options", &s->security },
		{ "sasl_tls_security_options", &s->tls_security },
		{ "sasl_tls_verified_security_options", &s->tls_verified },
	};
	size_t i;

	*s = (struct sasl_settings){
		.enable = (bool)named_num(p, transport, "sasl_auth_enable"),
		.sender_dependent = (bool)named_num(
			p, transport, "sender_dependent_authentication"),
		.soft_bounce =
			(bool)named_num(p, transport, "sasl_auth_soft_bounce"),
		.mechanism_filter =
			named_str(p, transport, "sasl_mechanism_filter"),
	};
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (sasl_options_parse(named_str(p, transport, options[i].key),
				       options[i].bits, err) < 0)
			return err_prefix(err, "%s_%s", transport,
					  options[i].key);
	if (sasl_filter_check(s->mechanism_filter, err) < 0)
		return err_prefix(err, "%s_sasl_mechanism_filter", transport);
	return 0;
}

/* --- what libsasl2 asks us ------------------------------------------------ */

/* The user; who one acts for is not said, so that it is oneself. */
static int
on_simple(void *arg, int id, const char **result, unsigned *n)
{
	const struct sasl *s = arg;

	*result = id == SASL_CB_AUTHNAME ? s->user : "";
	if (n)
		*n = (unsigned)strlen(*result);
	return SASL_OK;
}

static int
on_secret(sasl_conn_t *conn, void *arg, int id, sasl_secret_t **secret)
{
	const struct sasl *s = arg;

	(void)conn;
	(void)id;
	*secret = s->secret;
	return SASL_OK;
}

/* --- one login ------------------------------------------------------------ */

void
sasl_free(struct sasl *s)
{
	if (!s)
		return;
	if (s->conn)
		sasl_dispose(&s->conn);
	if (s->secret)
		explicit_bzero(s->secret, sizeof(*s->secret) + s->secret->len);
	free(s->secret);
	free(s->user);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

static struct sasl *
new_login(const char *user, const char *password)
{
	struct sasl *s = calloc(1, sizeof(*s));
	size_t n = strlen(password);

	if (!s)
		return NULL;
	s->user = strdup(user);
	s->secret = calloc(1, sizeof(*s->secret) + n);
	if (!s->user || !s->secret) {
		sasl_free(s);
		return NULL;
	}
	s->secret->len = n;
	memcpy(s->secret->data, password, n);
	s->callbacks[0] =
		(sasl_callback_t){ SASL_CB_USER, SASL_PROC(on_simple), s };
	s->callbacks[1] =
		(sasl_callback_t){ SASL_CB_AUTHNAME, SASL_PROC(on_simple), s };
	s->callbacks[2] =
		(sasl_callback_t){ SASL_CB_PASS, SASL_PROC(on_secret), s };
	s->callbacks[3] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	return s;
}

/* RFC 9266: tls-exporter for TLS 1.3, tls-unique before. */
static bool
set_binding(struct sasl *s, const struct tls_facts *tls)
{
	bool new = strcmp(tls->protocol, "TLSv1.3") == 0;

	if (new && tls->exporter_n) {
		s->binding.name = "tls-exporter";
		s->binding.len = tls->exporter_n;
		memcpy(s->bytes, tls->exporter, tls->exporter_n);
	} else if (!new && tls->unique_n) {
		s->binding.name = "tls-unique";
		s->binding.len = tls->unique_n;
		memcpy(s->bytes, tls->unique, tls->unique_n);
	} else {
		return false;
	}
	s->binding.data = s->bytes;
	return true;
}

static bool
offers_binding(struct str offered)
{
	struct str word;

	while (str_token(&offered, " \t", &word))
		if (str_iends(word, STR("-PLUS")))
			return true;
	return false;
}

static unsigned
wanted(const struct sasl_settings *set, const struct tls_facts *tls)
{
	return !tls				? set->security
	       : tls->peer == TLS_PEER_VERIFIED ? set->tls_verified
						: set->tls_security;
}

/* SCRAM says whether we could bind to the TLS connection ("y") where the server
 * does not offer that: so it sees if somebody took the offer away (RFC 5802 6).
 * libsasl2 does so if it has a choice of names. */
static int
start(struct sasl *s, const struct sasl_mech *m, bool could_bind,
      const char **out, unsigned *n)
{
	sasl_security_properties_t none = { .security_flags =
						    SASL_SEC_NOANONYMOUS };
	char names[64];

	(void)snprintf(names, sizeof(names), "%s %s", m->name,
		       could_bind ? m->name : "");
	s->mech = m;
	s->last = sasl_setprop(s->conn, SASL_SEC_PROPS, &none);
	if (s->last == SASL_OK && s->binding.name)
		s->last = sasl_setprop(s->conn, SASL_CHANNEL_BINDING,
				       &s->binding);
	if (s->last == SASL_OK)
		s->last = sasl_client_start(s->conn, names, NULL, out, n, NULL);
	return s->last == SASL_OK || s->last == SASL_CONTINUE ? 0 : -1;
}

/* NULL: not with this one. */
static struct sasl *
try(const struct sasl_mech *m, struct str offered, const char *host,
    const char *user, const char *password, const struct tls_facts *tls,
    struct buf *initial, bool *has_initial)
{
	struct sasl *s = new_login(user, password);
	bool could_bind = false;
	const char *out = NULL;
	unsigned n = 0;

	if (!s)
		return NULL;
	if (m->gives & SASL_OPT_MUTUAL_AUTH && tls &&
	    (m->plus || !offers_binding(offered)))
		could_bind = set_binding(s, tls);
	if (m->plus && !could_bind)
		goto fail;
	/* Addresses and the like are of no use to our mechanisms. */
	if (sasl_client_new("smtp", host, NULL, NULL, s->callbacks, 0,
			    &s->conn) != SASL_OK ||
	    start(s, m, could_bind && !m->plus, &out, &n) < 0)
		goto fail;
	*has_initial = out != NULL;
	if (out && buf_add(initial, out, n) < 0)
		goto fail;
	return s;
fail:
	log_debug("SASL %s cannot be begun", m->name);
	sasl_free(s);
	return NULL;
}

struct sasl *
sasl_begin(const struct sasl_settings *set, struct str offered,
	   const char *host, const char *user, const char *password,
	   const struct tls_facts *tls, const char **mech, struct buf *initial,
	   bool *has_initial, struct err *err)
{
	unsigned want = wanted(set, tls);
	const struct sasl_mech *m;
	struct sasl *s;

	for (m = sasl_mechs; m < sasl_mechs + SASL_MECHS; m++) {
		if (!sasl_mech_offered(m, offered) ||
		    !sasl_mech_passes(m, set->mechanism_filter) ||
		    want & ~m->gives)
			continue;
		s = try(m, offered, host, user, password, tls, initial,
			has_initial);
		if (s) {
			*mech = m->name;
			return s;
		}
		buf_reset(initial);
	}
	err_set(err, ERR_PERM, ENOENT,
		"it offers no compatible authentication mechanism for this "
		"type of connection security");
	return NULL;
}

/* RFC 5802 5.1: "r=...,s=...,i=4096". A server may not make us compute without
 * end. */
static bool
is_too_costly(struct str challenge)
{
	enum { ITERATIONS_MAX = 100000 };
	struct str item;
	uint64_t n;
	bool more;

	do {
		more = str_cut(&challenge, ',', &item);
		if (!more)
			item = challenge;
		if (str_starts(item, STR("i=")) &&
		    str_u64(str_from(item, 2), ITERATIONS_MAX, &n) < 0)
			return true;
	} while (more);
	return false;
}

int
sasl_next(struct sasl *s, struct str challenge, struct buf *out,
	  struct err *err)
{
	bool proof = s->mech->gives & SASL_OPT_MUTUAL_AUTH;
	const char *answer = NULL;
	char *in = NULL;
	unsigned n = 0;

	if (s->last != SASL_CONTINUE)
		return err_set(err, ERR_TEMP, EPROTO,
			       "the server goes on after the end of %s",
			       s->mech->name);
	if (proof &&
	    (str_find(challenge, '\0') >= 0 || is_too_costly(challenge)))
		return err_set(err, ERR_TEMP, EPROTO,
			       "%s: a challenge that cannot be answered",
			       s->mech->name);
	in = malloc(challenge.n + 1); /* libsasl2 wants an end */
	if (!in)
		return err_set(err, ERR_TEMP, ENOMEM, "no memory");
	if (challenge.n)
		memcpy(in, challenge.p, challenge.n);
	in[challenge.n] = '\0';
	s->last = sasl_client_step(s->conn, in, (unsigned)challenge.n, NULL,
				   &answer, &n);
	free(in);
	if (s->last != SASL_OK && s->last != SASL_CONTINUE)
		return err_set(err, ERR_TEMP, EPROTO, "%s: %s", s->mech->name,
			       proof ? "the server does not know the password, "
				       "or its challenge is no good"
				     : "the challenge is no good");
	return buf_add(out, answer, n) == 0
		       ? 0
		       : err_set(err, ERR_TEMP, ENOMEM, "no memory");
}

int
sasl_finish(struct sasl *s, struct err *err)
{
	int complete = s->mech->server_ends ? SASL_CONTINUE : SASL_OK;

	if (s->last == complete)
		return 0;
	return err_set(err, ERR_TEMP, EPROTO,
		       "the server ends %s before it is complete",
		       s->mech->name);
}

/* --- before the jail ------------------------------------------------------ */

/* One exchange with nobody, so that all is loaded that is loaded at its first
 * use, OpenSSL's configuration for one. */
static int
rehearse(const char *mechanism, struct err *err)
{
	const struct sasl_settings set = { .mechanism_filter =
						   str_of(mechanism) };
	struct buf initial, challenge, answer;
	struct sasl *s;
	const char *mech;
	ptrdiff_t nonce;
	bool has_initial;
	int rc = -1;

	buf_init(&initial, 1000);
	buf_init(&challenge, 1000);
	buf_init(&answer, 1000);
	s = sasl_begin(&set, str_of(mechanism), "localhost", "u", "p", NULL,
		       &mech, &initial, &has_initial, err);
	if (!s)
		goto out;
	nonce = str_rfind(buf_str(&initial), '=');
	rc = buf_addf(&challenge, "r=%sx,s=QSXCR+Q6sek8bf92,i=1",
		      buf_cstr(&initial) + (nonce < 0 ? 0 : nonce + 1));
	if (rc == 0)
		rc = sasl_next(s, buf_str(&challenge), &answer, err);
out:
	sasl_free(s);
	buf_fini(&initial);
	buf_fini(&challenge);
	buf_fini(&answer);
	return rc < 0 ? err_prefix(err, "%s", mechanism) : 0;
}

int
sasl_preload(struct err *err)
{
	static bool done; /* as libsasl2: once a process */

	if (done)
		return 0;
	if (sasl_library_load(SASL_CLIENT, err) < 0)
		return -1;
	if (sasl_client_add_plugin("XOAUTH2", xoauth2_init) != SASL_OK)
		return err_set(err, ERR_PERM, EINVAL, "libsasl2 does not work");
	if (rehearse("SCRAM-SHA-256", err) < 0 ||
	    rehearse("SCRAM-SHA-1", err) < 0)
		return -1;
	done = true;
	return 0;
}
