/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/enc.h"
#include "mail/addrlist.h"
#include "mail/header.h"
#include "mail/submission.h"
#include "mail/utf8.h"

enum field_is {
	IS_OTHER = 0,
	IS_ADDRESSES = 1, /* of people: to be qualified */
	IS_RCPTS = 2,	  /* sendmail -t sends to these */
	IS_RESENT = 4,
	IS_DROPPED = 8,
	IS_FROM = 16,
	IS_DATE = 32,
	IS_ID = 64,
};

static const struct {
	struct str name;
	unsigned is;
} fields[] = {
#define ROW(name, is)                          \
	{                                      \
		{ name, sizeof(name) - 1 }, is \
	}
	ROW("From", IS_ADDRESSES | IS_FROM),
	ROW("Sender", IS_ADDRESSES),
	ROW("Reply-To", IS_ADDRESSES),
	ROW("To", IS_ADDRESSES | IS_RCPTS),
	ROW("Cc", IS_ADDRESSES | IS_RCPTS),
	ROW("Bcc", IS_RCPTS | IS_DROPPED),
	ROW("Date", IS_DATE),
	ROW("Message-ID", IS_ID),
	ROW("Return-Path", IS_DROPPED),
	ROW("Resent-From", IS_ADDRESSES | IS_FROM | IS_RESENT),
	ROW("Resent-Sender", IS_ADDRESSES | IS_RESENT),
	ROW("Resent-Reply-To", IS_ADDRESSES | IS_RESENT),
	ROW("Resent-To", IS_ADDRESSES | IS_RCPTS | IS_RESENT),
	ROW("Resent-Cc", IS_ADDRESSES | IS_RCPTS | IS_RESENT),
	ROW("Resent-Bcc", IS_RCPTS | IS_DROPPED | IS_RESENT),
	ROW("Resent-Date", IS_DATE | IS_RESENT),
	ROW("Resent-Message-ID", IS_ID | IS_RESENT),
	ROW("Disposition-Notification-To", IS_ADDRESSES),
	ROW("Errors-To", IS_ADDRESSES),
	ROW("Mail-Followup-To", IS_ADDRESSES),
	ROW("Mail-Reply-To", IS_ADDRESSES),
	ROW("Return-Receipt-To", IS_ADDRESSES),
#undef ROW
};

static unsigned
field_is(struct str name)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (str_ieq(name, fields[i].name))
			return fields[i].is;
	return IS_OTHER;
}

/* The value with "@origin" where it belongs. */
static void
qualify(struct buf *out, const struct header_field *f, struct str origin)
{
	enum addrlist_kind kind;
	struct addrlist l;
	size_t from = 0;

	addrlist_init(&l, f->value);
	while ((kind = addrlist_next(&l)) != ADDRLIST_END) {
		if (kind != ADDRLIST_BARE)
			continue;
		(void)!buf_add(out, f->value.p + from, l.local_end - from);
		(void)!buf_add_byte(out, '@');
		(void)!buf_add_str(out, origin);
		from = l.local_end;
	}
	(void)!buf_add_str(out, str_from(f->value, from));
	addrlist_fini(&l);
}

static void
put_field(struct buf *out, const struct header_field *f, unsigned is,
	  struct str origin)
{
	size_t head = (size_t)(f->value.p - f->whole.p);

	if (is & IS_DROPPED)
		return;
	if (!(is & IS_ADDRESSES)) {
		(void)!buf_add_str(out, f->whole);
		return;
	}
	(void)!buf_add_str(out, str_head(f->whole, head));
	qualify(out, f, origin);
	(void)!buf_add_str(out, str_from(f->whole, head + f->value.n));
}

/* --- a mailbox with a name ----------------------------------------------- */

/* Blanks and atext: needs no quotes. */
static bool
is_phrase(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~' ||
		    strchr("()<>[]:;@\\,.\"", s.p[i]))
			return false;
	return true;
}

static bool
is_ascii(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* RFC 2047 2: encoded words of at most 75 characters, whole characters each,
 * one a line. */
static void
add_encoded(struct buf *out, struct str name)
{
	enum { WORD_BYTES = 45 };
	struct str rest = name, step;
	size_t n;

	while (name.n) {
		for (n = 0; rest.n; n = (size_t)(rest.p - name.p)) {
			step = rest;
			if (utf8_next(&step) < 0 ||
			    step.p - name.p > WORD_BYTES)
				break;
			rest = step;
		}
		(void)!buf_add_c(out, "=?UTF-8?B?");
		(void)!enc_base64(out, str_head(name, n));
		(void)!buf_add_c(out, rest.n ? "?=\n " : "?=");
		name = rest;
	}
}

void
submission_mailbox(struct buf *out, struct str name, struct str address)
{
	size_t i;

	name = str_trim(name);
	if (name.n == 0 || !utf8_is_valid(name)) {
		(void)!buf_add_str(out, address);
		return;
	}
	if (is_phrase(name)) {
		(void)!buf_add_str(out, name);
	} else if (is_ascii(name)) {
		(void)!buf_add_byte(out, '"');
		for (i = 0; i < name.n; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\')
				(void)!buf_add_byte(out, '\\');
			(void)!buf_add_byte(out, name.p[i]);
		}
		(void)!buf_add_byte(out, '"');
	} else {
		add_encoded(out, name);
	}
	(void)!buf_add_c(out, " <");
	(void)!buf_add_str(out, address);
	(void)!buf_add_byte(out, '>');
}

/* --- what is missing ----------------------------------------------------- */

static void
put_from(struct buf *out, const char *prefix, const struct submission *s)
{
	char daemon[PATH_TEXT_MAX + 16] = "MAILER-DAEMON";
	struct str address = s->sender;

	if (address.n == 0) {
		if (s->origin.n < PATH_TEXT_MAX)
			snprintf(daemon, sizeof(daemon), "MAILER-DAEMON@%.*s",
				 STR_FMT(s->origin));
		address = str_of(daemon);
	}
	(void)!buf_addf(out, "%sFrom: ", prefix);
	submission_mailbox(out, s->name, address);
	(void)!buf_add_byte(out, '\n');
}

static void
put_missing(struct buf *out, unsigned seen, unsigned resent,
	    const struct submission *s)
{
	const char *prefix = seen & IS_RESENT ? "Resent-" : "";
	unsigned there = seen & IS_RESENT ? resent : seen;

	if (!(there & IS_FROM))
		put_from(out, prefix, s);
	if (!(there & IS_DATE))
		(void)!buf_addf(out, "%sDate: %.*s\n", prefix,
				STR_FMT(s->date));
	if (!(there & IS_ID))
		(void)!buf_addf(out, "%sMessage-ID: <%.*s@%.*s>\n", prefix,
				STR_FMT(s->id_left), STR_FMT(s->id_right));
}

int
submission_fix(struct buf *out, struct str header, const struct submission *s,
	       struct err *err)
{
	unsigned seen = 0, resent = 0, is;
	struct header_field f;

	while (header_next(&header, &f)) {
		is = field_is(f.name);
		seen |= is;
		if (is & IS_RESENT)
			resent |= is;
		put_field(out, &f, is, s->origin);
	}
	if (out->n && out->p[out->n - 1] != '\n')
		(void)!buf_add_byte(out, '\n');
	put_missing(out, seen, resent, s);
	if (buf_overflown(out))
		return err_set(err, ERR_TEMP, 0, "header too large");
	return 0;
}

/* --- recipients ---------------------------------------------------------- */

static bool
is_resent(struct str header)
{
	enum { WANTED = IS_RESENT | IS_RCPTS };
	struct header_field f;

	while (header_next(&header, &f))
		if ((field_is(f.name) & WANTED) == WANTED)
			return true;
	return false;
}

static int
rcpts_of_field(const struct header_field *f, submission_rcpt *rcpt, void *arg,
	       struct err *err)
{
	enum addrlist_kind kind;
	struct addrlist l;
	int rc = 0;

	addrlist_init(&l, f->value);
	while (rc == 0 && (kind = addrlist_next(&l)) != ADDRLIST_END) {
		struct str text = str_trim(
			str_mem(f->value.p + l.start, l.end - l.start));

		if (kind == ADDRLIST_FULL || kind == ADDRLIST_BARE)
			rc = rcpt(arg, &l.path, err);
		else
			rc = err_set(err, ERR_PERM, 0, "%.*s: no address: %.*s",
				     STR_FMT(f->name),
				     STR_FMT(str_head(text, 100)));
	}
	addrlist_fini(&l);
	return rc;
}

int
submission_rcpts(struct str header, submission_rcpt *rcpt, void *arg,
		 struct err *err)
{
	unsigned resent = is_resent(header) ? IS_RESENT : 0, is;
	struct header_field f;

	while (header_next(&header, &f)) {
		is = field_is(f.name);
		if (is & IS_RCPTS && (is & IS_RESENT) == resent &&
		    rcpts_of_field(&f, rcpt, arg, err) < 0)
			return -1;
	}
	return 0;
}
