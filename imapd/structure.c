/* SPDX-License-Identifier: ISC */
/* ENVELOPE and BODYSTRUCTURE (RFC 3501 7.4.2). */
#include "fetch.h"
#include "session.h"

static void
put_address(struct buf *out, const struct imf_addr *a)
{
	buf_add_byte(out, '(');
	imap_put_nstring(out, a->name);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, a->route);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, a->mailbox);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, a->host);
	buf_add_byte(out, ')');
}

static void
put_addresses(struct buf *out, struct pool *scratch,
	      const struct mime_values *v)
{
	size_t start = out->n;
	struct imf_addrs *l;
	struct imf_addr a;

	buf_add_byte(out, '(');
	for (; v; v = v->next) {
		l = imf_addrs_new(scratch, v->value);
		if (!l)
			break;
		while (imf_addrs_next(l, &a))
			put_address(out, &a);
		imf_addrs_free(l);
		pool_fini(scratch);
	}
	if (out->n == start + 1) { /* none */
		out->n = start;
		buf_add_c(out, "NIL");
	} else {
		buf_add_byte(out, ')');
	}
}

void
imap_put_envelope(struct buf *out, struct pool *scratch,
		  const struct mime_envelope *e)
{
	static const struct mime_envelope empty = { 0 };
	size_t start, from = 0, from_n = 0;
	int i;

	if (!e)
		e = &empty;
	buf_add_byte(out, '(');
	imap_put_nstring(out, e->date);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, e->subject);
	for (i = 0; i < MIME_LISTS; i++) {
		buf_add_byte(out, ' ');
		start = out->n;
		put_addresses(out, scratch, e->list[i]);
		if (i == MIME_FROM) {
			from = start;
			from_n = out->n - start;
		}
		/* A missing or empty Sender or Reply-To is From (RFC 3501
		 * 7.4.2). */
		if ((i == MIME_SENDER || i == MIME_REPLY_TO) &&
		    str_eq(str_from(buf_str(out), start), STR("NIL"))) {
			out->n = start;
			if (buf_reserve(out, from_n))
				buf_add(out, out->p + from, from_n);
		}
	}
	buf_add_byte(out, ' ');
	imap_put_nstring(out, e->in_reply_to);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, e->message_id);
	buf_add_byte(out, ')');
}

/* text: a text/... part, which has a charset (RFC 2045 5.2, 2046 4.1.2). */
static void
put_params(struct buf *out, const struct imf_param *p, bool text)
{
	bool charset = !text || imf_param_get(p, STR("charset")).p;
	char sep = '(';

	if (!p && charset) {
		buf_add_c(out, "NIL");
		return;
	}
	for (; p; p = p->next) {
		buf_add_byte(out, sep);
		imap_put_string(out, p->name);
		buf_add_byte(out, ' ');
		imap_put_string(out, p->value);
		sep = ' ';
	}
	if (!charset) {
		buf_add_byte(out, sep);
		buf_add_c(out, "\"charset\" \"us-ascii\"");
	}
	buf_add_byte(out, ')');
}

static void
put_disposition(struct buf *out, const struct mime_part *p)
{
	if (!p->disposition.p) {
		buf_add_c(out, "NIL");
		return;
	}
	buf_add_byte(out, '(');
	imap_put_string(out, p->disposition);
	buf_add_byte(out, ' ');
	put_params(out, p->disposition_params, false);
	buf_add_byte(out, ')');
}

static void
put_languages(struct buf *out, const struct imf_param *l)
{
	char sep = '(';

	if (!l) {
		buf_add_c(out, "NIL");
		return;
	}
	for (; l; l = l->next) {
		buf_add_byte(out, sep);
		imap_put_string(out, l->value);
		sep = ' ';
	}
	buf_add_byte(out, ')');
}

/* Disposition, language, location: what all parts end with. */
static void
put_extension(struct buf *out, const struct mime_part *p)
{
	buf_add_byte(out, ' ');
	put_disposition(out, p);
	buf_add_byte(out, ' ');
	put_languages(out, p->languages);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, p->location);
}

static void
put_multipart(struct buf *out, struct pool *scratch, const struct mime_part *p,
	      bool extended)
{
	const struct mime_part *c;

	for (c = p->child; c; c = c->next)
		imap_put_body(out, scratch, c, extended);
	if (!p->child) /* the grammar wants one */
		buf_add_c(out, "(\"text\" \"plain\" (\"charset\" "
			       "\"us-ascii\") NIL NIL \"7bit\" 0 0");
	if (!p->child && extended)
		buf_add_c(out, " NIL NIL NIL NIL");
	if (!p->child)
		buf_add_byte(out, ')');
	buf_add_byte(out, ' ');
	imap_put_string(out, p->subtype);
	if (!extended)
		return;
	buf_add_byte(out, ' ');
	put_params(out, p->params, false);
	put_extension(out, p);
}

static void
put_single(struct buf *out, struct pool *scratch, const struct mime_part *p,
	   bool extended)
{
	bool text = str_ieq(p->type, STR("text"));

	imap_put_string(out, p->type);
	buf_add_byte(out, ' ');
	imap_put_string(out, p->subtype);
	buf_add_byte(out, ' ');
	put_params(out, p->params, text);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, p->id);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, p->description);
	buf_add_byte(out, ' ');
	imap_put_string(out, p->encoding.p ? p->encoding : STR("7bit"));
	buf_addf(out, " %llu", (unsigned long long)p->body_size);
	if (p->message) {
		buf_add_byte(out, ' ');
		imap_put_envelope(out, scratch, p->child->env);
		buf_add_byte(out, ' ');
		imap_put_body(out, scratch, p->child, extended);
	}
	if (p->message || text)
		buf_addf(out, " %llu", (unsigned long long)p->body_lines);
	if (!extended)
		return;
	buf_add_byte(out, ' ');
	imap_put_nstring(out, p->md5);
	put_extension(out, p);
}

void
imap_put_body(struct buf *out, struct pool *scratch, const struct mime_part *p,
	      bool extended)
{
	buf_add_byte(out, '(');
	if (p->multipart)
		put_multipart(out, scratch, p, extended);
	else
		put_single(out, scratch, p, extended);
	buf_add_byte(out, ')');
}
