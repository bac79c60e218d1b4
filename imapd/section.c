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

/* The n-th part inside part i; sh->n: there is none. */
static size_t
nth_child(const struct imap_shape *sh, size_t i, uint32_t n)
{
	struct imap_part p;
	size_t end;

	imap_shape_part(sh, i, &p);
	end = p.end;
	for (i++; i < end && n > 1; n--) {
		imap_shape_part(sh, i, &p);
		i = p.end;
	}
	return i < end ? i : sh->n;
}

static bool
is_message(const struct imap_part *p, bool rev2)
{
	return p->kind == PART_MESSAGE || (p->kind == PART_GLOBAL && rev2);
}

/*
 * RFC 3501 6.4.5: numbers walk the parts; a message/rfc822 part's numbers are
 * those of the message in it; a message that is not multipart has a part 1.
 * RFC 9051 6.4.5.1: so are those of message/global.
 */
static size_t
walk(const struct imap_shape *sh, const struct fetch_item *it, bool rev2)
{
	bool is_part = false; /* at was named by a number */
	struct imap_part p;
	size_t at = 0, i;

	for (i = 0; i < it->npath; i++) {
		imap_shape_part(sh, at, &p);
		if (is_part && is_message(&p, rev2)) {
			at = nth_child(sh, at, 1); /* the message's own top */
			if (at == sh->n)
				break;
			imap_shape_part(sh, at, &p);
		} else if (is_part && p.kind != PART_MULTIPART) {
			return sh->n;
		}
		if (p.kind == PART_MULTIPART)
			at = nth_child(sh, at, it->path[i]);
		else if (it->path[i] != 1)
			at = sh->n;
		if (at == sh->n)
			break;
		is_part = true;
	}
	return at;
}

struct section_place
imap_section(const struct imap_shape *sh, const struct fetch_item *it,
	     bool rev2)
{
	struct section_place none = { 0 }, pl;
	size_t at = walk(sh, it, rev2);
	struct imap_part p;

	if (at == sh->n)
		return none;
	imap_shape_part(sh, at, &p);
	if (it->text == SECTION_ALL && it->npath == 0)
		return place(p.head_raw, p.body_end, p.head_size + p.body_size);
	if (it->text == SECTION_ALL) {
		pl = place(p.body_raw, p.body_end, p.body_size);
		pl.encoding = p.encoding;
		return pl;
	}
	if (it->text == SECTION_MIME)
		return place(p.head_raw, p.body_raw, p.head_size);
	if (it->npath) { /* HEADER, TEXT of a part: of the message in it */
		at = is_message(&p, rev2) ? nth_child(sh, at, 1) : sh->n;
		if (at == sh->n)
			return none;
		imap_shape_part(sh, at, &p);
	}
	if (it->text == SECTION_TEXT)
		return place(p.body_raw, p.body_end, p.body_size);
	return place(p.head_raw, p.body_raw, p.head_size);
}
