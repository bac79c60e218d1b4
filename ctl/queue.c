/* SPDX-License-Identifier: ISC */
/* posthouse queue: lists, single messages, orders. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "queue.h"

/* An order for a whole queue writes every message. */
enum { QUEUE_TIMEOUT_MS = 600 * 1000 };

struct answer {
	struct queue_view *view;     /* NULL: only orders */
	char last[QUEUE_ID_MAX + 1]; /* rows of one message follow each other */
	int status;
	uint32_t count;
	char text[TEXT_MAX + 1];
};

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct answer *a = arg;
	struct queue_view *v = a->view;

	if (def == &msg_queue_done_def) {
		const struct msg_queue_done *m = msg;

		a->status = m->status;
		a->count = m->count;
		(void)str_copy(a->text, sizeof(a->text), m->text);
	} else if (def == &msg_queue_row_def && v) {
		const struct msg_queue_row *m = msg;
		bool more = str_eq(m->id, str_of(a->last));

		(void)str_copy(a->last, sizeof(a->last), m->id);
		v->row(v, m, more);
	} else if (def == &msg_queue_attempt_def && v && v->attempt) {
		v->attempt(v, msg);
	} else if (def == &msg_queue_text_def && v && v->text) {
		v->text(v, ((struct msg_queue_text *)msg)->text);
	}
}

/* what: "ID", in messages to the administrator; done: "2 messages held". */
static int
ask(struct ctl *c, const struct msg_def *def, const void *msg, struct str what,
    struct queue_view *view, const char *done)
{
	struct answer a = { .view = view, .status = EX_UNAVAILABLE };
	const struct chan_row *row;
	struct err err;
	int fd, rc;

	if (ctl_connect(c, SVC_QMGR, &fd, &row, &err) < 0) {
		ctl_error("queue", "%s", err.text);
		if (view)
			free(view);
		return ctl_status(&err);
	}
	rc = ctl_call(fd, row, def, msg, QUEUE_TIMEOUT_MS, on_answer, &a, &err);
	close(fd);
	if (view)
		view->end(view);
	if (rc < 0) {
		ctl_error("queue", "%s", err.text);
		return ctl_status(&err);
	}
	if (done && (a.status == 0 || a.count))
		(void)printf("%u message%s %s\n", a.count,
			     a.count == 1 ? "" : "s", done);
	if (a.status && what.n)
		ctl_error("queue", "%.*s: %s", STR_FMT(what), a.text);
	else if (a.status)
		ctl_error("queue", "%s", a.text);
	return a.status;
}

static int
wrong(const struct err *err)
{
	ctl_error("queue", "%s", err->text);
	return ctl_usage("queue");
}

static const struct verb {
	const char *name;
	enum queue_verb verb;
	const char *done; /* "2 messages held" */
} verbs[] = {
	{ "list", QUEUE_LIST, NULL },
	{ "stats", QUEUE_LIST, NULL },
	{ "show", QUEUE_SHOW, NULL },
	{ "export", QUEUE_SHOW, NULL },
	{ "hold", QUEUE_HOLD, "held" },
	{ "release", QUEUE_RELEASE, "released" },
	{ "delete", QUEUE_DELETE, "deleted" },
	{ "flush", QUEUE_FLUSH, "to be tried now" },
	{ "requeue", QUEUE_REQUEUE, "requeued" },
};

static struct queue_view *
make_view(const struct verb *v, struct queue_args *a)
{
	if (strcmp(v->name, "list") == 0)
		return queue_list_view(a->json);
	if (strcmp(v->name, "stats") == 0)
		return queue_stats_view();
	if (strcmp(v->name, "export") == 0) {
		a->m.text = QUEUE_ALL_TEXT;
		return queue_export_view();
	}
	a->m.text = a->body ? QUEUE_ALL_TEXT : QUEUE_HEADER;
	return queue_show_view(a->body);
}

static int
run_verb(struct ctl *c, const struct verb *v, int argc, char **argv)
{
	struct queue_view *view = NULL;
	struct queue_args a;
	struct err err;
	int rc;

	queue_args_init(&a);
	if (queue_args_parse(&a, v->verb, argc, argv, &err) < 0) {
		rc = wrong(&err);
	} else {
		if (!v->done)
			view = make_view(v, &a);
		rc = ask(c, &msg_queue_def, &a.m, a.m.id, view, v->done);
	}
	queue_args_fini(&a);
	return rc;
}

/* Mail that waits for a transport that is not there would wait for ever. */
static bool
is_transport(struct ctl *c, struct str name)
{
	static const char *const always[] = { "smtp", "lmtp", "relay" };
	struct str list, one;
	size_t i;

	for (i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (str_eq(name, str_of(always[i])))
			return true;
	(void)!ctl_config(c); /* faults do not matter here */
	list = config_get(&c->conf, "transports");
	while (str_token(&list, ", \t\n", &one))
		if (str_eq(name, one))
			return true;
	return false;
}

static int
run_change(struct ctl *c, int argc, char **argv)
{
	struct queue_args a;
	struct err err;
	int rc;

	queue_args_init(&a);
	rc = queue_args_change(&a, argc, argv, &err);
	if (rc == 0 && a.c.what & CHANGE_ROUTE &&
	    !is_transport(c, a.c.transport))
		rc = err_set(&err, ERR_PERM, 0,
			     "no transport that sends: \"%.*s\" (smtp, lmtp, "
			     "relay, or one of $transports)",
			     STR_FMT(a.c.transport));
	if (rc < 0)
		rc = wrong(&err);
	else
		rc = ask(c, &msg_queue_change_def, &a.c, a.c.id, NULL,
			 "changed");
	queue_args_fini(&a);
	return rc;
}

static int
run_import(struct ctl *c, int argc, char **argv)
{
	struct queue_args a;
	struct err err;
	int rc;

	queue_args_init(&a);
	if (queue_args_import(&a, argc, argv, &err) < 0) {
		rc = wrong(&err);
	} else {
		(void)signal(SIGPIPE, SIG_IGN);
		rc = queue_import(c, &a);
	}
	queue_args_fini(&a);
	return rc;
}

int
cmd_queue(struct ctl *c, int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return ctl_usage("queue");
	argc--;
	argv++;
	if (strcmp(argv[0], "change") == 0)
		return run_change(c, argc, argv);
	if (strcmp(argv[0], "import") == 0)
		return run_import(c, argc, argv);
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, argv[0]) == 0)
			return run_verb(c, &verbs[i], argc, argv);
	ctl_error("queue", "no such verb: %s", argv[0]);
	return ctl_usage("queue");
}
