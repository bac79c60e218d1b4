/* SPDX-License-Identifier: ISC */
/* ENVELOPE and BODYSTRUCTURE (RFC 3501 7.4.2). */
#include "fetch.h"
#include "session.h"

static void
put_addresses(struct buf *out, struct pool *scratch, struct str value)
{
	struct imf_addr *v;
	size_t i, n = value.p ? imf_addresses(scratch, value, &v) : 0;

	if (n == 0) {
		buf_add_c(out, "NIL");
	} else {
		buf_add_byte(out, '(');
		for (i = 0; i < n; i++) {
			buf_add_byte(out, '(');
			imap_put_nstring(out, v[i].name);
			buf_add_byte(out, ' ');
			imap_put_nstring(out, v[i].route);
			buf_add_byte(out, ' ');
			imap_put_nstring(out, v[i].mailbox);
			buf_add_byte(out, ' ');
			imap_put_nstring(out, v[i].host);
			buf_add_byte(out, ')');
		}
		buf_add_byte(out, ')');
	}
	pool_fini(scratch);
}

void
imap_put_envelope(struct buf *out, struct pool *scratch,
		  const struct mime_envelope *e)
{
	static const struct mime_envelope empty = { 0 };
	struct str list[6];
	size_t i;

	if (!e)
		e = &empty;
	list[0] = e->from;
	/* A missing Sender or Reply-To is From (RFC 3501 7.4.2). */
	list[1] = e->sender.n ? e->sender : e->from;
	list[2] = e->reply_to.n ? e->reply_to : e->from;
	list[3] = e->to;
	list[4] = e->cc;
	list[5] = e->bcc;
	buf_add_byte(out, '(');
	imap_put_nstring(out, e->date);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, e->subject);
	for (i = 0; i < 6; i++) {
		buf_add_byte(out, ' ');
		put_addresses(out, scratch, list[i]);
	}
	buf_add_byte(out, ' ');
	imap_put_nstring(out, e->in_reply_to);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, e->message_id);
	buf_add_byte(out, ')');
}

static void
put_params(struct buf *out, const struct imf_param *p)
{
	char sep = '(';

	if (!p) {
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
	put_params(out, p->disposition_params);
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
			       "\"us-ascii\") NIL NIL \"7bit\" 0 0)");
	buf_add_byte(out, ' ');
	imap_put_string(out, p->subtype);
	if (!extended)
		return;
	buf_add_byte(out, ' ');
	put_params(out, p->params);
	put_extension(out, p);
}

static void
put_single(struct buf *out, struct pool *scratch, const struct mime_part *p,
	   bool extended)
{
	bool message = p->message && p->child;
	struct str type = p->type, subtype = p->subtype;

	if (p->message && !p->child) { /* cut off inside its header */
		type = STR("application");
		subtype = STR("octet-stream");
	}
	imap_put_string(out, type);
	buf_add_byte(out, ' ');
	imap_put_string(out, subtype);
	buf_add_byte(out, ' ');
	if (!p->params && str_ieq(type, STR("text"))) /* RFC 2045 5.2 */
		buf_add_c(out, "(\"charset\" \"us-ascii\")");
	else
		put_params(out, p->params);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, p->id);
	buf_add_byte(out, ' ');
	imap_put_nstring(out, p->description);
	buf_add_byte(out, ' ');
	imap_put_string(out, p->encoding.p ? p->encoding : STR("7bit"));
	buf_addf(out, " %llu", (unsigned long long)p->body_size);
	if (message) {
		buf_add_byte(out, ' ');
		imap_put_envelope(out, scratch, p->child->env);
		buf_add_byte(out, ' ');
		imap_put_body(out, scratch, p->child, extended);
	}
	if (message || str_ieq(type, STR("text")))
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
