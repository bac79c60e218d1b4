/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "keyset.h"

struct keyset *
keyset_new(uint32_t set)
{
	struct keyset *ks = calloc(1, sizeof(*ks));

	if (ks)
		ks->set = set;
	return ks;
}

static void
chain_fini(struct chain *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->rest, X509_free);
	EVP_PKEY_free(c->pkey);
	free(c->names);
	*c = (struct chain){ 0 };
}

void
keyset_free(struct keyset *ks)
{
	unsigned i;

	if (!ks)
		return;
	for (i = 0; i < ks->n; i++)
		chain_fini(&ks->v[i]);
	free(ks);
}

/* The whole of der is one certificate. */
static X509 *
parse(struct str der)
{
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *cert = d2i_X509(NULL, &p, (long)der.n);

	if (cert && p != (const unsigned char *)der.p + der.n) {
		X509_free(cert);
		cert = NULL;
	}
	ERR_clear_error();
	return cert;
}

static int
add_certs(struct chain *c, const struct msg_list *certs, struct err *err)
{
	struct str it = certs->raw;
	struct msg_key_der e;
	X509 *cert;

	c->rest = sk_X509_new_null();
	if (!c->rest)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	while (msg_list_next(&it, certs->elem, &e)) {
		cert = parse(e.der);
		if (!cert)
			return err_set(err, ERR_PERM, 0,
				       "what is no certificate");
		if (!c->leaf) {
			c->leaf = cert;
		} else if (!sk_X509_push(c->rest, cert)) {
			X509_free(cert);
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		}
	}
	if (!c->leaf)
		return err_set(err, ERR_PERM, 0, "no certificate");
	return 0;
}

int
keyset_add(struct keyset *ks, struct remote *r, const struct msg_key_chain *m,
	   struct err *err)
{
	struct chain *c = &ks->v[ks->n];

	if (ks->n == KEY_SET_MAX)
		return err_set(err, ERR_PERM, 0, "too many chains");
	ks->n++;
	c->fallback = m->fallback;
	c->names = strndup(m->names.n ? m->names.p : "", m->names.n);
	if (!c->names)
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else if (add_certs(c, &m->certs, err) == 0)
		c->pkey = remote_key(r, c->leaf, m->set, m->key, err);
	if (c->pkey)
		return 0;
	chain_fini(c);
	return err_prefix(err, "chain %u", m->key);
}

void
ticket_keys_wipe(struct ticket_keys *tk)
{
	explicit_bzero(tk, sizeof(*tk));
}

void
ticket_keys_set(struct ticket_keys *tk, const struct msg_key_tickets *m)
{
	struct str it = m->keys.raw;
	struct msg_key_ticket e;

	ticket_keys_wipe(tk);
	while (tk->n < KEY_TICKETS_MAX &&
	       msg_list_next(&it, m->keys.elem, &e)) {
		if (e.name.n != KEY_TICKET_NAME ||
		    e.secret.n != KEY_TICKET_SECRET)
			continue;
		memcpy(tk->v[tk->n].name, e.name.p, e.name.n);
		memcpy(tk->v[tk->n].secret, e.secret.p, e.secret.n);
		tk->n++;
	}
}
