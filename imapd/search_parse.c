/* SPDX-License-Identifier: ISC */
#include "keys.h"
#include "mail/utf8.h"
#include "search.h"

enum arg { A_NONE, A_TEXT, A_FIELD, A_DATE, A_NUM, A_KEYWORD };

/* Keys by their argument; NOT, OR, UID, sets and lists are below. */
static const struct {
	const char *name;
	enum search_kind kind;
	enum arg arg;
	uint8_t flag;
	bool unset;
	const char *field;
} keys[] = {
	{ "ALL", SEARCH_ALL, A_NONE, 0, false, NULL },
	{ "ANSWERED", SEARCH_FLAG, A_NONE, IMAP_ANSWERED, false, NULL },
	{ "DELETED", SEARCH_FLAG, A_NONE, IMAP_DELETED, false, NULL },
	{ "DRAFT", SEARCH_FLAG, A_NONE, IMAP_DRAFT, false, NULL },
	{ "FLAGGED", SEARCH_FLAG, A_NONE, IMAP_FLAGGED, false, NULL },
	{ "SEEN", SEARCH_FLAG, A_NONE, IMAP_SEEN, false, NULL },
	{ "UNANSWERED", SEARCH_FLAG, A_NONE, IMAP_ANSWERED, true, NULL },
	{ "UNDELETED", SEARCH_FLAG, A_NONE, IMAP_DELETED, true, NULL },
	{ "UNDRAFT", SEARCH_FLAG, A_NONE, IMAP_DRAFT, true, NULL },
	{ "UNFLAGGED", SEARCH_FLAG, A_NONE, IMAP_FLAGGED, true, NULL },
	{ "UNSEEN", SEARCH_FLAG, A_NONE, IMAP_SEEN, true, NULL },
	{ "RECENT", SEARCH_RECENT, A_NONE, 0, false, NULL },
	{ "OLD", SEARCH_RECENT, A_NONE, 0, true, NULL },
	{ "KEYWORD", SEARCH_NONE, A_KEYWORD, 0, false, NULL },
	{ "UNKEYWORD", SEARCH_ALL, A_KEYWORD, 0, false, NULL },
	{ "LARGER", SEARCH_LARGER, A_NUM, 0, false, NULL },
	{ "SMALLER", SEARCH_SMALLER, A_NUM, 0, false, NULL },
	{ "BEFORE", SEARCH_BEFORE, A_DATE, 0, false, NULL },
	{ "ON", SEARCH_ON, A_DATE, 0, false, NULL },
	{ "SINCE", SEARCH_SINCE, A_DATE, 0, false, NULL },
	{ "SENTBEFORE", SEARCH_SENTBEFORE, A_DATE, 0, false, NULL },
	{ "SENTON", SEARCH_SENTON, A_DATE, 0, false, NULL },
	{ "SENTSINCE", SEARCH_SENTSINCE, A_DATE, 0, false, NULL },
	{ "FROM", SEARCH_HEADER, A_TEXT, 0, false, "From" },
	{ "TO", SEARCH_HEADER, A_TEXT, 0, false, "To" },
	{ "CC", SEARCH_HEADER, A_TEXT, 0, false, "Cc" },
	{ "BCC", SEARCH_HEADER, A_TEXT, 0, false, "Bcc" },
	{ "SUBJECT", SEARCH_HEADER, A_TEXT, 0, false, "Subject" },
	{ "HEADER", SEARCH_HEADER, A_FIELD, 0, false, NULL },
	{ "BODY", SEARCH_BODY, A_TEXT, 0, false, NULL },
	{ "TEXT", SEARCH_TEXT, A_TEXT, 0, false, NULL },
};

static struct search_key *read_key(struct imap_in *in, struct search *sr,
				   unsigned depth);

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
	return k;
}

static bool
read_text(struct imap_in *in, struct search *sr, struct search_key *k)
{
	struct buf folded;
	bool ok;

	if (sr->texts++ >= SEARCH_TEXTS_MAX)
		return imap_fail(in, "Too many search keys");
	if (!imap_space(in) || !imap_astring(in, &k->text))
		return false;
	if (!utf8_is_valid(k->text))
		return imap_fail(in, "Text is not UTF-8");
	buf_init(&folded, 100000);
	ok = text_fold_needle(&folded, k->text) == 0;
	k->needle.folded = pool_str(in->pool, buf_str(&folded));
	buf_fini(&folded);
	return (ok && k->needle.folded.p) || imap_fail(in, "Text is too long");
}

static bool
read_arg(struct imap_in *in, struct search *sr, struct search_key *k,
	 enum arg arg)
{
	struct str word;

	switch (arg) {
	case A_NONE:
		return true;
	case A_FIELD:
		return imap_space(in) && imap_astring(in, &k->field) &&
		       read_text(in, sr, k);
	case A_TEXT:
		return read_text(in, sr, k);
	case A_DATE:
		return imap_space(in) && imap_date(in, &k->day);
	case A_NUM:
		return imap_space(in) && imap_number(in, &k->num);
	case A_KEYWORD:
		return imap_space(in) && imap_atom(in, &word);
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
	k->a->num = 1;
	k->a->next = key_new(in, sr, SEARCH_FLAG);
	if (!k->a->next)
		return NULL;
	k->a->next->flag = IMAP_SEEN;
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
	k->field = str_of(keys[i].field);
	if (keys[i].arg == A_NONE) {
		k->num = !keys[i].unset;
		k->flag = keys[i].flag;
	}
	return read_arg(in, sr, k, keys[i].arg) ? k : NULL;
}

/* "(" key *(SP key) ")" or the whole program. */
static struct search_key *
read_and(struct imap_in *in, struct search *sr, unsigned depth, char end)
{
	struct search_key *k = key_new(in, sr, SEARCH_AND), **tail;

	if (!k)
		return NULL;
	for (tail = &k->a;; tail = &(*tail)->next) {
		*tail = read_key(in, sr, depth + 1);
		if (!*tail)
			return NULL;
		if (imap_peek(in) == end)
			return k;
		if (!imap_space(in))
			return NULL;
	}
}

static struct search_key *
read_set(struct imap_in *in, struct search *sr, enum search_kind kind)
{
	struct search_key *k = key_new(in, sr, kind);

	return k && imap_set(in, &k->set) ? k : NULL;
}

static struct search_key *
read_key(struct imap_in *in, struct search *sr, unsigned depth)
{
	struct search_key *k;
	char c = imap_peek(in);

	if (depth > IMAP_DEPTH_MAX) {
		imap_fail(in, "Search is too deep");
		return NULL;
	}
	if (c == '(') {
		in->p++;
		k = read_and(in, sr, depth, ')');
		return k && imap_char(in, ')') ? k : NULL;
	}
	if ((c >= '0' && c <= '9') || c == '*')
		return read_set(in, sr, SEARCH_SEQ);
	if (imap_word(in, "UID"))
		return imap_space(in) ? read_set(in, sr, SEARCH_UID) : NULL;
	if (imap_word(in, "NOT")) {
		k = key_new(in, sr, SEARCH_NOT);
		if (!k || !imap_space(in) ||
		    !(k->a = read_key(in, sr, depth + 1)))
			return NULL;
		return k;
	}
	if (imap_word(in, "OR")) {
		k = key_new(in, sr, SEARCH_OR);
		if (!k || !imap_space(in) ||
		    !(k->a = read_key(in, sr, depth + 1)) || !imap_space(in) ||
		    !(k->b = read_key(in, sr, depth + 1)))
			return NULL;
		return k;
	}
	return read_named(in, sr);
}

bool
imap_search_parse(struct imap_in *in, struct search *out)
{
	struct str charset;

	*out = (struct search){ 0 };
	if (!imap_space(in))
		return false;
	if (imap_word(in, "CHARSET")) {
		if (!imap_space(in) || !imap_astring(in, &charset) ||
		    !imap_space(in))
			return false;
		if (!str_ieq(charset, STR("US-ASCII")) &&
		    !str_ieq(charset, STR("UTF-8"))) {
			out->bad_charset = true;
			return false;
		}
	}
	out->top = read_and(in, out, 0, '\0');
	if (out->top && imap_end(in))
		return true;
	imap_search_fini(out);
	return false;
}

void
imap_search_fini(struct search *sr)
{
	(void)sr;
}

void
imap_search_resolve(struct search_key *k, uint32_t max_seq, uint32_t max_uid)
{
	for (; k; k = k->next) {
		if (k->kind == SEARCH_SEQ)
			imap_set_resolve(&k->set, max_seq);
		else if (k->kind == SEARCH_UID)
			imap_set_resolve(&k->set, max_uid);
		imap_search_resolve(k->a, max_seq, max_uid);
		imap_search_resolve(k->b, max_seq, max_uid);
	}
}

static bool
value_has(struct search_key *k, struct str value)
{
	struct buf text;
	bool found;

	buf_init(&text, MIME_HEADER_MAX * 16);
	imap_keys_text(&text, -1, value);
	found = str_search(buf_str(&text), k->needle.folded) >= 0;
	buf_fini(&text);
	return found;
}

/* RFC 3501 6.4.4 HEADER: an empty text asks for the field alone. */
bool
imap_search_header(struct search_key *k, struct str header)
{
	struct imf_field f;

	while (imf_next(&header, &f))
		if (str_ieq(f.name, k->field) && value_has(k, f.value))
			return true;
	return false;
}

bool
imap_search_any_header(struct search_key *k, struct str header)
{
	struct imf_field f;

	while (imf_next(&header, &f))
		if (value_has(k, f.whole))
			return true;
	return false;
}
