/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "mail/date.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "mail/utf8.h"
#include "mail/xtext.h"

enum {
	WIDTH = 78,	  /* lines are folded here if they have a blank */
	WIDTH_HARD = 900, /* and here in any case */
	LINE_LIMIT = 998, /* RFC 5322 2.1.1 */
	QP_WIDTH = 76,
	BOUNDARY_MAX = 40,
	TYPE_MAX = 32,	      /* of an address, in ORCPT */
	VALUE_MAX = 8 * 1024, /* of one value */
	ADDRESS_SHOWN = 2048,
};

/* --- values --------------------------------------------------------------- */

/* On one line: line ends and tabs become blanks, other controls, and bytes that
 * are not UTF-8 (or, without utf8, not ASCII), become '?'. */
static void
put_clean(struct buf *out, struct str s, bool utf8)
{
	struct str rest = str_head(s, VALUE_MAX);
	int32_t c;

	while (rest.n) {
		struct str was = rest;

		c = utf8_next(&rest);
		if (c < 0)
			rest = str_from(rest, 1);
		if (c == '\n' || c == '\t')
			buf_add_byte(out, ' ');
		else if (c < ' ' || (c >= 127 && c < 160) || c == 0x2028 ||
			 c == 0x2029 || (c > 127 && !utf8))
			buf_add_byte(out, '?');
		else
			buf_add(out, was.p, was.n - rest.n);
	}
}

/*
 * Clean text on lines that begin with indent, except for the first, where
 * column says what stands there already.
 */
static void
put_folded(struct buf *out, size_t column, const char *indent, struct str text,
	   bool utf8)
{
	struct str s, word;
	struct buf clean;
	size_t n;

	buf_init(&clean, 2 * VALUE_MAX);
	put_clean(&clean, text, utf8);
	for (s = buf_str(&clean); str_token(&s, " ", &word);) {
		while (word.n) {
			n = word.n < WIDTH_HARD ? word.n : WIDTH_HARD;
			while (n < word.n && n > 1 &&
			       ((unsigned char)word.p[n] & 0xc0) == 0x80)
				n--; /* not inside of a character */
			if (column + 1 + n > WIDTH && column > strlen(indent)) {
				buf_addf(out, "\n%s", indent);
				column = strlen(indent);
			} else {
				buf_add_byte(out, ' ');
				column++;
			}
			buf_add(out, word.p, n);
			column += n;
			word = str_from(word, n);
		}
	}
	out->overflown |= buf_overflown(&clean);
	buf_fini(&clean);
}

/* "Name: value" */
static void
put_field(struct buf *out, const char *name, struct str value, bool utf8)
{
	buf_addf(out, "%s:", name);
	put_folded(out, strlen(name) + 1, "    ", value, utf8);
	buf_add_byte(out, '\n');
}

static void
put_date(struct buf *out, const char *name, uint64_t us)
{
	char text[DATE_TEXT_MAX];

	if (us)
		buf_addf(out, "%s: %s\n", name,
			 date_format(text, (time_t)(us / 1000000)));
}

/* "Name: type; address".  An address that would not fit a line says nothing. */
static void
put_address(struct buf *out, const char *name, struct str type,
	    struct str address, bool utf8)
{
	bool global = str_ieq(type, STR("utf-8"));
	size_t begin = out->n;

	address = str_head(address, ADDRESS_SHOWN);
	if (utf8_is_ascii(address) && !global) {
		buf_addf(out, "%s: ", name);
		put_clean(out, type, false);
		buf_add_c(out, "; ");
		put_clean(out, address, false);
	} else {
		buf_addf(out, "%s: utf-8; ", name);
		(void)!xtext_utf8(out, address, utf8, global);
	}
	if (out->n - begin > LINE_LIMIT && !out->overflown)
		out->n = begin;
	else
		buf_add_byte(out, '\n');
}

static bool
is_type(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' ||
		    strchr("()<>@,;:\\\"/[]?=", s.p[i]))
			return false;
	return s.n > 0 && s.n <= TYPE_MAX;
}

/* --- the parts ------------------------------------------------------------ */

static void
put_human_rcpt(struct buf *out, const struct dsn_rcpt *r)
{
	bool other = r->original.n && !str_ieq(r->original, r->address);
	size_t begin = out->n;

	buf_add_c(out, "\n<");
	put_clean(out, str_head(r->address, ADDRESS_SHOWN), true);
	buf_add_byte(out, '>');
	if (other) {
		buf_add_c(out, " (expanded from <");
		put_clean(out, str_head(r->original, ADDRESS_SHOWN), true);
		buf_add_c(out, ">)");
	}
	buf_add_byte(out, ':');
	put_folded(out, out->n - begin - 1, "    ", r->text, true);
	buf_add_byte(out, '\n');
}

static int
put_human(struct buf *out, const struct dsn *d, struct err *err)
{
	size_t i;

	if (bounce_expand(out, d->template->text, d->values, d->nvalues, err) <
	    0)
		return -1;
	for (i = 0; i < d->nrcpts; i++)
		put_human_rcpt(out, &d->rcpts[i]);
	return 0;
}

static void
put_status_rcpt(struct buf *out, const struct dsn_rcpt *r, bool utf8)
{
	static const char *const actions[] = {
		[DSN_FAILED] = "failed",       [DSN_DELAYED] = "delayed",
		[DSN_DELIVERED] = "delivered", [DSN_RELAYED] = "relayed",
		[DSN_EXPANDED] = "expanded",
	};
	struct str address = r->orcpt, type;
	struct buf diagnostic;

	buf_add_byte(out, '\n');
	put_address(out, "Final-Recipient", STR("rfc822"), r->address, utf8);
	if (str_cut(&address, ';', &type) && is_type(type))
		put_address(out, "Original-Recipient", type, address, utf8);
	else if (r->original.n && !str_eq(r->original, r->address))
		put_address(out, "Original-Recipient", STR("rfc822"),
			    r->original, utf8);
	buf_addf(out, "Action: %s\n", actions[r->action]);
	put_field(out, "Status", r->status.n ? r->status : STR("4.0.0"), false);
	if (r->mta.n) {
		buf_add_c(out, "Remote-MTA: dns; ");
		put_clean(out, str_head(r->mta, 255), false);
		buf_add_byte(out, '\n');
	}
	buf_init(&diagnostic, 2 * VALUE_MAX);
	buf_add_c(&diagnostic, r->reply.n ? "smtp; " : "X-Posthouse; ");
	buf_add_str(&diagnostic,
		    str_head(r->reply.n ? r->reply : r->text, VALUE_MAX));
	if (r->reply.n || r->text.n)
		put_field(out, "Diagnostic-Code", buf_str(&diagnostic), utf8);
	out->overflown |= buf_overflown(&diagnostic);
	buf_fini(&diagnostic);
	put_date(out, "Last-Attempt-Date", r->last_us);
	put_date(out, "Will-Retry-Until", r->until_us);
}

static void
put_status(struct buf *out, const struct dsn *d, bool utf8)
{
	size_t i;

	buf_add_c(out, "Reporting-MTA: dns; ");
	put_clean(out, str_head(d->hostname, 255), false);
	buf_add_c(out, "\nX-Posthouse-Queue-ID: ");
	put_clean(out, str_head(d->about, 64), false);
	buf_add_byte(out, '\n');
	if (d->sender.n)
		put_address(out, "X-Posthouse-Sender", STR("rfc822"), d->sender,
			    utf8);
	if (d->envid.n)
		put_field(out, "Original-Envelope-Id", d->envid, false);
	put_date(out, "Arrival-Date", d->arrival_us);
	for (i = 0; i < d->nrcpts; i++)
		put_status_rcpt(out, &d->rcpts[i], utf8);
}

/* RFC 2045 6.7; the text has LF line ends and ends with one. */
static void
put_quoted_printable(struct buf *out, struct str s)
{
	size_t i, column = 0;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool last = i + 1 == s.n || s.p[i + 1] == '\n';
		bool plain =
			c != '=' && c < 127 && (c > ' ' || (c == ' ' && !last));

		if (c == '\n') {
			buf_add_byte(out, '\n');
			column = 0;
			continue;
		}
		if (column + (plain ? 1 : 3) >= QP_WIDTH) {
			buf_add_c(out, "=\n");
			column = 0;
		}
		if (plain)
			buf_add_byte(out, (char)c);
		else
			buf_addf(out, "=%02X", c);
		column += plain ? 1 : 3;
	}
}

/* What is enclosed has no CR and no NUL. */
static void
put_original(struct buf *out, struct str s)
{
	size_t begin = out->n, i;

	if (buf_add_str(out, s) < 0)
		return;
	for (i = begin; i < out->n; i++)
		if (out->p[i] == '\r' || out->p[i] == '\0')
			out->p[i] = '?';
}

/* As many whole fields as fit. */
static struct str
cut_header(struct str header, size_t size)
{
	struct str rest = header;
	struct header_field f;
	size_t n = 0;

	if (header.n <= size)
		return header;
	while (header_next(&rest, &f) && header.n - rest.n <= size)
		n = header.n - rest.n;
	return str_head(header, n);
}

/* --- all of it ------------------------------------------------------------ */

struct parts {
	struct buf human, status;
	struct str header, body; /* of the original; body "": only its header */
	bool utf8;		 /* the report is an SMTPUTF8 message */
	bool eight;		 /* the original has bytes above 127 */
	char boundary[BOUNDARY_MAX];
};

static bool
is_within(const struct parts *p, struct str s)
{
	return str_search(buf_str(&p->human), s) >= 0 ||
	       str_search(buf_str(&p->status), s) >= 0 ||
	       str_search(p->header, s) >= 0 || str_search(p->body, s) >= 0;
}

static void
choose_boundary(struct parts *p, uint64_t seed)
{
	do
		snprintf(p->boundary, sizeof(p->boundary), "_report_%016llx",
			 (unsigned long long)seed++);
	while (is_within(p, str_of(p->boundary)));
}

/* "MAILER-DAEMON (Mail Delivery System)" with @origin behind the word. */
static void
put_from(struct buf *out, const struct dsn *d)
{
	struct str from = d->template->from;
	size_t n = 0;

	buf_add_c(out, "From: ");
	if (str_find(from, '@') < 0) {
		ptrdiff_t end = str_find(from, '>');

		if (end < 0)
			end = str_find(from, ' ');
		n = end < 0 ? from.n : (size_t)end;
		put_clean(out, str_head(from, n), false);
		buf_add_byte(out, '@');
		put_clean(out, d->origin, false);
	}
	put_clean(out, str_from(from, n), false);
	buf_add_byte(out, '\n');
}

static void
put_header(struct buf *out, const struct dsn *d, const struct parts *p)
{
	const struct bounce_template *t = d->template;
	char date[DATE_TEXT_MAX];

	date_format(date, (time_t)(d->now_us / 1000000));
	buf_add_c(out, "Received: by ");
	put_clean(out, d->hostname, false);
	buf_add_c(out, " (");
	put_clean(out, d->mail_name, false);
	buf_add_c(out, ")\n\tid ");
	put_clean(out, d->id, false);
	buf_addf(out, "; %s\nDate: %s\n", date, date);
	put_from(out, d);
	put_field(out, "Subject",
		  d->postmaster && t->postmaster_subject.n
			  ? t->postmaster_subject
			  : t->subject,
		  false);
	buf_add_c(out, "To: ");
	put_clean(out, str_head(d->to, ADDRESS_SHOWN), p->utf8);
	buf_addf(out,
		 "\n"
		 "Auto-Submitted: auto-replied\n"
		 "MIME-Version: 1.0\n"
		 "Content-Type: multipart/report; "
		 "report-type=delivery-status;\n"
		 "\tboundary=\"%s\"\n",
		 p->boundary);
	if (p->eight || p->utf8)
		buf_add_c(out, "Content-Transfer-Encoding: 8bit\n");
	buf_addf(out, "Message-ID: <%llu.", (unsigned long long)d->now_us);
	put_clean(out, d->id, false);
	buf_add_byte(out, '@');
	put_clean(out, d->hostname, false);
	buf_add_c(out, ">\n");
}

static void
put_human_part(struct buf *out, const struct dsn *d, const struct parts *p)
{
	bool ascii = utf8_is_ascii(buf_str(&p->human));

	buf_addf(out,
		 "\n--%s\n"
		 "Content-Description: Notification\n"
		 "Content-Type: text/plain; charset=",
		 p->boundary);
	buf_add_str(out, ascii ? d->template->charset : STR("utf-8"));
	buf_add_byte(out, '\n');
	if (ascii || p->utf8) {
		if (!ascii)
			buf_add_c(out, "Content-Transfer-Encoding: 8bit\n");
		buf_add_byte(out, '\n');
		buf_add_str(out, buf_str(&p->human));
	} else {
		buf_add_c(out, "Content-Transfer-Encoding: "
			       "quoted-printable\n\n");
		put_quoted_printable(out, buf_str(&p->human));
	}
}

static void
put_body(struct buf *out, const struct dsn *d, const struct parts *p)
{
	const char *type;

	buf_add_c(out, "\nThis is a report in several parts (MIME).\n");
	put_human_part(out, d, p);
	buf_addf(out,
		 "\n--%s\n"
		 "Content-Description: Delivery report\n"
		 "Content-Type: message/%sdelivery-status\n%s\n",
		 p->boundary, p->utf8 ? "global-" : "",
		 p->utf8 ? "Content-Transfer-Encoding: 8bit\n" : "");
	buf_add_str(out, buf_str(&p->status));
	if (d->full)
		type = p->utf8 ? "message/global" : "message/rfc822";
	else
		type = p->utf8 ? "message/global-headers"
			       : "text/rfc822-headers";
	buf_addf(out,
		 "\n--%s\n"
		 "Content-Description: %s\n"
		 "Content-Type: %s\n%s\n",
		 p->boundary, d->full ? "Message" : "Message header", type,
		 p->eight ? "Content-Transfer-Encoding: 8bit\n" : "");
	put_original(out, p->header);
	/* So that a delimiter cannot begin in the one and end in the other. */
	if (p->header.n && !str_ends(p->header, STR("\n")))
		buf_add_byte(out, '\n');
	if (d->full)
		put_original(out, p->body.n ? p->body : STR("\n"));
	buf_addf(out, "\n--%s--\n", p->boundary);
}

int
dsn_build(struct buf *out, const struct dsn *d, struct dsn_built *built,
	  struct err *err)
{
	struct parts p = { .utf8 = d->utf8 || !utf8_is_ascii(d->to) };
	size_t begin = out->n;
	int rc = -1;

	buf_init(&p.human, DSN_MAX);
	buf_init(&p.status, DSN_MAX);
	p.header = d->full ? d->header : cut_header(d->header, d->size);
	p.body = d->full ? d->body : STR_NULL;
	p.eight = !utf8_is_ascii(p.header) || !utf8_is_ascii(p.body);
	if (put_human(&p.human, d, err) < 0)
		goto out;
	put_status(&p.status, d, p.utf8);
	choose_boundary(&p, d->seed);
	put_header(out, d, &p);
	*built = (struct dsn_built){ .header_len = out->n - begin,
				     .eight = p.eight || p.utf8,
				     .utf8 = p.utf8 };
	put_body(out, d, &p);
	rc = 0;
	if (buf_overflown(out) || buf_overflown(&p.human) ||
	    buf_overflown(&p.status))
		rc = err_set(err, ERR_TEMP, 0, "no memory for a report");
out:
	buf_fini(&p.human);
	buf_fini(&p.status);
	return rc;
}
