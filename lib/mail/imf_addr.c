/* SPDX-License-Identifier: ISC */
/* Address lists (RFC 5322 3.4, 4.4), taken as they come. */
#include <stdlib.h>

#include "mail/imf_lex.h"

/* Words put together: one slice of the value if they stand there so, else a
 * copy. */
struct words {
	struct str s; /* .p NULL: none yet */
	struct buf copy;
	bool copied;
};

struct imf_addrs {
	struct imf_lexer x;
	struct pool *pool;
	bool in_group;
	struct words phrase; /* all words, with blanks between them */
	struct words local;  /* the first word and those behind dots */
	struct words other;  /* a domain, a route */
	struct str comment;  /* in the pool, or a slice */
	enum { AT_START, AFTER_WORD, AFTER_DOT } place;
	bool split; /* the phrase is no local part */
};

/* --- words -----------------------------------------------------------------
 */

static void
words_reset(struct words *w)
{
	w->s = STR_NULL;
	buf_reset(&w->copy);
	w->copied = false;
}

/* owned: s lies somewhere where it does not stay. */
static void
words_add(struct words *w, struct str s, bool blank, bool owned)
{
	const char *next = w->s.p ? w->s.p + w->s.n : NULL;

	if (!w->s.p && !owned) {
		w->s = s;
		return;
	}
	if (!w->copied && !owned && next + blank == s.p &&
	    (!blank || *next == ' ')) {
		w->s.n += blank + s.n;
		return;
	}
	if (!w->copied && w->s.p)
		buf_add_str(&w->copy, w->s);
	if (blank)
		buf_add_byte(&w->copy, ' ');
	buf_add_str(&w->copy, s);
	w->copied = true;
	w->s = w->copy.p ? buf_str(&w->copy) : STR("");
}

static struct str
words_take(struct imf_addrs *l, const struct words *w)
{
	return w->copied ? pool_str(l->pool, w->s) : w->s;
}

static struct str
or_empty(struct str s)
{
	return s.p ? s : STR("");
}

static void
add_token(struct imf_addrs *l, struct words *to, bool blank)
{
	if (l->x.word.p)
		words_add(to, l->x.word, blank, l->x.owned);
	else /* a special has been read: it stands right before what is left */
		words_add(to, str_mem(l->x.in.p - 1, 1), blank, false);
}

/* --- parts of an address ---------------------------------------------------
 */

static bool
is_special(const struct imf_addrs *l, enum imf_token_kind t, char c)
{
	return t == IMF_SPECIAL && l->x.special == c;
}

static void
note_comment(struct imf_addrs *l)
{
	l->comment = l->x.owned ? pool_str(l->pool, l->x.word) : l->x.word;
}

/* Up to what ends the address, which is left. */
static void
skip(struct imf_addrs *l, const char *ends)
{
	enum imf_token_kind t;
	struct str before;

	for (;;) {
		before = l->x.in;
		t = imf_lex(&l->x);
		if (t == IMF_COMMENT)
			note_comment(l);
		if (t == IMF_END)
			return;
		if (t == IMF_SPECIAL && strchr(ends, l->x.special)) {
			l->x.in = before;
			return;
		}
	}
}

/* Words with dots between them, into to; what follows is left. */
static void
read_domain(struct imf_addrs *l, struct words *to)
{
	struct str before = imf_lex_dotted(&l->x); /* mostly that is all */
	bool word = before.n && !str_ends(before, STR("."));
	enum imf_token_kind t;

	if (before.n)
		words_add(to, before, false, false);
	for (;;) {
		before = l->x.in;
		t = imf_lex(&l->x);
		if (t == IMF_COMMENT) {
			note_comment(l);
			continue;
		}
		if ((t == IMF_WORD && word) || t == IMF_END ||
		    (t == IMF_SPECIAL && l->x.special != '.'))
			break;
		word = t == IMF_WORD;
		add_token(l, to, false);
	}
	l->x.in = before;
}

/* Behind "<@" (RFC 5322 4.4 obs-route), up to and with the colon.  Without one
 * it was a domain without a local part. */
static bool
read_route(struct imf_addrs *l, struct imf_addr *a)
{
	enum imf_token_kind t;
	struct str before;

	words_reset(&l->phrase);
	for (;;) {
		words_add(&l->phrase, STR("@"), false, true);
		read_domain(l, &l->phrase);
		do {
			before = l->x.in;
			t = imf_lex_no_comment(&l->x);
		} while (is_special(l, t, ','));
		if (!is_special(l, t, '@'))
			break;
		words_add(&l->phrase, STR(","), false, true);
	}
	if (is_special(l, t, ':')) {
		a->route = words_take(l, &l->phrase);
		return true;
	}
	l->x.in = before;
	a->mailbox = STR("");
	a->host = str_from(words_take(l, &l->phrase), 1);
	return false;
}

/* Behind "<": [route ":"] local "@" domain ">". */
static void
read_angle(struct imf_addrs *l, struct imf_addr *a)
{
	enum imf_token_kind t;
	struct str before;

	words_reset(&l->local);
	words_reset(&l->other);
	before = l->x.in;
	t = imf_lex_no_comment(&l->x);
	if (is_special(l, t, '@')) {
		if (!read_route(l, a))
			goto out;
		before = l->x.in;
	}
	l->x.in = before;
	read_domain(l, &l->local);
	a->mailbox = or_empty(words_take(l, &l->local));
	before = l->x.in;
	if (is_special(l, imf_lex_no_comment(&l->x), '@'))
		read_domain(l, &l->other);
	else
		l->x.in = before;
	a->host = or_empty(words_take(l, &l->other));
out:
	skip(l, ">,;");
	before = l->x.in;
	if (!is_special(l, imf_lex(&l->x), '>'))
		l->x.in = before;
}

/* What stood there has no angle brackets, and perhaps no domain. */
static void
bare(struct imf_addrs *l, struct imf_addr *a, bool domain)
{
	words_reset(&l->other);
	if (l->split) {
		a->name = words_take(l, &l->phrase);
		a->mailbox = a->host = STR("");
		return;
	}
	a->mailbox = or_empty(words_take(l, &l->local));
	if (domain)
		read_domain(l, &l->other);
	a->host = or_empty(words_take(l, &l->other));
	skip(l, ",;");
	if (l->comment.n)
		a->name = l->comment;
}

/* --- the list --------------------------------------------------------------
 */

static void
begin(struct imf_addrs *l)
{
	words_reset(&l->phrase);
	words_reset(&l->local);
	l->comment = STR_NULL;
	l->place = AT_START;
	l->split = false;
}

static void
on_word(struct imf_addrs *l)
{
	bool after = l->place == AFTER_WORD;

	add_token(l, &l->phrase, l->phrase.s.p && (l->x.spaced || after));
	if (after)
		l->split = true;
	if (!l->split)
		add_token(l, &l->local, false);
	l->place = AFTER_WORD;
}

static void
on_dot(struct imf_addrs *l)
{
	add_token(l, &l->phrase, l->phrase.s.p && l->x.spaced);
	add_token(l, &l->local, false);
	l->place = AFTER_DOT;
}

/* Takes a token; true: *a is complete. */
static bool
on_token(struct imf_addrs *l, enum imf_token_kind t, struct str before,
	 struct imf_addr *a)
{
	char c = t == IMF_SPECIAL ? l->x.special : ',';
	bool any = l->place != AT_START;

	*a = (struct imf_addr){ 0 };
	switch (c) {
	case '<':
		if (l->phrase.s.n)
			a->name = words_take(l, &l->phrase);
		read_angle(l, a);
		skip(l, ",;");
		return true;
	case '@':
		bare(l, a, true);
		skip(l, ",;");
		return true;
	case ':':
		if (l->in_group) {
			if (any) {
				bare(l, a, false);
				skip(l, ",;");
			}
			return any;
		}
		l->in_group = true;
		a->mailbox = or_empty(words_take(l, &l->phrase));
		return true;
	case ',':
	case ';':
		if (any) { /* the separator comes again */
			l->x.in = before;
			bare(l, a, false);
			return true;
		}
		if (!l->in_group || (c == ',' && t != IMF_END))
			return false;
		l->in_group = false;
		return true; /* the end of the group */
	default:
		return false;
	}
}

bool
imf_addrs_next(struct imf_addrs *l, struct imf_addr *a)
{
	enum imf_token_kind t;
	struct str before;

	begin(l);
	for (;;) {
		before = l->x.in;
		t = imf_lex(&l->x);
		if (t == IMF_COMMENT) {
			if (l->place != AT_START)
				note_comment(l);
		} else if (t == IMF_WORD) {
			on_word(l);
		} else if (is_special(l, t, '.')) {
			on_dot(l);
		} else if (on_token(l, t, before, a)) {
			return true;
		} else if (t == IMF_END) {
			return false;
		}
	}
}

struct imf_addrs *
imf_addrs_new(struct pool *pool, struct str value)
{
	struct imf_addrs *l = pool_alloc(pool, sizeof(*l));

	if (!l)
		return NULL;
	l->pool = pool;
	imf_lex_init(&l->x, value, IMF_ADDRESS);
	buf_init(&l->phrase.copy, 2 * value.n + 2);
	buf_init(&l->local.copy, 2 * value.n + 2);
	buf_init(&l->other.copy, 2 * value.n + 2);
	return l;
}

void
imf_addrs_free(struct imf_addrs *l)
{
	imf_lex_fini(&l->x);
	buf_fini(&l->phrase.copy);
	buf_fini(&l->local.copy);
	buf_fini(&l->other.copy);
}

size_t
imf_addresses(struct pool *pool, struct str value, struct imf_addr **out)
{
	/* How many entries may begin or end with this byte. */
	static const uint8_t marks[256] = {
		[','] = 1, [';'] = 1, ['<'] = 1, ['@'] = 1, [':'] = 2,
	};
	struct imf_addrs *l;
	size_t i, n = 0, room = 2;

	for (i = 0; i < value.n; i++)
		room += marks[(unsigned char)value.p[i]];
	if (room > IMF_ADDRS_MAX)
		room = IMF_ADDRS_MAX;
	*out = pool_alloc(pool, room * sizeof(**out));
	l = *out ? imf_addrs_new(pool, value) : NULL;
	if (!l)
		return 0;
	while (n < room && imf_addrs_next(l, &(*out)[n]))
		n++;
	imf_addrs_free(l);
	if (n < room || !l->in_group || !(*out)[n - 1].mailbox.p)
		return n;
	/* A group was cut off before its end, or behind its name. */
	if (!(*out)[n - 1].host.p)
		return n - 1;
	(*out)[n - 1] = (struct imf_addr){ 0 };
	return n;
}
