/* SPDX-License-Identifier: ISC */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/msg_keyd.h"
#include "remote_key.h"

/* What hangs on each key, as OpenSSL's "app data". */
struct where {
	struct remote *remote;
	uint32_t set;
	uint16_t key;
};

/* --- the channel -----------------------------------------------------------
 */

static int
no_answer(struct err *err)
{
	return err_set(err, ERR_TEMP, ETIMEDOUT, "keyd does not answer");
}

static int
wait_for(int fd, short what, uint64_t until, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = what };
	uint64_t now = clock_mono_ms();
	int n;

	do
		n = poll(&p, 1, until > now ? (int)(until - now) : 0);
	while (n < 0 && errno == EINTR && (now = clock_mono_ms()) < until);
	return n > 0 ? 0 : no_answer(err);
}

static int
send_frame(struct remote *r, uint64_t until, struct err *err)
{
	if (wait_for(r->fd, POLLOUT, until, err) < 0)
		return -1;
	if (send(r->fd, r->frame.p, r->frame.n, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)r->frame.n)
		return err_set(err, ERR_TEMP, EPIPE, "keyd is gone");
	return 0;
}

/* The frame with this tag, into r->frame. */
static int
receive_frame(struct remote *r, uint16_t *type, uint64_t until, struct err *err)
{
	uint32_t tag = 0;
	ssize_t n;
	char *to;

	do {
		if (wait_for(r->fd, POLLIN, until, err) < 0)
			return -1;
		buf_reset(&r->frame);
		to = buf_reserve(&r->frame, MSG_FRAME_MAX);
		if (!to)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		/* A descriptor has no place here: the kernel drops it. */
		n = recv(r->fd, to, MSG_FRAME_MAX, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return err_set(err, ERR_TEMP, EPIPE, "keyd is gone");
		r->frame.n = (size_t)n;
		if (msg_peek(buf_str(&r->frame), type, &tag) < 0)
			return err_set(err, ERR_TEMP, EPROTO,
				       "keyd sends what is no message");
	} while (tag != r->tag); /* a note, or an answer nobody waits for */
	return 0;
}

static int
take_answer(struct remote *r, uint16_t type, struct msg_key_signed *done,
	    struct err *err)
{
	struct msg_key_refused no;
	struct str frame = buf_str(&r->frame);

	if (type == MSG_KEY_SIGNED)
		return msg_decode(frame, &msg_key_signed_def, done, NULL, 0,
				  err);
	if (type != MSG_KEY_REFUSED ||
	    msg_decode(frame, &msg_key_refused_def, &no, NULL, 0, err) < 0)
		return err_set(err, ERR_TEMP, EPROTO,
			       "keyd sends what is no answer");
	err_set(err, ERR_PERM, 0, "keyd: %.*s", STR_FMT(no.text));
	return -1;
}

/* One question and its answer; done's slice lives in r->frame. */
static int
ask(struct remote *r, const struct msg_key_sign *m, struct msg_key_signed *done,
    struct err *err)
{
	uint64_t until = clock_mono_ms() + REMOTE_TIMEOUT_MS;
	uint16_t type = 0;
	size_t nfds;

	if (r->fd < 0)
		return err_set(err, ERR_TEMP, ENOTCONN, "keyd is away");
	if (r->owed_ms) {
		if (until - r->owed_ms > REMOTE_PATIENCE_MS)
			shutdown(r->fd, SHUT_RDWR);
		return no_answer(err);
	}
	if (++r->tag == 0)
		r->tag = 1;
	buf_reset(&r->frame);
	if (msg_encode(&r->frame, &msg_key_sign_def, r->tag, m, NULL, &nfds,
		       err) < 0)
		return -1;
	if (send_frame(r, until, err) < 0 ||
	    receive_frame(r, &type, until, err) < 0 ||
	    take_answer(r, type, done, err) < 0) {
		/* The owner of the event on it sees the answer that comes
		 * late, or the end, and connects anew. */
		if (err->code == ETIMEDOUT)
			r->owed_ms = until;
		else if (err->class != ERR_PERM)
			shutdown(r->fd, SHUT_RDWR);
		return -1;
	}
	return 0;
}

/* A signature of at most size bytes; its length, or -1 with r->fail set. */
static int
sign(const struct where *w, enum key_scheme scheme, struct str data,
     unsigned char *to, size_t size)
{
	const struct msg_key_sign m = {
		.set = w->set,
		.key = w->key,
		.scheme = (uint8_t)scheme,
		.data = data,
	};
	struct remote *r = w->remote;
	struct msg_key_signed done;
	struct err err;

	if (ask(r, &m, &done, &err) < 0) {
		r->fail = err;
		return -1;
	}
	if (done.signature.n == 0 || done.signature.n > size)
		return err_set(&r->fail, ERR_TEMP, EPROTO,
			       "keyd: a signature of a wrong length");
	memcpy(to, done.signature.p, done.signature.n);
	return (int)done.signature.n;
}

/* --- OpenSSL's methods -----------------------------------------------------
 */

static int
rsa_sign(int n, const unsigned char *from, unsigned char *to, RSA *rsa,
	 int padding)
{
	const struct where *w = RSA_get_app_data(rsa);
	enum key_scheme scheme;

	if (padding == RSA_PKCS1_PADDING)
		scheme = KEY_RSA_PKCS1;
	else if (padding == RSA_NO_PADDING) /* OpenSSL has padded it (PSS) */
		scheme = KEY_RSA_RAW;
	else
		return -1;
	return sign(w, scheme, str_mem(from, (size_t)n), to,
		    (size_t)RSA_size(rsa));
}

/* keyd decrypts nothing: see conf.c, NEVER. */
static int
rsa_no(int n, const unsigned char *from, unsigned char *to, RSA *rsa,
       int padding)
{
	(void)n;
	(void)from;
	(void)to;
	(void)rsa;
	(void)padding;
	return -1;
}

static int
rsa_finish(RSA *rsa)
{
	free(RSA_get_app_data(rsa));
	return 1;
}

static int
ec_sign(int type, const unsigned char *digest, int n, unsigned char *to,
	unsigned *to_n, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec)
{
	int got = sign(EC_KEY_get_ex_data(ec, 0), KEY_ECDSA,
		       str_mem(digest, (size_t)n), to, (size_t)ECDSA_size(ec));

	(void)type;
	(void)kinv;
	(void)r;
	*to_n = got > 0 ? (unsigned)got : 0;
	return got > 0;
}

static void
ec_finish(EC_KEY *ec)
{
	free(EC_KEY_get_ex_data(ec, 0));
}

int
remote_init(struct remote *r, struct err *err)
{
	RSA_METHOD *rsa = RSA_meth_dup(RSA_PKCS1_OpenSSL());
	EC_KEY_METHOD *ec = EC_KEY_METHOD_new(EC_KEY_OpenSSL());

	*r = (struct remote){ .fd = -1, .rsa = rsa, .ec = ec };
	buf_init(&r->frame, MSG_FRAME_MAX);
	if (!rsa || !ec || !RSA_meth_set_priv_enc(rsa, rsa_sign) ||
	    !RSA_meth_set_priv_dec(rsa, rsa_no) ||
	    !RSA_meth_set_finish(rsa, rsa_finish)) {
		remote_fini(r);
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	EC_KEY_METHOD_set_sign(ec, ec_sign, NULL, NULL);
	EC_KEY_METHOD_set_init(ec, NULL, ec_finish, NULL, NULL, NULL, NULL);
	return 0;
}

void
remote_fini(struct remote *r)
{
	remote_channel(r, -1);
	RSA_meth_free(r->rsa);
	EC_KEY_METHOD_free(r->ec);
	buf_fini(&r->frame);
}

void
remote_channel(struct remote *r, int fd)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	r->owed_ms = 0;
}

int
remote_late(struct remote *r)
{
	uint64_t now = clock_mono_ms();
	uint16_t type;
	struct err err;

	if (!r->owed_ms || receive_frame(r, &type, now, &err) < 0)
		return -1;
	r->owed_ms = 0;
	return 0;
}

/* --- keys ------------------------------------------------------------------
 */

static RSA *
new_rsa(struct remote *r, const EVP_PKEY *public, struct where *w)
{
	const RSA *from = EVP_PKEY_get0_RSA(public);
	RSA *rsa = RSA_new();
	BIGNUM *n, *e;

	if (!rsa)
		return NULL;
	n = from ? BN_dup(RSA_get0_n(from)) : NULL;
	e = from ? BN_dup(RSA_get0_e(from)) : NULL;
	if (!n || !e || !RSA_set0_key(rsa, n, e, NULL)) {
		BN_free(n);
		BN_free(e);
		RSA_free(rsa);
		return NULL;
	}
	if (!RSA_set_app_data(rsa, w) || !RSA_set_method(rsa, r->rsa)) {
		RSA_free(rsa);
		return NULL;
	}
	RSA_set_flags(rsa, RSA_FLAG_EXT_PKEY | RSA_METHOD_FLAG_NO_CHECK);
	return rsa;
}

static EC_KEY *
new_ec(struct remote *r, const EVP_PKEY *public, struct where *w)
{
	const EC_KEY *from = EVP_PKEY_get0_EC_KEY(public);
	EC_KEY *ec = EC_KEY_new();

	if (ec && from && EC_KEY_set_group(ec, EC_KEY_get0_group(from)) &&
	    EC_KEY_set_public_key(ec, EC_KEY_get0_public_key(from)) &&
	    EC_KEY_set_ex_data(ec, 0, w) && EC_KEY_set_method(ec, r->ec))
		return ec;
	EC_KEY_free(ec);
	return NULL;
}

EVP_PKEY *
remote_key(struct remote *r, X509 *cert, uint32_t set, uint16_t key,
	   struct err *err)
{
	EVP_PKEY *public = X509_get0_pubkey(cert), *pkey = EVP_PKEY_new();
	struct where *w = calloc(1, sizeof(*w));
	int type = public ? EVP_PKEY_get_base_id(public) : EVP_PKEY_NONE;
	RSA *rsa = NULL;
	EC_KEY *ec = NULL;

	if (!pkey || !w)
		goto fail;
	*w = (struct where){ .remote = r, .set = set, .key = key };
	if (type == EVP_PKEY_RSA)
		rsa = new_rsa(r, public, w);
	else if (type == EVP_PKEY_EC)
		ec = new_ec(r, public, w);
	/* From here on w goes with the key, by its finish function. */
	if (rsa && EVP_PKEY_assign_RSA(pkey, rsa))
		return pkey;
	if (ec && EVP_PKEY_assign_EC_KEY(pkey, ec))
		return pkey;
	RSA_free(rsa);
	EC_KEY_free(ec);
	if (rsa || ec)
		w = NULL;
fail:
	free(w);
	EVP_PKEY_free(pkey);
	err_set(err, ERR_PERM, 0, "a key of this kind cannot be used");
	return NULL;
}
