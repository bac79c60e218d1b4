/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/log.h"
#include "context.h"

enum {
	/* Several records by one recv().  OpenSSL frees it whenever it is
	 * empty; a free of 64 KiB and more makes malloc tidy up all it has. */
	READ_BUFFER = 60 * 1024,
	NAME_MAX_ = 253,
	CN_MAX = 256,
};

/* Chains of a set that serve together; -1: none. */
struct pair {
	int ec, rsa;
};

/* A name, what is to serve it, and the context with that. */
struct name {
	struct list link;
	struct pair pair;
	SSL_CTX *ctx; /* NULL: the base */
	char key[];   /* CONFIGURED or OWN, then the name */
};

enum { CONFIGURED = 'c', OWN = 'n' };

struct builder {
	const struct tls_conf *conf;
	const struct keyset *ks;
	X509_STORE *ca;
	const struct context_hooks *hooks;
	struct contexts *cs;
	struct pair fallback;
};

const char *
openssl_text(void)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : "unknown error";
}

/* --- one context -----------------------------------------------------------
 */

static unsigned long
options(const struct tls_conf *conf, unsigned protocols)
{
	unsigned long o = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			  SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 |
			  SSL_OP_NO_TLSv1_1 |
			  /* A truncation is an EOF for the service, whose
			   * protocol has an end of its own. */
			  SSL_OP_IGNORE_UNEXPECTED_EOF;

	if (!(protocols & TLS_V1_2))
		o |= SSL_OP_NO_TLSv1_2;
	if (!(protocols & TLS_V1_3))
		o |= SSL_OP_NO_TLSv1_3;
	if (conf->wipe)
		o |= SSL_OP_CLEANSE_PLAINTEXT;
	if (conf->preempt)
		o |= SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
	return o;
}

/* OpenSSL's security level: other hosts may be old (1), users must not be. */
static int
security_level(const struct tls_conf *conf)
{
	return conf->mandatory ? 2 : 1;
}

/* Those groups of the list that this OpenSSL knows. */
static void
set_groups(SSL_CTX *ctx, const struct tls_conf *conf)
{
	struct str list = str_of(conf->groups), word;
	char known[CONF_GROUPS_MAX] = "", one[64];
	struct buf b;

	buf_init(&b, sizeof(known) - 1);
	while (str_token(&list, " \t,:", &word)) {
		if (!str_copy(one, sizeof(one), word) ||
		    SSL_CTX_set1_groups_list(ctx, one) != 1)
			continue;
		if (b.n)
			(void)buf_add_byte(&b, ':');
		(void)buf_add_str(&b, word);
	}
	(void)!str_copy(known, sizeof(known), buf_str(&b));
	buf_fini(&b);
	ERR_clear_error();
	if (!*known)
		log_warn("tls_eecdh_auto_curves: none of them is known");
	else
		SSL_CTX_set1_groups_list(ctx, known);
}

static int
set_ciphers(SSL_CTX *ctx, const struct tls_conf *conf)
{
	if (SSL_CTX_set_cipher_list(ctx, conf->ciphers) == 1)
		return 0;
	log_error("no cipher is left by \"%s\"", conf->ciphers);
	ERR_clear_error();
	return SSL_CTX_set_cipher_list(ctx, "HIGH:!aNULL:!kRSA:!PSK:!SRP") == 1
		       ? 0
		       : -1;
}

/* The names of the authorities are told to clients that are asked for a
 * certificate. */
static int
set_ca(SSL_CTX *ctx, X509_STORE *ca)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	STACK_OF(X509_OBJECT) * objects;
	X509_NAME *name;
	X509 *cert;
	int i;

	if (!names)
		return -1;
	objects = X509_STORE_get0_objects(ca);
	for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		cert = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		name = cert ? X509_NAME_dup(X509_get_subject_name(cert)) : NULL;
		if (cert && (!name || !sk_X509_NAME_push(names, name))) {
			X509_NAME_free(name);
			goto fail;
		}
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set1_cert_store(ctx, ca);
	return 0;
fail:
	sk_X509_NAME_pop_free(names, X509_NAME_free);
	return -1;
}

static void
set_hooks(SSL_CTX *ctx, const struct context_hooks *h)
{
	SSL_CTX_set_tlsext_servername_callback(ctx, h->servername);
	SSL_CTX_set_alpn_select_cb(ctx, h->alpn, NULL);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, h->ticket);
	SSL_CTX_set_session_ticket_cb(ctx, h->ticket_made, h->ticket_opened,
				      NULL);
}

SSL_CTX *
context_bare(const SSL_METHOD *method, const struct tls_conf *conf,
	     unsigned protocols, int level)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_security_level(ctx, level);
	/* What the host's openssl.cnf may say about it is not read. */
	SSL_CTX_set_min_proto_version(ctx, 0);
	SSL_CTX_set_max_proto_version(ctx, 0);
	SSL_CTX_set_options(ctx, options(conf, protocols));
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_BUFFER);
	set_groups(ctx, conf);
	return ctx;
}

static SSL_CTX *
new_context(const struct builder *b)
{
	SSL_CTX *ctx =
		context_bare(TLS_server_method(), b->conf, b->conf->protocols,
			     security_level(b->conf));

	if (!ctx)
		return NULL;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, b->conf->session_s);
	SSL_CTX_set_verify_depth(ctx, b->conf->verify_depth);
	set_hooks(ctx, b->hooks);
	if (set_ciphers(ctx, b->conf) < 0 ||
	    (b->ca && set_ca(ctx, b->ca) < 0)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

int
context_add_chain(SSL_CTX *ctx, const struct chain *c)
{
	return SSL_CTX_use_cert_and_key(ctx, c->leaf, c->pkey, c->rest, 1) == 1
		       ? 0
		       : -1;
}

static SSL_CTX *
pair_context(const struct builder *b, const struct pair *p)
{
	SSL_CTX *ctx = new_context(b);

	if (ctx &&
	    (p->ec < 0 || context_add_chain(ctx, &b->ks->v[p->ec]) == 0) &&
	    (p->rsa < 0 || context_add_chain(ctx, &b->ks->v[p->rsa]) == 0))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* --- names -----------------------------------------------------------------
 */

static void
pair_add(struct pair *p, const struct keyset *ks, int i)
{
	int *slot = EVP_PKEY_get_base_id(ks->v[i].pkey) == EVP_PKEY_EC
			    ? &p->ec
			    : &p->rsa;

	if (*slot < 0)
		*slot = i;
}

/* Kind and name, lower-case without a dot at its end, as a key; false: it is
 * no name. */
static bool
make_key(char key[NAME_MAX_ + 2], char kind, struct str name)
{
	size_t i;

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0 || name.n > NAME_MAX_)
		return false;
	key[0] = kind;
	for (i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '.' && c != '_' && c != '*')
			return false;
		key[1 + i] = c;
	}
	key[1 + name.n] = '\0';
	return true;
}

static int
add_name(struct builder *b, char kind, struct str name, int i)
{
	char key[NAME_MAX_ + 2];
	struct name *n;

	if (!make_key(key, kind, name))
		return 0;
	n = map_get(&b->cs->by_name, str_of(key));
	if (!n) {
		n = calloc(1, sizeof(*n) + strlen(key) + 1);
		if (!n)
			return -1;
		n->pair = (struct pair){ -1, -1 };
		memcpy(n->key, key, strlen(key) + 1);
		list_append(&b->cs->names, &n->link);
		if (map_put(&b->cs->by_name, str_of(n->key), n) < 0)
			return -1;
	}
	pair_add(&n->pair, b->ks, i);
	return 0;
}

static int
add_common_name(struct builder *b, const X509 *cert, int i)
{
	char cn[CN_MAX];
	int n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
					  NID_commonName, cn, sizeof(cn));

	return n > 0 && n < (int)sizeof(cn)
		       ? add_name(b, OWN, str_mem(cn, (size_t)n), i)
		       : 0;
}

/* The DNS names of subjectAltName; without one, the common name. */
static int
add_own_names(struct builder *b, int i)
{
	X509 *cert = b->ks->v[i].leaf;
	GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool any = false;
	int k, rc = 0;

	for (k = 0; rc == 0 && k < sk_GENERAL_NAME_num(names); k++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, k);

		if (g->type != GEN_DNS)
			continue;
		any = true;
		rc = add_name(b, OWN,
			      str_mem(ASN1_STRING_get0_data(g->d.dNSName),
				      (size_t)ASN1_STRING_length(g->d.dNSName)),
			      i);
	}
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	ERR_clear_error();
	return rc < 0 || any ? rc : add_common_name(b, cert, i);
}

static int
add_names(struct builder *b, int i)
{
	struct str names = str_of(b->ks->v[i].names), word;

	while (str_token(&names, " \t,", &word))
		if (add_name(b, CONFIGURED, word, i) < 0)
			return -1;
	return add_own_names(b, i);
}

/* The context of one name: the base, one that another name has already, or a
 * new one. */
static int
find_context(struct builder *b, struct name *n)
{
	const struct pair *p = &n->pair;
	struct list *it;

	if (p->ec == b->fallback.ec && p->rsa == b->fallback.rsa)
		return 0;
	for (it = b->cs->names.next; it != &n->link; it = it->next) {
		struct name *o = LIST_OF(it, struct name, link);

		if (o->ctx && o->pair.ec == p->ec && o->pair.rsa == p->rsa) {
			SSL_CTX_up_ref(o->ctx);
			n->ctx = o->ctx;
			return 0;
		}
	}
	n->ctx = pair_context(b, p);
	return n->ctx ? 0 : -1;
}

/* --- all -------------------------------------------------------------------
 */

static bool
is_usable(const struct builder *b, unsigned i)
{
	const struct chain *c = &b->ks->v[i];
	SSL_CTX *ctx;
	bool ok;

	if (!c->leaf)
		return false;
	ctx = new_context(b);
	ok = ctx && context_add_chain(ctx, c) == 0;
	SSL_CTX_free(ctx);
	if (!ok)
		log_error("chain %u%s%s cannot be used: %s", i,
			  *c->names ? " for " : "", c->names, openssl_text());
	return ok;
}

static int
build(struct builder *b)
{
	struct list *it;
	unsigned i;

	for (i = 0; i < b->ks->n; i++) {
		if (!is_usable(b, i))
			continue;
		if (b->ks->v[i].fallback)
			pair_add(&b->fallback, b->ks, (int)i);
		if (add_names(b, (int)i) < 0)
			return -1;
	}
	if (b->fallback.ec < 0 && b->fallback.rsa < 0)
		return -1;
	b->cs->base = pair_context(b, &b->fallback);
	if (!b->cs->base)
		return -1;
	list_for_each (it, &b->cs->names)
		if (find_context(b, LIST_OF(it, struct name, link)) < 0)
			return -1;
	return 0;
}

struct contexts *
contexts_new(const struct tls_conf *conf, const struct keyset *ks,
	     X509_STORE *ca, const struct context_hooks *hooks, struct err *err)
{
	struct builder b = {
		.conf = conf,
		.ks = ks,
		.ca = ca,
		.hooks = hooks,
		.cs = calloc(1, sizeof(struct contexts)),
		.fallback = { -1, -1 },
	};

	if (b.cs)
		list_init(&b.cs->names);
	if (b.cs && build(&b) == 0)
		return b.cs;
	err_set(err, ERR_PERM, 0, "%s",
		b.fallback.ec < 0 && b.fallback.rsa < 0
			? "no certificate serves those who ask for no name"
			: openssl_text());
	contexts_free(b.cs);
	return NULL;
}

void
contexts_free(struct contexts *cs)
{
	struct name *n;

	if (!cs)
		return;
	while (!list_empty(&cs->names)) {
		n = LIST_OF(cs->names.next, struct name, link);
		list_remove(&n->link);
		SSL_CTX_free(n->ctx);
		free(n);
	}
	map_fini(&cs->by_name);
	SSL_CTX_free(cs->base);
	free(cs);
}

/* Kind and rest as a key in place: rest is a tail of the key that make_key()
 * made, with room in front of it. */
static struct name *
find_tail(const struct contexts *cs, char *tail, const char *front)
{
	size_t n = strlen(front);

	memcpy(tail - n, front, n);
	return map_get(&cs->by_name, str_of(tail - n));
}

SSL_CTX *
contexts_find(const struct contexts *cs, struct str sni)
{
	char key[NAME_MAX_ + 2], own[NAME_MAX_ + 2], *dot;
	struct name *n;

	if (!make_key(key, CONFIGURED, sni) || strchr(key, '*'))
		return NULL;
	memcpy(own, key, strlen(key) + 1);
	n = map_get(&cs->by_name, str_of(key));
	for (dot = strchr(key, '.'); !n && dot; dot = strchr(dot + 1, '.'))
		n = find_tail(cs, dot, "c");
	if (n)
		return n->ctx;
	n = find_tail(cs, own + 1, "n");
	dot = strchr(own, '.');
	if (!n && dot && dot > own + 1)
		n = find_tail(cs, dot, "n*");
	return n ? n->ctx : NULL;
}
