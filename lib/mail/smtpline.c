/* SPDX-License-Identifier: ISC */
#include "mail/smtpline.h"

const char *const smtp_verb_names[SMTP_VERBS] = {
	[SMTP_HELO] = "HELO", [SMTP_EHLO] = "EHLO",	  [SMTP_MAIL] = "MAIL",
	[SMTP_RCPT] = "RCPT", [SMTP_DATA] = "DATA",	  [SMTP_RSET] = "RSET",
	[SMTP_NOOP] = "NOOP", [SMTP_VRFY] = "VRFY",	  [SMTP_HELP] = "HELP",
	[SMTP_QUIT] = "QUIT", [SMTP_UNKNOWN] = "UNKNOWN",
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

static enum smtp_syntax
mail_param(struct smtp_mail *m, unsigned *seen, struct str key,
	   struct str value)
{
	enum { SEEN_SIZE = 1, SEEN_BODY = 2 };
	unsigned bit;

	if (str_ieq(key, STR("SIZE"))) { /* RFC 1870 3 */
		bit = SEEN_SIZE;
		if (value.n > 20 || str_u64(value, INT64_MAX, &m->size) < 0)
			return SMTP_SYNTAX_PARAM;
		m->has_size = true;
	} else if (str_ieq(key, STR("BODY"))) { /* RFC 6152 2 */
		bit = SEEN_BODY;
		if (str_ieq(value, STR("8BITMIME")))
			m->body = SMTP_8BITMIME;
		else if (!str_ieq(value, STR("7BIT")))
			return SMTP_SYNTAX_PARAM;
	} else {
		return SMTP_SYNTAX_UNSUPPORTED; /* RFC 5321 4.1.1.11 */
	}
	if (*seen & bit)
		return SMTP_SYNTAX_PARAM;
	*seen |= bit;
	return SMTP_SYNTAX_OK;
}

enum smtp_syntax
smtpline_mail(struct str args, bool strict, struct smtp_mail *m,
	      struct str *bad)
{
	unsigned seen = 0, n = 0;
	enum smtp_syntax r;
	struct str key, value;

	*bad = args;
	m->has_size = false;
	m->size = 0;
	m->body = SMTP_7BIT;
	r = parse_path(&args, STR("FROM:"),
		       PATH_NULL_OK | (strict ? PATH_STRICT : 0), &m->sender);
	while (r == SMTP_SYNTAX_OK && next_param(&args, bad, &key, &value)) {
		r = mail_param(m, &seen, key, value);
		if (n++ == SMTP_PARAMS_MAX)
			r = SMTP_SYNTAX_PARAM;
	}
	return r;
}

enum smtp_syntax
smtpline_rcpt(struct str args, bool strict, struct smtp_rcpt *r,
	      struct str *bad)
{
	enum smtp_syntax rc;
	struct str key, value;

	*bad = args;
	rc = parse_path(&args, STR("TO:"), strict ? PATH_STRICT : 0, &r->rcpt);
	if (rc == SMTP_SYNTAX_OK && next_param(&args, bad, &key, &value))
		rc = SMTP_SYNTAX_UNSUPPORTED;
	return rc;
}
