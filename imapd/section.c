/* SPDX-License-Identifier: ISC */
/* From a section's name to a place in the message. */
#include "fetch.h"

static struct section_place
place(uint64_t raw, uint64_t end, uint64_t size)
{
	return (struct section_place){
		.found = true, .raw = raw, .raw_end = end, .size = size
	};
}

static const struct mime_part *
nth_child(const struct mime_part *p, uint32_t n)
{
	const struct mime_part *c;

	for (c = p->child; c && n > 1; c = c->next)
		n--;
	return c;
}

/*
 * RFC 3501 6.4.5: numbers walk the parts; a message/rfc822 part's numbers are
 * those of the message in it; a message that is not multipart has a part 1.
 */
static const struct mime_part *
walk(const struct mime_part *top, const struct fetch_item *it)
{
	const struct mime_part *p = top;
	bool is_part = false; /* p was named by a number */
	size_t i;

	for (i = 0; p && i < it->npath; i++) {
		if (is_part && p->message)
			p = p->child; /* the message's own top */
		else if (is_part && !p->multipart)
			return NULL;
		if (!p)
			return NULL;
		if (p->multipart)
			p = nth_child(p, it->path[i]);
		else if (it->path[i] != 1)
			p = NULL;
		is_part = true;
	}
	return p;
}

struct section_place
imap_section(const struct mime_part *top, const struct fetch_item *it)
{
	const struct mime_part *p = walk(top, it);
	struct section_place none = { 0 };

	if (!p)
		return none;
	if (it->text == SECTION_ALL && it->npath == 0)
		return place(p->head_raw, p->body_raw_end,
			     p->head_size + p->body_size);
	if (it->text == SECTION_ALL)
		return place(p->body_raw, p->body_raw_end, p->body_size);
	if (it->text == SECTION_MIME)
		return place(p->head_raw, p->head_raw_end, p->head_size);
	if (it->npath) { /* HEADER, TEXT of a part: of the message in it */
		if (!p->message || !p->child)
			return none;
		p = p->child;
	}
	if (it->text == SECTION_TEXT)
		return place(p->body_raw, p->body_raw_end, p->body_size);
	return place(p->head_raw, p->head_raw_end, p->head_size);
}

static bool
is_named(struct str name, const struct fetch_item *it)
{
	size_t i;

	for (i = 0; i < it->nfields; i++)
		if (str_ieq(name, it->fields[i]))
			return true;
	return false;
}

static void
put_crlf(struct buf *out, struct str s)
{
	struct str line;

	while (str_cut(&s, '\n', &line)) {
		if (str_ends(line, STR("\r")))
			line.n--;
		buf_add_str(out, line);
		buf_add_c(out, "\r\n");
	}
	if (s.n) {
		buf_add_str(out, s);
		buf_add_c(out, "\r\n");
	}
}

/* What is no field goes with those that are not named. */
void
imap_put_fields(struct buf *out, struct str header, const struct fetch_item *it)
{
	bool want = it->text == SECTION_FIELDS;
	const char *at = header.p;
	struct imf_field f;

	while (imf_next(&header, &f)) {
		if (!want)
			put_crlf(out, str_mem(at, (size_t)(f.whole.p - at)));
		if (is_named(f.name, it) == want)
			put_crlf(out, f.whole);
		at = header.p;
	}
	if (!want && at)
		put_crlf(out, str_mem(at, (size_t)(header.p - at)));
	/* RFC 3501 6.4.5: with the empty line, if there is one */
	if (header.n)
		buf_add_c(out, "\r\n");
}
