/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ctl.h"
#include "frame/msg_qmgr.h"

/*
 * posthouse queue: the list as Postfix's mailq prints it (or, with -j, an
 * object a line as postqueue -j does), one message, and orders.
 */
struct answer {
	bool json;
	char last[QUEUE_ID_MAX + 1]; /* rows of one message follow each other */
	uint64_t bytes;
	uint32_t messages;
	int status;
	uint32_t count;
	char text[TEXT_MAX + 1];
};

static const struct {
	const char *name;
	enum queue_verb verb;
	const char *done; /* "2 messages held" */
} verbs[] = {
	{ "list", QUEUE_LIST, NULL },
	{ "show", QUEUE_SHOW, NULL },
	{ "hold", QUEUE_HOLD, "held" },
	{ "release", QUEUE_RELEASE, "released" },
	{ "delete", QUEUE_DELETE, "deleted" },
	{ "flush", QUEUE_FLUSH, "to be tried now" },
};

static const char *const state_names[] = { "", "active", "deferred", "hold" };

static void
print_time(uint64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char text[64];
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    strftime(text, sizeof(text), "%a %b %e %H:%M:%S", &tm) == 0)
		text[0] = '\0';
	(void)fputs(text, stdout);
}

static void
print_json_str(struct str s)
{
	size_t i;

	(void)putchar('"');
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			(void)printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			(void)printf("\\u%04x", c);
		else
			(void)putchar(c);
	}
	(void)putchar('"');
}

/* --- rows ----------------------------------------------------------------- */

static void
end_json_row(struct answer *a)
{
	if (a->last[0])
		(void)puts("]}");
}

static void
row_json(struct answer *a, const struct msg_queue_row *row, bool more)
{
	struct str it = row->rcpts.raw;
	struct msg_queue_rcpt r;
	bool first = !more;

	if (!more) {
		end_json_row(a);
		(void)printf("{\"queue_name\": \"%s\", \"queue_id\": ",
			     state_names[row->state]);
		print_json_str(row->id);
		(void)printf(", \"arrival_time\": %llu, \"message_size\": %llu",
			     (unsigned long long)(row->arrival_us / 1000000),
			     (unsigned long long)row->size);
		(void)fputs(", \"sender\": ", stdout);
		print_json_str(row->sender);
		if (row->reason.n) {
			(void)fputs(", \"reason\": ", stdout);
			print_json_str(row->reason);
		}
		(void)fputs(", \"recipients\": [", stdout);
	}
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		if (r.done)
			continue;
		(void)fputs(first ? "{\"address\": " : ", {\"address\": ",
			    stdout);
		print_json_str(r.address);
		if (r.text.n) {
			(void)fputs(", \"delay_reason\": ", stdout);
			print_json_str(r.text);
		}
		(void)putchar('}');
		first = false;
	}
}

static void
row_head(const struct msg_queue_row *row)
{
	static const char marks[] = " * !";

	(void)printf("%.*s%c %8llu ", STR_FMT(row->id), marks[row->state & 3],
		     (unsigned long long)row->size);
	print_time(row->arrival_us);
	(void)printf("  %s\n",
		     row->sender.n ? LOGQ(row->sender) : "MAILER-DAEMON");
	if (row->reason.n)
		(void)printf("%*s(%s)\n", 4, "", LOGQ(row->reason));
	if (row->state == QUEUE_DEFERRED) {
		(void)printf("%*s(tried %u times, next at ", 4, "", row->tries);
		print_time(row->next_try_us);
		(void)puts(")");
	}
}

/* What was asked about notifications (RFC 3461); queue show has it. */
static void
row_dsn(const struct msg_queue_row *row)
{
	if (!row->ret && !row->envid.n)
		return;
	(void)printf("%*s(", 4, "");
	if (row->ret)
		(void)printf("RET=%s%s", row->ret == RET_FULL ? "FULL" : "HDRS",
			     row->envid.n ? " " : "");
	if (row->envid.n)
		(void)printf("ENVID=%s", LOGQ(row->envid));
	(void)puts(")");
}

static void
rcpt_dsn(const struct msg_queue_rcpt *r)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *sep = " NOTIFY=";
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (r->notify & names[i].bit) {
			(void)printf("%s%s", sep, names[i].name);
			sep = ",";
		}
	if (r->orcpt.n)
		(void)printf(" ORCPT=%s", LOGQ(r->orcpt));
}

static void
row_text(const struct msg_queue_row *row, bool more)
{
	struct str it = row->rcpts.raw;
	struct msg_queue_rcpt r;

	if (!more)
		row_head(row);
	if (!more)
		row_dsn(row);
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		if (r.done)
			continue;
		if (r.text.n)
			(void)printf("%*s(%s)\n", 4, "", LOGQ(r.text));
		(void)printf("%*s%s", 41, "", LOGQ(r.address));
		rcpt_dsn(&r);
		(void)putchar('\n');
	}
}

static void
on_row(struct answer *a, const struct msg_queue_row *row)
{
	bool more = str_eq(row->id, str_of(a->last));

	if (!more) {
		a->messages++;
		a->bytes += row->size;
	}
	if (a->json) {
		row_json(a, row, more);
	} else {
		if (a->messages == 1 && !more)
			(void)puts("-Queue ID-     --Size-- ---Arrival Time---"
				   "-  -Sender/Recipient-------");
		else if (!more)
			(void)putchar('\n');
		row_text(row, more);
	}
	(void)str_copy(a->last, sizeof(a->last), row->id);
}

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct answer *a = arg;

	if (def == &msg_queue_row_def) {
		on_row(a, msg);
	} else if (def == &msg_queue_text_def) {
		const struct msg_queue_text *m = msg;

		if (a->bytes != UINT64_MAX)
			(void)putchar('\n'); /* between rows and text */
		a->bytes = UINT64_MAX;
		(void)fwrite(m->text.p, 1, m->text.n, stdout);
	} else if (def == &msg_queue_done_def) {
		const struct msg_queue_done *m = msg;

		a->status = m->status;
		a->count = m->count;
		(void)str_copy(a->text, sizeof(a->text), m->text);
	}
}

/* --- the command ---------------------------------------------------------- */

static void
print_end(const struct answer *a, enum queue_verb verb, const char *done)
{
	if (verb == QUEUE_LIST && a->json)
		end_json_row((struct answer *)(uintptr_t)a);
	else if (verb == QUEUE_LIST && a->messages == 0)
		(void)puts("Mail queue is empty");
	else if (verb == QUEUE_LIST)
		(void)printf("\n-- %llu Kbytes in %u Request%s.\n",
			     (unsigned long long)((a->bytes + 1023) / 1024),
			     a->messages, a->messages == 1 ? "" : "s");
	else if (done)
		(void)printf("%u message%s %s\n", a->count,
			     a->count == 1 ? "" : "s", done);
}

static int
ask(struct ctl *c, const struct msg_queue *msg, struct answer *a,
    const char *done)
{
	/* An order for a whole queue writes every message. */
	enum { QUEUE_TIMEOUT_MS = 600 * 1000 };
	const struct chan_row *row;
	struct err err;
	int fd, rc;

	if (ctl_connect(c, SVC_QMGR, &fd, &row, &err) < 0) {
		ctl_error("queue", "%s", err.text);
		return ctl_status(&err);
	}
	rc = ctl_call(fd, row, &msg_queue_def, msg, QUEUE_TIMEOUT_MS, on_answer,
		      a, &err);
	close(fd);
	if (rc < 0) {
		ctl_error("queue", "%s", err.text);
		return ctl_status(&err);
	}
	print_end(a, (enum queue_verb)msg->verb, a->status ? NULL : done);
	if (a->status)
		ctl_error("queue", "%.*s: %s", STR_FMT(msg->id), a->text);
	return a->status;
}

int
cmd_queue(struct ctl *c, int argc, char **argv)
{
	struct answer a = { .status = EX_UNAVAILABLE };
	struct msg_queue msg = { .id = STR("ALL"), .text = QUEUE_ALL_TEXT };
	const char *done = NULL;
	bool named = false;
	size_t i;

	if (argc < 2)
		return ctl_usage(argv[0]);
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, argv[1]) == 0) {
			msg.verb = (uint8_t)verbs[i].verb;
			done = verbs[i].done;
		}
	argv += 2;
	argc -= 2;
	if (argc && msg.verb == QUEUE_LIST && strcmp(argv[0], "-j") == 0) {
		a.json = true;
		argv++;
		argc--;
	}
	if (argc && strlen(argv[0]) <= QUEUE_ID_MAX) {
		msg.id = str_of(argv[0]);
		named = true;
		argc--;
	}
	/* All of a queue is named in so many letters, but for a list or a
	 * flush. */
	if (!msg.verb || argc ||
	    (!named && msg.verb != QUEUE_LIST && msg.verb != QUEUE_FLUSH))
		return ctl_usage("queue");
	return ask(c, &msg, &a, done);
}
