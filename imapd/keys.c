/* SPDX-License-Identifier: ISC */
#include "keys.h"
#include "base/enc.h"
#include "base/pool.h"
#include "mail/imf.h"
#include "store/text.h"

enum {
	VERSION = 1,
	HAS_DATE = 1,
	IS_REPLY = 2,
	/* lengths that mean something else */
	ABSENT = 0xffff,
	TOO_LONG = 0xfffe,
	HEAD = 14, /* bytes before the lengths */
	LENGTHS = HEAD + 2 * KEYS_FIELDS + 2,
	UNCUT_MAX = 1000000, /* of what will be cut */
	ADDRS_MAX = 1000000, /* of the pool for addresses */
};

struct builder {
	struct buf text[KEYS_FIELDS];
	bool seen[KEYS_FIELDS];
	bool dated, reply, referred;
	int64_t day, moment;
	uint64_t id;
	uint64_t refs[KEYS_REFS_MAX]; /* a ring */
	size_t nrefs;		      /* that there were */
};

int
imap_keys_field_of(struct str name)
{
	static const char *const names[KEYS_SEARCHED] = {
		[KEYS_SUBJECT] = "Subject", [KEYS_FROM] = "From",
		[KEYS_TO] = "To",	    [KEYS_CC] = "Cc",
		[KEYS_BCC] = "Bcc",	    [KEYS_MESSAGE_ID] = "Message-ID",
	};
	int i;

	for (i = 0; i < KEYS_SEARCHED; i++)
		if (str_ieq(name, str_of(names[i])))
			return i;
	return -1;
}

/* --- texts -----------------------------------------------------------------
 */

static void
fold_value(struct buf *out, struct str value)
{
	size_t before = out->n, i;
	struct buf text;

	buf_init(&text, 4 * value.n + 8);
	text_decode_header(&text, value);
	text_fold(out, buf_str(&text));
	for (i = before; i < out->n; i++)
		if (out->p[i] == '\t') /* a fold, mostly */
			out->p[i] = ' ';
	buf_fini(&text);
}

static void
fold_address(struct buf *out, const struct imf_addr *a)
{
	text_fold(out, a->mailbox);
	if (a->host.n) {
		buf_add_byte(out, '@');
		text_fold(out, a->host);
	}
}

/* Keep what was added behind `at` only if it does not stand before it. */
static void
keep_if_new(struct buf *out, size_t at)
{
	struct str added = str_from(buf_str(out), at + 1);

	if (str_search(str_head(buf_str(out), at), added) >= 0)
		out->n = at;
}

static bool
has_addresses(int field)
{
	return field >= KEYS_FROM && field <= KEYS_BCC;
}

/*
 * RFC 3501 6.4.4 asks for the envelope's From, people type what they see: the
 * field as it stands, and of its addresses what looks otherwise there (quoted
 * characters, comments).
 */
static void
add_addresses(struct buf *out, const struct imf_addr *v, size_t n)
{
	size_t i, at;

	for (i = 0; i < n && !buf_overflown(out); i++) {
		at = out->n;
		buf_add_byte(out, '\0');
		fold_value(out, v[i].name);
		keep_if_new(out, at);
		at = out->n;
		buf_add_byte(out, '\0');
		fold_address(out, &v[i]);
		keep_if_new(out, at);
	}
}

void
imap_keys_text(struct buf *out, int field, struct str value)
{
	struct imf_addr *v;
	struct pool pool;
	size_t n;

	fold_value(out, value);
	if (!has_addresses(field) || value.n > KEYS_TEXT_MAX)
		return;
	pool_init(&pool, ADDRS_MAX);
	n = imf_addresses(&pool, value, &v);
	add_addresses(out, v, n);
	pool_fini(&pool);
}

/* What is for sorting needs no end. */
static void
cut(struct buf *b)
{
	if (b->n > KEYS_SORT_MAX)
		b->n = KEYS_SORT_MAX;
}

/* What SORT needs of the first address of a list. */
static void
take_first(struct builder *k, int field, const struct imf_addr *first)
{
	static const int sort[KEYS_FIELDS] = {
		[KEYS_FROM] = KEYS_SORT_FROM,
		[KEYS_TO] = KEYS_SORT_TO,
		[KEYS_CC] = KEYS_SORT_CC,
	};
	struct buf *b;

	if (!sort[field])
		return;
	b = &k->text[sort[field]];
	text_fold(b, first->mailbox);
	cut(b);
	if (field == KEYS_CC)
		return;
	b = &k->text[field == KEYS_FROM ? KEYS_DISPLAY_FROM : KEYS_DISPLAY_TO];
	if (first->name.n)
		fold_value(b, first->name);
	else
		fold_address(b, first);
	cut(b);
}

static void
take_addresses(struct builder *k, int field, struct str value)
{
	struct buf *out = &k->text[field];
	struct imf_addr *v;
	struct pool pool;
	size_t n;

	pool_init(&pool, ADDRS_MAX);
	n = imf_addresses(&pool, str_head(value, KEYS_TEXT_MAX), &v);
	if (value.n <= KEYS_TEXT_MAX) {
		fold_value(out, value);
		add_addresses(out, v, n);
	}
	if (n && !k->seen[field])
		take_first(k, field, &v[0]);
	pool_fini(&pool);
}

static void
take_base(struct builder *k, struct str value)
{
	struct buf text, base;

	buf_init(&text, UNCUT_MAX);
	buf_init(&base, UNCUT_MAX);
	text_decode_header(&text, value);
	k->reply = imap_base_subject(&base, buf_str(&text));
	text_fold(&k->text[KEYS_BASE], buf_str(&base));
	cut(&k->text[KEYS_BASE]);
	buf_fini(&base);
	buf_fini(&text);
}

/* --- message ids -----------------------------------------------------------
 */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * The next "<left@right>" of *rest; its hash, 0: no more.  Quotes around the
 * left side that need not be there make no difference (RFC 5256 3).
 */
static uint64_t
next_id(struct str *rest)
{
	static const uint8_t key[16] = "message ids";
	bool in = false, quoted = false;
	uint64_t hash;
	struct buf id;
	size_t at = 0;
	char c;

	buf_init(&id, rest->n);
	for (; rest->n; *rest = str_from(*rest, 1)) {
		c = rest->p[0];
		if (c == '<' && !quoted) {
			in = true;
			at = 0;
			buf_reset(&id);
		} else if (!in || is_blank(c)) {
			continue;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (c == '>' && !quoted) {
			in = false;
			if (at > 1 && at < id.n)
				break;
		} else {
			if (c == '\\' && quoted && rest->n > 1)
				*rest = str_from(*rest, 1);
			buf_add_byte(&id, rest->p[0]);
			if (c == '@' && !quoted)
				at = id.n;
		}
	}
	hash = 0;
	if (rest->n) {
		*rest = str_from(*rest, 1);
		hash = enc_siphash(key, id.p, id.n);
		hash += hash == 0;
	}
	buf_fini(&id);
	return hash;
}

static void
take_refs(struct builder *k, struct str value, size_t max)
{
	uint64_t id;

	for (; max && (id = next_id(&value)); max--)
		k->refs[k->nrefs++ % KEYS_REFS_MAX] = id;
}

/* --- a header --------------------------------------------------------------
 */

static void
take_searched(struct builder *k, int field, struct str value)
{
	struct buf *out = &k->text[field];

	if (k->seen[field])
		buf_add_byte(out, '\0');
	if (value.n > KEYS_TEXT_MAX)
		out->overflown = true;
	if (has_addresses(field))
		take_addresses(k, field, value);
	else if (value.n <= KEYS_TEXT_MAX)
		fold_value(out, value);
	if (field == KEYS_SUBJECT && !k->seen[field])
		take_base(k, value);
	if (field == KEYS_MESSAGE_ID && !k->seen[field])
		k->id = next_id(&value);
	k->seen[field] = true;
}

static void
take_fields(struct builder *k, struct str header)
{
	struct str date = STR_NULL, references = STR_NULL, reply = STR_NULL;
	struct imf_field f;
	int field;

	while (imf_next(&header, &f)) {
		field = imap_keys_field_of(f.name);
		if (field >= 0)
			take_searched(k, field, f.value);
		else if (!date.p && str_ieq(f.name, STR("Date")))
			date = f.value;
		else if (!references.p && str_ieq(f.name, STR("References")))
			references = f.value;
		else if (!reply.p && str_ieq(f.name, STR("In-Reply-To")))
			reply = f.value;
	}
	k->dated = date.p && imf_date(date, &k->day, &k->moment) == 0;
	/* RFC 5256 3, REFERENCES 1 A: without any, the one answered. */
	take_refs(k, references, SIZE_MAX);
	if (k->nrefs == 0)
		take_refs(k, reply, 1);
}

/* --- the blob --------------------------------------------------------------
 */

static void
put16(struct buf *out, size_t v)
{
	uint8_t b[2];

	enc_put16(b, (uint16_t)v);
	buf_add(out, b, sizeof(b));
}

static void
put64(struct buf *out, uint64_t v)
{
	uint8_t b[8];

	enc_put64(b, v);
	buf_add(out, b, sizeof(b));
}

static size_t
length_of(const struct builder *k, int field)
{
	if (buf_overflown(&k->text[field]))
		return TOO_LONG;
	if (field < KEYS_SEARCHED && !k->seen[field])
		return ABSENT;
	return k->text[field].n;
}

static void
put_blob(struct buf *out, const struct builder *k)
{
	size_t refs = k->nrefs, i, n;
	uint8_t day[4];

	buf_add_byte(out, VERSION);
	buf_add_byte(out, (char)((k->dated ? HAS_DATE : 0) |
				 (k->reply ? IS_REPLY : 0)));
	enc_put32(day, (uint32_t)(int32_t)k->day);
	buf_add(out, day, sizeof(day));
	put64(out, (uint64_t)k->moment);
	for (i = 0; i < KEYS_FIELDS; i++)
		put16(out, length_of(k, (int)i));
	if (refs > KEYS_REFS_MAX)
		refs = KEYS_REFS_MAX;
	put16(out, refs);
	for (i = 0; i < KEYS_FIELDS; i++) {
		n = length_of(k, (int)i);
		if (n < TOO_LONG)
			buf_add(out, k->text[i].p, n);
	}
	put64(out, k->id);
	for (i = k->nrefs - refs; i < k->nrefs; i++)
		put64(out, k->refs[i % KEYS_REFS_MAX]);
}

void
imap_keys_build(struct buf *out, struct str header)
{
	struct builder k = { 0 };
	size_t i;

	for (i = 0; i < KEYS_FIELDS; i++)
		buf_init(&k.text[i],
			 i < KEYS_SEARCHED ? KEYS_TEXT_MAX : UNCUT_MAX);
	take_fields(&k, header);
	put_blob(out, &k);
	for (i = 0; i < KEYS_FIELDS; i++)
		buf_fini(&k.text[i]);
}

bool
imap_keys_open(struct imap_keys *k, struct str blob)
{
	const char *p = blob.p;
	size_t at = LENGTHS, n, i;

	if (blob.n < LENGTHS + 8 || p[0] != VERSION)
		return false;
	k->has_date = p[1] & HAS_DATE;
	k->is_reply = p[1] & IS_REPLY;
	k->day = (int32_t)enc_get32(p + 2);
	k->moment = (int64_t)enc_get64(p + 6);
	for (i = 0; i < KEYS_FIELDS; i++) {
		n = enc_get16(p + HEAD + 2 * i);
		k->too_long[i] = n == TOO_LONG;
		k->field[i] = STR_NULL;
		if (n >= TOO_LONG)
			continue;
		if (n > blob.n - at)
			return false;
		k->field[i] = str_mem(p + at, n);
		at += n;
	}
	k->refs = enc_get16(p + LENGTHS - 2);
	if (blob.n - at != 8 * (k->refs + 1))
		return false;
	k->id = enc_get64(p + at);
	k->ref_bytes = p + at + 8;
	return true;
}

uint64_t
imap_keys_ref(const struct imap_keys *k, size_t i)
{
	return enc_get64(k->ref_bytes + 8 * i);
}
