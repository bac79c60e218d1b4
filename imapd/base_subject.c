/* SPDX-License-Identifier: ISC */
/* RFC 5256 2.1, step by step. */
#include "keys.h"

enum { SUBJECT_MAX = 8192 };

/* (1) Blanks become one space. */
static void
pack(struct buf *out, struct str s)
{
	size_t i;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '\t' || c == '\r' || c == '\n')
			c = ' ';
		if (c != ' ' || out->n == 0 || out->p[out->n - 1] != ' ')
			buf_add_byte(out, c);
	}
}

/* subj-trailer = "(fwd)" / WSP */
static void
cut_trailers(struct str *s, bool *reply)
{
	for (;;) {
		if (str_ends(*s, STR(" "))) {
			s->n--;
		} else if (str_iends(*s, STR("(fwd)"))) {
			s->n -= 5;
			*reply = true;
		} else {
			return;
		}
	}
}

static void
skip_blanks(struct str *s)
{
	while (str_starts(*s, STR(" ")))
		*s = str_from(*s, 1);
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP */
static bool
cut_blob(struct str *s)
{
	size_t i;

	if (!str_starts(*s, STR("[")))
		return false;
	for (i = 1; i < s->n && s->p[i] != '[' && s->p[i] != ']'; i++)
		continue;
	if (i == s->n || s->p[i] != ']')
		return false;
	*s = str_from(*s, i + 1);
	skip_blanks(s);
	return true;
}

/* subj-leader = (*subj-blob subj-refwd) / WSP
 * subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool
cut_leader(struct str *s, bool *reply)
{
	struct str rest = *s;

	if (str_starts(rest, STR(" "))) {
		skip_blanks(s);
		return true;
	}
	while (cut_blob(&rest))
		continue;
	if (str_istarts(rest, STR("fwd")))
		rest = str_from(rest, 3);
	else if (str_istarts(rest, STR("re")) || str_istarts(rest, STR("fw")))
		rest = str_from(rest, 2);
	else
		return false;
	skip_blanks(&rest);
	(void)!cut_blob(&rest);
	if (!str_starts(rest, STR(":")))
		return false;
	*s = str_from(rest, 1);
	*reply = true;
	return true;
}

static bool
cut_blob_before_base(struct str *s)
{
	struct str rest = *s;

	if (!cut_blob(&rest) || rest.n == 0)
		return false;
	*s = rest;
	return true;
}

/* subj-fwd = "[fwd:" subject "]" */
static bool
cut_forward(struct str *s, bool *reply)
{
	if (!str_istarts(*s, STR("[fwd:")) || !str_ends(*s, STR("]")))
		return false;
	*s = str_mem(s->p + 5, s->n - 6);
	*reply = true;
	return true;
}

bool
imap_base_subject(struct buf *out, struct str subject)
{
	bool reply = false;
	struct buf packed;
	struct str s;

	buf_init(&packed, SUBJECT_MAX);
	pack(&packed, str_head(subject, SUBJECT_MAX));
	s = buf_str(&packed);
	do {				       /* (6) */
		cut_trailers(&s, &reply);      /* (2) */
		while (cut_leader(&s, &reply)) /* (3) */
			continue;
		/* (4), (5): what follows all the blobs was no leader and
		 * will not become one when they go. */
		while (cut_blob_before_base(&s))
			continue;
	} while (cut_forward(&s, &reply));
	buf_add_str(out, s);
	buf_fini(&packed);
	return reply;
}
