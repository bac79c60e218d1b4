/* SPDX-License-Identifier: ISC */
#include "fetch.h"
#include "session.h"

enum { IMAP_LABEL_MAX = 65536 };

/* --- sections --------------------------------------------------------------
 */

static bool
field_list(struct imap_in *in, struct fetch_item *it)
{
	struct str name;

	it->fields = pool_alloc(in->pool, IMAP_LIST_MAX * sizeof(*it->fields));
	if (!it->fields)
		return imap_fail(in, "Command is too large");
	if (!imap_space(in) || !imap_char(in, '('))
		return false;
	do {
		if (it->nfields && !imap_space(in))
			return false;
		if (it->nfields == IMAP_LIST_MAX)
			return imap_fail(in, "Too many header fields");
		if (!imap_astring(in, &name))
			return false;
		it->fields[it->nfields++] = name;
	} while (imap_peek(in) != ')');
	return imap_char(in, ')');
}

/* The numbers of a section, with the dots behind them; *last: behind the last
 * one there was none. */
static bool
section_path(struct imap_in *in, struct fetch_item *it, bool *last)
{
	uint32_t path[MIME_DEPTH_MAX], n;

	*last = false;
	while (!*last && imap_peek(in) >= '0' && imap_peek(in) <= '9') {
		if (it->npath == MIME_DEPTH_MAX)
			return imap_fail(in, "Section is too deep");
		if (!imap_nz_number(in, &n))
			return false;
		path[it->npath++] = n;
		*last = imap_peek(in) != '.';
		if (!*last)
			in->p++;
	}
	if (it->npath == 0)
		return true;
	it->path = pool_alloc(in->pool, it->npath * sizeof(*it->path));
	if (!it->path)
		return imap_fail(in, "Command is too large");
	memcpy(it->path, path, it->npath * sizeof(*it->path));
	return true;
}

/* Behind "[": section-spec of RFC 3501 9, and "]". */
static bool
section(struct imap_in *in, struct fetch_item *it)
{
	bool last;

	if (!section_path(in, it, &last))
		return false;
	if (last)
		return imap_char(in, ']');
	if (imap_word(in, "HEADER.FIELDS.NOT"))
		it->text = SECTION_FIELDS_NOT;
	else if (imap_word(in, "HEADER.FIELDS"))
		it->text = SECTION_FIELDS;
	else if (imap_word(in, "HEADER"))
		it->text = SECTION_HEADER;
	else if (imap_word(in, "TEXT"))
		it->text = SECTION_TEXT;
	else if (it->npath && imap_word(in, "MIME"))
		it->text = SECTION_MIME;
	else if (it->npath || imap_peek(in) != ']')
		return imap_fail(in, "Bad section");
	if ((it->text == SECTION_FIELDS || it->text == SECTION_FIELDS_NOT) &&
	    !field_list(in, it))
		return false;
	return imap_char(in, ']');
}

static bool
partial(struct imap_in *in, struct fetch_item *it)
{
	if (imap_peek(in) != '<')
		return true;
	in->p++;
	it->partial = true;
	return imap_number64(in, &it->start) && imap_char(in, '.') &&
	       imap_number64(in, &it->length) &&
	       (it->length || imap_fail(in, "Number must not be zero")) &&
	       imap_char(in, '>');
}

/* What the answer calls the section: as the client wrote it, field names as
 * astrings. */
static bool
make_label(struct imap_in *in, struct fetch_item *it)
{
	static const char *const texts[] = {
		[SECTION_ALL] = "",
		[SECTION_HEADER] = "HEADER",
		[SECTION_FIELDS] = "HEADER.FIELDS (",
		[SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT (",
		[SECTION_TEXT] = "TEXT",
		[SECTION_MIME] = "MIME",
	};
	struct buf b;
	size_t i;

	buf_init(&b, IMAP_LABEL_MAX);
	buf_add_c(&b, it->kind == FETCH_BINARY	      ? "BINARY["
		      : it->kind == FETCH_BINARY_SIZE ? "BINARY.SIZE["
						      : "BODY[");
	for (i = 0; i < it->npath; i++)
		buf_addf(&b, i ? ".%u" : "%u", it->path[i]);
	if (it->npath && it->text != SECTION_ALL)
		buf_add_byte(&b, '.');
	buf_add_c(&b, texts[it->text]);
	for (i = 0; i < it->nfields; i++) {
		if (i)
			buf_add_byte(&b, ' ');
		imap_put_mailbox(&b, it->fields[i]);
	}
	if (it->nfields)
		buf_add_byte(&b, ')');
	buf_add_byte(&b, ']');
	if (it->partial)
		buf_addf(&b, "<%llu>", (unsigned long long)it->start);
	it->label =
		buf_overflown(&b) ? STR_NULL : pool_str(in->pool, buf_str(&b));
	buf_fini(&b);
	return it->label.p || imap_fail(in, "Command is too large");
}

static bool
body_item(struct imap_in *in, struct fetch_item *it)
{
	it->kind = FETCH_SECTION;
	return section(in, it) && partial(in, it) && make_label(in, it);
}

/* RFC 3516 4.1: numbers alone */
static bool
binary_item(struct imap_in *in, struct fetch_item *it)
{
	bool last;

	if (!section_path(in, it, &last))
		return false;
	if (it->npath && !last)
		return imap_fail(in, "Bad section");
	return imap_char(in, ']') &&
	       (it->kind == FETCH_BINARY_SIZE || partial(in, it)) &&
	       make_label(in, it);
}

/* --- items -----------------------------------------------------------------
 */

static const struct {
	const char *name;
	struct fetch_item item;
	bool rev1; /* RFC 9051 has it no more */
} plain[] = {
	{ "FLAGS", { .kind = FETCH_FLAGS }, false },
	{ "UID", { .kind = FETCH_UID }, false },
	{ "INTERNALDATE", { .kind = FETCH_DATE }, false },
	{ "ENVELOPE", { .kind = FETCH_ENVELOPE }, false },
	{ "BODYSTRUCTURE", { .kind = FETCH_BODYSTRUCTURE }, false },
	{ "MODSEQ", { .kind = FETCH_MODSEQ }, false },
	{ "RFC822.SIZE", { .kind = FETCH_SIZE }, false },
	{ "RFC822.HEADER",
	  { .kind = FETCH_SECTION,
	    .text = SECTION_HEADER,
	    .peek = true,
	    .label = { "RFC822.HEADER", 13 } },
	  true },
	{ "RFC822.TEXT",
	  { .kind = FETCH_SECTION,
	    .text = SECTION_TEXT,
	    .label = { "RFC822.TEXT", 11 } },
	  true },
	{ "RFC822",
	  { .kind = FETCH_SECTION,
	    .text = SECTION_ALL,
	    .label = { "RFC822", 6 } },
	  true },
};

/* "[" can stand in an atom, so these are no words to imap_word(). */
static const struct {
	struct str name;
	enum fetch_kind kind;
	bool peek;
} bracketed[] = {
	{ { "BODY[", 5 }, FETCH_SECTION, false },
	{ { "BODY.PEEK[", 10 }, FETCH_SECTION, true },
	{ { "BINARY[", 7 }, FETCH_BINARY, false },
	{ { "BINARY.PEEK[", 12 }, FETCH_BINARY, true },
	{ { "BINARY.SIZE[", 12 }, FETCH_BINARY_SIZE, true },
};

static bool
item(struct imap_in *in, bool rev2, struct fetch_item *it)
{
	size_t i;

	*it = (struct fetch_item){ 0 };
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (!(rev2 && plain[i].rev1) && imap_word(in, plain[i].name)) {
			*it = plain[i].item;
			return true;
		}
	}
	for (i = 0; i < sizeof(bracketed) / sizeof(bracketed[0]); i++) {
		if (!str_istarts(str_mem(in->p, (size_t)(in->end - in->p)),
				 bracketed[i].name))
			continue;
		in->p += bracketed[i].name.n;
		it->kind = bracketed[i].kind;
		it->peek = bracketed[i].peek;
		return it->kind == FETCH_SECTION ? body_item(in, it)
						 : binary_item(in, it);
	}
	if (imap_word(in, "BODY")) {
		it->kind = FETCH_BODY;
		return true;
	}
	return imap_fail(in, "Unknown fetch item");
}

static bool
macro(struct imap_in *in, struct fetch_items *out)
{
	static const enum fetch_kind kinds[] = { FETCH_FLAGS, FETCH_DATE,
						 FETCH_SIZE, FETCH_ENVELOPE,
						 FETCH_BODY };
	size_t n, i;

	if (imap_word(in, "FAST"))
		n = 3;
	else if (imap_word(in, "ALL"))
		n = 4;
	else if (imap_word(in, "FULL"))
		n = 5;
	else
		return false;
	for (i = 0; i < n; i++)
		out->v[i] = (struct fetch_item){ .kind = kinds[i] };
	out->n = n;
	return true;
}

/* RFC 7162 3.1.4.1, 3.2.6: "(CHANGEDSINCE 5 VANISHED)" */
static bool
modifiers(struct imap_in *in, struct fetch_items *out)
{
	if (!imap_char(in, '('))
		return false;
	do {
		if ((out->has_since || out->vanished) && !imap_space(in))
			return false;
		if (!out->has_since && imap_word(in, "CHANGEDSINCE")) {
			out->has_since = true;
			if (!imap_space(in) ||
			    !imap_modseq(in, false, &out->since))
				return false;
		} else if (!out->vanished && imap_word(in, "VANISHED")) {
			out->vanished = true;
		} else {
			return imap_fail(in, "Unknown modifier");
		}
	} while (imap_peek(in) != ')');
	return imap_char(in, ')') &&
	       (out->has_since || imap_fail(in, "CHANGEDSINCE expected"));
}

static bool
items(struct imap_in *in, bool rev2, struct fetch_items *out)
{
	enum { ITEMS_MAX = 100 };

	out->v = pool_alloc(in->pool, ITEMS_MAX * sizeof(*out->v));
	if (!out->v)
		return imap_fail(in, "Command is too large");
	if (macro(in, out))
		return true;
	if (imap_peek(in) != '(') {
		out->n = 1;
		return item(in, rev2, &out->v[0]);
	}
	in->p++;
	do {
		if (out->n && !imap_space(in))
			return false;
		if (out->n == ITEMS_MAX)
			return imap_fail(in, "Too many fetch items");
		if (!item(in, rev2, &out->v[out->n++]))
			return false;
	} while (imap_peek(in) != ')');
	return imap_char(in, ')');
}

bool
imap_fetch_items(struct imap_in *in, bool rev2, struct fetch_items *out)
{
	*out = (struct fetch_items){ 0 };
	if (!items(in, rev2, out))
		return false;
	return imap_at_end(in) || (imap_space(in) && modifiers(in, out));
}
