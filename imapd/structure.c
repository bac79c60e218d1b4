/* SPDX-License-Identifier: ISC */
/* ENVELOPE and BODYSTRUCTURE (RFC 3501 7.4.2), and where the parts are. */
#include "base/enc.h"
#include "fetch.h"
#include "session.h"
#include "shape.h"
#include "shape_int.h"

struct shaper {
	struct buf *out;
	struct pool *scratch;
	size_t part, cut;   /* so many are written */
	size_t start;	    /* of the blob in out */
	size_t parts, cuts; /* where they stand in out */
	size_t body;	    /* where that text begins */
};

/* --- strings ---------------------------------------------------------------
 */

/* How much there may be is not for the message to say. */
static bool
fits(const struct shaper *sh, size_t n)
{
	return sh->out->n - sh->start + n <= SHAPE_TEXT_MAX;
}

static void
put_string(struct shaper *sh, struct str s)
{
	imap_put_string(sh->out, fits(sh, s.n) ? s : STR(""));
}

static void
put_nstring(struct shaper *sh, struct str s)
{
	imap_put_nstring(sh->out, fits(sh, s.n) ? s : STR_NULL);
}

static void
put_blank(struct shaper *sh)
{
	buf_add_byte(sh->out, ' ');
}

/* --- the envelope ----------------------------------------------------------
 */

/* Here NIL is the bound of a group. */
static void
put_bound(struct shaper *sh, struct str s)
{
	if (s.p)
		put_string(sh, s);
	else
		buf_add_c(sh->out, "NIL");
}

static void
put_address(struct shaper *sh, const struct imf_addr *a)
{
	buf_add_byte(sh->out, '(');
	put_nstring(sh, a->name);
	put_blank(sh);
	put_nstring(sh, a->route);
	put_blank(sh);
	put_bound(sh, a->mailbox);
	put_blank(sh);
	put_bound(sh, a->host);
	buf_add_byte(sh->out, ')');
}

static void
put_addresses(struct shaper *sh, const struct mime_values *v)
{
	size_t start = sh->out->n;
	struct imf_addrs *l;
	struct imf_addr a;
	bool group;

	buf_add_byte(sh->out, '(');
	for (; v && fits(sh, 0); v = v->next) {
		l = imf_addrs_new(sh->scratch, v->value);
		if (!l)
			break;
		group = false;
		while (fits(sh, 0) && imf_addrs_next(l, &a)) {
			put_address(sh, &a);
			group = a.mailbox.p && (group || !a.host.p);
		}
		if (group) /* cut off */
			buf_add_c(sh->out, "(NIL NIL NIL NIL)");
		imf_addrs_free(l);
		pool_reset(sh->scratch);
	}
	if (sh->out->n == start + 1) { /* none */
		sh->out->n = start;
		buf_add_c(sh->out, "NIL");
	} else {
		buf_add_byte(sh->out, ')');
	}
}

static void
put_envelope(struct shaper *sh, const struct mime_envelope *e)
{
	static const struct mime_envelope empty = { 0 };
	struct buf *out = sh->out;
	size_t start, from = 0, n = 0;
	int i;

	if (!e)
		e = &empty;
	buf_add_byte(out, '(');
	put_nstring(sh, e->date);
	put_blank(sh);
	put_nstring(sh, e->subject);
	for (i = 0; i < MIME_LISTS; i++) {
		put_blank(sh);
		start = out->n;
		put_addresses(sh, e->list[i]);
		if (i == MIME_FROM) {
			from = start;
			n = out->n - start;
		}
		/* A missing or empty Sender or Reply-To is From (RFC 3501
		 * 7.4.2). */
		if ((i == MIME_SENDER || i == MIME_REPLY_TO) &&
		    str_eq(str_from(buf_str(out), start), STR("NIL")) &&
		    fits(sh, n) && buf_reserve(out, n)) {
			out->n = start;
			buf_add(out, out->p + from, n);
		}
	}
	put_blank(sh);
	put_nstring(sh, e->in_reply_to);
	put_blank(sh);
	put_nstring(sh, e->message_id);
	buf_add_byte(out, ')');
}

/* --- the body --------------------------------------------------------------
 */

/* text: a text/... part, which has a charset (RFC 2045 5.2, 2046 4.1.2). */
static void
put_params(struct shaper *sh, const struct imf_param *p, bool text)
{
	bool charset = !text || imf_param_get(p, STR("charset")).p;
	char sep = '(';

	if (!p && charset) {
		buf_add_c(sh->out, "NIL");
		return;
	}
	for (; p && fits(sh, p->name.n + p->value.n); p = p->next) {
		buf_add_byte(sh->out, sep);
		put_string(sh, p->name);
		put_blank(sh);
		put_string(sh, p->value);
		sep = ' ';
	}
	if (!charset || sep == '(') {
		buf_add_byte(sh->out, sep);
		buf_add_c(sh->out, "\"charset\" \"us-ascii\"");
	}
	buf_add_byte(sh->out, ')');
}

static void
put_disposition(struct shaper *sh, const struct mime_part *p)
{
	if (!p->disposition.p) {
		buf_add_c(sh->out, "NIL");
		return;
	}
	buf_add_byte(sh->out, '(');
	put_string(sh, p->disposition);
	put_blank(sh);
	put_params(sh, p->disposition_params, false);
	buf_add_byte(sh->out, ')');
}

static void
put_languages(struct shaper *sh, const struct imf_param *l)
{
	char sep = '(';

	if (!l || !fits(sh, l->value.n)) {
		buf_add_c(sh->out, "NIL");
		return;
	}
	for (; l && fits(sh, l->value.n); l = l->next) {
		buf_add_byte(sh->out, sep);
		put_string(sh, l->value);
		sep = ' ';
	}
	buf_add_byte(sh->out, ')');
}

/* Disposition, language, location: what all parts end with. */
static void
put_extension(struct shaper *sh, const struct mime_part *p)
{
	put_blank(sh);
	put_disposition(sh, p);
	put_blank(sh);
	put_languages(sh, p->languages);
	put_blank(sh);
	put_nstring(sh, p->location);
}

/* It began at start and ends here. */
static void
note_cut(struct shaper *sh, size_t i, size_t start, uint32_t flag)
{
	char *at = sh->out->p + sh->cuts + i * SHAPE_CUT;

	enc_put32(at, (uint32_t)(start - sh->body));
	enc_put32(at + 4, (uint32_t)(sh->out->n - sh->body) | flag);
}

/* Where the grammar wants a body and there is none. */
static void
put_no_body(struct shaper *sh)
{
	size_t start;

	buf_add_c(sh->out, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") "
			   "NIL NIL \"7bit\" 0 0");
	start = sh->out->n;
	buf_add_c(sh->out, " NIL NIL NIL NIL");
	note_cut(sh, sh->cut++, start, 0);
	buf_add_byte(sh->out, ')');
}

static void put_part(struct shaper *sh, const struct mime_part *p);

static void
put_multipart(struct shaper *sh, const struct mime_part *p)
{
	const struct mime_part *c;

	for (c = p->child; c; c = c->next)
		put_part(sh, c);
	if (!p->child)
		put_no_body(sh);
	put_blank(sh);
	put_string(sh, p->subtype);
}

/* RFC 9051 7.5.2, 9 (body-type-basic): no message/global is without these, so
 * one whose encoding hides them has empty ones. */
static bool
is_global(const struct mime_part *p)
{
	return str_ieq(p->type, STR("message")) &&
	       str_ieq(p->subtype, STR("global"));
}

/* The message in the part. */
static void
put_message(struct shaper *sh, const struct mime_part *p)
{
	put_blank(sh);
	put_envelope(sh, p->child ? p->child->env : NULL);
	put_blank(sh);
	if (p->child)
		put_part(sh, p->child);
	else
		put_no_body(sh);
	put_blank(sh);
	buf_add_u64(sh->out, p->body_lines);
}

static void
put_single(struct shaper *sh, const struct mime_part *p)
{
	bool text = str_ieq(p->type, STR("text"));
	size_t start, cut;

	put_string(sh, p->type);
	put_blank(sh);
	put_string(sh, p->subtype);
	put_blank(sh);
	put_params(sh, p->params, text);
	put_blank(sh);
	put_nstring(sh, p->id);
	put_blank(sh);
	put_nstring(sh, p->description);
	put_blank(sh);
	put_string(sh, p->encoding.p ? p->encoding : STR("7bit"));
	put_blank(sh);
	buf_add_u64(sh->out, p->body_size);
	if (is_global(p)) {
		start = sh->out->n;
		cut = sh->cut++; /* before those in it */
		put_message(sh, p);
		note_cut(sh, cut, start, CUT_REV2);
	} else if (p->message) {
		put_message(sh, p);
	} else if (text) {
		put_blank(sh);
		buf_add_u64(sh->out, p->body_lines);
	}
}

/* --- where it is -----------------------------------------------------------
 */

static enum transfer
encoding_of(const struct mime_part *p)
{
	if (p->multipart || p->message) /* RFC 2045 6.4 */
		return TRANSFER_IDENTITY;
	return transfer_of(p->encoding);
}

static void
note_part(struct shaper *sh, size_t i, const struct mime_part *p)
{
	char *at = sh->out->p + sh->parts + i * SHAPE_PART;

	enc_put32(at, (uint32_t)sh->part);
	at[4] = (char)(p->multipart ? PART_MULTIPART
		       : p->global  ? PART_GLOBAL
		       : p->message ? PART_MESSAGE
				    : PART_LEAF);
	at[5] = (char)encoding_of(p);
	enc_put16(at + 6, 0);
	enc_put64(at + 8, p->head_raw);
	enc_put64(at + 16, p->body_raw);
	enc_put64(at + 24, p->body_raw_end);
	enc_put64(at + 32, p->head_size);
	enc_put64(at + 40, p->body_size);
}

/* The depth is bounded by the parser. */
static void
put_part(struct shaper *sh, const struct mime_part *p)
{
	size_t i = sh->part++, start;

	buf_add_byte(sh->out, '(');
	if (p->multipart)
		put_multipart(sh, p);
	else
		put_single(sh, p);
	start = sh->out->n;
	put_blank(sh);
	if (p->multipart)
		put_params(sh, p->params, false);
	else
		put_nstring(sh, p->md5);
	put_extension(sh, p);
	note_cut(sh, sh->cut++, start, 0);
	note_part(sh, i, p);
	buf_add_byte(sh->out, ')');
}

static void
count(const struct mime_part *p, size_t *parts, size_t *cuts)
{
	const struct mime_part *c;

	++*parts;
	*cuts += 1 + is_global(p);
	*cuts += !p->child && (p->multipart || is_global(p));
	for (c = p->child; c; c = c->next)
		count(c, parts, cuts);
}

void
imap_shape_build(struct buf *out, const struct mime_part *top,
		 struct str header, struct pool *scratch)
{
	struct shaper sh = { .out = out, .scratch = scratch, .start = out->n };
	size_t parts = 0, cuts = 0, fixed, envelope, fields;

	count(top, &parts, &cuts);
	fixed = SHAPE_HEAD + parts * SHAPE_PART + cuts * SHAPE_CUT;
	if (!buf_reserve(out, fixed))
		return;
	out->n += fixed;
	sh.parts = sh.start + SHAPE_HEAD;
	sh.cuts = sh.parts + parts * SHAPE_PART;
	envelope = out->n;
	put_envelope(&sh, top->env);
	sh.body = out->n;
	put_part(&sh, top);
	fields = out->n;
	imap_keep_fields(out, header);
	enc_put32(out->p + sh.start, SHAPE_VERSION);
	enc_put32(out->p + sh.start + 4, (uint32_t)parts);
	enc_put32(out->p + sh.start + 8, (uint32_t)cuts);
	enc_put32(out->p + sh.start + 12, (uint32_t)(sh.body - envelope));
	enc_put32(out->p + sh.start + 16, (uint32_t)(fields - sh.body));
	enc_put32(out->p + sh.start + 20, (uint32_t)(out->n - fields));
}
