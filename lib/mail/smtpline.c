/* SPDX-License-Identifier: ISC */
#include "mail/smtpline.h"
#include "mail/utf8.h"
#include "mail/xtext.h"

const char *const smtp_verb_names[SMTP_VERBS] = {
	[SMTP_HELO] = "HELO",	      [SMTP_EHLO] = "EHLO",
	[SMTP_STARTTLS] = "STARTTLS", [SMTP_AUTH] = "AUTH",
	[SMTP_MAIL] = "MAIL",	      [SMTP_RCPT] = "RCPT",
	[SMTP_DATA] = "DATA",	      [SMTP_RSET] = "RSET",
	[SMTP_NOOP] = "NOOP",	      [SMTP_VRFY] = "VRFY",
	[SMTP_HELP] = "HELP",	      [SMTP_QUIT] = "QUIT",
	[SMTP_UNKNOWN] = "UNKNOWN",
};

void
smtpline_parse(struct str line, struct smtp_line *l)
{
	size_t n = 0;
	int i;

	line = str_trim(line);
	while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t')
		n++;
	l->name = str_head(line, n);
	l->args = str_trim(str_from(line, n));
	l->verb = SMTP_UNKNOWN;
	for (i = 0; i < SMTP_UNKNOWN; i++)
		if (str_ieq(l->name, str_of(smtp_verb_names[i])))
			l->verb = (enum smtp_verb)i;
}

/* "KEYWORD" or "KEYWORD=value" (RFC 5321 4.1.2 esmtp-param), cut off *rest;
 * false at the end. */
static bool
next_param(struct str *rest, struct str *whole, struct str *key,
	   struct str *value)
{
	if (!str_token(rest, " ", whole))
		return false;
	*value = *whole;
	if (!str_cut(value, '=', key)) {
		*key = *whole;
		*value = STR_NULL;
	}
	return true;
}

static enum smtp_syntax
parse_path(struct str *args, struct str prefix, unsigned flags, struct path *p)
{
	if (!str_istarts(*args, prefix))
		return SMTP_SYNTAX_FORM;
	*args = str_from(*args, prefix.n);
	switch (path_parse(args, flags, p, NULL)) {
	case PATH_OK:
		return SMTP_SYNTAX_OK;
	case PATH_NOT_ASCII:
		return SMTP_SYNTAX_ASCII;
	default:
		return SMTP_SYNTAX_PATH;
	}
}

static unsigned
path_flags(unsigned offer)
{
	return (offer & SMTP_OFFER_STRICT ? PATH_STRICT : 0) |
	       (offer & SMTP_OFFER_UTF8 ? PATH_UTF8 : 0);
}

static bool
is_printable(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* xtext of at most size characters into text. */
static int
decode(struct str value, char *text, size_t size, size_t *n)
{
	struct buf b;
	int rc;

	buf_init(&b, size);
	rc = value.n > size ? -1 : xtext_decode(&b, value);
	if (rc == 0 && !is_printable(buf_str(&b)))
		rc = -1;
	if (rc == 0 && b.n)
		memcpy(text, b.p, b.n);
	*n = rc == 0 ? b.n : 0;
	buf_fini(&b);
	return rc;
}

enum mail_seen {
	SEEN_SIZE = 1,
	SEEN_BODY = 2,
	SEEN_RET = 4,
	SEEN_ENVID = 8,
	SEEN_UTF8 = 16,
	SEEN_AUTH = 32,
};

/* The bit of a parameter that is offered, 0: it is not. */
static unsigned
mail_key(struct str key, unsigned offer)
{
	if (str_ieq(key, STR("SIZE"))) /* RFC 1870 3 */
		return SEEN_SIZE;
	if (str_ieq(key, STR("BODY"))) /* RFC 6152 2 */
		return SEEN_BODY;
	if (offer & SMTP_OFFER_DSN && str_ieq(key, STR("RET")))
		return SEEN_RET; /* RFC 3461 4.3 */
	if (offer & SMTP_OFFER_DSN && str_ieq(key, STR("ENVID")))
		return SEEN_ENVID; /* RFC 3461 4.4 */
	if (offer & SMTP_OFFER_UTF8 && str_ieq(key, STR("SMTPUTF8")))
		return SEEN_UTF8; /* RFC 6531 3.4 */
	if (offer & SMTP_OFFER_AUTH && str_ieq(key, STR("AUTH")))
		return SEEN_AUTH; /* RFC 4954 5 */
	return 0;
}

/* RFC 4954 5: xtext of an address, or "<>". It is of no use to us. */
static int
check_auth(struct str value)
{
	char text[PATH_TEXT_MAX];
	struct path p;
	struct str in;
	size_t n;

	if (str_eq(value, STR("<>")))
		return 0;
	if (value.n == 0 || decode(value, text, sizeof(text), &n) < 0)
		return -1;
	in = str_mem(text, n);
	return path_parse(&in, 0, &p, NULL) == PATH_OK && in.n == 0 ? 0 : -1;
}

static int
mail_value(struct smtp_mail *m, unsigned bit, struct str value)
{
	switch (bit) {
	case SEEN_SIZE:
		m->has_size = true;
		return value.n > 20 ? -1 : str_u64(value, INT64_MAX, &m->size);
	case SEEN_BODY:
		if (str_ieq(value, STR("8BITMIME")))
			m->body = SMTP_8BITMIME;
		else if (!str_ieq(value, STR("7BIT")))
			return -1;
		return 0;
	case SEEN_RET:
		if (str_ieq(value, STR("FULL")))
			m->ret = SMTP_RET_FULL;
		else if (str_ieq(value, STR("HDRS")))
			m->ret = SMTP_RET_HDRS;
		else
			return -1;
		return 0;
	case SEEN_ENVID:
		return value.n ? decode(value, m->envid, sizeof(m->envid),
					&m->envid_n)
			       : -1;
	case SEEN_UTF8:
		m->smtputf8 = true;
		return value.p ? -1 : 0;
	default:
		return check_auth(value);
	}
}

enum smtp_syntax
smtpline_mail(struct str args, unsigned offer, struct smtp_mail *m,
	      struct str *bad)
{
	struct str whole = args, key, value;
	unsigned seen = 0, bit, n = 0;
	enum smtp_syntax r;

	*bad = args;
	m->has_size = m->smtputf8 = false;
	m->size = 0;
	m->body = SMTP_7BIT;
	m->ret = SMTP_RET_NONE;
	m->envid_n = 0;
	r = parse_path(&args, STR("FROM:"), PATH_NULL_OK | path_flags(offer),
		       &m->sender);
	if (r != SMTP_SYNTAX_OK)
		return r;
	while (next_param(&args, bad, &key, &value)) {
		bit = mail_key(key, offer);
		if (bit == 0) /* RFC 5321 4.1.1.11 */
			return SMTP_SYNTAX_UNSUPPORTED;
		if (seen & bit || n++ == SMTP_PARAMS_MAX ||
		    mail_value(m, bit, value) < 0)
			return SMTP_SYNTAX_PARAM;
		seen |= bit;
	}
	*bad = whole;
	return m->sender.utf8 && !m->smtputf8 ? SMTP_SYNTAX_ASCII
					      : SMTP_SYNTAX_OK;
}

/* RFC 3461 4.1 */
static const struct notify_word {
	struct str word;
	unsigned bit;
} notify_words[] = {
	{ { "NEVER", 5 }, SMTP_NOTIFY_NEVER },
	{ { "SUCCESS", 7 }, SMTP_NOTIFY_SUCCESS },
	{ { "FAILURE", 7 }, SMTP_NOTIFY_FAILURE },
	{ { "DELAY", 5 }, SMTP_NOTIFY_DELAY },
};

void
smtpline_put_notify(struct buf *out, unsigned notify)
{
	const char *sep = " NOTIFY=";
	size_t i;

	for (i = 0; i < sizeof(notify_words) / sizeof(notify_words[0]); i++) {
		if (!(notify & notify_words[i].bit))
			continue;
		(void)!buf_add_c(out, sep);
		(void)!buf_add_str(out, notify_words[i].word);
		sep = ",";
	}
}

int
smtpline_notify(struct str value, unsigned *notify)
{
	enum { WORDS = sizeof(notify_words) / sizeof(notify_words[0]) };
	const struct notify_word *words = notify_words;
	struct str word;
	bool more = true;
	size_t i;

	*notify = 0;
	while (more) {
		more = str_cut(&value, ',', &word);
		if (!more)
			word = value;
		for (i = 0; i < WORDS && !str_ieq(word, words[i].word); i++)
			;
		if (i == WORDS || *notify & words[i].bit)
			return -1;
		*notify |= words[i].bit;
	}
	return *notify & SMTP_NOTIFY_NEVER && *notify != SMTP_NOTIFY_NEVER ? -1
									   : 0;
}

/* RFC 6533 3: addresses of this type need no encoding under SMTPUTF8. */
static bool
is_raw_utf8(struct str type, struct str address)
{
	size_t i;

	if (!str_ieq(type, STR("utf-8")) || !utf8_is_valid(address))
		return false;
	for (i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] <= ' ' || address.p[i] == 127)
			return false;
	return true;
}

/* RFC 3461 4.2: an atom, ';', and an address. */
static int
parse_orcpt(struct str value, unsigned offer, struct smtp_rcpt *r)
{
	static const char specials[] = " ()<>@,;:\\\".[]+=";
	struct str type, whole = value;
	size_t i, n;

	if (!value.p || value.n > SMTP_ORCPT_MAX ||
	    !str_cut(&value, ';', &type) || type.n == 0 || value.n == 0 ||
	    !is_printable(type))
		return -1;
	for (i = 0; i < type.n; i++)
		if (strchr(specials, type.p[i]))
			return -1;
	memcpy(r->orcpt, whole.p, whole.n);
	r->orcpt_n = whole.n;
	if (offer & SMTP_OFFER_UTF8 && is_raw_utf8(type, value))
		return 0;
	n = type.n + 1;
	if (decode(value, r->orcpt + n, SMTP_ORCPT_MAX - n, &i) < 0)
		return -1;
	r->orcpt_n = n + i;
	return 0;
}

enum smtp_syntax
smtpline_rcpt(struct str args, unsigned offer, struct smtp_rcpt *r,
	      struct str *bad)
{
	bool notify = false, dsn = offer & SMTP_OFFER_DSN;
	struct str key, value;
	enum smtp_syntax rc;
	int ok;

	*bad = args;
	r->notify = 0;
	r->orcpt_n = 0;
	rc = parse_path(&args, STR("TO:"), path_flags(offer), &r->rcpt);
	while (rc == SMTP_SYNTAX_OK && next_param(&args, bad, &key, &value)) {
		if (dsn && str_ieq(key, STR("NOTIFY"))) {
			ok = notify ? -1 : smtpline_notify(value, &r->notify);
			notify = true;
		} else if (dsn && str_ieq(key, STR("ORCPT"))) {
			ok = r->orcpt_n ? -1 : parse_orcpt(value, offer, r);
		} else {
			return SMTP_SYNTAX_UNSUPPORTED;
		}
		rc = ok < 0 ? SMTP_SYNTAX_PARAM : SMTP_SYNTAX_OK;
	}
	return rc;
}
