/* SPDX-License-Identifier: ISC */
/* Header fields by name, as FETCH answers them. */
#include "fetch.h"

/* What the lists of mail programs ask for: mutt, Thunderbird, Roundcube, K-9,
 * Apple Mail, alpine, Evolution, mbsync.  By length. */
static const struct str kept[] = {
	STR("Cc"),
	STR("To"),
	STR("Bcc"),
	STR("Date"),
	STR("From"),
	STR("Lines"),
	STR("Sender"),
	STR("X-TUID"),
	STR("List-Id"),
	STR("Subject"),
	STR("X-Label"),
	STR("Priority"),
	STR("Reply-To"),
	STR("X-Mailer"),
	STR("List-Post"),
	STR("Importance"),
	STR("Message-ID"),
	STR("Newsgroups"),
	STR("References"),
	STR("User-Agent"),
	STR("X-Priority"),
	STR("Content-MD5"),
	STR("Envelope-To"),
	STR("Followup-To"),
	STR("In-Reply-To"),
	STR("Return-Path"),
	STR("Content-Type"),
	STR("Delivered-To"),
	STR("MIME-Version"),
	STR("X-Draft-Info"),
	STR("Content-Class"),
	STR("Mail-Reply-To"),
	STR("X-Original-To"),
	STR("List-Subscribe"),
	STR("X-Mailing-List"),
	STR("Content-Language"),
	STR("Content-Location"),
	STR("List-Unsubscribe"),
	STR("Mail-Followup-To"),
	STR("X-K9mail-Identity"),
	STR("X-MSMail-Priority"),
	STR("Content-Description"),
	STR("Content-Disposition"),
	STR("X-Confirm-Reading-To"),
	STR("Content-Transfer-Encoding"),
	STR("X-Uniform-Type-Identifier"),
	STR("Disposition-Notification-To"),
	STR("X-Universally-Unique-Identifier"),
};

static bool
is_one_of(struct str name, const struct str *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].n == name.n &&
		    ascii_lower(v[i].p[0]) == ascii_lower(name.p[0]) &&
		    str_ieq(name, v[i]))
			return true;
	return false;
}

static bool
is_kept(struct str name)
{
	size_t from = 0, n = 0, all = sizeof(kept) / sizeof(kept[0]);

	while (from < all && kept[from].n < name.n)
		from++;
	while (from + n < all && kept[from + n].n == name.n)
		n++;
	return is_one_of(name, kept + from, n);
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

/* RFC 3501 9: CHAR8 has no NUL. */
static void
replace_nul(char *p, size_t n)
{
	char *nul;

	while (n && (nul = memchr(p, '\0', n))) {
		*nul = (char)0x80;
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
}

/* RFC 3501 6.4.5: with the empty line, if there is one, at which the fields
 * have ended. */
static void
finish(struct buf *out, size_t start, struct str rest)
{
	if (rest.n)
		buf_add_c(out, "\r\n");
	if (out->n > start)
		replace_nul(out->p + start, out->n - start);
}

/* What is no field goes with those that are not named. */
void
imap_put_fields(struct buf *out, struct str header, const struct fetch_item *it)
{
	bool want = it->text == SECTION_FIELDS;
	const char *at = header.p;
	size_t start = out->n;
	struct imf_field f;

	while (imf_next(&header, &f)) {
		if (!want)
			put_crlf(out, str_mem(at, (size_t)(f.whole.p - at)));
		if (is_one_of(f.name, it->fields, it->nfields) == want)
			put_crlf(out, f.whole);
		at = header.p;
	}
	if (!want && at)
		put_crlf(out, str_mem(at, (size_t)(header.p - at)));
	finish(out, start, header);
}

void
imap_keep_fields(struct buf *out, struct str header)
{
	size_t start = out->n;
	struct imf_field f;

	while (imf_next(&header, &f) && out->n - start <= SHAPE_FIELDS_MAX)
		if (is_kept(f.name))
			put_crlf(out, f.whole);
	finish(out, start, header);
	if (out->n - start > SHAPE_FIELDS_MAX)
		out->n = start;
}

bool
imap_fields_are_kept(const struct fetch_item *it)
{
	size_t i;

	if (it->text != SECTION_FIELDS || it->npath)
		return false;
	for (i = 0; i < it->nfields; i++)
		if (!is_kept(it->fields[i]))
			return false;
	return true;
}
