/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/jail.h"
#include "frame/msg_router.h"
#include "owns.h"
#include "resolve.h"
#include "router.h"
#include "site.h"

enum {
	PASSWD_MAX = 64 << 20,
	POOL_MAX = 256 << 20,
	FRAME_RCPTS = 48 * 1024,  /* bytes of recipients in one frame */
	PENDING_BYTES = 32 << 20, /* parts an asker may have waiting */
	PENDING_TAGS = 512,
	DIRS_MAX = 64,
};

/* Parts of a request whose end has not come yet. */
struct pending {
	struct list link;
	uint32_t tag, count;
	struct buf raw; /* elements of msg_rcpt_in */
};

struct asker {
	struct router *router;
	struct chan *chan;
	struct list link;
	struct list pending;
	size_t npending, bytes;
};

/* --- askers -------------------------------------------------------------- */

static void
pending_free(struct asker *a, struct pending *p)
{
	a->npending--;
	a->bytes -= p->raw.n;
	list_remove(&p->link);
	buf_fini(&p->raw);
	free(p);
}

static void
asker_free(struct asker *a)
{
	while (!list_empty(&a->pending))
		pending_free(a, LIST_OF(a->pending.next, struct pending, link));
	list_remove(&a->link);
	free(a);
}

static struct pending *
pending_find(struct asker *a, uint32_t tag)
{
	struct list *it;

	list_for_each (it, &a->pending) {
		struct pending *p = LIST_OF(it, struct pending, link);

		if (p->tag == tag)
			return p;
	}
	return NULL;
}

static int
pending_add(struct asker *a, uint32_t tag, const struct msg_list *l)
{
	struct pending *p = pending_find(a, tag);

	if (!p) {
		/* The oldest was given up long since; if not, its request
		 * finds that something is missing. */
		if (a->npending == PENDING_TAGS)
			pending_free(a, LIST_OF(a->pending.next, struct pending,
						link));
		p = calloc(1, sizeof(*p));
		if (!p)
			return -1;
		p->tag = tag;
		buf_init(&p->raw, PENDING_BYTES);
		list_append(&a->pending, &p->link);
		a->npending++;
	}
	if (p->count + l->count > RCPTS_MAX ||
	    a->bytes + l->raw.n > PENDING_BYTES ||
	    buf_add_str(&p->raw, l->raw) < 0)
		return -1;
	a->bytes += l->raw.n;
	p->count += l->count;
	return 0;
}

/* --- ROUTE --------------------------------------------------------------- */

static struct msg_routed
temp_answer(const struct err *err)
{
	struct msg_routed m = {
		.verdict = ROUTE_TEMP,
		.code = 451,
		.dsn = STR("4.3.0"),
		.text = STR("Temporary lookup failure"),
	};

	if (err->code == ELOOP) {
		m.dsn = STR("4.6.0");
		m.text = STR("Alias expansion error");
	} else if (err->code == ENXIO) {
		m.dsn = STR("4.3.5");
		m.text = STR("mail transport unavailable");
	}
	return m;
}

/* May it be accepted?  If all it turns into cannot be delivered, not; what can
 * be tried later is. */
static struct msg_routed
judge(const struct resolved *res)
{
	struct msg_routed m = { .verdict = ROUTE_OK };
	size_t i;

	for (i = 0; i < res->n; i++)
		if (res->v[i].type != RCPT_ERROR ||
		    str_starts(res->v[i].dsn, STR("4")))
			return m;
	m.verdict = ROUTE_PERM;
	m.code = 550;
	m.dsn = res->v[0].dsn;
	m.text = res->v[0].text;
	return m;
}

static void
on_route(struct router *r, struct chan *c, uint32_t tag,
	 const struct msg_route *q)
{
	struct msg_rcpt_in in = { .address = q->address };
	struct msg_routed answer;
	struct resolved res;
	struct pool pool;
	struct err err;
	int class;

	pool_init(&pool, POOL_MAX);
	resolved_init(&res, &pool);
	class = parts_class(&r->routes, q->address, &err);
	if (class < 0 ||
	    resolve(&r->routes, q->sender, &in, true, &res, &err) < 0)
		answer = temp_answer(&err);
	else
		answer = judge(&res);
	answer.own = class >= 0 && class != CLASS_REMOTE;
	(void)!chan_send(c, tag, &msg_routed_def, &answer);
	resolved_fini(&res);
	pool_fini(&pool);
}

/* --- OWNS ---------------------------------------------------------------- */

static void
on_owns(struct router *r, struct chan *c, uint32_t tag,
	const struct msg_owns *q)
{
	struct msg_owned m = { .verdict = ROUTE_OK };
	char text[TEXT_MAX];
	struct err err;
	int rc = owns(&r->routes, q->login, q->sender, &err);

	if (rc < 0) {
		m.verdict = ROUTE_TEMP;
		m.text = temp_answer(&err).text;
	} else if (rc == 0) {
		m.verdict = ROUTE_PERM;
		snprintf(text, sizeof(text), "not owned by user %.*s",
			 STR_FMT(q->login));
		m.text = str_of(text);
	}
	(void)!chan_send(c, tag, &msg_owned_def, &m);
}

/* --- SITE ----------------------------------------------------------------- */

static void
on_site(struct router *r, struct chan *c, uint32_t tag,
	const struct msg_site *q)
{
	char tls[SITE_TLS_MAX + 1];
	struct msg_sited m;

	site_ask(&r->routes, q, &m, tls);
	(void)!chan_send(c, tag, &msg_sited_def, &m);
}

/* --- EXPAND -------------------------------------------------------------- */

static void
send_failure(struct chan *c, uint32_t tag, const struct err *err)
{
	struct msg_expanded m = {
		.temp = 1,
		.text = temp_answer(err).text,
	};

	(void)!chan_send(c, tag, &msg_expanded_def, &m);
}

/* Parts first, the rest in the reply itself. */
static int
send_all(struct chan *c, uint32_t tag, const struct resolved *res,
	 struct err *err)
{
	struct msg_expanded_part part;
	struct msg_expanded last = { 0 };
	uint32_t count = 0;
	struct buf b;
	size_t i;
	int rc = 0;

	buf_init(&b, MSG_FRAME_MAX);
	for (i = 0; i < res->n && rc == 0; i++) {
		if (b.n > FRAME_RCPTS) {
			part.rcpts = msg_list_of(&b, count, &msg_rcpt_def);
			rc = chan_send(c, tag, &msg_expanded_part_def, &part);
			buf_reset(&b);
			count = 0;
			if (rc < 0) {
				err_set(err, ERR_TEMP, EPIPE, "not sent");
				break;
			}
		}
		rc = msg_list_add(&b, &msg_rcpt_def, &res->v[i], err);
		count++;
	}
	if (rc == 0) {
		last.rcpts = msg_list_of(&b, count, &msg_rcpt_def);
		rc = chan_send(c, tag, &msg_expanded_def, &last);
		if (rc < 0)
			err_set(err, ERR_TEMP, EPIPE, "not sent");
	}
	buf_fini(&b);
	return rc;
}

static int
resolve_list(const struct routes *r, struct str sender, struct str raw,
	     struct resolved *res, struct err *err)
{
	struct msg_rcpt_in in;

	while (msg_list_next(&raw, &msg_rcpt_in_def, &in))
		if (resolve(r, sender, &in, false, res, err) < 0)
			return -1;
	if (res->n > RCPTS_MAX) {
		log_warn("a message with %zu recipients after expansion: not "
			 "accepted",
			 res->n);
		return err_set(err, ERR_TEMP, ELOOP, "too many recipients");
	}
	return 0;
}

static void
on_expand(struct router *r, struct asker *a, uint32_t tag,
	  const struct msg_expand *q)
{
	struct pending *p = pending_find(a, tag);
	struct resolved res;
	struct pool pool;
	struct err err;
	int rc = 0;

	pool_init(&pool, POOL_MAX);
	resolved_init(&res, &pool);
	if ((p ? p->count : 0) + q->rcpts.count != q->count)
		rc = err_set(&err, ERR_TEMP, EPROTO, "recipients are missing");
	else if (p) /* its slices live until the answer is encoded */
		rc = resolve_list(&r->routes, q->sender, buf_str(&p->raw), &res,
				  &err);
	if (rc == 0)
		rc = resolve_list(&r->routes, q->sender, q->rcpts.raw, &res,
				  &err);
	if (rc == 0)
		rc = send_all(a->chan, tag, &res, &err);
	if (rc < 0)
		send_failure(a->chan, tag, &err);
	resolved_fini(&res);
	pool_fini(&pool);
	if (p)
		pending_free(a, p);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct asker *a = arg;

	switch (def->type) {
	case MSG_ROUTE:
		on_route(a->router, c, tag, msg);
		break;
	case MSG_OWNS:
		on_owns(a->router, c, tag, msg);
		break;
	case MSG_SITE:
		on_site(a->router, c, tag, msg);
		break;
	case MSG_EXPAND_PART:
		if (pending_add(a, tag,
				&((struct msg_expand_part *)msg)->rcpts) == 0)
			break;
		log_warn("channel %s: too many parts of requests: closed",
			 chan_row(c)->name);
		chan_close(c);
		asker_free(a);
		break;
	case MSG_EXPAND:
		on_expand(a->router, a, tag, msg);
		break;
	default:
		break;
	}
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	asker_free(arg);
}

static const struct chan_ops asker_ops = { on_msg, on_close };

void
router_peer(struct router *r, const struct chan_row *row, int fd)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (!a) {
		close(fd);
		return;
	}
	a->router = r;
	list_init(&a->pending);
	list_append(&r->askers, &a->link);
	a->chan = chan_new(r->loop, fd, row, CHAN_SERVICE, &asker_ops, a);
	if (!a->chan)
		asker_free(a);
}

/* --- the password file --------------------------------------------------- */

static int
load_passwd(int fd, struct table_set *set, struct err *err)
{
	struct stat st;
	struct buf text;
	ssize_t n = -1;
	char *to;
	int rc;

	buf_init(&text, PASSWD_MAX);
	if (fstat(fd, &st) == 0 && st.st_size >= 0 &&
	    (to = buf_reserve(&text, (size_t)st.st_size + 1)))
		n = pread(fd, to, (size_t)st.st_size, 0);
	if (n < 0) {
		rc = err_sys(err, errno, "password file");
	} else {
		text.n = (size_t)n;
		rc = table_set_passwd(set, buf_str(&text), err);
	}
	buf_fini(&text);
	return rc;
}

void
router_passwd(struct router *r, int fd)
{
	struct err err;

	if (load_passwd(fd, r->routes.set, &err) < 0) {
		log_error("%s; the old list of users stays", err.text);
		close(fd);
		return;
	}
	if (r->passwd >= 0)
		close(r->passwd);
	r->passwd = fd;
}

/* --- life ---------------------------------------------------------------- */

int
router_init(struct router *r, struct loop *l, const struct params *p,
	    const struct table_dir *dirs, struct err *err)
{
	*r = (struct router){ .loop = l, .passwd = -1, .dirs = dirs };
	list_init(&r->askers);
	return routes_open(&r->routes, p, dirs, err);
}

void
router_fini(struct router *r)
{
	while (!list_empty(&r->askers)) {
		struct asker *a = LIST_OF(r->askers.next, struct asker, link);

		chan_close(a->chan);
		asker_free(a);
	}
	if (r->passwd >= 0)
		close(r->passwd);
	routes_close(&r->routes);
}

int
router_reload(struct router *r, const struct params *p, struct err *err)
{
	struct routes fresh;

	if (routes_open(&fresh, p, r->dirs, err) < 0)
		return -1;
	if (r->passwd >= 0 && load_passwd(r->passwd, fresh.set, err) < 0) {
		routes_close(&fresh);
		return -1;
	}
	routes_close(&r->routes);
	r->routes = fresh;
	return 0;
}

/* --- as a daemon --------------------------------------------------------- */

struct app {
	struct router router;
	struct pool pool;
	struct str dirs[DIRS_MAX]; /* what the jail leaves open */
	int fds[DIRS_MAX + 1];
	struct table_dir open_dirs[DIRS_MAX + 1];
	size_t ndirs;
	bool done; /* what still comes in this turn is not for us */
};

static int
confine(struct daemon *d, struct jail *j, struct err *err)
{
	struct app *app = calloc(1, sizeof(*app));
	size_t i, n = 0;
	int fd, own;

	if (!app)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	pool_init(&app->pool, 1 << 20);
	app->ndirs =
		router_table_dirs(&d->params, &app->pool, app->dirs, DIRS_MAX);
	for (i = 0; i < app->ndirs; i++) {
		fd = open(app->dirs[i].p, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			log_warn("%s: %m: its tables cannot be read",
				 app->dirs[i].p);
		else
			app->fds[n++] = fd;
		if (fd < 0 || (own = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
			continue;
		app->open_dirs[n - 1] =
			(struct table_dir){ app->dirs[i].p, own };
	}
	app->fds[n] = -1;
	j->read_below = app->fds;
	d->app = app;
	return 0;
}

static int
start(struct daemon *d, struct err *err)
{
	struct app *app = d->app;
	int fd = daemon_fd(d, "passwd", 0), own;

	if (router_init(&app->router, &d->loop, &d->params, app->open_dirs,
			err) < 0)
		return -1;
	own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own >= 0)
		router_passwd(&app->router, own);
	return 0;
}

/* Landlock cannot be loosened: a directory it does not know needs a new
 * process, which master starts at once. */
static bool
is_confined_to(const struct app *app, const struct params *p)
{
	struct str dirs[DIRS_MAX];
	struct pool pool;
	size_t i, k, n;

	pool_init(&pool, 1 << 20);
	n = router_table_dirs(p, &pool, dirs, DIRS_MAX);
	for (i = 0; i < n; i++) {
		for (k = 0; k < app->ndirs; k++)
			if (str_eq(dirs[i], app->dirs[k]))
				break;
		if (k == app->ndirs)
			break;
	}
	pool_fini(&pool);
	return i == n;
}

/* Each question is answered in the turn it comes: nothing is in hand. */
static void
finish(struct daemon *d)
{
	struct app *app = d->app;

	if (app->done)
		return;
	app->done = true;
	router_fini(&app->router);
	pool_fini(&app->pool);
	daemon_exit(d, EX_OK);
}

static void
reload(struct daemon *d)
{
	struct app *app = d->app;
	struct err err;

	if (app->done)
		return;
	if (!is_confined_to(app, &d->params)) {
		log_info("tables in another directory: starting anew");
		finish(d);
		return;
	}
	if (router_reload(&app->router, &d->params, &err) < 0)
		log_error("reload: %s; the old tables stay", err.text);
}

static void
table(struct daemon *d, struct str name, int fd)
{
	struct app *app = d->app;

	if (!app->done && str_eq(name, STR("passwd")))
		router_passwd(&app->router, fd);
	else
		close(fd);
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	struct app *app = d->app;

	if (app->done)
		close(fd);
	else
		router_peer(&app->router, row, fd);
}

const struct daemon_ops router_ops = {
	.id = SVC_ROUTER,
	.confine = confine,
	.start = start,
	.reload = reload,
	.table = table,
	.peer = peer,
	.drain = finish,
};
