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
	VALUES_MAX = 32,     /* fields of a name; more are not kept */
	UNCUT_MAX = 1000000, /* of what will be cut, or is not kept */
	ADDRS_MAX = 1000000, /* of the pool for addresses */
};

struct values { /* of the fields of a name */
	struct str v[VALUES_MAX];
	size_t n; /* that there were */
};

struct builder {
	struct buf *out;
	size_t start; /* of the blob in out */
	struct values values[KEYS_SEARCHED];
	/* The first address of each of these. */
	struct imf_addr first[KEYS_SEARCHED];
	struct pool pool; /* of addresses */
	struct buf text, decoded;
	bool dated, reply;
	int64_t day, moment;
	uint64_t id;
	uint64_t refs[KEYS_REFS_MAX]; /* a ring */
	size_t nrefs;		      /* that there were */
};

int
imap_keys_field_of(struct str name)
{
	static const struct str names[KEYS_SEARCHED] = {
		[KEYS_SUBJECT] = STR("Subject"),
		[KEYS_FROM] = STR("From"),
		[KEYS_TO] = STR("To"),
		[KEYS_CC] = STR("Cc"),
		[KEYS_BCC] = STR("Bcc"),
		[KEYS_MESSAGE_ID] = STR("Message-ID"),
	};
	int i;

	for (i = 0; i < KEYS_SEARCHED; i++)
		if (str_ieq(name, names[i]))
			return i;
	return -1;
}

/* --- texts -----------------------------------------------------------------
 */

/* decoded: some memory. */
static void
fold_value(struct buf *out, struct str value, struct buf *decoded)
{
	size_t before = out->n;
	char *tab, *end;

	buf_reset(decoded);
	text_decode_header(decoded, value);
	text_fold(out, buf_str(decoded));
	if (out->n == before)
		return;
	end = out->p + out->n;
	for (tab = out->p + before;
	     (tab = memchr(tab, '\t', (size_t)(end - tab)));)
		*tab = ' '; /* a fold, mostly */
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

/* Is the folded value what it looks like, so that a slice of the one is found
 * in the other? */
static bool
is_plain(struct str value)
{
	return str_find(value, '=') < 0 && str_find(value, '\n') < 0 &&
	       str_find(value, '\t') < 0;
}

static bool
is_slice(struct str of, struct str s)
{
	return s.n <= of.n &&
	       (uintptr_t)s.p - (uintptr_t)of.p <= (uintptr_t)(of.n - s.n);
}

/* The same of MAILBOX@HOST. */
static bool
is_slice_address(struct str of, const struct imf_addr *a)
{
	return is_slice(of, a->mailbox) &&
	       (a->host.n == 0 ||
		(is_slice(of, a->host) && a->host.p[-1] == '@' &&
		 a->host.p - 1 == a->mailbox.p + a->mailbox.n));
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
add_addresses(struct buf *out, struct str value, const struct imf_addr *v,
	      size_t n, struct buf *decoded)
{
	bool plain = is_plain(value);
	size_t i, at;

	for (i = 0; i < n && !buf_overflown(out); i++) {
		if (!plain || !is_slice(value, v[i].name)) {
			at = out->n;
			buf_add_byte(out, '\0');
			fold_value(out, v[i].name, decoded);
			keep_if_new(out, at);
		}
		if (plain && is_slice_address(value, &v[i]))
			continue;
		at = out->n;
		buf_add_byte(out, '\0');
		fold_address(out, &v[i]);
		keep_if_new(out, at);
	}
}

void
imap_keys_text(struct buf *out, int field, struct str value)
{
	struct buf decoded;
	struct imf_addr *v;
	struct pool pool;
	size_t n;

	buf_init(&decoded, UNCUT_MAX);
	fold_value(out, value, &decoded);
	if (has_addresses(field) && value.n <= KEYS_TEXT_MAX) {
		pool_init(&pool, ADDRS_MAX);
		n = imf_addresses(&pool, value, &v);
		add_addresses(out, value, v, n, &decoded);
		pool_fini(&pool);
	}
	buf_fini(&decoded);
}

/* One more field, to what k->text has of its name. */
static void
take_value(struct builder *k, int field, struct str value)
{
	bool fits = value.n <= KEYS_TEXT_MAX;
	struct imf_addr *v;
	size_t n;

	if (fits)
		fold_value(&k->text, value, &k->decoded);
	else
		k->text.overflown = true;
	if (!has_addresses(field))
		return;
	n = imf_addresses(&k->pool, str_head(value, KEYS_TEXT_MAX), &v);
	if (fits)
		add_addresses(&k->text, value, v, n, &k->decoded);
	if (n && !k->first[field].mailbox.p)
		k->first[field] = v[0];
}

static void
make_searched(struct builder *k, int field)
{
	const struct values *f = &k->values[field];
	size_t i, n = f->n < VALUES_MAX ? f->n : VALUES_MAX;

	for (i = 0; i < n; i++) {
		if (i)
			buf_add_byte(&k->text, '\0');
		take_value(k, field, f->v[i]);
	}
	if (k->text.n > KEYS_TEXT_MAX || n < f->n)
		k->text.overflown = true;
}

static void
make_base(struct builder *k)
{
	struct buf base;

	if (!k->values[KEYS_SUBJECT].n)
		return;
	buf_init(&base, UNCUT_MAX);
	buf_reset(&k->decoded);
	text_decode_header(&k->decoded, k->values[KEYS_SUBJECT].v[0]);
	k->reply = imap_base_subject(&base, buf_str(&k->decoded));
	text_fold(&k->text, buf_str(&base));
	buf_fini(&base);
}

/* What SORT needs of the first address of a list. */
static void
make_sorted(struct builder *k, int field)
{
	static const struct {
		int from;
		bool display;
	} rows[KEYS_FIELDS] = {
		[KEYS_SORT_FROM] = { KEYS_FROM, false },
		[KEYS_SORT_TO] = { KEYS_TO, false },
		[KEYS_SORT_CC] = { KEYS_CC, false },
		[KEYS_DISPLAY_FROM] = { KEYS_FROM, true },
		[KEYS_DISPLAY_TO] = { KEYS_TO, true },
	};
	const struct imf_addr *first = &k->first[rows[field].from];

	if (!rows[field].display)
		text_fold(&k->text, first->mailbox);
	else if (first->name.n)
		fold_value(&k->text, first->name, &k->decoded);
	else
		fold_address(&k->text, first);
}

/* --- message ids -----------------------------------------------------------
 */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static uint64_t
hash_id(struct str id)
{
	static const uint8_t key[16] = "message ids";
	uint64_t hash = enc_siphash(key, id.p, id.n);

	return hash + (hash == 0);
}

/* An id as they mostly are, at the start of s, behind "<": its length; 0: not
 * so simple, or none. */
static size_t
simple_id(struct str s)
{
	size_t i, at = 0;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '>')
			return at > 1 && at < i ? i : 0;
		if (c == '<' || c == '"' || is_blank(c))
			return 0;
		if (c == '@')
			at = i + 1;
	}
	return 0;
}

/*
 * The next "<left@right>" of *rest; its hash, 0: no more.  Quotes around the
 * left side that need not be there make no difference (RFC 5256 3).
 */
static uint64_t
next_id(struct str *rest)
{
	bool in = false, quoted = false;
	uint64_t hash = 0;
	struct buf id;
	size_t at = 0, n;
	char c;

	buf_init(&id, rest->n);
	for (; rest->n; *rest = str_from(*rest, 1)) {
		c = rest->p[0];
		if (c == '<' && !quoted) {
			n = simple_id(str_from(*rest, 1));
			if (n) {
				hash = hash_id(str_mem(rest->p + 1, n));
				*rest = str_from(*rest, n + 2);
				break;
			}
			in = true;
			at = 0;
			buf_reset(&id);
		} else if (!in || is_blank(c)) {
			continue;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (c == '>' && !quoted) {
			in = false;
			if (at > 1 && at < id.n) {
				hash = hash_id(buf_str(&id));
				*rest = str_from(*rest, 1);
				break;
			}
		} else {
			if (c == '\\' && quoted && rest->n > 1)
				*rest = str_from(*rest, 1);
			buf_add_byte(&id, rest->p[0]);
			if (c == '@' && !quoted)
				at = id.n;
		}
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
take_fields(struct builder *k, struct str header)
{
	struct str date = STR_NULL, references = STR_NULL, reply = STR_NULL;
	struct str id;
	struct values *values;
	struct imf_field f;
	int field;

	while (imf_next(&header, &f)) {
		field = imap_keys_field_of(f.name);
		if (field >= 0) {
			values = &k->values[field];
			if (values->n < VALUES_MAX)
				values->v[values->n] = f.value;
			values->n++;
		} else if (!date.p && str_ieq(f.name, STR("Date"))) {
			date = f.value;
		} else if (!references.p &&
			   str_ieq(f.name, STR("References"))) {
			references = f.value;
		} else if (!reply.p && str_ieq(f.name, STR("In-Reply-To"))) {
			reply = f.value;
		}
	}
	if (k->values[KEYS_MESSAGE_ID].n) {
		id = k->values[KEYS_MESSAGE_ID].v[0];
		k->id = next_id(&id);
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
put64(struct buf *out, uint64_t v)
{
	uint8_t b[8];

	enc_put64(b, v);
	buf_add(out, b, sizeof(b));
}

/* Append the field; what its length is to say. */
static size_t
put_field(struct builder *k, int field)
{
	buf_reset(&k->text);
	if (field < KEYS_SEARCHED)
		make_searched(k, field);
	else if (field == KEYS_BASE)
		make_base(k);
	else
		make_sorted(k, field);
	if (buf_overflown(&k->text))
		return TOO_LONG;
	if (field < KEYS_SEARCHED && !k->values[field].n)
		return ABSENT;
	if (field >= KEYS_SEARCHED && k->text.n > KEYS_SORT_MAX)
		k->text.n = KEYS_SORT_MAX; /* needs no end */
	buf_add_str(k->out, buf_str(&k->text));
	return k->text.n;
}

static void
put_blob(struct builder *k)
{
	size_t refs = k->nrefs, i, n;
	struct buf *out = k->out;
	char head[LENGTHS] = { VERSION };

	buf_add(out, head, sizeof(head));
	for (i = 0; i < KEYS_FIELDS; i++) {
		n = put_field(k, (int)i);
		enc_put16(head + HEAD + 2 * i, (uint16_t)n);
	}
	if (refs > KEYS_REFS_MAX)
		refs = KEYS_REFS_MAX;
	put64(out, k->id);
	for (i = k->nrefs - refs; i < k->nrefs; i++)
		put64(out, k->refs[i % KEYS_REFS_MAX]);
	head[1] = (char)((k->dated ? HAS_DATE : 0) | (k->reply ? IS_REPLY : 0));
	enc_put32(head + 2, (uint32_t)(int32_t)k->day);
	enc_put64(head + 6, (uint64_t)k->moment);
	enc_put16(head + LENGTHS - 2, (uint16_t)refs);
	if (!buf_overflown(out))
		memcpy(out->p + k->start, head, sizeof(head));
}

void
imap_keys_build(struct buf *out, struct str header)
{
	struct builder k;
	size_t i;

	k.out = out;
	k.start = out->n;
	for (i = 0; i < KEYS_SEARCHED; i++) {
		k.values[i].n = 0;
		k.first[i] = (struct imf_addr){ 0 };
	}
	k.reply = false;
	k.id = k.nrefs = 0;
	k.day = k.moment = 0;
	pool_init(&k.pool, ADDRS_MAX);
	buf_init(&k.text, UNCUT_MAX);
	buf_init(&k.decoded, UNCUT_MAX);
	take_fields(&k, header);
	put_blob(&k);
	pool_fini(&k.pool);
	buf_fini(&k.text);
	buf_fini(&k.decoded);
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
