/* SPDX-License-Identifier: ISC */
#include "mail/addrlist.h"

/* One address as far as it has been read. */
struct spec {
	bool word;   /* the last token was a word of it */
	bool any;    /* there is anything at all */
	bool at;     /* "@" was read */
	bool domain; /* and something behind it */
	bool bad;
	bool angle; /* it stood in <> and is complete */
	size_t local_end;
};

void
addrlist_init(struct addrlist *l, struct str value)
{
	*l = (struct addrlist){ .value = value };
	imf_lex_init(&l->x, value, IMF_ADDRESS);
	buf_init(&l->spec, value.n * 2 + 3);
}

void
addrlist_fini(struct addrlist *l)
{
	imf_lex_fini(&l->x);
	buf_fini(&l->spec);
}

static size_t
position(const struct addrlist *l)
{
	return l->value.n - l->x.in.n;
}

static void
begin(struct addrlist *l, struct spec *s)
{
	buf_reset(&l->spec);
	*s = (struct spec){ 0 };
}

static void
add_quoted(struct buf *out, struct str text)
{
	size_t i;

	(void)!buf_add_byte(out, '"');
	for (i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			(void)!buf_add_byte(out, '\\');
		(void)!buf_add_byte(out, text.p[i]);
	}
	(void)!buf_add_byte(out, '"');
}

/* Words have a dot or "@" between them, or they are no address (but perhaps
 * the name of one). */
static void
add_word(struct addrlist *l, struct spec *s)
{
	if (s->word || (s->at && l->x.quoted))
		s->bad = true;
	if (l->x.quoted)
		add_quoted(&l->spec, l->x.word);
	else
		(void)!buf_add_str(&l->spec, l->x.word);
	s->word = s->any = true;
	if (s->at)
		s->domain = true;
	else
		s->local_end = position(l);
}

static void
add_special(struct addrlist *l, struct spec *s)
{
	if (l->x.special == '@') {
		if (s->at)
			s->bad = true;
		s->at = true;
	} else if (l->x.special != '.') {
		s->bad = true;
	} else if (!s->at) {
		s->local_end = position(l);
	}
	(void)!buf_add_byte(&l->spec, l->x.special);
	s->word = false;
	s->any = true;
}

/* RFC 5322 4.4 obs-route: "@a,@b:" after "<"; the "@" has been read. */
static void
skip_route(struct addrlist *l, struct spec *s)
{
	enum imf_token_kind t;

	while ((t = imf_lex(&l->x)) != IMF_END && !l->x.broken)
		if (t == IMF_SPECIAL && strchr(":<>", l->x.special))
			break;
	if (t != IMF_SPECIAL || l->x.special != ':')
		s->bad = true;
}

/* After "<", up to its ">". */
static void
read_angle(struct addrlist *l, struct spec *s)
{
	enum imf_token_kind t;

	begin(l, s);
	while ((t = imf_lex(&l->x)) != IMF_END && !l->x.broken) {
		if (t == IMF_COMMENT)
			continue;
		if (t == IMF_WORD) {
			add_word(l, s);
		} else if (l->x.special == '>') {
			s->angle = true;
			return;
		} else if (l->x.special == '@' && !s->any) {
			skip_route(l, s);
		} else {
			add_special(l, s);
		}
	}
	s->bad = s->any = true;
}

/* All that is left is one thing that is no address. */
static enum addrlist_kind
give_up(struct addrlist *l)
{
	l->x.in = STR_NULL;
	l->end = l->value.n;
	return ADDRLIST_BAD;
}

static enum addrlist_kind
finish(struct addrlist *l, struct spec *s, size_t end)
{
	struct str in = buf_str(&l->spec);
	enum addrlist_kind kind = s->at ? ADDRLIST_FULL : ADDRLIST_BARE;

	l->end = end;
	l->local_end = s->local_end;
	if (s->bad || s->at != s->domain)
		return ADDRLIST_BAD;
	if (in.n == 0)
		return ADDRLIST_NULL;
	if (path_parse(&in, PATH_UTF8, &l->path, NULL) != PATH_OK || in.n)
		return ADDRLIST_BAD;
	return kind;
}

/*
 * Up to the end of one address.  False: a token that ends it comes next and
 * must not be part of it.
 */
static bool
take(struct addrlist *l, struct spec *s, enum imf_token_kind t)
{
	char c = l->x.special;

	if (t == IMF_COMMENT)
		return true;
	if (t == IMF_WORD) {
		if (s->angle)
			s->bad = true;
		add_word(l, s);
		return true;
	}
	if (c == '<') {
		if (s->angle)
			s->bad = true;
		else /* what stood before it was a name */
			read_angle(l, s);
	} else if (c == ':' && !l->in_group && !s->at && !s->angle) {
		l->in_group = true; /* what stood before it was its name */
		begin(l, s);
		l->start = position(l);
	} else if (c == ',' || (c == ';' && l->in_group)) {
		if (c == ';')
			l->in_group = false;
		return false;
	} else {
		if (s->angle)
			s->bad = true;
		add_special(l, s);
	}
	return true;
}

enum addrlist_kind
addrlist_next(struct addrlist *l)
{
	enum imf_token_kind t;
	struct spec s;
	size_t before;

	begin(l, &s);
	l->start = position(l);
	for (;;) {
		before = position(l);
		t = imf_lex(&l->x);
		if (l->x.broken)
			return give_up(l);
		if (t == IMF_END)
			break;
		if (take(l, &s, t)) {
			if (l->x.broken)
				return give_up(l);
			continue;
		}
		if (s.any || s.angle)
			return finish(l, &s, before);
		begin(l, &s); /* a comma too many */
		l->start = position(l);
	}
	return s.any || s.angle ? finish(l, &s, l->value.n) : ADDRLIST_END;
}
