/* SPDX-License-Identifier: ISC */
#include "mail/mime.h"

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
	part->head_raw = part->head_raw_end = p->raw;
	part->body_raw = part->body_raw_end = p->raw;
	part->start_size = p->size;
	part->start_lines = p->lines;
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

void
mime_init(struct mime_parser *p, struct pool *pool, bool header_only)
{
	memset(p, 0, sizeof(*p));
	p->pool = pool;
	p->header_only = header_only;
	buf_init(&p->header, MIME_HEADER_MAX);
	p->top = p->cur = part_new(p, NULL);
	p->done = p->top == NULL;
	p->depth = 1;
}

void
mime_fini(struct mime_parser *p)
{
	buf_fini(&p->header);
}

struct str
mime_header(const struct mime_parser *p)
{
	return buf_str(&p->header);
}

/* --- what the header of a part says ----------------------------------------
 */

static void
take_languages(struct mime_parser *p, struct mime_part *part, struct str value)
{
	struct imf_param **tail = &part->languages, *l;
	struct str tok;
	size_t n = 0;

	while (n++ < IMF_PARAMS_MAX && str_token(&value, " \t\r\n,", &tok)) {
		l = pool_alloc(p->pool, sizeof(*l));
		if (!l || !(l->value = pool_str(p->pool, tok)).p)
			return;
		*tail = l;
		tail = &l->next;
	}
}

static void
take_content(struct mime_parser *p, struct mime_part *part,
	     const struct imf_field *f)
{
	struct str name = str_from(f->name, 8), type, sub = STR_NULL;
	struct imf_param *params;

	if (str_ieq(name, STR("Type"))) {
		if (!imf_content(p->pool, f->value, &type, &sub, &params))
			return;
		part->type = type;
		part->subtype = sub;
		part->params = params;
	} else if (str_ieq(name, STR("Transfer-Encoding"))) {
		part->encoding = imf_token(p->pool, f->value);
	} else if (str_ieq(name, STR("ID"))) {
		part->id = imf_unfold_pool(p->pool, f->value);
	} else if (str_ieq(name, STR("Description"))) {
		part->description = imf_unfold_pool(p->pool, f->value);
	} else if (str_ieq(name, STR("MD5"))) {
		part->md5 = imf_token(p->pool, f->value);
	} else if (str_ieq(name, STR("Location"))) {
		part->location = imf_unfold_pool(p->pool, f->value);
	} else if (str_ieq(name, STR("Language"))) {
		take_languages(p, part, f->value);
	} else if (str_ieq(name, STR("Disposition"))) {
		if (imf_content(p->pool, f->value, &type, NULL, &params)) {
			part->disposition = type;
			part->disposition_params = params;
		}
	}
}

static void
take_envelope(struct mime_parser *p, struct mime_envelope *e,
	      const struct imf_field *f)
{
	static const struct {
		const char *name;
		size_t offset;
	} rows[] = {
		{ "Date", offsetof(struct mime_envelope, date) },
		{ "Subject", offsetof(struct mime_envelope, subject) },
		{ "From", offsetof(struct mime_envelope, from) },
		{ "Sender", offsetof(struct mime_envelope, sender) },
		{ "Reply-To", offsetof(struct mime_envelope, reply_to) },
		{ "To", offsetof(struct mime_envelope, to) },
		{ "Cc", offsetof(struct mime_envelope, cc) },
		{ "Bcc", offsetof(struct mime_envelope, bcc) },
		{ "In-Reply-To", offsetof(struct mime_envelope, in_reply_to) },
		{ "Message-ID", offsetof(struct mime_envelope, message_id) },
	};
	struct str *to;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!str_ieq(f->name, str_of(rows[i].name)))
			continue;
		to = (struct str *)(void *)((char *)e + rows[i].offset);
		if (!to->p)
			*to = imf_unfold_pool(p->pool, f->value);
	}
}

/* Is this part the header and body of a message? */
static bool
is_message_top(const struct mime_part *part)
{
	return !part->parent || part->parent->message;
}

static void
read_header(struct mime_parser *p, struct mime_part *part)
{
	struct str rest = buf_str(&p->header);
	struct imf_field f;

	if (is_message_top(part))
		part->env = pool_alloc(p->pool, sizeof(*part->env));
	while (imf_next(&rest, &f)) {
		if (str_istarts(f.name, STR("Content-")))
			take_content(p, part, &f);
		else if (part->env)
			take_envelope(p, part->env, &f);
	}
	if (str_ieq(part->type, STR("multipart"))) {
		part->boundary = imf_param_get(part->params, STR("boundary"));
		part->multipart = part->boundary.n > 0 &&
				  part->boundary.n <= MIME_BOUNDARY_MAX;
	}
	part->message = str_ieq(part->type, STR("message")) &&
			str_ieq(part->subtype, STR("rfc822"));
	if (p->depth >= MIME_DEPTH_MAX || p->parts >= MIME_PARTS_MAX)
		part->multipart = part->message = false;
	if ((str_ieq(part->type, STR("multipart")) && !part->multipart) ||
	    (!part->message && str_ieq(part->type, STR("message")) &&
	     str_ieq(part->subtype, STR("rfc822")))) {
		/* It cannot be shown as what it claims to be. */
		part->type = STR("application");
		part->subtype = STR("octet-stream");
		part->params = NULL;
	}
}

/* --- the walk --------------------------------------------------------------
 */

static void
header_ends(struct mime_parser *p, uint64_t raw, uint64_t size, uint64_t lines)
{
	struct mime_part *part = p->cur;

	part->in_header = false;
	part->head_raw_end = part->body_raw = part->body_raw_end = raw;
	part->head_size = size - part->start_size;
	part->start_size = size;
	part->start_lines = lines;
	read_header(p, part);
}

/* Open the message inside cur; its header begins where p->raw is now. */
static void
open_inner(struct mime_parser *p)
{
	struct mime_part *child = part_new(p, p->cur);

	if (!child)
		return;
	p->cur = child;
	p->depth++;
}

static void
end_part(struct mime_part *part, uint64_t raw, uint64_t size, uint64_t lines)
{
	if (raw < part->body_raw) /* nothing between header and delimiter */
		return;
	part->body_raw_end = raw;
	part->body_size = size - part->start_size;
	part->body_lines = lines - part->start_lines;
}

/* End cur and all above it up to, not including, the multipart m.  The line
 * end before a delimiter belongs to the delimiter (RFC 2046 5.1.1). */
static void
end_below(struct mime_parser *p, struct mime_part *m)
{
	uint64_t raw = p->raw - p->eol_raw, size = p->size - p->eol_size;
	uint64_t lines = p->lines - (p->eol_raw ? 1 : 0);

	while (p->cur != m) {
		if (p->cur->in_header)
			header_ends(p, raw, size, lines);
		end_part(p->cur, raw, size, lines);
		p->cur = p->cur->parent;
		p->depth--;
	}
}

/* A delimiter of an open multipart: 1, its last: 2, else 0. */
static int
match_delimiter(const struct mime_part *m, struct str line)
{
	struct str rest;

	if (line.n < 2 + m->boundary.n ||
	    memcmp(line.p + 2, m->boundary.p, m->boundary.n) != 0)
		return 0;
	rest = str_from(line, 2 + m->boundary.n);
	if (str_starts(rest, STR("--")))
		return 2;
	return str_trim(rest).n == 0 ? 1 : 0;
}

static bool
try_delimiter(struct mime_parser *p, struct str line)
{
	struct mime_part *m, *child;
	int what = 0;

	if (!str_starts(line, STR("--")))
		return false;
	for (m = p->cur; m; m = m->parent) {
		if (!m->multipart || m->in_header || m->closed)
			continue;
		what = match_delimiter(m, line);
		if (what)
			break;
	}
	if (!m || (what == 1 && p->parts >= MIME_PARTS_MAX))
		return false;
	end_below(p, m);
	m->closed = what == 2;
	if (what == 2)
		return true;
	child = part_new(p, m);
	if (!child)
		return true;
	p->cur = child;
	p->depth++;
	/* Its header begins after this line. */
	child->head_raw = UINT64_MAX;
	return true;
}

/* One line: raw bytes in all, eol of them its end (0 at the end of file). */
static void
on_line(struct mime_parser *p, unsigned eol)
{
	struct str line = str_mem(p->line, p->linen);
	uint64_t raw = p->raw + p->line_raw;
	uint64_t size = p->size + p->line_raw + (eol == 1);
	uint64_t lines = p->lines + (eol > 0);
	bool delimiter = try_delimiter(p, line), inner = false, blank = false;

	if (!delimiter && p->cur->in_header && eol && p->line_raw == eol) {
		header_ends(p, raw, size, lines);
		blank = true;
		if (p->header_only)
			p->done = true;
		else
			inner = p->cur->message;
	}
	p->raw = raw;
	p->size = size;
	p->lines = lines;
	p->eol_raw = eol;
	p->eol_size = eol ? 2 : 0;
	if (p->cur->head_raw == UINT64_MAX) {
		p->cur->head_raw = p->cur->head_raw_end = raw;
		p->cur->body_raw = p->cur->body_raw_end = raw;
		p->cur->start_size = size;
		p->cur->start_lines = lines;
		p->eol_raw = p->eol_size = 0;
	}
	if (inner)
		open_inner(p);
	/* A delimiter that follows at once has no line end of its own; the
	 * empty line is the header's. */
	if (delimiter || blank)
		p->eol_raw = p->eol_size = 0;
	p->line_raw = 0;
	p->linen = 0;
}

static void
keep_line(struct mime_parser *p, struct str s)
{
	size_t room = sizeof(p->line) - p->linen;

	if (s.n < room)
		room = s.n;
	memcpy(p->line + p->linen, s.p, room);
	p->linen += room;
}

bool
mime_feed(struct mime_parser *p, struct str s)
{
	struct str part;
	ptrdiff_t lf;

	while (s.n && !p->done) {
		lf = str_find(s, '\n');
		part = lf < 0 ? s : str_head(s, (size_t)lf + 1);
		keep_line(p, part);
		/* A delimiter lands there too: it is no field. */
		if (p->cur->in_header)
			(void)!buf_add_str(&p->header, part);
		p->line_raw += part.n;
		if (lf < 0) {
			p->last = part.p[part.n - 1];
		} else {
			if (part.n >= 2)
				p->last = part.p[part.n - 2];
			on_line(p, p->last == '\r' ? 2 : 1);
			p->last = '\0';
		}
		s = str_from(s, part.n);
	}
	return !p->done;
}

struct mime_part *
mime_finish(struct mime_parser *p)
{
	struct mime_part *part;

	if (!p->top)
		return NULL;
	if (p->line_raw && !p->done)
		on_line(p, 0);
	if (p->done)
		return p->top;
	for (part = p->cur; part; part = part->parent) {
		p->cur = part;
		if (part->in_header)
			header_ends(p, p->raw, p->size, p->lines);
		end_part(part, p->raw, p->size, p->lines);
	}
	return p->top;
}
