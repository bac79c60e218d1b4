/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "attempt.h"
#include "base/log.h"
#include "password/scram.h"

/* What main.cf says; asked again at each reload. */
static void
configure(struct authd *a, const struct params *p)
{
	struct str base = params_str(p, "virtual_mailbox_base");
	struct str mail = identity_system_mail(params_str(p, "home_mailbox"));
	struct identity_conf *c = &a->conf;

	c->vmail_uid = identity_static_id(params_str(p, "virtual_uid_maps"));
	c->vmail_gid = identity_static_id(params_str(p, "virtual_gid_maps"));
	while (base.n > 1 && base.p[base.n - 1] == '/')
		base.n--;
	if (!str_copy(c->base, sizeof(c->base), base))
		log_warn("virtual_mailbox_base is too long");
	if (!str_copy(c->system_mail, sizeof(c->system_mail), mail))
		log_warn("home_mailbox is too long");
	a->verbose = params_bool(p, "auth_verbose");
	a->first_uid = (uint32_t)params_num(p, "first_valid_uid");
	if (penalties_configure(&a->penalties,
				(uint64_t)params_num(p, "login_penalty") * 1000,
				params_str(p, "login_penalty_exceptions")))
		log_warn("login_penalty_exceptions has more than %d networks",
			 PENALTY_NETS_MAX);
	authd_set_mechs(a, params_str(p, "auth_mechanisms"));
}

/* pamd runs while there is a PAM service. */
static void
configure_pam(struct daemon *d)
{
	bool on = params_str(&d->params, "pam_service").n > 0;
	struct authd *a = d->app;
	struct asker *old = a->pam;

	if (on && !old)
		a->pam = asker_new(d, SVC_PAMD, NULL, NULL, a);
	if (!on && old) {
		a->pam = NULL;
		asker_free(old);
	}
}

static void
take_inherited(struct daemon *d, const char *name)
{
	int fd = daemon_fd(d, name, 0);

	if (fd >= 0 && (fd = dup(fd)) >= 0)
		authd_table(d->app, str_of(name), fd);
}

/* What there is to load stands outside of the jail. */
static void
preload(void)
{
	struct err err;

	password_preload();
	if (exchange_preload(&err) < 0)
		log_error("%s", err.text);
}

static int
start(struct daemon *d, struct err *err)
{
	struct authd *a = calloc(1, sizeof(*a)); /* until the process ends */
	const struct params *p = &d->params;

	if (!a)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->app = a;
	if (authd_init(a, &d->loop,
		       (unsigned)params_num(p, "auth_hash_threads"),
		       (unsigned)params_num(p, "auth_queue_limit"), err) < 0)
		return -1;
	configure(a, p);
	configure_pam(d);
	take_inherited(d, "users");
	take_inherited(d, "passwd");
	take_inherited(d, "app_passwords");
	a->last_use = daemon_fd(d, "last_use", 0);
	return 0;
}

static void
reload(struct daemon *d)
{
	configure(d->app, &d->params);
	configure_pam(d);
	attempts_await_gate(d->app); /* penalties may have changed */
}

static void
table(struct daemon *d, struct str name, int fd)
{
	authd_table(d->app, name, fd);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	authd_peer(d->app, row, fd);
}

const struct daemon_ops authd_ops = {
	.id = SVC_AUTHD,
	.preload = preload,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
};
