/* SPDX-License-Identifier: ISC */
/* The header fields that keys ask for, decoded once for all keys: a header may
 * have a hundred thousand fields of one name, and a command hundreds of keys.
 */
#include "mail/imf.h"
#include "search.h"

enum {
	FIELD_NAME_MAX = 1000,
	DECODED_MAX = 4 * MIME_HEADER_MAX,
	DECODED_KEEP = 4096,
};

/* All fields of a name, each ended by a NUL, which no key has. */
struct header_text {
	int field; /* as struct search_key has it */
	bool any;
	struct buf text;
};

/* False: too long for a field's name. */
static bool
lower(struct str name, char out[FIELD_NAME_MAX], struct str *low)
{
	size_t i;

	if (name.n > FIELD_NAME_MAX)
		return false;
	for (i = 0; i < name.n; i++)
		out[i] = ascii_lower(name.p[i]);
	*low = str_mem(out, name.n);
	return true;
}

int
search_header_want(struct map *texts, struct pool *pool, struct search_key *k)
{
	char mem[FIELD_NAME_MAX];
	struct str low;

	if (!lower(k->name, mem, &low))
		return 0; /* no header has it */
	k->header = map_get(texts, low);
	if (k->header)
		return 0;
	k->header = pool_alloc(pool, sizeof(*k->header));
	low = pool_str(pool, low);
	if (!k->header || !low.p)
		return -1;
	*k->header = (struct header_text){ .field = k->field };
	buf_init(&k->header->text, DECODED_MAX);
	return map_put(texts, low, k->header);
}

void
search_header_fini(struct map *texts)
{
	struct header_text *t;
	size_t i = 0;

	while ((t = map_next(texts, &i)))
		buf_fini(&t->text);
	map_fini(texts);
}

void
search_header_read(struct map *texts, struct str header,
		   const struct imap_keys *known)
{
	char mem[FIELD_NAME_MAX];
	struct header_text *t;
	struct buf text;
	struct str low;
	struct imf_field f;
	size_t i = 0;

	while ((t = map_next(texts, &i))) {
		t->any = false;
		buf_shrink(&t->text, DECODED_KEEP);
	}
	buf_init(&text, DECODED_MAX);
	while (imf_next(&header, &f)) {
		if (!lower(f.name, mem, &low) || !(t = map_get(texts, low)))
			continue;
		if (t->field >= 0 && known && !known->too_long[t->field])
			continue; /* nobody asks */
		buf_reset(&text);
		imap_keys_text(&text, t->field, f.value);
		t->any = true;
		buf_add_str(&t->text, buf_str(&text));
		buf_add_byte(&t->text, '\0');
	}
	buf_fini(&text);
}

/* RFC 3501 6.4.4: an empty text asks for the field. */
bool
search_header_has(const struct search_key *k)
{
	return k->header && k->header->any &&
	       str_search(buf_str(&k->header->text), k->needle.folded) >= 0;
}
