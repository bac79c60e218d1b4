/* SPDX-License-Identifier: ISC */
#include "receive/trace.h"
#include "mail/date.h"

int
trace_received(struct buf *out, const struct trace *t)
{
	char date[DATE_TEXT_MAX];

	/* No id clause: qmgr makes the queue id when the message is complete,
	 * after this has been written. */
	buf_addf(out,
		 "Received: from %s (unknown [%s%s])\n"
		 "\tby %.*s (%.*s) with %s",
		 t->helo[0] ? t->helo : "unknown", t->client_ip6 ? "IPv6:" : "",
		 t->client, STR_FMT(t->by), STR_FMT(t->mail_name),
		 t->esmtp ? "ESMTP" : "SMTP");
	if (t->rcpt)
		buf_addf(out, "\n\tfor <%s>", t->rcpt);
	buf_addf(out, "; %s\n", date_format(date, t->when));
	return buf_overflown(out) ? -1 : 0;
}

void
trace_helo(char out[HELO_MAX + 1], struct str helo)
{
	size_t i;

	helo = str_head(helo, HELO_MAX);
	for (i = 0; i < helo.n; i++) {
		char c = helo.p[i];

		out[i] = c > ' ' && c <= '~' && !strchr("<>()\\\";,@", c) ? c
									  : '?';
	}
	out[i] = '\0';
}
