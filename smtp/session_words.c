/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/log.h"
#include "session_impl.h"

enum { DIALOG_LINE = 200 };

/* Make room for n octets by forgetting the oldest lines. */
static void
dialog_room(struct buf *d, size_t n)
{
	ptrdiff_t lf;
	size_t drop = 0;

	while (d->n - drop + n > d->limit) {
		lf = str_find(str_from(buf_str(d), drop), '\n');
		drop = lf < 0 ? d->n : drop + (size_t)lf + 1;
	}
	buf_drop(d, drop);
}

void
dialog_add(struct session *s, char mark, struct str line)
{
	const char *q = LOGQ(str_head(line, DIALOG_LINE));
	size_t n = strlen(q);

	dialog_room(&s->dialog, n + 3);
	(void)!buf_addf(&s->dialog, "%c %s\n", mark, q);
}

struct str
session_dialog(const struct session *s)
{
	return buf_str(&s->dialog);
}

/* prefix, the words of the reply, suffix; as much of the words as a result
 * takes.  The reply alone stands in front of it all. */
static struct fault
said(struct session *s, bool soft, struct str prefix, const char *suffix)
{
	unsigned class = s->reply.code / 100;
	struct str r = words_of_reply(s);
	size_t at = r.n, around = prefix.n + strlen(suffix);
	struct buf *w = &s->words;
	struct fault f = { .class = DELIVER_TEMP, .reply = r };

	/* Room for all of it, so that the buffer does not move while a part
	 * of it is copied to its end. */
	(void)!buf_reserve(w, around + r.n + 1);
	r = str_head(str_head(buf_str(w), at),
		     around < TEXT_MAX ? TEXT_MAX - around : 0);
	(void)!buf_add_str(w, prefix);
	(void)!buf_add_str(w, r);
	(void)!buf_add_c(w, suffix);
	f.text = str_from(buf_str(w), at);
	f.reply = str_head(buf_str(w), at);
	if (class == 2 && !soft)
		f.class = DELIVER_OK;
	else if (class == 5 && !soft)
		f.class = DELIVER_PERM;
	/* RFC 3463 2: the class says what the code says, and what we make of
	 * it. */
	(void)snprintf(s->dsn, sizeof(s->dsn), "%s",
		       s->reply.dsn[0] ? s->reply.dsn : "x.0.0");
	s->dsn[0] = f.class == DELIVER_OK     ? '2'
		    : f.class == DELIVER_PERM ? '5'
					      : '4';
	f.dsn = str_of(s->dsn);
	return f;
}

struct str
words_of_reply(struct session *s)
{
	struct buf *w = &s->words;
	size_t i;

	buf_reset(w);
	(void)!buf_add_str(w, str_head(buf_str(&s->reply.text), TEXT_MAX));
	for (i = 0; i < w->n; i++)
		if (w->p[i] == '\n')
			w->p[i] = ' ';
	return buf_str(w);
}

struct fault
words_reply(struct session *s, bool soft, const char *before, const char *after)
{
	char prefix[SEND_RELAY_MAX + 128];

	(void)snprintf(prefix, sizeof(prefix), "%s%s%s: ", before, s->who,
		       after);
	return said(s, soft, str_of(prefix), "");
}

struct fault
words_said(struct session *s, const char *command)
{
	char prefix[SEND_RELAY_MAX + 16], suffix[64];

	(void)snprintf(prefix, sizeof(prefix), "host %s said: ", s->who);
	(void)snprintf(suffix, sizeof(suffix), " (in reply to %s)", command);
	return said(s, false, str_of(prefix), suffix);
}

struct fault
words_own(struct session *s, enum deliver_class class, const char *dsn,
	  const char *fmt, ...)
{
	va_list ap;

	buf_reset(&s->words);
	va_start(ap, fmt);
	(void)!buf_vaddf(&s->words, fmt, ap);
	va_end(ap);
	return (struct fault){
		.class = class,
		.dsn = str_of(dsn),
		.text = buf_str(&s->words),
		.reply = STR(""),
	};
}
