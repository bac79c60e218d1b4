/* SPDX-License-Identifier: ISC */
/* queue show: envelope, attempts with their dialogues, header, body.  queue
 * export: the same as a text that queue import takes. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/msg_deliver.h"
#include "mail/xtext.h"
#include "queue.h"

struct show_view {
	struct queue_view v;
	bool body, tty;
	bool attempts, text, over; /* have begun; the rest is not shown */
	char last;		   /* byte of the text before this one */
};

static void
print_time(uint64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char text[64];
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		text[0] = '\0';
	(void)fputs(text, stdout);
}

/* What was asked about notifications (RFC 3461), and how text is encoded. */
static void
print_options(const struct msg_queue_row *m)
{
	struct buf b;

	if (m->flags & COMMIT_8BITMIME)
		(void)fputs(" BODY=8BITMIME", stdout);
	if (m->flags & COMMIT_SMTPUTF8)
		(void)fputs(" SMTPUTF8", stdout);
	if (m->ret)
		(void)printf(" RET=%s", m->ret == RET_FULL ? "FULL" : "HDRS");
	buf_init(&b, 1024);
	if (m->envid.n && xtext_encode(&b, m->envid) == 0)
		(void)printf(" ENVID=%s", buf_cstr(&b));
	buf_fini(&b);
}

static void
print_rcpt_options(const struct msg_queue_row *m,
		   const struct msg_queue_rcpt *r)
{
	bool utf8 = m->flags & COMMIT_SMTPUTF8;
	struct str address = r->orcpt, type;
	struct buf b;

	queue_print_dsn(r);
	buf_init(&b, 8 * ORCPT_MAX);
	if (str_cut(&address, ';', &type) &&
	    (str_ieq(type, STR("utf-8")) ? xtext_utf8(&b, address, utf8, true)
					 : xtext_encode(&b, address)) == 0)
		(void)printf(" ORCPT=%.*s;%s", STR_FMT(type), buf_cstr(&b));
	buf_fini(&b);
}

/* --- show ----------------------------------------------------------------- */

static void
show_head(const struct msg_queue_row *m)
{
	static const char *const states[] = { "", "active", "deferred",
					      "on hold" };

	(void)printf("%.*s: %s", STR_FMT(m->id), states[m->state & 3]);
	if (m->reason.n)
		(void)printf(" (%s)", LOGQ(m->reason));
	(void)printf(", %llu bytes, arrived ", (unsigned long long)m->size);
	print_time(m->arrival_us);
	if (m->tries)
		(void)printf(", tried %u time%s", m->tries,
			     m->tries == 1 ? "" : "s");
	if (m->state == QUEUE_DEFERRED && m->next_try_us) {
		(void)fputs(", next at ", stdout);
		print_time(m->next_try_us);
	}
	(void)printf("\nFrom: <%s>", m->sender.n ? LOGQ(m->sender) : "");
	print_options(m);
	(void)putchar('\n');
}

static void
show_row(struct queue_view *view, const struct msg_queue_row *m, bool more)
{
	struct str it = m->rcpts.raw;
	struct msg_queue_rcpt r;

	(void)view;
	if (!more)
		show_head(m);
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		(void)printf("To: <%s>", LOGQ(r.address));
		print_rcpt_options(m, &r);
		if (r.original.n && !str_eq(r.original, r.address))
			(void)printf("\n    as <%s>", LOGQ(r.original));
		if (r.done && r.type == RCPT_DISCARD) {
			(void)puts("\n    dropped");
			continue;
		}
		(void)printf("\n    %s, by ", r.done ? "done" : "to do");
		queue_print_route(&r);
		(void)putchar('\n');
		if (r.text.n && !r.done)
			(void)printf("    %s\n", LOGQ(r.text));
	}
}

/* Text of several lines, each of them behind blanks. */
static void
print_dialog(struct str text)
{
	struct str line;

	while (text.n) {
		if (!str_cut(&text, '\n', &line)) {
			line = text;
			text = STR_NULL;
		}
		if (line.n)
			(void)printf("        %s\n", LOGQ(line));
	}
}

/* Behind the first line stand the host's name and words, which are in it, too
 * (qlog_split()). */
static struct str
first_line(struct str text)
{
	struct str line;

	return str_cut(&text, '\n', &line) ? line : text;
}

static void
show_attempt(struct queue_view *view, const struct msg_queue_attempt *m)
{
	static const char *const classes[] = {
		[DELIVER_OK] = "sent",
		[DELIVER_TEMP] = "deferred",
		[DELIVER_PERM] = "failed",
	};
	struct show_view *v = (struct show_view *)view;

	if (!v->attempts)
		(void)puts("Attempts:");
	v->attempts = true;
	if (!m->address.n) {
		print_dialog(m->text);
		return;
	}
	(void)fputs("    ", stdout);
	print_time(m->when_us);
	(void)printf(" %s <%s>: %s\n",
		     m->class < sizeof(classes) / sizeof(classes[0]) &&
				     classes[m->class]
			     ? classes[m->class]
			     : "?",
		     LOGQ(m->address), LOGQ(first_line(m->text)));
}

/* A message gives no orders to the terminal it is shown on. */
static void
put_text(const struct show_view *v, struct str s)
{
	size_t i;

	if (!v->tty) {
		(void)fwrite(s.p, 1, s.n, stdout);
		return;
	}
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 127)
			(void)printf("\\x%02x", c);
		else
			(void)putchar(c);
	}
}

/* The header block may come with the body behind it. */
static void
show_text(struct queue_view *view, struct str text)
{
	struct show_view *v = (struct show_view *)view;
	size_t i = text.n;

	if (!v->text)
		(void)putchar('\n');
	v->text = true;
	if (v->over)
		return;
	if (!v->body)
		for (i = 0; i < text.n; i++) {
			if (text.p[i] == '\n' && v->last == '\n') {
				v->over = true;
				break;
			}
			v->last = text.p[i];
		}
	put_text(v, str_head(text, i));
}

static void
show_end(struct queue_view *view)
{
	free(view);
}

struct queue_view *
queue_show_view(bool body)
{
	struct show_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->v = (struct queue_view){ show_row, show_attempt, show_text,
				    show_end };
	v->body = body;
	v->tty = isatty(STDOUT_FILENO) != 0;
	v->last = '\n';
	return &v->v;
}

/* --- export --------------------------------------------------------------- */

static void
export_row(struct queue_view *view, const struct msg_queue_row *m, bool more)
{
	struct str it = m->rcpts.raw;
	struct msg_queue_rcpt r;

	(void)view;
	if (!more) {
		(void)printf("# Message %.*s of Posthouse; arrived ",
			     STR_FMT(m->id));
		print_time(m->arrival_us);
		(void)puts(".\n# Lines like this are passed over.");
		if (m->state == QUEUE_HELD)
			(void)puts("HOLD");
		(void)printf("MAIL FROM:<%.*s>", STR_FMT(m->sender));
		print_options(m);
		(void)putchar('\n');
	}
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		(void)printf("# %s, by ", r.done ? "done" : "to do");
		queue_print_route(&r);
		if (r.text.n)
			(void)printf(": %s", LOGQ(r.text));
		(void)printf("\n%sRCPT TO:<%.*s>", r.done ? "# " : "",
			     STR_FMT(r.address));
		print_rcpt_options(m, &r);
		(void)putchar('\n');
	}
}

static void
export_attempt(struct queue_view *view, const struct msg_queue_attempt *m)
{
	(void)view;
	if (!m->address.n)
		return;
	(void)fputs("# ", stdout);
	print_time(m->when_us);
	(void)printf(" <%s>: %s\n", LOGQ(m->address),
		     LOGQ(first_line(m->text)));
}

static void
export_text(struct queue_view *view, struct str text)
{
	struct show_view *v = (struct show_view *)view;

	if (!v->text)
		(void)puts("DATA");
	v->text = true;
	(void)fwrite(text.p, 1, text.n, stdout);
}

struct queue_view *
queue_export_view(void)
{
	struct show_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->v = (struct queue_view){ export_row, export_attempt, export_text,
				    show_end };
	return &v->v;
}
