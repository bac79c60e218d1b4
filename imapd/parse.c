/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "mail/imf.h"
#include "mail/utf8.h"
#include "parse.h"
#include "store/maildir.h"

bool
imap_fail(struct imap_in *in, const char *error)
{
	if (!in->error)
		in->error = error;
	return false;
}

bool
imap_at_end(const struct imap_in *in)
{
	return in->p == in->end;
}

bool
imap_end(struct imap_in *in)
{
	return imap_at_end(in) || imap_fail(in, "Too many arguments");
}

char
imap_peek(const struct imap_in *in)
{
	return in->p < in->end ? *in->p : '\0';
}

bool
imap_char(struct imap_in *in, char c)
{
	if (in->p == in->end || *in->p != c)
		return imap_fail(in, "Syntax error");
	in->p++;
	return true;
}

bool
imap_space(struct imap_in *in)
{
	if (imap_at_end(in))
		return imap_fail(in, "Missing argument");
	return imap_char(in, ' ');
}

static struct str
rest_of(const struct imap_in *in)
{
	return str_mem(in->p, (size_t)(in->end - in->p));
}

/* CHAR but atom-specials (RFC 3501 9); "]" is added by astrings. */
static bool
is_atom_char(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c < 0x7f &&
	       !strchr("(){%*\"\\]", c);
}

bool
imap_word(struct imap_in *in, const char *word)
{
	size_t n = strlen(word);

	if (!str_istarts(rest_of(in), str_of(word)))
		return false;
	if (in->p + n < in->end && is_atom_char(in->p[n]))
		return false;
	in->p += n;
	return true;
}

bool
imap_atom(struct imap_in *in, struct str *out)
{
	const char *start = in->p;

	while (in->p < in->end && is_atom_char(*in->p))
		in->p++;
	*out = str_mem(start, (size_t)(in->p - start));
	return out->n || imap_fail(in, "Atom expected");
}

static bool
quoted(struct imap_in *in, struct str *out)
{
	struct str raw;
	char *to;
	size_t n = 0;

	raw.p = ++in->p;
	for (; in->p < in->end && *in->p != '"'; in->p++) {
		if (*in->p == '\\' && ++in->p == in->end)
			break;
		if (*in->p == '\r' || *in->p == '\n' || *in->p == '\0')
			return imap_fail(in, "Bad byte in quoted string");
		n++;
	}
	if (in->p == in->end)
		return imap_fail(in, "Unterminated quoted string");
	raw.n = (size_t)(in->p++ - raw.p);
	if (!utf8_is_valid(raw)) /* RFC 9755 3 */
		return imap_fail(in, "Quoted string is not UTF-8");
	*out = raw;
	if (n == raw.n)
		return true;
	to = pool_alloc(in->pool, n + 1);
	if (!to)
		return imap_fail(in, "Command is too large");
	*out = str_mem(to, n);
	for (; raw.n; raw = str_from(raw, 1)) {
		if (raw.p[0] == '\\')
			raw = str_from(raw, 1);
		*to++ = raw.p[0];
	}
	return true;
}

static bool
literal(struct imap_in *in, struct str *out)
{
	struct str rest = str_from(rest_of(in), 1), digits;
	uint64_t n;

	if (!str_cut(&rest, '}', &digits))
		return imap_fail(in, "Bad literal");
	if (str_ends(digits, STR("+")))
		digits.n--;
	if (str_u64(digits, UINT32_MAX, &n) < 0 ||
	    !str_starts(rest, STR("\r\n")) || rest.n - 2 < n)
		return imap_fail(in, "Bad literal");
	*out = str_mem(rest.p + 2, (size_t)n);
	if (n && memchr(out->p, '\0', out->n))
		return imap_fail(in, "NUL in literal");
	in->p = rest.p + 2 + n;
	return true;
}

bool
imap_string(struct imap_in *in, struct str *out)
{
	if (imap_peek(in) == '"')
		return quoted(in, out);
	if (imap_peek(in) == '{')
		return literal(in, out);
	return imap_fail(in, "String expected");
}

bool
imap_astring(struct imap_in *in, struct str *out)
{
	const char *start = in->p;
	char c = imap_peek(in);

	if (c == '"' || c == '{')
		return imap_string(in, out);
	while (in->p < in->end && (is_atom_char(*in->p) || *in->p == ']'))
		in->p++;
	*out = str_mem(start, (size_t)(in->p - start));
	return out->n || imap_fail(in, "String expected");
}

bool
imap_nstring(struct imap_in *in, struct str *out)
{
	if (imap_word(in, "NIL")) {
		*out = STR_NULL;
		return true;
	}
	return imap_string(in, out);
}

bool
imap_list_mailbox(struct imap_in *in, struct str *out)
{
	const char *start = in->p;
	char c = imap_peek(in);

	if (c == '"' || c == '{')
		return imap_string(in, out);
	while (in->p < in->end &&
	       (is_atom_char(*in->p) || strchr("]%*", *in->p)) && *in->p)
		in->p++;
	*out = str_mem(start, (size_t)(in->p - start));
	return out->n || imap_fail(in, "Mailbox name expected");
}

static bool
decimal(struct imap_in *in, uint64_t max, uint64_t *out, const char *error)
{
	const char *start = in->p;

	while (in->p < in->end && *in->p >= '0' && *in->p <= '9')
		in->p++;
	if (str_u64(str_mem(start, (size_t)(in->p - start)), max, out) < 0)
		return imap_fail(in, error);
	return true;
}

bool
imap_number(struct imap_in *in, uint32_t *out)
{
	uint64_t v;

	if (!decimal(in, UINT32_MAX, &v, "Number expected"))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool
imap_number64(struct imap_in *in, uint64_t *out)
{
	return decimal(in, INT64_MAX, out, "Number expected");
}

bool
imap_nz_number(struct imap_in *in, uint32_t *out)
{
	return imap_number(in, out) &&
	       (*out > 0 || imap_fail(in, "Number must not be zero"));
}

bool
imap_modseq(struct imap_in *in, bool zero, uint64_t *out)
{
	return decimal(in, INT64_MAX, out, "Mod-sequence expected") &&
	       (*out || zero || imap_fail(in, "Mod-sequence must not be zero"));
}

/* --- sequence sets ---------------------------------------------------------
 */

/* The number that stands for "*" here; no message has it or the one before. */
static bool
is_no_star(uint32_t *n)
{
	if (*n == UINT32_MAX)
		*n = UINT32_MAX - 1;
	return true;
}

static bool
seq_number(struct imap_in *in, uint32_t *out)
{
	if (imap_peek(in) != '*')
		return imap_nz_number(in, out) && is_no_star(out);
	in->p++;
	*out = UINT32_MAX;
	return true;
}

bool
imap_set(struct imap_in *in, struct imap_set *out)
{
	struct str rest = rest_of(in);
	size_t commas = 1, i;
	struct imap_range *r;

	*out = (struct imap_set){ 0 };
	if (imap_peek(in) == '$') {
		in->p++;
		out->saved = true;
		return true;
	}
	for (i = 0;
	     i < rest.n && strchr("0123456789*:,", rest.p[i]) && rest.p[i]; i++)
		commas += rest.p[i] == ',';
	if (commas > IMAP_RANGES_MAX)
		return imap_fail(in, "Too many ranges");
	out->v = pool_alloc(in->pool, commas * sizeof(*out->v));
	if (!out->v)
		return imap_fail(in, "Command is too large");
	do {
		if (out->n)
			in->p++;
		r = &out->v[out->n++];
		if (!seq_number(in, &r->lo))
			return false;
		r->hi = r->lo;
		if (imap_peek(in) == ':') {
			in->p++;
			if (!seq_number(in, &r->hi))
				return false;
		}
	} while (imap_peek(in) == ',');
	return true;
}

static int
by_lo(const void *a, const void *b)
{
	const struct imap_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

void
imap_set_resolve(struct imap_set *set, uint32_t max)
{
	struct imap_range *r;
	size_t i, keep = 0;
	uint32_t t;

	for (i = 0; i < set->n; i++) {
		r = &set->v[keep];
		*r = set->v[i];
		if (max == 0 && (r->lo == UINT32_MAX || r->hi == UINT32_MAX))
			continue;
		if (r->lo == UINT32_MAX)
			r->lo = max;
		if (r->hi == UINT32_MAX)
			r->hi = max;
		if (r->lo > r->hi) {
			t = r->lo;
			r->lo = r->hi;
			r->hi = t;
		}
		keep++;
	}
	set->n = keep;
	if (keep == 0)
		return;
	qsort(set->v, set->n, sizeof(set->v[0]), by_lo);
	for (i = 1, keep = 0; i < set->n; i++) {
		r = &set->v[keep];
		if (set->v[i].lo <= r->hi) {
			if (set->v[i].hi > r->hi)
				r->hi = set->v[i].hi;
		} else {
			set->v[++keep] = set->v[i];
		}
	}
	set->n = keep + 1;
}

bool
imap_set_has(const struct imap_set *set, uint32_t n)
{
	size_t lo = 0, hi = set->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (set->v[mid].hi < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < set->n && set->v[lo].lo <= n;
}

/* --- flags -----------------------------------------------------------------
 */

static const struct {
	const char *name;
	uint8_t flag;
	uint64_t store;
} flags[] = {
	{ "Answered", IMAP_ANSWERED, MAILDIR_REPLIED },
	{ "Flagged", IMAP_FLAGGED, MAILDIR_FLAGGED },
	{ "Deleted", IMAP_DELETED, MAILDIR_TRASHED },
	{ "Seen", IMAP_SEEN, MAILDIR_SEEN },
	{ "Draft", IMAP_DRAFT, MAILDIR_DRAFT },
};
enum { NFLAGS = sizeof(flags) / sizeof(flags[0]) };

uint64_t
imap_flags_to_store(uint8_t f)
{
	uint64_t out = 0;
	size_t i;

	for (i = 0; i < NFLAGS; i++)
		if (f & flags[i].flag)
			out |= flags[i].store;
	return out;
}

uint8_t
imap_flags_of_store(uint64_t f)
{
	uint8_t out = 0;
	size_t i;

	for (i = 0; i < NFLAGS; i++)
		if (f & flags[i].store)
			out |= flags[i].flag;
	return out;
}

static bool
add_keyword(struct imap_in *in, struct imap_flags *out, struct str name)
{
	size_t i;

	if (name.n > IMAP_KEYWORD_MAX)
		return imap_fail(in, "Keyword is too long");
	for (i = 0; i < out->nkeywords; i++)
		if (str_ieq(out->keywords[i], name))
			return true;
	if (!out->keywords)
		out->keywords =
			pool_alloc(in->pool, IMAP_LIST_MAX * sizeof(name));
	if (!out->keywords)
		return imap_fail(in, "Command is too large");
	name = pool_str(in->pool, name);
	if (!name.p)
		return imap_fail(in, "Command is too large");
	out->keywords[out->nkeywords++] = name;
	return true;
}

static bool
read_flag(struct imap_in *in, struct imap_flags *out)
{
	struct str name;
	size_t i;

	if (imap_peek(in) != '\\')
		return imap_atom(in, &name) && add_keyword(in, out, name);
	in->p++;
	if (!imap_atom(in, &name))
		return false;
	for (i = 0; i < NFLAGS; i++)
		if (str_ieq(name, str_of(flags[i].name)))
			out->flags |= flags[i].flag;
	return !str_ieq(name, STR("Recent")) ||
	       imap_fail(in, "\\Recent cannot be set");
}

bool
imap_flag_list(struct imap_in *in, bool bare, struct imap_flags *out)
{
	bool parens = imap_peek(in) == '(';
	size_t n = 0;

	*out = (struct imap_flags){ 0 };
	if (parens)
		in->p++;
	else if (!bare)
		return imap_fail(in, "Flag list expected");
	while (!(parens && imap_peek(in) == ')')) {
		if (n++ && !imap_space(in))
			return false;
		if (n > IMAP_LIST_MAX)
			return imap_fail(in, "Too many flags");
		if (!read_flag(in, out))
			return false;
		if (!parens && imap_at_end(in))
			return true;
	}
	return imap_char(in, ')');
}

/* --- dates -----------------------------------------------------------------
 */

/* n digits. */
static bool
digits(struct imap_in *in, size_t n, int max, int *out)
{
	struct str s = str_head(rest_of(in), n);
	uint64_t v;

	if (s.n != n || str_u64(s, (uint64_t)max, &v) < 0)
		return imap_fail(in, "Bad date");
	in->p += n;
	*out = (int)v;
	return true;
}

static bool
is_leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static bool
date_rest(struct imap_in *in, int day, int64_t *out)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30,
				       31, 31, 30, 31, 30, 31 };
	int month, year, length;
	struct str name;

	if (!imap_char(in, '-'))
		return imap_fail(in, "Bad date");
	name = str_head(rest_of(in), 3);
	month = imf_month(name);
	if (!month)
		return imap_fail(in, "Bad date");
	in->p += 3;
	if (!imap_char(in, '-') || !digits(in, 4, 9999, &year))
		return imap_fail(in, "Bad date");
	length = lengths[month - 1] + (month == 2 && is_leap(year));
	if (day < 1 || day > length)
		return imap_fail(in, "Bad date");
	*out = imf_days(year, month, day);
	return true;
}

static bool
time_rest(struct imap_in *in, int64_t *out)
{
	int h, m, s, zone;
	bool west;

	if (!digits(in, 2, 23, &h) || !imap_char(in, ':') ||
	    !digits(in, 2, 59, &m) || !imap_char(in, ':') ||
	    !digits(in, 2, 60, &s) || !imap_char(in, ' '))
		return imap_fail(in, "Bad date");
	west = imap_peek(in) == '-';
	if (!west && imap_peek(in) != '+')
		return imap_fail(in, "Bad date");
	in->p++;
	if (!digits(in, 4, 9999, &zone))
		return false;
	zone = zone / 100 * 3600 + zone % 100 * 60;
	*out = (int64_t)h * 3600 + m * 60 + s - (west ? -zone : zone);
	return true;
}

bool
imap_date_time(struct imap_in *in, int64_t *out)
{
	int64_t days, secs;
	int day;

	if (!imap_char(in, '"'))
		return imap_fail(in, "Bad date");
	if (imap_peek(in) == ' ') { /* date-day-fixed */
		in->p++;
		if (!digits(in, 1, 9, &day))
			return false;
	} else if (!digits(in, 2, 31, &day)) {
		return false;
	}
	if (!date_rest(in, day, &days) || !imap_char(in, ' ') ||
	    !time_rest(in, &secs) || !imap_char(in, '"'))
		return imap_fail(in, "Bad date");
	*out = days * 86400 + secs;
	return true;
}

bool
imap_date(struct imap_in *in, int64_t *day)
{
	bool q = imap_peek(in) == '"';
	uint32_t mday;

	if (q)
		in->p++;
	if (!imap_number(in, &mday) || mday > 31 ||
	    !date_rest(in, (int)mday, day))
		return imap_fail(in, "Bad date");
	return !q || imap_char(in, '"');
}
