/* SPDX-License-Identifier: ISC */
#include "mail/mime.h"
#include "mail/imf_lex.h"
#include "mail/transfer.h"

static struct mime_part *
part_new(struct mime_parser *p, struct mime_part *parent)
{
	struct mime_part *part = pool_alloc(p->pool, sizeof(*part));

	if (!part)
		return NULL;
	part->parent = parent;
	part->in_header = true;
	part->type = STR("text");
	part->subtype = STR("plain");
	if (parent && parent->multipart &&
	    str_ieq(parent->subtype, STR("digest"))) { /* RFC 2046 5.1.5 */
		part->type = STR("message");
		part->subtype = STR("rfc822");
	}
	if (parent && parent->last)
		parent->last->next = part;
	else if (parent)
		parent->child = part;
	if (parent)
		parent->last = part;
	buf_reset(&p->header);
	p->parts++;
	return part;
}

/* Its header begins here. */
static void
part_begin(struct mime_part *part, uint64_t raw, uint64_t size, uint64_t lines)
{
	part->head_raw = part->head_raw_end = raw;
	part->body_raw = part->body_raw_end = raw;
	part->start_size = size;
	part->start_lines = lines;
}

void
mime_init(struct mime_parser *p, struct pool *pool)
{
	*p = (struct mime_parser){ .pool = pool, .depth = 1 };
	buf_init(&p->header, MIME_HEADER_MAX);
	p->top = p->cur = part_new(p, NULL);
}

void
mime_fini(struct mime_parser *p)
{
	buf_fini(&p->header);
}

/* --- what the header of a part says ----------------------------------------
 */

/* RFC 3282 2: tags with commas between them. */
static void
take_languages(struct mime_parser *p, struct mime_part *part, struct str value)
{
	struct imf_param **tail = &part->languages, *l;
	enum imf_token_kind t;
	struct imf_lexer x;
	bool due = true;
	size_t n = 0;

	imf_lex_init(&x, value, IMF_SEMICOLON | IMF_COMMA);
	while ((t = imf_lex_no_comment(&x)) != IMF_END && n < IMF_PARAMS_MAX) {
		if (t == IMF_SPECIAL && x.special == ';')
			break;
		if (t == IMF_WORD && due && !x.quoted) {
			l = pool_alloc(p->pool, sizeof(*l));
			if (!l || !(l->value = pool_str(p->pool, x.word)).p)
				break;
			*tail = l;
			tail = &l->next;
			n++;
		}
		due = t == IMF_SPECIAL;
	}
	imf_lex_fini(&x);
}

/* The first field of a name counts. */
static void
take_content(struct mime_parser *p, struct mime_part *part,
	     const struct imf_field *f)
{
	struct str name = str_from(f->name, 8), type, sub = STR_NULL;
	struct imf_param *params;

	if (str_ieq(name, STR("Type"))) {
		/* RFC 2045 5.2: as if not there, if it is not as it must be */
		if (part->typed ||
		    !imf_content(p->pool, f->value, &type, &sub, &params))
			return;
		part->typed = true;
		part->type = type;
		part->subtype = sub;
		part->params = params;
	} else if (str_ieq(name, STR("Transfer-Encoding"))) {
		if (!part->encoding.p)
			part->encoding = imf_token(p->pool, f->value);
	} else if (str_ieq(name, STR("ID"))) {
		if (!part->id.p)
			part->id = imf_unfold_pool(p->pool, f->value);
	} else if (str_ieq(name, STR("Description"))) {
		if (!part->description.p)
			part->description = imf_unfold_pool(p->pool, f->value);
	} else if (str_ieq(name, STR("MD5"))) {
		if (!part->md5.p)
			part->md5 = imf_unfold_pool(p->pool, f->value);
	} else if (str_ieq(name, STR("Location"))) {
		if (!part->location.p)
			part->location = imf_unfold_pool(p->pool, f->value);
	} else if (str_ieq(name, STR("Language"))) {
		if (!part->languages)
			take_languages(p, part, f->value);
	} else if (str_ieq(name, STR("Disposition"))) {
		if (!part->disposition.p &&
		    imf_content(p->pool, f->value, &type, NULL, &params)) {
			part->disposition = type;
			part->disposition_params = params;
		}
	}
}

/* Addresses of all fields of a name count (RFC 5322 4.5.3); of the others it
 * is the last one, as in other servers (4.5: "unspecified"). */
static void
take_envelope(struct mime_parser *p, struct mime_envelope *e,
	      const struct imf_field *f)
{
	static const struct {
		struct str name;
		size_t offset;
		int list; /* -1: one string, at offset */
	} rows[] = {
		{ STR("To"), 0, MIME_TO },
		{ STR("Date"), offsetof(struct mime_envelope, date), -1 },
		{ STR("From"), 0, MIME_FROM },
		{ STR("Subject"), offsetof(struct mime_envelope, subject), -1 },
		{ STR("Message-ID"), offsetof(struct mime_envelope, message_id),
		  -1 },
		{ STR("Cc"), 0, MIME_CC },
		{ STR("In-Reply-To"),
		  offsetof(struct mime_envelope, in_reply_to), -1 },
		{ STR("Reply-To"), 0, MIME_REPLY_TO },
		{ STR("Sender"), 0, MIME_SENDER },
		{ STR("Bcc"), 0, MIME_BCC },
	};
	size_t i, n = sizeof(rows) / sizeof(rows[0]);
	struct mime_values *v;
	struct str s;

	for (i = 0; i < n; i++)
		if (f->name.n == rows[i].name.n &&
		    str_ieq(f->name, rows[i].name))
			break;
	s = i < n ? imf_unfold_pool(p->pool, f->value) : STR_NULL;
	if (!s.p)
		return;
	if (rows[i].list < 0) {
		*(struct str *)(void *)((char *)e + rows[i].offset) = s;
		return;
	}
	v = pool_alloc(p->pool, sizeof(*v));
	if (!v)
		return;
	v->value = s;
	if (e->last[rows[i].list])
		e->last[rows[i].list]->next = v;
	else
		e->list[rows[i].list] = v;
	e->last[rows[i].list] = v;
}

/* Is this part the header and body of a message? */
static bool
is_message_top(const struct mime_part *part)
{
	return !part->parent || part->parent->message;
}

/* RFC 6532 3.7: unlike message/rfc822 it may be encoded; then there is nothing
 * in it that has a place in the file. */
static bool
is_plain_global(const struct mime_part *part)
{
	return str_ieq(part->subtype, STR("global")) &&
	       transfer_of(part->encoding) == TRANSFER_IDENTITY;
}

static void
look_at_type(struct mime_parser *p, struct mime_part *part)
{
	bool room = p->depth < MIME_DEPTH_MAX && p->parts < MIME_PARTS_MAX;

	if (str_ieq(part->type, STR("multipart"))) {
		part->boundary = imf_param_get(part->params, STR("boundary"));
		if (part->boundary.n == 0 ||
		    part->boundary.n > MIME_BOUNDARY_MAX) {
			/* The field is not as it must be (RFC 2046 5.1.1): it
			 * is as if it were not there (RFC 2045 5.2). */
			part->type = STR("text");
			part->subtype = STR("plain");
			part->params = NULL;
			return;
		}
		part->multipart = true;
	} else if (str_ieq(part->type, STR("message")) &&
		   str_ieq(part->subtype, STR("rfc822"))) {
		part->type = STR("message");
		part->subtype = STR("rfc822");
		part->message = true;
	} else if (str_ieq(part->type, STR("message")) &&
		   is_plain_global(part)) {
		part->message = part->global = true;
	}
	if ((part->multipart || part->message) && !room) {
		/* It cannot be shown as what it is. */
		part->multipart = part->message = part->global = false;
		part->type = STR("application");
		part->subtype = STR("octet-stream");
	}
}

static void
read_header(struct mime_parser *p, struct mime_part *part, struct str text)
{
	struct imf_field f;

	if (is_message_top(part))
		part->env = pool_alloc(p->pool, sizeof(*part->env));
	while (imf_next(&text, &f)) {
		if (f.name.n > 8 && str_istarts(f.name, STR("Content-")))
			take_content(p, part, &f);
		else if (part->env)
			take_envelope(p, part->env, &f);
	}
	look_at_type(p, part);
}

/* --- the walk --------------------------------------------------------------
 */

static void
keep_header(struct mime_parser *p, struct str text)
{
	buf_add_str(&p->header, str_head(text, MIME_HEADER_MAX - p->header.n));
}

/* The header of cur, text being the last of it, ends here.  A message has a
 * child at once, which is cur then. */
static void
header_ends(struct mime_parser *p, struct str text, uint64_t raw, uint64_t size,
	    uint64_t lines)
{
	struct mime_part *part = p->cur, *child;

	part->in_header = false;
	part->head_raw_end = part->body_raw = part->body_raw_end = raw;
	part->head_size = size - part->start_size;
	part->start_size = size;
	part->start_lines = lines;
	if (p->header.n) {
		keep_header(p, text);
		text = buf_str(&p->header);
	}
	read_header(p, part, str_head(text, MIME_HEADER_MAX));
	p->open += part->multipart;
	if (!part->message)
		return;
	child = part_new(p, part);
	if (!child) {
		/* no memory: an opaque leaf */
		part->message = part->global = false;
		return;
	}
	part_begin(child, raw, size, lines);
	p->cur = child;
	p->depth++;
}

/* cur ends here, and the part it is in goes on. */
static void
end_part(struct mime_parser *p, uint64_t raw, uint64_t size, uint64_t lines)
{
	struct mime_part *part = p->cur;

	if (raw > part->body_raw) {
		part->body_raw_end = raw;
		part->body_size = size - part->start_size;
		part->body_lines = lines - part->start_lines;
	}
	p->open -= part->multipart && !part->closed;
	p->cur = part->parent;
	p->depth--;
}

/* Part, and what is in it, ends at raw, a line end earlier than was thought. */
static void
take_line_end(struct mime_part *part, uint64_t raw)
{
	for (; part; part = part->last) {
		if (part->head_raw > raw) {
			part->head_raw = raw;
		} else if (part->body_raw > raw) {
			part->head_size -= 2;
		} else if (part->body_raw_end > raw) {
			part->body_size -= 2;
			part->body_lines--;
		}
		if (part->body_raw > raw)
			part->head_raw_end = part->body_raw = raw;
		if (part->body_raw_end > raw)
			part->body_raw_end = raw;
	}
}

/*
 * End cur and all above it up to, not including, the multipart m, before the
 * line that begins now; text: the last of cur's header.  The line end before a
 * delimiter belongs to the delimiter (RFC 2046 5.1.1), but if it ends a field.
 * It belongs to it anyhow behind a message/global, which ends where it does for
 * those to whom it is no message.
 */
static void
end_below(struct mime_parser *p, const struct mime_part *m, struct str text)
{
	uint64_t raw = p->raw - p->eol, lines = p->lines - (p->eol > 0);
	uint64_t size = p->size - (p->eol ? 2 : 0);

	while (p->cur != m) {
		if (p->cur->in_header)
			header_ends(p, text, raw, size, lines);
		else
			end_part(p, raw, size, lines);
		text = STR("");
		if (p->cur->global && !p->eol && p->raw > p->cur->body_raw) {
			raw = p->raw - p->line_eol;
			size = p->size - 2;
			lines = p->lines - 1;
			take_line_end(p->cur->child, raw);
		}
	}
}

/*
 * Which open multipart does this line delimit?  The beginning of the line
 * decides (RFC 2046 5.1.1), the longest boundary wins, an inner one before an
 * outer one.
 */
static struct mime_part *
delimited(const struct mime_parser *p, struct str line)
{
	struct mime_part *m, *best = NULL;
	struct str rest = str_from(str_trim(line), 2);
	bool dashes = str_ends(rest, STR("--"));

	for (m = p->cur; m; m = m->parent) {
		if (!m->multipart || m->in_header || m->closed ||
		    !str_starts(rest, m->boundary) ||
		    (best && best->boundary.n >= m->boundary.n))
			continue;
		best = m;
		/* "b--" ends "b", also inside of one called "b--". */
		if (m->boundary.n == rest.n ||
		    (dashes && m->boundary.n + 2 == rest.n))
			break;
	}
	return best;
}

/* A line that begins with "--" and goes up to raw; text: the last of cur's
 * header, before it.  True: it is a delimiter. */
static bool
try_delimiter(struct mime_parser *p, struct str line, struct str text,
	      uint64_t raw, uint64_t size)
{
	struct mime_part *m = p->open ? delimited(p, line) : NULL, *child;

	if (!m)
		return false;
	if (str_starts(str_from(line, 2 + m->boundary.n), STR("--"))) {
		end_below(p, m, text);
		m->closed = true;
		p->open--;
		return true;
	}
	if (p->parts >= MIME_PARTS_MAX)
		return false;
	end_below(p, m, text);
	child = part_new(p, m);
	if (child) {
		part_begin(child, raw, size, p->lines + 1);
		p->cur = child;
		p->depth++;
	}
	return true;
}

/* A line that says nothing, or that has been looked at. */
static void
pass_line(struct mime_parser *p, uint64_t len, unsigned eol)
{
	p->raw += len;
	p->size += len + (eol == 1);
	p->lines += eol > 0;
	p->eol = p->line_eol = eol;
}

/*
 * A line of len bytes, eol of them its end (0 at the end of the file).  line:
 * its beginning; text: the last of cur's header, before it, which the line
 * follows at once.  True: another header may begin behind it.
 */
static bool
on_line(struct mime_parser *p, struct str line, uint64_t len, unsigned eol,
	struct str text)
{
	uint64_t raw = p->raw + len, size = p->size + len + (eol == 1);
	bool cut = false;

	if (line.n > 1 && line.p[0] == '-' && line.p[1] == '-')
		cut = try_delimiter(p, line, text, raw, size);
	if (!cut && p->cur->in_header && eol && len == eol) {
		header_ends(p, text, raw, size, p->lines + 1);
		cut = true;
	}
	pass_line(p, len, eol);
	/* A delimiter that follows at once has no line end of its own: this one
	 * is the other delimiter's, or the header's. */
	if (cut || p->cur->in_header)
		p->eol = 0;
	return cut;
}

/* --- many lines at once ----------------------------------------------------
 * A body is counted in blocks, each a few vectors of bytes; the compiler makes
 * of them what the machine has.
 */

enum { VECTOR = 16, BLOCK = 4 * VECTOR };
typedef int8_t vector __attribute__((vector_size(VECTOR)));

static vector
load(const char *p)
{
	vector v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The sum of bytes that are no more than 127 together. */
static unsigned
sum(vector v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof(v));
	return (unsigned)((half[0] + half[1]) * 0x0101010101010101u >> 56);
}

/* Line ends: all, and those without a CR. */
struct line_ends {
	uint64_t all, bare;
};

/*
 * Count those of whole blocks from p on; p[-1] is there, too.  How many bytes
 * that is.  delimiters: it ends before a block in which a line begins with "-".
 */
static size_t
count_blocks(const char *p, size_t n, bool delimiters, struct line_ends *ends)
{
	vector all, bare, dash, v, before, lf;
	size_t i, k;

	for (i = 0; n - i >= BLOCK; i += BLOCK) {
		all = bare = dash = (vector){ 0 };
		for (k = 0; k < BLOCK; k += VECTOR) { /* true is -1 */
			v = load(p + i + k);
			before = load(p + i + k - 1);
			lf = v == '\n';
			all -= lf;
			bare -= lf & (before != '\r');
			dash -= (v == '-') & (before == '\n');
		}
		if (delimiters && sum(dash))
			break;
		ends->all += sum(all);
		ends->bare += sum(bare);
	}
	return i;
}

/* What delimits nothing any more. */
static void
count(struct mime_parser *p, const char *at, const char *end)
{
	struct line_ends ends = { 0 };
	const char *q = at + 1, *lf;

	if (*at == '\n')
		ends = (struct line_ends){ 1, p->last != '\r' };
	q += count_blocks(q, (size_t)(end - q), false, &ends);
	while ((lf = memchr(q, '\n', (size_t)(end - q)))) {
		ends.all++;
		ends.bare += lf[-1] != '\r';
		q = lf + 1;
	}
	p->raw += (uint64_t)(end - at);
	p->size += (uint64_t)(end - at) + ends.bare;
	p->lines += ends.all;
	p->last = end[-1];
}

/* Whole lines of a body from at on, none of which can be a delimiter: where
 * they end.  There may be more. */
static const char *
pass_lines(struct mime_parser *p, const char *at, const char *end)
{
	struct line_ends ends = { *at == '\n', *at == '\n' };
	size_t n = *at == '-' ? 0 : 1;
	const char *lf;

	if (n)
		n += count_blocks(at + 1, (size_t)(end - at) - 1, true, &ends);
	lf = n > 1 ? memrchr(at, '\n', n) : NULL;
	if (!lf)
		return at;
	p->eol = p->line_eol = lf > at && lf[-1] == '\r' ? 2 : 1;
	n = (size_t)(lf + 1 - at);
	p->raw += n;
	p->size += n + ends.bare;
	p->lines += ends.all;
	return lf + 1;
}

/* Part of a line that began in an earlier portion or ends in a later one. */
static bool
piece(struct mime_parser *p, const char *at, const char *lf, const char *end,
      struct str text)
{
	size_t n = (size_t)((lf ? lf + 1 : end) - at);
	size_t room = sizeof(p->line) - p->linen;
	bool cut;

	if (room > n)
		room = n;
	memcpy(p->line + p->linen, at, room);
	p->linen += room;
	p->line_raw += n;
	if (n > 1)
		p->last = lf ? lf[-1] : end[-1];
	else if (!lf)
		p->last = *at;
	if (!lf)
		return false;
	cut = on_line(p, str_mem(p->line, p->linen), p->line_raw,
		      p->last == '\r' ? 2 : 1, text);
	p->line_raw = 0;
	p->linen = 0;
	p->last = '\0';
	return cut;
}

void
mime_feed(struct mime_parser *p, struct str s)
{
	const char *at = s.p, *end = s.p + s.n, *head = at, *lf, *q;
	unsigned eol;
	size_t len;
	bool cut;

	while (at < end && p->top) {
		if (!p->open && !p->cur->in_header) {
			count(p, at, end);
			return;
		}
		if (!p->cur->in_header && !p->line_raw &&
		    end - at > 2 * BLOCK && (q = pass_lines(p, at, end)) > at) {
			at = q;
			continue;
		}
		lf = memchr(at, '\n', (size_t)(end - at));
		if (!lf || p->line_raw) {
			/* A delimiter lands in the header; it is no field. */
			cut = piece(p, at, lf, end,
				    str_mem(head, (size_t)(at - head)));
		} else {
			len = (size_t)(lf + 1 - at);
			eol = len > 1 && lf[-1] == '\r' ? 2 : 1;
			if (*at != '-' && !p->cur->in_header) {
				pass_line(p, len, eol);
				at = lf + 1;
				continue;
			}
			cut = on_line(p, str_mem(at, len), len, eol,
				      str_mem(head, (size_t)(at - head)));
		}
		at = lf ? lf + 1 : end;
		if (cut)
			head = at;
	}
	if (p->top && p->cur->in_header)
		keep_header(p, str_mem(head, (size_t)(end - head)));
}

struct mime_part *
mime_finish(struct mime_parser *p)
{
	if (!p->top)
		return NULL;
	if (p->line_raw)
		(void)on_line(p, str_mem(p->line, p->linen), p->line_raw, 0,
			      STR(""));
	while (p->cur) {
		if (p->cur->in_header)
			header_ends(p, STR(""), p->raw, p->size, p->lines);
		else
			end_part(p, p->raw, p->size, p->lines);
	}
	return p->top;
}
