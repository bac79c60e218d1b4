/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>

#include "mail/path.h"
#include "mail/utf8.h"

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* RFC 5322 3.2.3 atext. */
static bool
is_atext(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* A byte of a character beyond ASCII; whether it is one is seen at the end. */
static bool
is_wide(char c, unsigned flags)
{
	return flags & PATH_UTF8 && (unsigned char)c > 127;
}

static enum path_result
bad(struct err *err, struct str rest, const char *what)
{
	if (rest.n && (unsigned char)rest.p[0] > 126) {
		err_set(err, ERR_PERM, 0, "address is not ASCII");
		return PATH_NOT_ASCII;
	}
	err_set(err, ERR_PERM, 0, "%s", what);
	return PATH_BAD;
}

static bool
eat(struct str *in, char c)
{
	if (in->n == 0 || in->p[0] != c)
		return false;
	*in = str_from(*in, 1);
	return true;
}

/* RFC 5321 4.1.3; only the two families of addresses that exist. */
static bool
is_literal(struct str s)
{
	unsigned char addr[16];
	char text[INET6_ADDRSTRLEN];

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = str_mem(s.p + 1, s.n - 2);
	if (str_istarts(s, STR("IPv6:")))
		return str_copy(text, sizeof(text), str_from(s, 5)) &&
		       inet_pton(AF_INET6, text, addr) == 1;
	return str_copy(text, sizeof(text), s) &&
	       inet_pton(AF_INET, text, addr) == 1;
}

static bool
is_name(struct str s, unsigned flags)
{
	size_t i, start = 0;

	for (i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '.') {
			if (!is_alnum(s.p[i]) && s.p[i] != '-' &&
			    s.p[i] != '_' && !is_wide(s.p[i], flags))
				return false;
			continue;
		}
		if (i == start || i - start > 63 || s.p[start] == '-' ||
		    s.p[i - 1] == '-') /* RFC 1035 2.3.1 */
			return false;
		start = i + 1;
	}
	return true;
}

static bool
is_domain(struct str s, unsigned flags)
{
	if (s.n == 0 || s.n > PATH_DOMAIN_MAX)
		return false;
	return s.p[0] == '[' ? is_literal(s) : is_name(s, flags);
}

bool
path_is_domain(struct str s)
{
	return is_domain(s, 0);
}

static enum path_result
parse_domain(struct str *in, unsigned flags, struct str *domain,
	     struct err *err)
{
	size_t i = 0;

	if (in->n && in->p[0] == '[') {
		while (i < in->n && in->p[i] != ']')
			i++;
		i += i < in->n;
	} else {
		while (i < in->n && (is_alnum(in->p[i]) || in->p[i] == '-' ||
				     in->p[i] == '_' || in->p[i] == '.' ||
				     is_wide(in->p[i], flags)))
			i++;
	}
	*domain = str_head(*in, i);
	*in = str_from(*in, i);
	if (in->n && (unsigned char)in->p[0] > 126)
		return bad(err, *in, "");
	return is_domain(*domain, flags) ? PATH_OK
					 : bad(err, STR_NULL, "bad domain");
}

/* The local part's own characters, unquoted, into raw. */
static enum path_result
parse_local(struct str *in, unsigned flags, char raw[PATH_LOCAL_MAX], size_t *n,
	    struct err *err)
{
	bool quoted = eat(in, '"');
	size_t m = 0;
	char c;

	while (in->n) {
		c = in->p[0];
		if (quoted && c == '"')
			break;
		if (!quoted && !is_atext(c) && c != '.' && !is_wide(c, flags))
			break;
		if (quoted && c == '\\') {
			*in = str_from(*in, 1);
			c = in->n ? in->p[0] : '\0';
		}
		if ((c < ' ' || c > '~') &&
		    !is_wide(c, flags)) /* RFC 5321 4.1.2 qtextSMTP */
			return bad(err, *in, "control character in address");
		if (m == PATH_LOCAL_MAX)
			return bad(err, STR_NULL, "local part too long");
		raw[m++] = c;
		*in = str_from(*in, 1);
	}
	*n = m;
	if (quoted && !eat(in, '"'))
		return bad(err, *in, "quote not closed");
	return m ? PATH_OK : bad(err, *in, "no local part");
}

static bool
needs_quotes(const char *raw, size_t n, unsigned flags)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!is_atext(raw[i]) && !is_wide(raw[i], flags) &&
		    (raw[i] != '.' || i == 0 || i + 1 == n ||
		     raw[i - 1] == '.'))
			return true;
	return false;
}

static enum path_result
put_local(struct path *p, unsigned flags, const char *raw, size_t n,
	  struct err *err)
{
	bool quote = needs_quotes(raw, n, flags);
	size_t i, o = 0;

	for (i = 0; i < n; i++)
		if (raw[i] == '%' || raw[i] == '!' || raw[i] == '@')
			p->routing = true;
	if (quote)
		p->text[o++] = '"';
	for (i = 0; i < n; i++) {
		if (quote && (raw[i] == '"' || raw[i] == '\\'))
			p->text[o++] = '\\';
		p->text[o++] = raw[i];
		if (o + quote > PATH_LOCAL_MAX)
			return bad(err, STR_NULL, "local part too long");
	}
	if (quote)
		p->text[o++] = '"';
	p->at = p->n = o;
	return PATH_OK;
}

/* RFC 5321 4.1.2 A-d-l and appendix C: understood, and ignored. */
static enum path_result
skip_route(struct str *in, unsigned flags, struct path *p, struct err *err)
{
	enum path_result r;
	struct str domain;
	int n = 0;

	if (in->n == 0 || in->p[0] != '@')
		return PATH_OK;
	do {
		if (!eat(in, '@') || n++ == PATH_ROUTE_MAX)
			return bad(err, STR_NULL, "bad source route");
		r = parse_domain(in, flags, &domain, err);
		if (r != PATH_OK)
			return r;
	} while (eat(in, ','));
	if (!eat(in, ':'))
		return bad(err, STR_NULL, "bad source route");
	p->source_route = true;
	return PATH_OK;
}

static enum path_result
parse_mailbox(struct str *in, unsigned flags, struct path *p, struct err *err)
{
	char raw[PATH_LOCAL_MAX];
	enum path_result r;
	struct str domain;
	size_t n;

	r = skip_route(in, flags, p, err);
	if (r == PATH_OK)
		r = parse_local(in, flags, raw, &n, err);
	if (r == PATH_OK)
		r = put_local(p, flags, raw, n, err);
	if (r != PATH_OK || !eat(in, '@'))
		return r;
	r = parse_domain(in, flags, &domain, err);
	if (r != PATH_OK)
		return r;
	p->literal = domain.p[0] == '[';
	return path_add_domain(p, domain) < 0
		       ? bad(err, STR_NULL, "address too long")
		       : PATH_OK;
}

/* RFC 6531 3.3: UTF-8, but no control characters of the upper half. */
static enum path_result
check_utf8(struct path *p, struct err *err)
{
	struct str s = path_str(p);
	int32_t c;

	while (s.n) {
		c = utf8_next(&s);
		if (c < 0 || (c > '~' && c < 0xa0))
			return bad(err, STR_NULL, "address is not UTF-8");
		if (c > '~')
			p->utf8 = true;
	}
	return PATH_OK;
}

static enum path_result
parse(struct str *in, unsigned flags, struct path *p, struct err *err)
{
	enum path_result r;
	bool angle;

	p->text[0] = '\0';
	p->n = p->at = 0;
	p->source_route = p->literal = p->routing = false;
	p->utf8 = false;
	while (!(flags & PATH_STRICT) && eat(in, ' '))
		;
	angle = eat(in, '<');
	if (!angle && flags & PATH_STRICT)
		return bad(err, *in, "address is not in <>");
	if (angle && flags & PATH_NULL_OK && eat(in, '>'))
		return PATH_OK;
	r = parse_mailbox(in, flags, p, err);
	if (r != PATH_OK)
		return r;
	if (angle && !eat(in, '>'))
		return bad(err, *in, "bad character in address");
	if (in->n && in->p[0] != ' ')
		return bad(err, *in, "text after address");
	p->text[p->n] = '\0';
	return check_utf8(p, err);
}

enum path_result
path_parse(struct str *in, unsigned flags, struct path *p, struct err *err)
{
	enum path_result r = parse(in, flags, p, err);

	/* Whoever takes UTF-8 cannot be asked for it. */
	return r == PATH_NOT_ASCII && flags & PATH_UTF8 ? PATH_BAD : r;
}

int
path_add_domain(struct path *p, struct str domain)
{
	if (p->at != p->n || p->n == 0 || p->n + 1 + domain.n > PATH_TEXT_MAX)
		return -1;
	p->text[p->n] = '@';
	memcpy(p->text + p->n + 1, domain.p, domain.n);
	p->n += 1 + domain.n;
	p->text[p->n] = '\0';
	return 0;
}
