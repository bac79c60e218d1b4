/* SPDX-License-Identifier: ISC */
/*
 * The queue as Postfix's mailq shows it, in the form for its long queue ids.
 * submitd answers XQUEUE (README.md there) with a line a message, "M ID STATE
 * SIZE ARRIVAL SENDER", then "W REASON" perhaps, and a line a recipient that
 * is still to do, "R ADDRESS REASON"; strings are xtext, empty ones "-".
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "mail/xtext.h"
#include "sendmail.h"

enum { PATIENCE_MS = 10 * 1000, PAD = 76 };

struct listing {
	uint64_t bytes;
	unsigned long messages;
	struct buf reason; /* printed last, of this message */
};

/* The next word, decoded; false: there is none. */
static bool
word(struct str *rest, struct buf *out)
{
	struct str w;

	buf_reset(out);
	if (!str_token(rest, " ", &w))
		return false;
	if (!str_eq(w, STR("-")))
		(void)!xtext_decode(out, w);
	return true;
}

static void
print_reason(struct listing *l, struct str reason)
{
	const char *text = reason.n ? LOGQ(reason) : "reason unavailable";
	int pad = PAD - (int)strlen(text);

	if (str_eq(reason, buf_str(&l->reason)))
		return;
	(void)printf("%*s(%s)\n", pad > 0 ? pad : 0, "", text);
	buf_reset(&l->reason);
	(void)!buf_add_str(&l->reason, reason);
}

static int
print_message(struct listing *l, struct str rest, struct buf *b)
{
	static const char marks[] = { '\0', '*', '\0', '!' };
	uint64_t state, size, arrival;
	struct str id, s[3];
	char name[64], when[32];
	struct tm tm;
	time_t t;
	int i;

	if (!str_token(&rest, " ", &id))
		return -1;
	for (i = 0; i < 3; i++)
		if (!str_token(&rest, " ", &s[i]))
			return -1;
	if (str_u64(s[0], 3, &state) < 0 ||
	    str_u64(s[1], INT64_MAX, &size) < 0 ||
	    str_u64(s[2], INT64_MAX, &arrival) < 0 || !word(&rest, b))
		return -1;
	t = (time_t)arrival;
	if (!localtime_r(&t, &tm) ||
	    !strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &tm))
		return -1;
	if (l->messages++)
		(void)putchar('\n');
	else
		(void)printf("%-17s %8s %-19s %s\n", "----Queue ID-----",
			     "--Size--", "---Arrival Time----",
			     "--Sender/Recipient------");
	snprintf(name, sizeof(name), "%.*s%c", STR_FMT(str_head(id, 40)),
		 marks[state]);
	(void)printf("%-17s %8llu %19.19s %s\n", name, (unsigned long long)size,
		     when, b->n ? LOGQ(buf_str(b)) : "MAILER-DAEMON");
	l->bytes += size;
	buf_reset(&l->reason);
	return 0;
}

/* One line behind its "250-"; -1: not one of ours. */
static int
print_line(struct listing *l, struct str line, struct buf *b)
{
	struct str kind;
	char *address;

	if (!str_token(&line, " ", &kind))
		return -1;
	if (str_eq(kind, STR("M")))
		return print_message(l, line, b);
	if (!word(&line, b))
		return -1;
	if (str_eq(kind, STR("W"))) {
		print_reason(l, buf_str(b));
		return 0;
	}
	address = strdup(LOGQ(buf_str(b)));
	if (!address || !word(&line, b) || !str_eq(kind, STR("R"))) {
		free(address);
		return -1;
	}
	if (b->n || l->reason.n)
		print_reason(l, buf_str(b));
	(void)printf("%-17s %8s %-19s %s\n", "", "", "", address);
	free(address);
	return 0;
}

static int
show(struct server *s, struct err *err)
{
	struct listing l = { 0 };
	struct str line;
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	buf_init(&l.reason, 4096);
	rc = server_send(s, STR("XQUEUE\r\n"), err);
	while (rc == 0 && (rc = server_line(s, &line, err)) == 0) {
		if (!str_starts(line, STR("250-")))
			break;
		if (print_line(&l, str_from(line, 4), &b) < 0)
			rc = err_set(err, ERR_TEMP, 0,
				     "%s: not understood: %.*s", s->path,
				     STR_FMT(str_head(line, 100)));
	}
	if (rc == 0 && !str_starts(line, STR("250 ")))
		rc = err_set(err,
			     line.n && line.p[0] == '5' ? ERR_PERM : ERR_TEMP,
			     0, "%.*s", STR_FMT(str_head(line, 200)));
	buf_fini(&b);
	buf_fini(&l.reason);
	if (rc < 0)
		return -1;
	if (l.messages == 0)
		(void)puts("Mail queue is empty");
	else
		(void)printf("\n-- %llu Kbytes in %lu Request%s.\n",
			     (unsigned long long)(l.bytes / 1024), l.messages,
			     l.messages == 1 ? "" : "s");
	return 0;
}

static int
flush(struct sendmail *sm, struct server *s, struct err *err)
{
	struct reply r;
	const char *id = sm->opt.flush_id ? sm->opt.flush_id : "ALL";
	const char *site = sm->opt.flush_site;

	if (server_ask(s, &r, err, "XFLUSH %s%.250s", site ? "@" : "",
		       site ? site : id) < 0)
		return -1;
	if (r.code == 250)
		return 0;
	return err_set(err, r.code < 500 ? ERR_TEMP : ERR_PERM, 0, "%u %.200s",
		       r.code, r.text);
}

/* Open the server for one order. */
static int
order(struct sendmail *sm, bool list)
{
	struct server s = { .fd = -1 };
	struct reply bye;
	struct err err;
	int rc = wait_for_server(sm, &s, clock_mono_ms() + PATIENCE_MS, &err);

	if (rc == 0) {
		rc = list ? show(&s, &err) : flush(sm, &s, &err);
		if (rc == 0)
			(void)!server_ask(&s, &bye, &err, "QUIT");
		server_close(&s);
	}
	if (rc == 0)
		return EX_OK;
	complain(sm, "%s", err.text);
	return err.class == ERR_TEMP ? EX_TEMPFAIL : EX_UNAVAILABLE;
}

int
do_list(struct sendmail *sm)
{
	return order(sm, true);
}

int
do_flush(struct sendmail *sm)
{
	return order(sm, false);
}
