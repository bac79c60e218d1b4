/* SPDX-License-Identifier: ISC */
/* queue list: as Postfix's mailq prints it, or an object a line as its
 * postqueue -j. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "mail/smtpline.h"
#include "mail/utf8.h"
#include "queue.h"

struct list_view {
	struct queue_view v;
	uint64_t bytes;
	uint32_t messages;
	struct str reason; /* of the message in hand */
	char reason_mem[TEXT_MAX + 1];
	bool first; /* of its recipients */
};

/* --- words that others print, too ----------------------------------------- */

void
queue_print_time(uint64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char text[64];
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    strftime(text, sizeof(text), "%a %b %e %H:%M:%S", &tm) == 0)
		text[0] = '\0';
	(void)fputs(text, stdout);
}

void
queue_print_json(struct str s)
{
	struct str left = s;
	int32_t c;

	(void)putchar('"');
	while (left.n) {
		s = left;
		c = utf8_next(&left);
		if (c < 0) {
			(void)fputs("\\ufffd", stdout);
			left = str_from(s, 1);
		} else if (c == '"' || c == '\\') {
			(void)printf("\\%c", (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			(void)printf("\\u%04x", (unsigned)c);
		} else {
			(void)fwrite(s.p, 1, s.n - left.n, stdout);
		}
	}
	(void)putchar('"');
}

void
queue_print_dsn(const struct msg_queue_rcpt *r)
{
	struct buf b;

	buf_init(&b, 64);
	smtpline_put_notify(&b, r->notify);
	(void)fputs(buf_cstr(&b), stdout);
	buf_fini(&b);
}

void
queue_print_route(const struct msg_queue_rcpt *r)
{
	static const char *const names[] = { "", "local", "virtual",
					     "", "error", "discard" };

	if (r->type == RCPT_REMOTE)
		(void)printf("%s:", LOGQ(r->transport));
	else
		(void)fputs(names[r->type], stdout);
	if (r->where.n)
		(void)printf("%s%s", r->type == RCPT_REMOTE ? "" : " ",
			     LOGQ(r->where));
}

/* --- JSON ----------------------------------------------------------------- */

static const char *const state_names[] = { "", "active", "deferred", "hold" };

static void
json_head(const struct msg_queue_row *m)
{
	(void)printf("{\"queue_name\": \"%s\", \"queue_id\": ",
		     state_names[m->state & 3]);
	queue_print_json(m->id);
	(void)printf(", \"arrival_time\": %llu, \"message_size\": %llu, "
		     "\"forced_expire\": false, \"sender\": ",
		     (unsigned long long)(m->arrival_us / 1000000),
		     (unsigned long long)m->size);
	queue_print_json(m->sender);
	(void)fputs(", \"recipients\": [", stdout);
}

static void
json_row(struct queue_view *view, const struct msg_queue_row *m, bool more)
{
	struct list_view *v = (struct list_view *)view;
	struct str it = m->rcpts.raw;
	struct msg_queue_rcpt r;

	if (!more && v->messages++)
		(void)puts("]}");
	if (!more) {
		json_head(m);
		v->first = true;
	}
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		if (r.done)
			continue;
		(void)fputs(v->first ? "{\"address\": " : ", {\"address\": ",
			    stdout);
		v->first = false;
		queue_print_json(r.address);
		if (r.text.n || m->reason.n) {
			(void)fputs(", \"delay_reason\": ", stdout);
			queue_print_json(r.text.n ? r.text : m->reason);
		}
		(void)putchar('}');
	}
}

static void
json_end(struct queue_view *view)
{
	if (((struct list_view *)view)->messages)
		(void)puts("]}");
	free(view);
}

/* --- for people ----------------------------------------------------------- */

static void
text_head(const struct msg_queue_row *m)
{
	static const char marks[] = " * !";

	(void)printf("%.*s%c %8llu ", STR_FMT(m->id), marks[m->state & 3],
		     (unsigned long long)m->size);
	queue_print_time(m->arrival_us);
	(void)printf("  %s\n", m->sender.n ? LOGQ(m->sender) : "MAILER-DAEMON");
	if (m->reason.n)
		(void)printf("%*s(%s)\n", 4, "", LOGQ(m->reason));
	if (m->state == QUEUE_DEFERRED && m->next_try_us) {
		(void)printf("%*s(tried %u time%s, next at ", 4, "", m->tries,
			     m->tries == 1 ? "" : "s");
		queue_print_time(m->next_try_us);
		(void)puts(")");
	}
}

static void
text_row(struct queue_view *view, const struct msg_queue_row *m, bool more)
{
	struct list_view *v = (struct list_view *)view;
	struct str it = m->rcpts.raw;
	struct msg_queue_rcpt r;

	if (!more) {
		if (v->messages++)
			(void)putchar('\n');
		else
			(void)puts("-Queue ID-     --Size-- ---Arrival Time---"
				   "-  -Sender/Recipient-------");
		v->bytes += m->size;
		text_head(m);
		v->reason = STR_NULL;
	}
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		if (r.done)
			continue;
		/* A reason stands once for neighbours that share it. */
		if (r.text.n && !str_eq(r.text, v->reason))
			(void)printf("%*s(%s)\n", 4, "", LOGQ(r.text));
		(void)str_copy(v->reason_mem, sizeof(v->reason_mem), r.text);
		v->reason = str_of(v->reason_mem);
		(void)printf("%*s%s\n", 41, "", LOGQ(r.address));
	}
}

static void
text_end(struct queue_view *view)
{
	const struct list_view *v = (struct list_view *)view;

	if (v->messages == 0)
		(void)puts("Mail queue is empty");
	else
		(void)printf("\n-- %llu Kbytes in %u Request%s.\n",
			     (unsigned long long)(v->bytes / 1024), v->messages,
			     v->messages == 1 ? "" : "s");
	free(view);
}

struct queue_view *
queue_list_view(bool json)
{
	struct list_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->v.row = json ? json_row : text_row;
	v->v.end = json ? json_end : text_end;
	return &v->v;
}
