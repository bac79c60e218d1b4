/* SPDX-License-Identifier: ISC */
#include "base/unit.h"

#include <stdio.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/clock.h"
#include "keyd.h"
#include "sign.h"
#include "testkeys.h"

enum { NOW = 1800000000, DAY = 86400, CHAINS_MAX = 16 };

/* One tlsd, and what it was told last. */
struct tlsd {
	struct chan *chan;
	bool closed;
	unsigned sets, tickets; /* how often */
	/* the last set */
	uint32_t set;
	uint16_t keys;
	struct {
		uint16_t key;
		bool fallback;
		char names[64];
		size_t certs;
		EVP_PKEY *public;
	} chains[CHAINS_MAX];
	size_t nchains; /* since the last set */
	/* the last tickets */
	size_t ntickets;
	uint8_t name[KEY_TICKETS_MAX][KEY_TICKET_NAME];
	/* the last answer */
	uint16_t reply;
	uint8_t signature[KEY_SIGNATURE_MAX];
	size_t nsignature;
	char why[256];
	struct tlsd *out; /* where what it has as a client is noted */
};

struct world {
	struct loop loop;
	struct keyd keyd;
	struct tlsd mx, user, out;
	char *ec, *ec2, *rsa, *old, *late;
};

static void
forget_chains(struct tlsd *t)
{
	while (t->nchains)
		EVP_PKEY_free(t->chains[--t->nchains].public);
}

static void
on_chain(struct tlsd *t, const struct msg_key_chain *m)
{
	struct str it = m->certs.raw;
	const unsigned char *der;
	struct msg_key_der d;
	X509 *x;

	if (t->set != m->set) {
		forget_chains(t);
		t->set = m->set;
	}
	assert_true(t->nchains < CHAINS_MAX);
	t->chains[t->nchains].key = m->key;
	t->chains[t->nchains].fallback = m->fallback;
	assert_true(str_copy(t->chains[t->nchains].names, 64, m->names));
	t->chains[t->nchains].certs = m->certs.count;
	assert_true(msg_list_next(&it, m->certs.elem, &d));
	der = (const unsigned char *)d.der.p;
	x = d2i_X509(NULL, &der, (long)d.der.n);
	assert_non_null(x);
	t->chains[t->nchains++].public = X509_get_pubkey(x);
	X509_free(x);
}

static void
on_tickets(struct tlsd *t, const struct msg_key_tickets *m)
{
	struct msg_key_ticket one;
	struct str it = m->keys.raw;

	t->tickets++;
	t->ntickets = 0;
	while (msg_list_next(&it, m->keys.elem, &one)) {
		assert_int_equal(one.name.n, KEY_TICKET_NAME);
		assert_int_equal(one.secret.n, KEY_TICKET_SECRET);
		memcpy(t->name[t->ntickets++], one.name.p, KEY_TICKET_NAME);
	}
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct tlsd *t = arg;

	(void)c;
	(void)tag;
	if (def == &msg_key_chain_def) {
		const struct msg_key_chain *m = msg;

		on_chain(m->out ? t->out : t, m);
	} else if (def == &msg_key_set_def) {
		const struct msg_key_set *m = msg;

		t = m->out ? t->out : t;
		t->sets++;
		if (m->keys == 0)
			forget_chains(t);
		t->set = m->set;
		t->keys = m->keys;
		assert_int_equal(m->keys, t->nchains);
	} else if (def == &msg_key_tickets_def) {
		on_tickets(t, msg);
	} else if (def == &msg_key_signed_def) {
		const struct msg_key_signed *m = msg;

		t->reply = def->type;
		t->nsignature = m->signature.n;
		memcpy(t->signature, m->signature.p, m->signature.n);
	} else {
		assert_ptr_equal(def, &msg_key_refused_def);
		t->reply = def->type;
		assert_true(str_copy(t->why, sizeof(t->why),
				     ((struct msg_key_refused *)msg)->text));
	}
}

static void
on_close(struct chan *c, void *arg)
{
	struct tlsd *t = arg;

	(void)c;
	t->chan = NULL;
	t->closed = true;
}

static const struct chan_ops tlsd_ops = { on_msg, on_close };

static void
turns(struct world *w)
{
	int i;

	for (i = 0; i < 6; i++)
		loop_turn(&w->loop, false);
}

static void
attach(struct world *w, struct tlsd *t, enum channel_id row)
{
	struct msg_key_watch watch = { 0 };
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	keyd_peer(&w->keyd, &channels[row], sv[0]);
	t->chan = chan_new(&w->loop, sv[1], &channels[row], CHAN_ASKER,
			   &tlsd_ops, t);
	chan_send(t->chan, 0, &msg_key_watch_def, &watch);
	turns(w);
}

static int
world_init(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err;

	assert_non_null(w);
	clock_fix_wall_us((uint64_t)NOW * 1000000);
	assert_int_equal(loop_init(&w->loop, &err), 0);
	assert_int_equal(keyd_init(&w->keyd, &w->loop, &err), 0);
	keyd_configure(&w->keyd, STR("mail.x.test"), 3600);
	w->mx.out = &w->out; /* user has none */
	attach(w, &w->mx, CH_TLSD_MX_KEYD);
	attach(w, &w->user, CH_TLSD_USER_KEYD);
	w->ec = test_chain("P-256", "mail.x.test", NOW - DAY, NOW + 90 * DAY);
	w->ec2 = test_chain("P-256", "mail.x.test", NOW - 1, NOW + 99 * DAY);
	w->rsa = test_chain("RSA-2048", "mail.x.test", NOW - DAY,
			    NOW + 90 * DAY);
	w->old = test_chain("P-256", "mail.x.test", NOW - DAY, NOW - 1);
	w->late = test_chain("P-256", "mail.x.test", NOW + 60, NOW + DAY);
	*state = w;
	return 0;
}

static int
world_fini(void **state)
{
	struct world *w = *state;

	forget_chains(&w->mx);
	forget_chains(&w->user);
	forget_chains(&w->out);
	if (w->mx.chan)
		chan_close(w->mx.chan);
	if (w->user.chan)
		chan_close(w->user.chan);
	turns(w);
	keyd_fini(&w->keyd);
	loop_fini(&w->loop);
	free(w->ec);
	free(w->ec2);
	free(w->rsa);
	free(w->old);
	free(w->late);
	free(w);
	clock_fix_wall_us(0);
	return 0;
}

static struct key_file
file(unsigned groups, const char *path, const char *text)
{
	return (struct key_file){ .groups = (uint8_t)groups,
				  .path = str_of(path),
				  .bytes = str_of(text) };
}

static void
give(struct world *w, const struct key_file *files, size_t n)
{
	keyd_table(&w->keyd, STR("keys"), test_table(files, n));
	turns(w);
}

static uint16_t
ask(struct world *w, struct tlsd *t, uint32_t set, uint16_t key, uint8_t scheme,
    struct str data)
{
	struct msg_key_sign m = { set, key, scheme, data };

	t->reply = 0;
	chan_send(t->chan, 7, &msg_key_sign_def, &m);
	turns(w);
	return t->reply;
}

static bool
verifies(EVP_PKEY *key, const struct tlsd *t, int padding, const uint8_t *hash,
	 size_t n)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	bool ok = EVP_PKEY_verify_init(c) == 1;

	if (padding)
		ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, padding) == 1 &&
		     EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1;
	if (padding == RSA_PKCS1_PSS_PADDING)
		ok = ok && EVP_PKEY_CTX_set_rsa_pss_saltlen(
				   c, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok &&
	     EVP_PKEY_verify(c, t->signature, t->nsignature, hash, n) == 1;
	EVP_PKEY_CTX_free(c);
	ERR_clear_error();
	return ok;
}

static void
test_sets(void **state)
{
	struct world *w = *state;
	struct key_file f[3] = {
		file(KEY_GROUP_MX, "/mx.pem", w->ec),
		file(KEY_GROUP_USER, "/user.pem", w->rsa),
		file(KEY_GROUP_MX | KEY_GROUP_USER, "/sni.pem", w->ec2),
	};
	uint8_t hash[32] = { 1 };
	struct str digest = str_mem(hash, sizeof(hash));
	uint32_t before;

	/* Nothing yet: said so at once. */
	assert_int_equal(w->mx.sets, 1);
	assert_int_equal(w->mx.keys, 0);
	f[2].names = STR("a.test .b.test");
	give(w, f, 3);
	assert_int_equal(w->mx.sets, 2);
	assert_int_equal(w->mx.keys, 2);
	assert_true(w->mx.chains[0].fallback);
	assert_int_equal(w->mx.chains[0].certs, 1);
	assert_false(w->mx.chains[1].fallback);
	assert_string_equal(w->mx.chains[1].names, "a.test .b.test");
	assert_int_equal(w->user.keys, 2);
	assert_int_equal(EVP_PKEY_get_base_id(w->user.chains[0].public),
			 EVP_PKEY_RSA);

	/* Each signs with its own keys, and with no other's. */
	assert_int_equal(ask(w, &w->mx, w->mx.set, 0, KEY_ECDSA, digest),
			 MSG_KEY_SIGNED);
	assert_true(verifies(w->mx.chains[0].public, &w->mx, 0, hash,
			     sizeof(hash)));
	assert_int_equal(ask(w, &w->mx, w->user.set, 0, KEY_ECDSA, digest),
			 MSG_KEY_REFUSED);
	assert_string_equal(w->mx.why, "no such key");
	assert_int_equal(ask(w, &w->user, w->mx.set, 0, KEY_ECDSA, digest),
			 MSG_KEY_REFUSED);
	assert_int_equal(ask(w, &w->mx, w->mx.set, 2, KEY_ECDSA, digest),
			 MSG_KEY_REFUSED);
	assert_int_equal(ask(w, &w->mx, w->mx.set, 65535, KEY_ECDSA, digest),
			 MSG_KEY_REFUSED);

	/* The same again is no news. */
	give(w, f, 3);
	assert_int_equal(w->mx.sets, 2);
	/* Another certificate for one group is none to the other. */
	before = w->mx.set;
	f[0] = file(KEY_GROUP_MX, "/mx.pem", w->ec2);
	give(w, f, 3);
	assert_int_equal(w->mx.sets, 3);
	assert_int_equal(w->user.sets, 2);
	/* Handshakes under way are finished with the old key, for a minute. */
	assert_int_equal(ask(w, &w->mx, before, 0, KEY_ECDSA, digest),
			 MSG_KEY_SIGNED);
	keyd_tick(&w->keyd, clock_mono_ms() + KEYS_OLD_MS + 1);
	assert_int_equal(ask(w, &w->mx, before, 0, KEY_ECDSA, digest),
			 MSG_KEY_REFUSED);
	assert_int_equal(ask(w, &w->mx, w->mx.set, 0, KEY_ECDSA, digest),
			 MSG_KEY_SIGNED);
	/* None at all. */
	give(w, NULL, 0);
	assert_int_equal(w->mx.sets, 4);
	assert_int_equal(w->mx.keys, 0);
}

/* What other hosts are shown is a set of its own, for tlsd_mx alone. */
static void
test_out(void **state)
{
	struct world *w = *state;
	struct key_file f[2] = {
		file(KEY_GROUP_MX | KEY_GROUP_USER, "/mx.pem", w->ec),
		file(KEY_GROUP_OUT, "/out.pem", w->rsa),
	};
	char info[19 + 32] = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65"
			     "\x03\x04\x02\x01\x05\x00\x04\x20";
	struct str data = str_mem(info, sizeof(info));
	uint8_t hash[32] = { 0 };

	assert_int_equal(w->out.sets, 1);
	assert_int_equal(w->out.keys, 0);
	give(w, f, 2);
	assert_int_equal(w->mx.keys, 1);
	assert_int_equal(w->user.keys, 1);
	assert_int_equal(w->out.keys, 1);
	assert_int_equal(EVP_PKEY_get_base_id(w->out.chains[0].public),
			 EVP_PKEY_RSA);
	assert_int_equal(w->mx.tickets, 1);

	assert_int_equal(ask(w, &w->mx, w->out.set, 0, KEY_RSA_PKCS1, data),
			 MSG_KEY_SIGNED);
	assert_true(verifies(w->out.chains[0].public, &w->mx, RSA_PKCS1_PADDING,
			     hash, sizeof(hash)));
	assert_int_equal(ask(w, &w->user, w->out.set, 0, KEY_RSA_PKCS1, data),
			 MSG_KEY_REFUSED);
	assert_string_equal(w->user.why, "no such key");
	/* A key of one set is not to be had by the number of the other. */
	assert_int_equal(ask(w, &w->mx, w->mx.set, 0, KEY_RSA_PKCS1, data),
			 MSG_KEY_REFUSED);
	assert_int_equal(ask(w, &w->mx, w->out.set, 1, KEY_RSA_PKCS1, data),
			 MSG_KEY_REFUSED);
	/* One file can be both. */
	f[0].groups |= KEY_GROUP_OUT;
	give(w, f, 2);
	assert_int_equal(w->out.keys, 2);
	assert_int_equal(w->mx.sets, 2);
	assert_int_equal(w->out.sets, 3);
	give(w, f, 0);
	assert_int_equal(w->out.keys, 0);
}

/* What is faulty does not displace what was good. */
static void
test_bad_files(void **state)
{
	struct world *w = *state;
	char *cut = strndup(w->ec2, strlen(w->ec2) - 50);
	char *mixed = malloc(strlen(w->ec) + strlen(w->ec2) + 1);
	struct key_file f[2] = { file(3, "/a.pem", w->ec),
				 file(3, "/b.pem", w->rsa) };
	const char *bad[] = { cut, mixed, w->old, w->late, "", "junk\n" };
	uint32_t set;
	size_t i;

	assert_non_null(mixed);
	(void)sprintf(mixed, "%.*s%s",
		      (int)(strstr(w->ec, "-----BEGIN CERT") - w->ec), w->ec,
		      strstr(w->ec2, "-----BEGIN CERT"));
	give(w, f, 2);
	set = w->mx.set;
	assert_int_equal(w->mx.keys, 2);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		f[0].bytes = str_of(bad[i]);
		give(w, f, 2);
		assert_int_equal(w->mx.set, set);
		assert_int_equal(w->mx.sets, 2);
		assert_int_equal(w->keyd.keys.not_yet, bad[i] == w->late);
	}
	f[0].error = STR("cannot be read: Permission denied");
	f[0].bytes = STR_NULL;
	give(w, f, 2);
	assert_int_equal(w->mx.set, set);
	/* In order again, and then another: */
	f[0] = file(3, "/a.pem", w->ec);
	give(w, f, 2);
	assert_int_equal(w->mx.set, set);
	f[0] = file(3, "/a.pem", w->ec2);
	give(w, f, 2);
	assert_int_equal(w->mx.sets, 3);
	/* A new name has nothing to fall back on. */
	f[0] = file(3, "/c.pem", w->old);
	give(w, f, 2);
	assert_int_equal(w->mx.keys, 1);
	/* A table that is damaged, or not sealed, changes nothing. */
	set = w->mx.set;
	keyd_table(&w->keyd, STR("keys"),
		   memfd_create("unsealed", MFD_ALLOW_SEALING));
	turns(w);
	assert_int_equal(w->mx.set, set);
	free(cut);
	free(mixed);
}

static void
count_want(void *arg)
{
	(*(unsigned *)arg)++;
}

/* A certificate of tomorrow is asked for again until it is valid. */
static void
test_not_yet(void **state)
{
	struct world *w = *state;
	struct key_file f = file(3, "/a.pem", w->late);
	uint64_t t = clock_mono_ms();
	unsigned wanted = 0;

	w->keyd.want_table = count_want;
	w->keyd.want_arg = &wanted;
	give(w, &f, 1);
	assert_int_equal(w->mx.keys, 0);
	keyd_tick(&w->keyd, t);
	keyd_tick(&w->keyd, t + 10000);
	assert_int_equal(wanted, 1);
	keyd_tick(&w->keyd, t + 60000);
	assert_int_equal(wanted, 2);
	clock_fix_wall_us((uint64_t)(NOW + 61) * 1000000);
	give(w, &f, 1);
	assert_int_equal(w->mx.keys, 1);
	keyd_tick(&w->keyd, t + 120000);
	assert_int_equal(wanted, 2);
}

/* A certificate and its key in two files. */
static void
test_pair(void **state)
{
	struct world *w = *state;
	struct key_file f = file(3, "/cert.pem", w->ec);

	f.key_path = STR("/key.pem");
	f.key_bytes = str_of(w->ec);
	give(w, &f, 1);
	assert_int_equal(w->mx.keys, 1);
	f.key_bytes = str_of(w->ec2);
	give(w, &f, 1);
	assert_int_equal(w->mx.sets, 2);
}

/* The encoded message of a PSS signature: what OpenSSL hands to the one who
 * has the key. */
static void
pss_block(EVP_PKEY *key, const EVP_MD *md, int saltlen, uint8_t *em)
{
	uint8_t hash[64] = { 3 }, sig[512];
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(key, NULL);
	size_t n = sizeof(sig), m = 512;

	assert_int_equal(EVP_PKEY_sign_init(c), 1);
	EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING);
	EVP_PKEY_CTX_set_signature_md(c, md);
	EVP_PKEY_CTX_set_rsa_pss_saltlen(c, saltlen);
	assert_int_equal(
		EVP_PKEY_sign(c, sig, &n, hash, (size_t)EVP_MD_get_size(md)),
		1);
	EVP_PKEY_CTX_free(c);
	c = EVP_PKEY_CTX_new(key, NULL);
	assert_int_equal(EVP_PKEY_verify_recover_init(c), 1);
	EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING);
	assert_int_equal(EVP_PKEY_verify_recover(c, em, &m, sig, n), 1);
	EVP_PKEY_CTX_free(c);
}

/* Also for moduli whose length is no multiple of eight bits. */
static void
test_pss(void **state)
{
	static const int bits[] = { 2048, 2050, 2052, 2054, 2056, 3072 };
	uint8_t em[512];
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		EVP_PKEY *key = EVP_RSA_gen((unsigned)bits[i]);
		unsigned b = (unsigned)EVP_PKEY_get_bits(key);

		n = (b + 7) / 8;
		pss_block(key, EVP_sha256(), RSA_PSS_SALTLEN_DIGEST, em);
		assert_true(sign_is_pss(str_mem(em, n), b));
		assert_false(sign_is_pss(str_mem(em, n - 1), b));
		em[n / 2] ^= 1;
		assert_false(sign_is_pss(str_mem(em, n), b));
		em[n / 2] ^= 1;
		em[n - 1] = 0xbd;
		assert_false(sign_is_pss(str_mem(em, n), b));
		pss_block(key, EVP_sha384(), RSA_PSS_SALTLEN_DIGEST, em);
		assert_true(sign_is_pss(str_mem(em, n), b));
		pss_block(key, EVP_sha512(), RSA_PSS_SALTLEN_DIGEST, em);
		assert_true(sign_is_pss(str_mem(em, n), b));
		pss_block(key, EVP_sha256(), 20, em);
		assert_false(sign_is_pss(str_mem(em, n), b));
		pss_block(key, EVP_sha1(), RSA_PSS_SALTLEN_DIGEST, em);
		assert_false(sign_is_pss(str_mem(em, n), b));
		memset(em, 0, sizeof(em));
		assert_false(sign_is_pss(str_mem(em, n), b));
		memset(em, 0xff, sizeof(em));
		assert_false(sign_is_pss(str_mem(em, n), b));
		EVP_PKEY_free(key);
	}
}

/* What may be signed with which key. */
static void
test_schemes(void **state)
{
	static const uint8_t info[19] = { 0x30, 0x31, 0x30, 0x0d, 0x06,
					  0x09, 0x60, 0x86, 0x48, 0x01,
					  0x65, 0x03, 0x04, 0x02, 0x01,
					  0x05, 0x00, 0x04, 0x20 };
	struct world *w = *state;
	struct key_file f[2] = { file(3, "/rsa.pem", w->rsa),
				 file(3, "/ec.pem", w->ec) };
	uint8_t data[256] = { 0 }, em[512];
	EVP_PKEY *private;
	size_t n;

	give(w, f, 2);
	private = keys_find(&w->keyd.keys, 0, w->mx.set, 0);
	/* DigestInfo, and nothing that only looks like it */
	memcpy(data, info, sizeof(info));
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 0, KEY_RSA_PKCS1, str_mem(data, 51)),
		MSG_KEY_SIGNED);
	assert_true(verifies(w->mx.chains[0].public, &w->mx, RSA_PKCS1_PADDING,
			     data + 19, 32));
	for (n = 0; n < 60; n++)
		if (n != 51)
			assert_int_equal(ask(w, &w->mx, w->mx.set, 0,
					     KEY_RSA_PKCS1, str_mem(data, n)),
					 MSG_KEY_REFUSED);
	data[14] = 2;
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 0, KEY_RSA_PKCS1, str_mem(data, 51)),
		MSG_KEY_REFUSED);
	/* PSS */
	pss_block(private, EVP_sha256(), RSA_PSS_SALTLEN_DIGEST, em);
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 0, KEY_RSA_RAW, str_mem(em, 256)),
		MSG_KEY_SIGNED);
	memset(data, 0, sizeof(data));
	data[0] = 3;
	assert_true(verifies(w->mx.chains[0].public, &w->mx,
			     RSA_PKCS1_PSS_PADDING, data, 32));
	/* A ciphertext is no such block: keyd decrypts for nobody. */
	em[100] ^= 0x80;
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 0, KEY_RSA_RAW, str_mem(em, 256)),
		MSG_KEY_REFUSED);
	assert_string_equal(w->mx.why, "not padded by PSS");
	/* Each key its own schemes */
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 0, KEY_ECDSA, str_mem(data, 32)),
		MSG_KEY_REFUSED);
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 1, KEY_RSA_RAW, str_mem(em, 256)),
		MSG_KEY_REFUSED);
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 1, KEY_ECDSA, str_mem(data, 48)),
		MSG_KEY_SIGNED);
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 1, KEY_ECDSA, str_mem(data, 20)),
		MSG_KEY_REFUSED);
	assert_int_equal(ask(w, &w->mx, w->mx.set, 1, 0, str_mem(data, 32)),
			 MSG_KEY_REFUSED);
	assert_false(w->mx.closed);
}

static void
test_tickets(void **state)
{
	struct world *w = *state;
	uint8_t first[KEY_TICKET_NAME], second[KEY_TICKET_NAME];
	uint64_t t = clock_mono_ms();

	assert_int_equal(w->mx.tickets, 1);
	assert_int_equal(w->mx.ntickets, 1);
	assert_int_equal(w->user.ntickets, 1);
	assert_int_not_equal(
		memcmp(w->mx.name[0], w->user.name[0], KEY_TICKET_NAME), 0);
	memcpy(first, w->mx.name[0], sizeof(first));
	keyd_tick(&w->keyd, t + 1700 * 1000);
	turns(w);
	assert_int_equal(w->mx.tickets, 1);
	keyd_tick(&w->keyd, t + 1801 * 1000);
	turns(w);
	assert_int_equal(w->mx.tickets, 2);
	assert_int_equal(w->mx.ntickets, 2);
	assert_memory_equal(w->mx.name[1], first, sizeof(first));
	memcpy(second, w->mx.name[0], sizeof(second));
	keyd_tick(&w->keyd, t + 3602 * 1000);
	keyd_tick(&w->keyd, t + 5403 * 1000);
	turns(w);
	assert_int_equal(w->mx.ntickets, 3);
	assert_memory_equal(w->mx.name[2], second, sizeof(second));
	/* Switched off: no key is left to open one. */
	keyd_configure(&w->keyd, STR("mail.x.test"), 0);
	turns(w);
	assert_int_equal(w->mx.ntickets, 0);
	keyd_tick(&w->keyd, t + 9999 * 1000);
	turns(w);
	assert_int_equal(w->mx.ntickets, 0);
	keyd_configure(&w->keyd, STR("mail.x.test"), 60);
	turns(w);
	assert_int_equal(w->mx.ntickets, 1);
}

/* Who has not asked is told nothing; who breaks the row is dropped alone. */
static void
test_channel(void **state)
{
	struct world *w = *state;
	struct key_file f = file(3, "/a.pem", w->ec);
	static const char junk[] = "\x7c\0\0\0\1\0\0\0junk";
	struct tlsd quiet = { .chan = NULL };
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	keyd_peer(&w->keyd, &channels[CH_TLSD_MX_KEYD], sv[0]);
	give(w, &f, 1);
	assert_int_equal(w->mx.keys, 1);
	assert_int_equal(recv(sv[1], &quiet, 1, MSG_DONTWAIT), -1);
	assert_int_equal(send(sv[1], junk, sizeof(junk), 0), sizeof(junk));
	turns(w);
	assert_int_equal(recv(sv[1], &quiet, 1, MSG_DONTWAIT), 0);
	close(sv[1]);
	assert_int_equal(
		ask(w, &w->mx, w->mx.set, 0, KEY_ECDSA, str_mem(junk, 0)),
		MSG_KEY_REFUSED);
}

static void
test_expiry(void **state)
{
	struct world *w = *state;
	struct key_file f = file(3, "/a.pem", w->ec);
	static const struct {
		int days; /* since NOW; it ends on day 90 */
		unsigned said;
	} rows[] = { { 0, 0 },	{ 60, 0 }, { 69, 1 }, { 70, 1 },
		     { 83, 2 }, { 89, 3 }, { 91, 5 }, { 92, 6 } };
	struct key_entry *e;
	size_t i;

	give(w, &f, 1);
	e = LIST_OF(w->keyd.keys.entries.next, struct key_entry, link);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		keys_warn_expiry(&w->keyd.keys,
				 NOW + rows[i].days * (int64_t)DAY);
		assert_int_equal(e->good->said, rows[i].said);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sets, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_out, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_bad_files, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_not_yet, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_pair, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_schemes, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_tickets, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_channel, world_init,
						world_fini),
		cmocka_unit_test_setup_teardown(test_expiry, world_init,
						world_fini),
		cmocka_unit_test(test_pss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
