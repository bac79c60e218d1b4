/* SPDX-License-Identifier: ISC */
/* What stands in a report about a message. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/rand.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "report.h"

/* A report in the making; threads own what they read. */
struct draft {
	struct child *c;
	struct active *a;
	struct dsn d;
	struct dsn_rcpt *rcpts;
	char *log_mem, *body_mem;
	struct qlog *last; /* of each recipient, as the log has it */
};

/* --- the message ---------------------------------------------------------- */

static bool
wants_full(const struct draft *g)
{
	const struct active *a = g->a;

	/* The sender of a failed bounce is nobody: the postmaster gets all. */
	return g->c->kind == BOUNCE_FAILURE && a->ret != RET_HDRS &&
	       (!g->c->notice || !a->sender.n) &&
	       a->header.n + a->body_len <= g->c->r->conf->size_limit;
}

/* Of a body in a file of its own, at most n bytes. */
static int
read_body(struct draft *g, size_t n, struct str *out, struct err *err)
{
	struct message *m = g->a->m;
	int fd, rc;

	if (n > g->a->body_len)
		n = (size_t)g->a->body_len;
	g->body_mem = malloc(n + 1);
	if (!g->body_mem)
		return err_sys(err, ENOMEM, "report");
	if (spool_body_open(m->q->spool, m->id, (enum qfile_body)m->body, &fd,
			    err) < 0)
		return -1;
	rc = fsx_pread_all(fd, g->body_mem, n, 0, err);
	fsx_close(fd);
	*out = str_mem(g->body_mem, n);
	return rc;
}

static int
take_original(struct draft *g, struct err *err)
{
	const struct active *a = g->a;
	size_t limit = (size_t)g->c->r->conf->size_limit;
	struct header_field f;
	struct str text;

	g->d.full = wants_full(g);
	g->d.header = a->header;
	g->d.body = a->body;
	if (a->m->body == QFILE_BODY && g->d.full)
		return read_body(g, limit, &g->d.body, err);
	if (a->m->body != QFILE_TEXT)
		return 0;
	/* The header block is in front of the body. */
	if (read_body(g, limit, &text, err) < 0)
		return -1;
	g->d.body = text;
	while (header_next(&g->d.body, &f))
		;
	g->d.header = str_head(text, text.n - g->d.body.n);
	return 0;
}

/* --- its recipients ------------------------------------------------------- */

/* The last attempt of each, from the log. */
static int
read_log(struct draft *g, struct err *err)
{
	const struct message *m = g->a->m;
	struct str log;
	struct qlog r;

	g->last = calloc(g->a->nrcpts, sizeof(*g->last));
	if (!g->last)
		return err_sys(err, ENOMEM, "report");
	if (spool_log_read(m->q->spool, m->id, &g->log_mem, &log, err) < 0)
		return -1;
	while (qlog_next(m->id, &log, &r))
		if (r.rcpt < g->a->nrcpts)
			g->last[r.rcpt] = r;
	return 0;
}

/* What the last attempt gave: now, or before this process began, or at the
 * expansion. */
static void
take_result(const struct draft *g, uint32_t i, struct dsn_rcpt *out)
{
	const struct rcpt *r = &g->a->rcpts[i];
	struct qlog_text t;

	if (r->tried) {
		out->status = r->last.dsn;
		out->text = r->last.text;
		out->mta = r->last.mta;
		out->reply = r->last.reply;
		out->last_us = g->d.now_us;
	} else if (g->last[i].text.n) {
		t = qlog_split(g->last[i].text);
		out->status = t.dsn;
		out->text = t.text;
		out->mta = t.mta;
		out->reply = t.reply;
		out->last_us = g->last[i].when_us;
	} else if (r->last.dsn.n) { /* no attempt: its destination is dead */
		out->status = r->last.dsn;
		out->text = r->last.text;
	} else if (r->to.type == RCPT_ERROR) {
		out->status = r->to.dsn;
		out->text = r->to.text;
	}
	if (!out->status.n && out->action == DSN_FAILED)
		out->status = STR("5.0.0");
	if (!out->text.n && out->action == DSN_FAILED)
		out->text = STR("delivery failed");
}

static void
take_rcpt(const struct draft *g, uint32_t i, struct dsn_rcpt *out)
{
	const struct rcpt *r = &g->a->rcpts[i];
	const struct msg_rcpt *to = &r->to;

	*out = (struct dsn_rcpt){
		.address = to->address,
		.original = to->original,
		.orcpt = to->orcpt,
	};
	switch (g->c->kind) {
	case BOUNCE_FAILURE:
		out->action = DSN_FAILED;
		break;
	case BOUNCE_DELAY:
		out->action = DSN_DELAYED;
		out->until_us = g->a->m->arrival_us + report_lifetime(g->a);
		break;
	default:
		out->action =
			to->type == RCPT_REMOTE ? DSN_RELAYED : DSN_DELIVERED;
	}
	if (g->c->kind == BOUNCE_SUCCESS && r->state != QFILE_SENT) {
		/* RFC 3461 5.2.7.2: it went to several, which are not told
		 * that anybody wants to know. */
		out->action = DSN_EXPANDED;
		out->address = to->original;
		out->status = STR("2.0.0");
		out->text = STR("expanded to several recipients");
		return;
	}
	take_result(g, i, out);
}

static int
take_rcpts(struct draft *g, struct err *err)
{
	const struct active *a = g->a;
	uint32_t i;

	g->rcpts = calloc(a->nrcpts, sizeof(*g->rcpts));
	if (!g->rcpts)
		return err_sys(err, ENOMEM, "report");
	for (i = 0; i < a->nrcpts; i++)
		if (report_has(a, &a->rcpts[i], g->c->kind))
			take_rcpt(g, i, &g->rcpts[g->d.nrcpts++]);
	g->d.rcpts = g->rcpts;
	return 0;
}

/* --- all of it ------------------------------------------------------------ */

static int
build(struct draft *g, const char *id, const char *about, struct err *err)
{
	const struct report_conf *conf = g->c->r->conf;
	struct spool_new *rec = &g->c->rec;
	const struct active *a = g->a;
	struct dsn_built built;
	struct str text;

	g->d = (struct dsn){
		.template = &conf->templates.of[g->c->kind],
		.values = conf->values,
		.nvalues = conf->nvalues,
		.postmaster = g->c->notice,
		.hostname = conf->hostname,
		.mail_name = conf->mail_name,
		.origin = conf->origin,
		.id = str_of(id),
		.to = g->c->to,
		.now_us = clock_wall_us(),
		.seed = rand_u64(),
		.about = str_of(about),
		.sender = a->sender,
		.envid = a->envid,
		.arrival_us = a->m->arrival_us,
		.utf8 = a->flags & COMMIT_SMTPUTF8,
		.size = (size_t)conf->size_limit,
	};
	if (read_log(g, err) < 0 || take_original(g, err) < 0 ||
	    take_rcpts(g, err) < 0 ||
	    dsn_build(&g->c->text, &g->d, &built, err) < 0)
		return -1;
	text = buf_str(&g->c->text);
	rec->header = str_head(text, built.header_len);
	rec->body = str_from(text, built.header_len);
	rec->head.flags = (uint8_t)((built.eight ? COMMIT_8BITMIME : 0) |
				    (built.utf8 ? COMMIT_SMTPUTF8 : 0));
	return 0;
}

int
report_write(struct child *c, struct err *err)
{
	struct draft g = { .c = c, .a = c->r->a };
	char id[QID_MAX], about[QID_MAX];
	int rc = build(&g, qid_text(c->rec.head.id, id),
		       qid_text(g.a->m->id, about), err);

	free(g.rcpts);
	free(g.last);
	free(g.log_mem);
	free(g.body_mem);
	return rc;
}
