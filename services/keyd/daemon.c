/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "base/log.h"
#include "frame/msg_control.h"
#include "keyd.h"

/* For the numbers of private keys: outside of core dumps, never swapped, with
 * a guard page at each end. */
enum { SECURE_HEAP = 4 * 1024 * 1024, SECURE_LEAST = 32 };

/*
 * OpenSSL without its configuration file; what it reads or loads at first use
 * is used here.
 */
static void
preload(void)
{
	EVP_PKEY *key;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
				    OPENSSL_INIT_ADD_ALL_CIPHERS |
				    OPENSSL_INIT_ADD_ALL_DIGESTS,
			    NULL);
	if (CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST) == 0)
		log_warn("no locked memory for keys");
	key = EVP_EC_gen("P-256");
	EVP_PKEY_free(key);
}

static void
configure(struct daemon *d)
{
	const struct params *p = &d->params;

	keyd_configure(
		d->app, params_str(p, "myhostname"),
		(unsigned)params_num(p, "smtpd_tls_session_cache_timeout"));
}

static void
want_table(void *arg)
{
	struct msg_want want = { STR("keys") };
	struct daemon *d = arg;

	if (d->control)
		chan_send(d->control, 0, &msg_want_def, &want);
}

static int
start(struct daemon *d, struct err *err)
{
	struct keyd *k = calloc(1, sizeof(*k)); /* until the process ends */
	int fd = daemon_fd(d, "keys", 0);

	if (!k)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->app = k;
	if (keyd_init(k, &d->loop, err) < 0)
		return -1;
	k->want_table = want_table;
	k->want_arg = d;
	configure(d);
	if (fd >= 0)
		keyd_table(k, STR("keys"), fd);
	return 0;
}

static void
reload(struct daemon *d)
{
	configure(d);
}

static void
table(struct daemon *d, struct str name, int fd)
{
	keyd_table(d->app, name, fd);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	keyd_peer(d->app, row, fd);
}

const struct daemon_ops keyd_ops = {
	.id = SVC_KEYD,
	.preload = preload,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
};
