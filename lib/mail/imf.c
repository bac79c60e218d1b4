/* SPDX-License-Identifier: ISC */
#include "mail/imf_lex.h"

/* --- fields ----------------------------------------------------------------
 */

/* The line at the start of s, with its line end; the whole of s if it has
 * none. */
static size_t
line_length(struct str s)
{
	ptrdiff_t lf = str_find(s, '\n');

	return lf < 0 ? s.n : (size_t)lf + 1;
}

static bool
is_blank_line(struct str line)
{
	return str_eq(line, STR("\n")) || str_eq(line, STR("\r\n"));
}

/* A line and those folded onto it. */
static struct str
cut_folded(struct str *rest)
{
	struct str whole = *rest;
	size_t n = line_length(*rest);

	while (n < whole.n && (whole.p[n] == ' ' || whole.p[n] == '\t'))
		n += line_length(str_from(whole, n));
	*rest = str_from(whole, n);
	return str_head(whole, n);
}

bool
imf_next(struct str *rest, struct imf_field *f)
{
	ptrdiff_t colon;
	size_t i;

	while (rest->n) {
		if (is_blank_line(str_head(*rest, line_length(*rest))))
			return false;
		f->whole = cut_folded(rest);
		colon = str_find(f->whole, ':');
		if (colon <= 0)
			continue;
		f->name = str_trim(str_head(f->whole, (size_t)colon));
		for (i = 0; i < f->name.n; i++)
			if ((unsigned char)f->name.p[i] <= ' ' ||
			    (unsigned char)f->name.p[i] >= 0x7f)
				break;
		if (i < f->name.n || i == 0)
			continue;
		f->value = str_from(f->whole, (size_t)colon + 1);
		if (str_ends(f->value, STR("\n")))
			f->value.n--;
		if (str_ends(f->value, STR("\r")))
			f->value.n--;
		return true;
	}
	return false;
}

bool
imf_find(struct str header, struct str name, struct imf_field *f)
{
	while (imf_next(&header, f))
		if (str_ieq(f->name, name))
			return true;
	return false;
}

void
imf_unfold(struct buf *out, struct str value)
{
	size_t i;

	value = str_trim(value);
	for (i = 0; i < value.n; i++) {
		if (value.p[i] == '\n' ||
		    (value.p[i] == '\r' && i + 1 < value.n &&
		     value.p[i + 1] == '\n'))
			continue;
		buf_add_byte(out, value.p[i]);
	}
}

struct str
imf_unfold_pool(struct pool *pool, struct str value)
{
	struct str out = STR_NULL;
	struct buf b;

	if (str_find(value, '\n') < 0)
		return pool_str(pool, str_trim(value));
	buf_init(&b, value.n);
	imf_unfold(&b, value);
	if (!buf_overflown(&b))
		out = pool_str(pool, buf_str(&b));
	buf_fini(&b);
	return out;
}

/* --- addresses -------------------------------------------------------------
 */

struct addr_parser {
	struct imf_lexer x;
	struct pool *pool;
	struct imf_addr *v;
	size_t n, room;
	bool in_group;
	/* of the address being read */
	struct buf phrase; /* words with one blank between them */
	struct buf spec;   /* the same without blanks, for a local part */
	struct buf comment;
	bool any; /* a word or dot was seen */
};

static void
reset_words(struct addr_parser *p)
{
	buf_reset(&p->phrase);
	buf_reset(&p->spec);
	buf_reset(&p->comment);
	p->any = false;
}

/* False: no room.  One entry is kept for the end of a group. */
static bool
emit(struct addr_parser *p, struct str name, struct str route,
     struct str mailbox, struct str host)
{
	struct imf_addr *a;

	if (p->n + (mailbox.p != NULL) >= p->room)
		return false;
	a = &p->v[p->n];
	a->name = name.p ? pool_str(p->pool, name) : STR_NULL;
	a->route = route.p ? pool_str(p->pool, route) : STR_NULL;
	a->mailbox = mailbox.p ? pool_str(p->pool, mailbox) : STR_NULL;
	a->host = host.p ? pool_str(p->pool, host) : STR_NULL;
	/* Half an address would read as the bound of a group. */
	if ((mailbox.p && !a->mailbox.p) || (host.p && !a->host.p))
		return false;
	p->n++;
	return true;
}

static struct str
or_empty(const struct buf *b)
{
	return b->n ? buf_str(b) : STR("");
}

/* The words of a domain up to a special that is no dot; that special is left
 * in x->special, IMF_END gives 0. */
static char
read_domain(struct addr_parser *p, struct buf *host)
{
	enum imf_token_kind t;

	while ((t = imf_lex(&p->x)) != IMF_END) {
		if (t == IMF_COMMENT) {
			if (p->comment.n == 0)
				buf_add_str(&p->comment, buf_str(&p->x.text));
		} else if (t == IMF_WORD) {
			buf_add_str(host, buf_str(&p->x.text));
		} else if (p->x.special == '.') {
			buf_add_byte(host, '.');
		} else {
			return p->x.special;
		}
	}
	return '\0';
}

/* After "<": [route ":"] local "@" domain ">". */
static void
read_angle(struct addr_parser *p)
{
	struct buf local, host, route;
	enum imf_token_kind t;
	bool at = false, in_route = false;

	buf_init(&local, p->x.in.n + 1);
	buf_init(&host, p->x.in.n + 1);
	buf_init(&route, p->x.in.n + 2);
	while ((t = imf_lex_no_comment(&p->x)) != IMF_END) {
		struct buf *to = in_route ? &route : at ? &host : &local;

		if (t == IMF_WORD) {
			buf_add_str(to, buf_str(&p->x.text));
			continue;
		}
		if (p->x.special == '>')
			break;
		if (p->x.special == '@' && !at && !in_route && local.n == 0) {
			in_route = true; /* RFC 5322 4.4 obs-route */
			buf_add_byte(&route, '@');
		} else if (p->x.special == ':' && in_route) {
			in_route = false;
		} else if (p->x.special == '@' && !in_route) {
			at = true;
		} else {
			buf_add_byte(to, p->x.special);
		}
	}
	emit(p, p->phrase.n ? buf_str(&p->phrase) : STR_NULL,
	     route.n ? buf_str(&route) : STR_NULL, or_empty(&local),
	     or_empty(&host));
	buf_fini(&local);
	buf_fini(&host);
	buf_fini(&route);
}

/* What was read is an address without angle brackets, or nothing. */
static void
finish_bare(struct addr_parser *p, struct str host)
{
	if (!p->any && host.n == 0)
		return;
	emit(p, p->comment.n ? buf_str(&p->comment) : STR_NULL, STR_NULL,
	     or_empty(&p->spec), host);
}

static void
on_separator(struct addr_parser *p, char c)
{
	if (c == ';' && p->in_group) {
		emit(p, STR_NULL, STR_NULL, STR_NULL, STR_NULL);
		p->in_group = false;
	}
	reset_words(p);
}

static void
on_at(struct addr_parser *p)
{
	struct buf host;
	char c;

	buf_init(&host, p->x.in.n + 1);
	c = read_domain(p, &host);
	finish_bare(p, or_empty(&host));
	buf_fini(&host);
	reset_words(p);
	if (c == ',' || c == ';')
		on_separator(p, c);
	else if (c == '<')
		read_angle(p);
}

static void
on_special(struct addr_parser *p)
{
	switch (p->x.special) {
	case '<':
		read_angle(p);
		reset_words(p);
		p->any = false;
		break;
	case '@':
		on_at(p);
		break;
	case ':':
		if (p->in_group)
			break;
		p->in_group = emit(p, STR_NULL, STR_NULL, or_empty(&p->phrase),
				   STR_NULL);
		reset_words(p);
		break;
	case ',':
	case ';':
		finish_bare(p, STR(""));
		on_separator(p, p->x.special);
		break;
	case '.':
		buf_add_byte(&p->phrase, '.');
		buf_add_byte(&p->spec, '.');
		p->any = true;
		break;
	default:
		break;
	}
}

size_t
imf_addresses(struct pool *pool, struct str value, struct imf_addr **out)
{
	struct addr_parser p = { .pool = pool };
	size_t i;
	enum imf_token_kind t;

	for (i = 0; i < value.n; i++)
		p.room += value.p[i] && strchr(",;:<@", value.p[i]);
	p.room = p.room > IMF_ADDRS_MAX - 2 ? IMF_ADDRS_MAX : p.room + 2;
	p.v = pool_alloc(pool, p.room * sizeof(*p.v));
	*out = p.v;
	if (!p.v)
		return 0;
	imf_lex_init(&p.x, value, "<>[]:;@,.");
	buf_init(&p.phrase, value.n + 1);
	buf_init(&p.spec, value.n + 1);
	buf_init(&p.comment, value.n + 1);
	while ((t = imf_lex(&p.x)) != IMF_END && p.n < p.room) {
		if (t == IMF_SPECIAL) {
			on_special(&p);
		} else if (t == IMF_COMMENT) {
			if (p.comment.n == 0)
				buf_add_str(&p.comment, buf_str(&p.x.text));
		} else {
			if (p.phrase.n && p.x.spaced)
				buf_add_byte(&p.phrase, ' ');
			buf_add_str(&p.phrase, buf_str(&p.x.text));
			buf_add_str(&p.spec, buf_str(&p.x.text));
			p.any = true;
		}
	}
	finish_bare(&p, STR(""));
	if (p.in_group)
		emit(&p, STR_NULL, STR_NULL, STR_NULL, STR_NULL);
	buf_fini(&p.x.text);
	buf_fini(&p.phrase);
	buf_fini(&p.spec);
	buf_fini(&p.comment);
	return p.n;
}

/* --- Content-Type and its like ---------------------------------------------
 */

/* One parameter; false at the end of the list. */
static bool
read_param(struct imf_lexer *x, struct pool *pool, struct imf_param **out)
{
	enum imf_token_kind t = imf_lex_no_comment(x);
	struct imf_param *p;

	*out = NULL;
	if (t == IMF_END)
		return false;
	if (t == IMF_SPECIAL)
		return true; /* a ";" too many */
	p = pool_alloc(pool, sizeof(*p));
	if (!p)
		return false;
	p->name = pool_str(pool, buf_str(&x->text));
	t = imf_lex_no_comment(x);
	if (t == IMF_SPECIAL && x->special == '=') {
		t = imf_lex_no_comment(x);
		if (t == IMF_WORD) {
			p->value = pool_str(pool, buf_str(&x->text));
			if (p->name.p && p->value.p)
				*out = p;
			t = imf_lex_no_comment(x);
		}
	}
	/* Whatever is left up to the next ";" is not understood. */
	while (t != IMF_END && !(t == IMF_SPECIAL && x->special == ';'))
		t = imf_lex_no_comment(x);
	return true;
}

bool
imf_content(struct pool *pool, struct str value, struct str *type,
	    struct str *subtype, struct imf_param **params)
{
	struct imf_param **tail = params, *p;
	enum imf_token_kind t;
	struct imf_lexer x;
	size_t n;
	bool ok = false;

	*params = NULL;
	*type = STR_NULL;
	imf_lex_init(&x, value, subtype ? ";=/" : ";=");
	if (imf_lex_no_comment(&x) != IMF_WORD)
		goto out;
	*type = pool_str(pool, buf_str(&x.text));
	t = imf_lex_no_comment(&x);
	if (subtype) {
		if (t != IMF_SPECIAL || x.special != '/' ||
		    imf_lex_no_comment(&x) != IMF_WORD)
			goto out;
		*subtype = pool_str(pool, buf_str(&x.text));
		if (!subtype->p)
			goto out;
		t = imf_lex_no_comment(&x);
	}
	ok = type->p != NULL;
	/* Parameter values may hold "/" unquoted, against the rules. */
	x.specials = ";=";
	while (t != IMF_END && !(t == IMF_SPECIAL && x.special == ';'))
		t = imf_lex_no_comment(&x);
	for (n = 0; t != IMF_END && n < IMF_PARAMS_MAX; n++) {
		if (!read_param(&x, pool, &p))
			break;
		if (!p)
			continue;
		*tail = p;
		tail = &p->next;
	}
out:
	buf_fini(&x.text);
	return ok;
}

struct str
imf_param_get(const struct imf_param *params, struct str name)
{
	for (; params; params = params->next)
		if (str_ieq(params->name, name))
			return params->value;
	return STR_NULL;
}

struct str
imf_token(struct pool *pool, struct str value)
{
	struct str out = STR_NULL;
	struct imf_lexer x;

	imf_lex_init(&x, value, ";,");
	if (imf_lex_no_comment(&x) == IMF_WORD)
		out = pool_str(pool, buf_str(&x.text));
	buf_fini(&x.text);
	return out;
}
