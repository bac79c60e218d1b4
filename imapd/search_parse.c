/* SPDX-License-Identifier: ISC */
#include "mail/utf8.h"
#include "search.h"

enum arg {
	A_NONE,
	A_TEXT,
	A_FIELD,
	A_DATE,
	A_NUM,
	A_INTERVAL,
	A_KEYWORD,
	A_MODSEQ,
};

/* Keys by their argument; NOT, OR, NEW, UID, sets and lists are below. */
static const struct {
	const char *name;
	enum search_kind kind;
	enum search_cost cost;
	enum arg arg;
	uint8_t flag;
	bool unset;
	const char *field;
} keys[] = {
	{ "ALL", SEARCH_ALL, COST_INDEX, A_NONE, 0, false, NULL },
	{ "ANSWERED", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_ANSWERED, false,
	  NULL },
	{ "DELETED", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_DELETED, false,
	  NULL },
	{ "DRAFT", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_DRAFT, false, NULL },
	{ "FLAGGED", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_FLAGGED, false,
	  NULL },
	{ "SEEN", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_SEEN, false, NULL },
	{ "UNANSWERED", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_ANSWERED, true,
	  NULL },
	{ "UNDELETED", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_DELETED, true,
	  NULL },
	{ "UNDRAFT", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_DRAFT, true, NULL },
	{ "UNFLAGGED", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_FLAGGED, true,
	  NULL },
	{ "UNSEEN", SEARCH_FLAG, COST_INDEX, A_NONE, IMAP_SEEN, true, NULL },
	{ "RECENT", SEARCH_RECENT, COST_INDEX, A_NONE, 0, false, NULL },
	{ "OLD", SEARCH_RECENT, COST_INDEX, A_NONE, 0, true, NULL },
	{ "KEYWORD", SEARCH_KEYWORD, COST_INDEX, A_KEYWORD, 0, false, NULL },
	{ "UNKEYWORD", SEARCH_KEYWORD, COST_INDEX, A_KEYWORD, 0, true, NULL },
	{ "MODSEQ", SEARCH_MODSEQ, COST_INDEX, A_MODSEQ, 0, false, NULL },
	{ "LARGER", SEARCH_LARGER, COST_STAT, A_NUM, 0, false, NULL },
	{ "SMALLER", SEARCH_SMALLER, COST_STAT, A_NUM, 0, false, NULL },
	{ "BEFORE", SEARCH_BEFORE, COST_STAT, A_DATE, 0, false, NULL },
	{ "ON", SEARCH_ON, COST_STAT, A_DATE, 0, false, NULL },
	{ "SINCE", SEARCH_SINCE, COST_STAT, A_DATE, 0, false, NULL },
	{ "OLDER", SEARCH_OLDER, COST_STAT, A_INTERVAL, 0, false, NULL },
	{ "YOUNGER", SEARCH_YOUNGER, COST_STAT, A_INTERVAL, 0, false, NULL },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, COST_KEYS, A_DATE, 0, false, NULL },
	{ "SENTON", SEARCH_SENTON, COST_KEYS, A_DATE, 0, false, NULL },
	{ "SENTSINCE", SEARCH_SENTSINCE, COST_KEYS, A_DATE, 0, false, NULL },
	{ "FROM", SEARCH_HEADER, COST_KEYS, A_TEXT, 0, false, "From" },
	{ "TO", SEARCH_HEADER, COST_KEYS, A_TEXT, 0, false, "To" },
	{ "CC", SEARCH_HEADER, COST_KEYS, A_TEXT, 0, false, "Cc" },
	{ "BCC", SEARCH_HEADER, COST_KEYS, A_TEXT, 0, false, "Bcc" },
	{ "SUBJECT", SEARCH_HEADER, COST_KEYS, A_TEXT, 0, false, "Subject" },
	{ "HEADER", SEARCH_HEADER, COST_HEADER, A_FIELD, 0, false, NULL },
	{ "BODY", SEARCH_BODY, COST_BODY, A_TEXT, 0, false, NULL },
	{ "TEXT", SEARCH_TEXT, COST_BODY, A_TEXT, 0, false, NULL },
};

/* Calls itself, but never deeper than there may be keys. */
static struct search_key *read_key(struct imap_in *in, struct search *sr);

static struct search_key *
key_new(struct imap_in *in, struct search *sr, enum search_kind kind)
{
	struct search_key *k = NULL;

	if (sr->keys < IMAP_SEARCH_KEYS_MAX)
		k = pool_alloc(in->pool, sizeof(*k));
	if (!k) {
		imap_fail(in, "Too many search keys");
		return NULL;
	}
	sr->keys++;
	k->kind = kind;
	k->field = -1;
	return k;
}

/* --- arguments -------------------------------------------------------------
 */

static bool
fold_text(struct imap_in *in, const struct search *sr, struct str text,
	  struct str *out)
{
	struct buf utf8, folded;
	bool ok;

	buf_init(&utf8, 8 * TEXT_NEEDLE_MAX);
	buf_init(&folded, 64 * TEXT_NEEDLE_MAX);
	if (sr->charset.p)
		text_to_utf8(&utf8, sr->charset, text);
	else
		buf_add_str(&utf8, text);
	ok = !buf_overflown(&utf8) &&
	     text_fold_needle(&folded, buf_str(&utf8)) == 0;
	*out = pool_str(in->pool, buf_str(&folded));
	buf_fini(&folded);
	buf_fini(&utf8);
	return ok && out->p;
}

static bool
read_text(struct imap_in *in, const struct search *sr, struct search_key *k)
{
	struct str text;

	if (!imap_space(in) || !imap_astring(in, &text))
		return false;
	if (!sr->charset.p && !utf8_is_valid(text))
		return imap_fail(in, "Text is not UTF-8");
	if (!fold_text(in, sr, text, &k->needle.folded))
		return imap_fail(in, "Text is too long");
	k->field = k->name.p ? imap_keys_field_of(k->name) : -1;
	if (k->kind == SEARCH_HEADER)
		k->cost = k->field >= 0 ? COST_KEYS : COST_HEADER;
	return true;
}

/* RFC 7162 3.1.5: a flag's name may stand before it; we have one for all. */
static bool
read_modseq(struct imap_in *in, struct search *sr, struct search_key *k)
{
	struct str entry;

	if (!imap_space(in))
		return false;
	if (imap_peek(in) == '"' &&
	    (!imap_string(in, &entry) || !imap_space(in) ||
	     !(imap_word(in, "all") || imap_word(in, "priv") ||
	       imap_word(in, "shared")) ||
	     !imap_space(in)))
		return imap_fail(in, "Bad MODSEQ");
	sr->has_modseq = true;
	return imap_modseq(in, true, &k->modseq);
}

static bool
read_interval(struct imap_in *in, struct search_key *k)
{
	uint32_t seconds;

	if (!imap_nz_number(in, &seconds))
		return false;
	k->num = seconds;
	return true;
}

static bool
read_arg(struct imap_in *in, struct search *sr, struct search_key *k,
	 enum arg arg)
{
	switch (arg) {
	case A_NONE:
		return true;
	case A_FIELD:
		return imap_space(in) && imap_astring(in, &k->name) &&
		       read_text(in, sr, k);
	case A_TEXT:
		return read_text(in, sr, k);
	case A_DATE:
		return imap_space(in) && imap_date(in, &k->day);
	case A_NUM:
		return imap_space(in) && imap_number64(in, &k->num);
	case A_INTERVAL:
		return imap_space(in) && read_interval(in, k);
	case A_KEYWORD:
		return imap_space(in) && imap_atom(in, &k->name);
	case A_MODSEQ:
		return read_modseq(in, sr, k);
	}
	return false;
}

/* NEW is RECENT UNSEEN. */
static struct search_key *
key_new_mail(struct imap_in *in, struct search *sr)
{
	struct search_key *k = key_new(in, sr, SEARCH_AND);

	if (!k)
		return NULL;
	k->a = key_new(in, sr, SEARCH_RECENT);
	if (!k->a)
		return NULL;
	k->a->next = key_new(in, sr, SEARCH_FLAG);
	if (!k->a->next)
		return NULL;
	k->a->next->flag = IMAP_SEEN;
	k->a->next->unset = true;
	return k;
}

static struct search_key *
read_named(struct imap_in *in, struct search *sr)
{
	struct search_key *k;
	size_t i;

	if (imap_word(in, "NEW"))
		return key_new_mail(in, sr);
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (imap_word(in, keys[i].name))
			break;
	if (i == sizeof(keys) / sizeof(keys[0])) {
		imap_fail(in, "Unknown search key");
		return NULL;
	}
	k = key_new(in, sr, keys[i].kind);
	if (!k)
		return NULL;
	k->cost = keys[i].cost;
	k->name = str_of(keys[i].field);
	k->unset = keys[i].unset;
	k->flag = keys[i].flag;
	return read_arg(in, sr, k, keys[i].arg) ? k : NULL;
}

/* --- combinations ----------------------------------------------------------
 */

/* Into the list, behind those that cost as much. */
static void
put_by_cost(struct search_key **list, struct search_key *k)
{
	while (*list && (*list)->cost <= k->cost)
		list = &(*list)->next;
	k->next = *list;
	*list = k;
}

/* "(" key *(SP key) ")" or the whole program. */
static struct search_key *
read_and(struct imap_in *in, struct search *sr, char end)
{
	struct search_key *all = key_new(in, sr, SEARCH_AND), *k;

	if (!all)
		return NULL;
	for (;;) {
		k = read_key(in, sr);
		if (!k)
			return NULL;
		put_by_cost(&all->a, k);
		if (k->cost > all->cost)
			all->cost = k->cost;
		if (imap_peek(in) == end)
			return all;
		if (!imap_space(in))
			return NULL;
	}
}

static struct search_key *
read_set(struct imap_in *in, struct search *sr, enum search_kind kind)
{
	struct search_key *k = key_new(in, sr, kind);

	if (!k || !imap_set(in, &k->set))
		return NULL;
	sr->has_numbers |= kind == SEARCH_SEQ && !k->set.saved;
	return k;
}

static struct search_key *
read_not(struct imap_in *in, struct search *sr)
{
	struct search_key *k = key_new(in, sr, SEARCH_NOT);

	if (!k || !imap_space(in) || !(k->a = read_key(in, sr)))
		return NULL;
	k->cost = k->a->cost;
	return k;
}

static struct search_key *
read_or(struct imap_in *in, struct search *sr)
{
	struct search_key *k = key_new(in, sr, SEARCH_OR), *t;

	if (!k || !imap_space(in) || !(k->a = read_key(in, sr)) ||
	    !imap_space(in) || !(k->b = read_key(in, sr)))
		return NULL;
	if (k->a->cost > k->b->cost) {
		t = k->a;
		k->a = k->b;
		k->b = t;
	}
	k->cost = k->b->cost;
	return k;
}

static struct search_key *
read_key(struct imap_in *in, struct search *sr)
{
	struct search_key *k;
	char c = imap_peek(in);

	if (c == '(') {
		in->p++;
		k = read_and(in, sr, ')');
		return k && imap_char(in, ')') ? k : NULL;
	}
	if ((c >= '0' && c <= '9') || c == '*' || c == '$')
		return read_set(in, sr, SEARCH_SEQ);
	if (imap_word(in, "UID"))
		return imap_space(in) ? read_set(in, sr, SEARCH_UID) : NULL;
	if (imap_word(in, "NOT"))
		return read_not(in, sr);
	if (imap_word(in, "OR"))
		return read_or(in, sr);
	return read_named(in, sr);
}

/* --- the program -----------------------------------------------------------
 */

bool
imap_search_return(struct imap_in *in, struct search *out)
{
	static const struct {
		const char *name;
		enum search_return ret;
	} options[] = {
		{ "MIN", RETURN_MIN },	 { "MAX", RETURN_MAX },
		{ "ALL", RETURN_ALL },	 { "COUNT", RETURN_COUNT },
		{ "SAVE", RETURN_SAVE },
	};
	const char *start = in->p;
	size_t i;

	*out = (struct search){ .ret = RETURN_ALL };
	if (!imap_space(in))
		return false;
	if (!imap_word(in, "RETURN")) {
		in->p = start;
		return true;
	}
	out->extended = true;
	out->ret = 0;
	if (!imap_space(in) || !imap_char(in, '('))
		return false;
	while (imap_peek(in) != ')') {
		if (out->ret && !imap_space(in))
			return false;
		for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (imap_word(in, options[i].name))
				break;
		if (i == sizeof(options) / sizeof(options[0]))
			return imap_fail(in, "Unknown return option");
		out->ret |= options[i].ret;
	}
	in->p++;
	if (out->ret == 0) /* RFC 4731 3.1 */
		out->ret = RETURN_ALL;
	return true;
}

static bool
read_charset(struct imap_in *in, struct search *out)
{
	struct str charset;
	void *converter;

	if (!imap_astring(in, &charset) || !imap_space(in))
		return false;
	out->has_charset = true;
	if (str_ieq(charset, STR("US-ASCII")) || str_ieq(charset, STR("UTF-8")))
		return true;
	converter = text_converter(charset);
	out->bad_charset = converter == NULL;
	text_converter_free(converter);
	out->charset = charset;
	return !out->bad_charset;
}

static bool
read_program(struct imap_in *in, struct search *out)
{
	out->top = read_and(in, out, '\0');
	return out->top && imap_end(in);
}

bool
imap_search_parse(struct imap_in *in, struct search *out)
{
	if (!imap_space(in))
		return false;
	if (imap_word(in, "CHARSET") &&
	    (!imap_space(in) || !read_charset(in, out)))
		return false;
	return read_program(in, out);
}

bool
imap_search_parse_sort(struct imap_in *in, struct search *out)
{
	return imap_space(in) && read_charset(in, out) && read_program(in, out);
}
