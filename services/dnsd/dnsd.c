/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "dnsd.h"
#include "flight.h"
#include "name.h"

enum { HOSTS_TTL = 60 };

/* --- askers -------------------------------------------------------------- */

static bool
is_asked(unsigned type)
{
	switch (type) {
	case DNS_A:
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_MX:
	case DNS_TXT:
	case DNS_AAAA:
	case DNS_TLSA:
		return true;
	default:
		return false;
	}
}

/* What the file of hosts says of a name is all there is. */
static void
answer_from_hosts(struct answer *a, const struct host *host, unsigned type)
{
	const struct host_addr *it;

	for (it = host->first; it; it = it->next) {
		const struct addr *at = &it->addr;

		if (type == DNS_A && at->sa.sa_family == AF_INET)
			(void)!answer_add(a, str_mem(&at->in.sin_addr,
						     sizeof(at->in.sin_addr)));
		if (type == DNS_AAAA && at->sa.sa_family == AF_INET6)
			(void)!answer_add(a,
					  str_mem(&at->in6.sin6_addr,
						  sizeof(at->in6.sin6_addr)));
	}
	a->status = a->n ? DNS_OK : DNS_NODATA;
	a->ttl = HOSTS_TTL;
}

/* The answer that needs no name server; false: it does. */
static bool
answer_at_once(struct dnsd *d, const struct msg_dns_query *m, char *name,
	       struct answer *a)
{
	const struct host *host;
	struct err err;

	if (name_normal(m->name, name, &err) < 0) {
		answer_fail(a, DNS_BAD, "%s", err.text);
		return true;
	}
	if (!is_asked(m->type)) {
		answer_fail(a, DNS_BAD, "records of type %u are not asked for",
			    m->type);
		return true;
	}
	if (m->type != DNS_A && m->type != DNS_AAAA)
		return false;
	host = hosts_find(&d->hosts, str_of(name));
	if (host)
		answer_from_hosts(a, host, m->type);
	return host != NULL;
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	const struct msg_dns_query *m = msg;
	char name[DNS_NAME_MAX + 1];
	struct dnsd *d = arg;
	struct answer a;

	(void)def;
	answer_init(&a);
	if (answer_at_once(d, m, name, &a))
		answer_send(c, tag, &a);
	else
		flight_ask(d, c, tag, name, m->type);
	answer_fini(&a);
}

/* Its questions are answered into the void. */
static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
}

static const struct chan_ops asker_ops = { on_msg, on_close };

void
dnsd_peer(struct dnsd *d, const struct chan_row *row, int fd)
{
	(void)chan_new(d->loop, fd, row, CHAN_SERVICE, &asker_ops, d);
}

/* --- settings ------------------------------------------------------------ */

const struct resolv *
dnsd_servers(const struct dnsd_conf *c, const struct resolv *resolv_conf)
{
	return c->servers.n ? &c->servers : resolv_conf;
}

int
dnsd_map(int fd, struct str *text, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS), want = F_SEAL_SHRINK | F_SEAL_WRITE;
	struct stat st;
	void *p;

	*text = STR_NULL;
	if (seals < 0 || (seals & want) != want || fstat(fd, &st) < 0)
		return err_set(err, ERR_PERM, EINVAL, "not sealed");
	if (st.st_size > DNSD_TABLE_MAX)
		return err_set(err, ERR_PERM, EFBIG, "more than %d MB",
			       DNSD_TABLE_MAX >> 20);
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, errno, "mmap");
	*text = str_mem(p, (size_t)st.st_size);
	return 0;
}

static void
want_edition(struct dnsd *d)
{
	d->renew = true;
	d->no_dnssec = false;
	loop_flush_want(d->loop, &d->sweep);
}

static void
take_hosts(struct dnsd *d, struct str text)
{
	hosts_fini(&d->hosts);
	if (hosts_parse(&d->hosts, text) < 0)
		log_warn("hosts_file: too large; its end is not used");
}

static void
take_anchors(struct dnsd *d, struct str text)
{
	buf_reset(&d->anchors);
	if (buf_add_str(&d->anchors, text) < 0) {
		log_warn("dns_trust_anchor_file: too large");
		buf_reset(&d->anchors);
	}
	if (d->anchors.n == 0)
		log_warn("no trust anchors: DNSSEC is not checked");
	want_edition(d);
}

/* The cache goes with the edition: what has not changed is no reason for
 * another one. */
static void
take_resolv_conf(struct dnsd *d, struct str text)
{
	struct resolv r;

	resolv_parse(text, &r);
	if (!resolv_same(&r, &d->resolv))
		want_edition(d);
	d->resolv = r;
}

void
dnsd_table(struct dnsd *d, struct str name, int fd)
{
	struct str text;
	struct err err;

	if (dnsd_map(fd, &text, &err) < 0) {
		log_error("%.*s: %s", STR_FMT(name), err.text);
		close(fd);
		return;
	}
	if (str_eq(name, STR("hosts"))) {
		take_hosts(d, text);
	} else if (str_eq(name, STR("resolv_conf"))) {
		take_resolv_conf(d, text);
	} else if (str_eq(name, STR("dns_anchors"))) {
		take_anchors(d, text);
	}
	if (text.n)
		munmap((void *)(uintptr_t)text.p, text.n);
	close(fd);
}

void
dnsd_configure(struct dnsd *d, const struct dnsd_conf *c)
{
	const struct dnsd_conf *now = &d->conf;

	if (!d->now || c->mode != now->mode || c->cache != now->cache ||
	    !resolv_same(&c->servers, &now->servers))
		want_edition(d);
	d->conf = *c;
}

/* --- life ---------------------------------------------------------------- */

static void
sweep_old(struct dnsd *d)
{
	struct list *it, *next;

	for (it = d->old.next; it != &d->old; it = next) {
		struct edition *e = LIST_OF(it, struct edition, link);

		next = it->next;
		if (e->questions == 0)
			edition_free(e);
	}
}

static void
on_sweep(struct loop_flush *f)
{
	struct dnsd *d = LIST_OF(f, struct dnsd, sweep);

	if (d->renew)
		edition_renew(d);
	sweep_old(d);
	flights_start(d);
}

int
dnsd_init(struct dnsd *d, struct loop *l, struct err *err)
{
	enum { ANCHORS_MAX = 256 * 1024 };

	*d = (struct dnsd){ .loop = l };
	list_init(&d->old);
	list_init(&d->waiting);
	loop_flush_init(&d->sweep, on_sweep);
	buf_init(&d->anchors, ANCHORS_MAX);
	if (hosts_parse(&d->hosts, STR_NULL) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return 0;
}

void
dnsd_fini(struct dnsd *d)
{
	edition_free(d->now);
	d->now = NULL;
	while (!list_empty(&d->old))
		edition_free(LIST_OF(d->old.next, struct edition, link));
	while (!list_empty(&d->waiting))
		flight_free(LIST_OF(d->waiting.next, struct flight, link));
	loop_flush_cancel(&d->sweep);
	map_fini(&d->shared);
	hosts_fini(&d->hosts);
	buf_fini(&d->anchors);
}
