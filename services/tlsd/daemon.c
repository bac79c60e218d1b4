/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "tlsd.h"

enum {
	RECONNECT_MS = 200,
	/* Descriptors for channels, and for those on their way. */
	SPARE_FDS = 400,
};

struct app {
	struct daemon *d;
	struct tlsd tlsd;
	struct event *connect, *drain;
};

/* What master reads for us; smtp_tls_ca comes to tlsd_mx alone. */
static const struct {
	const char *name;
	void (*take)(struct tlsd *t, int fd);
} tables[] = {
	{ "tls_ca", tlsd_ca },
	{ "smtp_tls_ca", tlsd_server_ca },
};

/* Before the jail: what OpenSSL reads or makes at first use.  Its
 * configuration file is never read: main.cf alone says what is spoken. */
static void
preload(void)
{
	SSL_CTX *ctx;

	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
				 OPENSSL_INIT_LOAD_SSL_STRINGS |
				 OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
				 OPENSSL_INIT_NO_ATEXIT,
			 NULL);
	ctx = SSL_CTX_new(TLS_method());
	if (!ctx)
		log_error("OpenSSL cannot be used: %s", openssl_text());
	SSL_CTX_free(ctx);
}

static void
configure(struct app *a)
{
	struct tls_conf conf;

	conf_load(&conf, &a->d->params, a->d->svc->id == SVC_TLSD_MX);
	tlsd_configure(&a->tlsd, &conf);
}

/* --- the channel on which keyd signs ---------------------------------------
 */

static void
connect_later(void *arg)
{
	static const struct timeval tv = { 0, RECONNECT_MS * 1000 };
	struct app *a = arg;

	evtimer_add(a->connect, &tv);
}

static void
on_connected(void *arg, int fd, bool never)
{
	struct app *a = arg;

	(void)never;
	if (fd < 0)
		connect_later(a);
	else
		tlsd_remote(&a->tlsd, fd);
}

static void
on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct app *a = arg;

	(void)fd;
	(void)what;
	daemon_connect(a->d, SVC_KEYD, 0, on_connected, a);
}

/* --- life ------------------------------------------------------------------
 */

static void
on_drained(void *arg)
{
	struct app *a = arg;

	daemon_exit(a->d, EX_OK);
}

static void
on_drain_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct app *a = arg;

	(void)fd;
	(void)what;
	log_info("%u connections end after tls_drain_time", a->tlsd.nstreams);
	daemon_exit(a->d, EX_OK);
}

/* Two descriptors each; jail.c has set the limit as far as it could. */
static unsigned
max_streams(const struct daemon *d)
{
	struct rlimit rl = { .rlim_cur = d->svc->nofile };

	(void)getrlimit(RLIMIT_NOFILE, &rl);
	return rl.rlim_cur > SPARE_FDS ? (unsigned)(rl.rlim_cur - SPARE_FDS) / 2
				       : 1;
}

static int
start(struct daemon *d, struct err *err)
{
	struct app *a = calloc(1, sizeof(*a)); /* until the process ends */
	size_t i;
	int fd;

	if (!a)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->app = a;
	a->d = d;
	a->tlsd.arg = a;
	a->tlsd.remote_lost = connect_later;
	a->tlsd.drained = on_drained;
	a->connect = evtimer_new(d->loop.base, on_connect, a);
	a->drain = evtimer_new(d->loop.base, on_drain_timeout, a);
	if (!a->connect || !a->drain)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (tlsd_init(&a->tlsd, &d->loop, max_streams(d), err) < 0)
		return -1;
	configure(a);
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		fd = daemon_fd(d, tables[i].name, 0);
		if (fd >= 0 && (fd = dup(fd)) >= 0)
			tables[i].take(&a->tlsd, fd);
	}
	a->tlsd.keyd = asker_new(d, SVC_KEYD, tlsd_on_keyd_note,
				 tlsd_on_keyd_state, &a->tlsd);
	if (!a->tlsd.keyd)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	daemon_connect(d, SVC_KEYD, 0, on_connected, a);
	return 0;
}

static void
reload(struct daemon *d)
{
	configure(d->app);
}

static void
table(struct daemon *d, struct str name, int fd)
{
	struct app *a = d->app;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (str_eq(name, str_of(tables[i].name))) {
			tables[i].take(&a->tlsd, fd);
			return;
		}
	close(fd);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	struct app *a = d->app;

	tlsd_peer(&a->tlsd, row, fd);
}

static void
drain(struct daemon *d)
{
	struct app *a = d->app;
	struct timeval tv = { a->tlsd.conf.drain_s, 0 };

	evtimer_add(a->drain, &tv);
	tlsd_drain(&a->tlsd);
}

const struct daemon_ops tlsd_mx_ops = {
	.id = SVC_TLSD_MX,
	.preload = preload,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
	.drain = drain,
};

const struct daemon_ops tlsd_user_ops = {
	.id = SVC_TLSD_USER,
	.preload = preload,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
	.drain = drain,
};
