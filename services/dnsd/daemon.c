/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sysexits.h>

#include "base/log.h"
#include "dnsd.h"
#include "frame/jail.h"

enum { PORTS_MAX = 1 + 2 * RESOLV_SERVERS_MAX };

struct app {
	struct dnsd dnsd;
	uint16_t ports[PORTS_MAX + 1]; /* that the jail leaves open, up to 0 */
};

static int
read_conf(const struct params *p, struct dnsd_conf *c, struct err *err)
{
	struct str mode = params_str(p, "dns_mode");

	*c = (struct dnsd_conf){
		.mode = str_eq(mode, STR("forward"))   ? DNSD_FORWARD
			: str_eq(mode, STR("recurse")) ? DNSD_RECURSE
						       : DNSD_AUTO,
		.timeout_ms = (unsigned)params_num(p, "dns_timeout") * 1000,
		.cache = (size_t)params_num(p, "dns_cache_size"),
	};
	return resolv_parse_list(params_str(p, "dns_servers"), &c->servers,
				 err);
}

/* --- ports: Landlock cannot be loosened ----------------------------------- */

static bool
has_port(const uint16_t *ports, unsigned port)
{
	for (; *ports; ports++)
		if (*ports == port)
			return true;
	return false;
}

static bool
has_ports(const uint16_t *ports, const struct resolv *r)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (!has_port(ports, addr_port(&r->v[i])))
			return false;
	return true;
}

static void
add_ports(uint16_t *ports, const struct resolv *r)
{
	unsigned i, n = 0;

	while (ports[n])
		n++;
	for (i = 0; i < r->n; i++)
		if (!has_port(ports, addr_port(&r->v[i])))
			ports[n++] = (uint16_t)addr_port(&r->v[i]);
}

static void
read_resolv_conf(int fd, struct resolv *r)
{
	struct str text;
	struct err err;

	*r = (struct resolv){ .n = 0 };
	if (fd < 0 || dnsd_map(fd, &text, &err) < 0)
		return;
	resolv_parse(text, r);
	if (text.n)
		munmap((void *)(uintptr_t)text.p, text.n);
}

static int
confine(struct daemon *d, struct jail *j, struct err *err)
{
	struct app *app = calloc(1, sizeof(*app)); /* until the process ends */
	struct resolv of_file;
	struct dnsd_conf c;

	if (!app)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (read_conf(&d->params, &c, err) < 0)
		return -1;
	read_resolv_conf(daemon_fd(d, "resolv_conf", 0), &of_file);
	app->ports[0] = RESOLV_PORT;
	add_ports(app->ports, &c.servers);
	add_ports(app->ports, &of_file);
	j->ports = app->ports;
	d->app = app;
	return 0;
}

/* Another port needs a new process, which master starts at once. */
static bool
is_confined_to(struct daemon *d, const struct resolv *r)
{
	struct app *app = d->app;

	if (has_ports(app->ports, r))
		return true;
	log_info("a name server on another port: starting anew");
	daemon_exit(d, EX_OK);
	return false;
}

/* --- life ---------------------------------------------------------------- */

static void
take_table(struct daemon *d, const char *name)
{
	struct app *app = d->app;
	int fd = daemon_fd(d, name, 0);
	int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own >= 0)
		dnsd_table(&app->dnsd, str_of(name), own);
}

static int
start(struct daemon *d, struct err *err)
{
	struct app *app = d->app;
	struct dnsd_conf c;

	if (dnsd_init(&app->dnsd, &d->loop, err) < 0 ||
	    read_conf(&d->params, &c, err) < 0)
		return -1;
	take_table(d, "resolv_conf");
	take_table(d, "hosts");
	take_table(d, "dns_anchors");
	dnsd_configure(&app->dnsd, &c);
	return 0;
}

static void
reload(struct daemon *d)
{
	struct app *app = d->app;
	struct dnsd_conf c;
	struct err err;

	if (read_conf(&d->params, &c, &err) < 0)
		log_error("reload: %s; the old name servers stay", err.text);
	else if (is_confined_to(d, &c.servers))
		dnsd_configure(&app->dnsd, &c);
}

static void
table(struct daemon *d, struct str name, int fd)
{
	struct app *app = d->app;
	struct resolv r;

	if (str_eq(name, STR("resolv_conf"))) {
		read_resolv_conf(fd, &r);
		(void)!is_confined_to(d, &r);
	}
	dnsd_table(&app->dnsd, name, fd);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	struct app *app = d->app;

	dnsd_peer(&app->dnsd, row, fd);
}

const struct daemon_ops dnsd_ops = {
	.id = SVC_DNSD,
	.confine = confine,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
};
