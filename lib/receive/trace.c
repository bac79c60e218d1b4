/* SPDX-License-Identifier: ISC */
#include "receive/trace.h"
#include "mail/date.h"

int
trace_tls(struct buf *out, const struct tls_facts *f, const char *fold)
{
	buf_addf(out, "%s with cipher %s (%u/%u bits)", f->protocol, f->cipher,
		 f->bits, f->alg_bits);
	if (f->kex[0])
		buf_addf(out, "%skey-exchange %s", fold, f->kex);
	if (f->auth[0])
		buf_addf(out, " server-signature %s", f->auth);
	if (f->hash[0])
		buf_addf(out, " server-digest %s", f->hash);
	return buf_overflown(out) ? -1 : 0;
}

static void
add_tls(struct buf *out, const struct trace *t)
{
	const struct tls_facts *f = t->how;

	buf_add_c(out, "\n\t(using ");
	trace_tls(out, f, "\n\t ");
	buf_add_c(out, ")");
	if (f->peer != TLS_PEER_NONE)
		buf_addf(out, "\n\t(Client CN \"%s\", Issuer \"%s\" (%s))",
			 f->peer_cn, f->peer_issuer,
			 f->peer == TLS_PEER_TRUSTED ? "verified OK"
						     : "not verified");
	else if (t->cert_asked)
		buf_add_c(out, "\n\t(Client did not present a certificate)");
	else
		buf_add_c(out, "\n\t(No client certificate requested)");
}

static void
add_from(struct buf *out, const struct trace *t)
{
	if (!t->client)
		return;
	buf_addf(out, "from %s (unknown [%s%s])",
		 t->helo[0] ? t->helo : "unknown", t->client_ip6 ? "IPv6:" : "",
		 t->client);
	if (t->how)
		add_tls(out, t);
	if (t->user)
		buf_addf(out, "\n\t(Authenticated sender: %s)", t->user);
	buf_add_c(out, "\n\t");
}

int
trace_received(struct buf *out, const struct trace *t)
{
	char date[DATE_TEXT_MAX];

	/* No id clause: qmgr makes the queue id when the message is complete,
	 * after this has been written. */
	buf_add_c(out, "Received: ");
	add_from(out, t);
	buf_addf(out, "by %.*s (%.*s", STR_FMT(t->by), STR_FMT(t->mail_name));
	if (t->local)
		buf_addf(out, ", from userid %u)", t->uid);
	else /* RFC 3848, RFC 6531 4.3 */
		buf_addf(out, ") with %s%s%s",
			 t->utf8    ? "UTF8SMTP"
			 : t->esmtp ? "ESMTP"
				    : "SMTP",
			 t->esmtp && t->tls ? "S" : "",
			 t->esmtp && t->authenticated ? "A" : "");
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
