/* SPDX-License-Identifier: ISC */
#include "collect.h"

enum {
	LINE,	      /* reading a line into text */
	LITERAL,      /* reading c->literal bytes into text */
	SKIP_LINE,    /* reading over the rest of a line */
	SKIP_LITERAL, /* reading over a literal, then the line behind it */
};

void
imap_collect_init(struct imap_collector *c)
{
	*c = (struct imap_collector){ 0 };
	buf_init(&c->text, IMAP_COMMAND_MAX);
}

void
imap_collect_fini(struct imap_collector *c)
{
	buf_fini(&c->text);
}

void
imap_collect_reset(struct imap_collector *c)
{
	buf_shrink(&c->text, 4096);
	c->line = 0;
	c->state = LINE;
	c->skipped = 0;
	c->ntail = 0;
}

void
imap_collect_resume(struct imap_collector *c)
{
	c->line = c->text.n;
	c->state = LINE;
}

/* A literal's announcement at the end of a line. */
struct announced {
	size_t at; /* its place in the line */
	uint64_t n;
	bool nonsync, literal8;
	bool huge; /* beyond all reason */
};

static bool
announced(struct str line, struct announced *a)
{
	ptrdiff_t open = str_rfind(line, '{');
	struct str digits;
	size_t i;

	*a = (struct announced){ 0 };
	if (open < 0 || !str_ends(line, STR("}")))
		return false;
	a->literal8 = open > 0 && line.p[open - 1] == '~'; /* RFC 3516 4.3 */
	a->at = (size_t)open - a->literal8;
	digits = str_mem(line.p + open + 1, line.n - (size_t)open - 2);
	if (str_ends(digits, STR("+"))) { /* RFC 7888 */
		a->nonsync = true;
		digits.n--;
	}
	if (digits.n == 0)
		return false;
	for (i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	a->huge = str_u64(digits, UINT32_MAX, &a->n) < 0;
	return true;
}

/* TAG SP APPEND SP something: then the literal is the message, else it is the
 * name of the mailbox. */
static bool
is_message(struct str before)
{
	struct str tag, verb;

	return str_cut(&before, ' ', &tag) && str_cut(&before, ' ', &verb) &&
	       str_ieq(verb, STR("APPEND")) && before.n > 0;
}

/* Read over a literal that the client sends whatever we say. */
static enum imap_collected
skip_literal(struct imap_collector *c, uint64_t n, enum imap_collected verdict)
{
	/* RFC 7888 4: no use in reading it all. */
	if (n > IMAP_SKIP_MAX || c->skipped + n > IMAP_SKIP_MAX)
		return COLLECT_HOPELESS;
	c->skipped += n;
	c->literal = n;
	c->state = SKIP_LITERAL;
	c->verdict = verdict;
	return COLLECT_MORE;
}

static enum imap_collected
line_ended(struct imap_collector *c)
{
	struct str line = str_from(buf_str(&c->text), c->line);
	struct announced a;

	if (!announced(line, &a))
		return COLLECT_COMMAND;
	if (a.huge)
		return a.nonsync ? COLLECT_HOPELESS : COLLECT_LITERAL;
	c->nonsync = a.nonsync;
	c->literal8 = a.literal8;
	c->literal = a.n;
	if (is_message(str_head(buf_str(&c->text), c->line + a.at))) {
		c->text.n = c->line + a.at;
		return COLLECT_APPEND;
	}
	if (a.n > IMAP_LITERAL_MAX ||
	    c->text.n + a.n + 2 > IMAP_COMMAND_MAX / 2)
		return a.nonsync ? skip_literal(c, a.n, COLLECT_LITERAL)
				 : COLLECT_LITERAL;
	c->state = LITERAL;
	(void)!buf_add_c(&c->text, "\r\n");
	return a.nonsync ? COLLECT_MORE : COLLECT_CONTINUE;
}

static void
keep_tail(struct imap_collector *c, struct str s)
{
	size_t drop;

	s = str_from(s, s.n > sizeof(c->tail) ? s.n - sizeof(c->tail) : 0);
	drop = c->ntail + s.n > sizeof(c->tail)
		       ? c->ntail + s.n - sizeof(c->tail)
		       : 0;
	memmove(c->tail, c->tail + drop, c->ntail - drop);
	c->ntail -= drop;
	if (s.n)
		memcpy(c->tail + c->ntail, s.p, s.n);
	c->ntail += s.n;
}

/*
 * A line that counts for nothing has ended.  If it announces a literal that
 * comes without being asked for, that is read over too: it must not be taken
 * for commands.
 */
static enum imap_collected
unwanted_line_ended(struct imap_collector *c, enum imap_collected verdict)
{
	struct str line = str_mem(c->tail, c->ntail);
	struct announced a;

	c->ntail = 0;
	if (str_ends(line, STR("\n")))
		line.n--;
	if (str_ends(line, STR("\r")))
		line.n--;
	if (!str_ends(line, STR("+}")))
		return verdict;
	if (!announced(line, &a) || a.huge)
		return COLLECT_HOPELESS;
	return skip_literal(c, a.n, verdict);
}

static enum imap_collected
on_skipped_line(struct imap_collector *c, struct str in, size_t *used)
{
	ptrdiff_t lf = str_find(in, '\n');
	size_t n = lf < 0 ? in.n : (size_t)lf + 1;

	*used += n;
	c->skipped += n;
	keep_tail(c, str_head(in, n));
	if (c->skipped > IMAP_SKIP_MAX)
		return COLLECT_HOPELESS;
	return lf < 0 ? COLLECT_MORE : unwanted_line_ended(c, c->verdict);
}

static enum imap_collected
on_line(struct imap_collector *c, struct str in, size_t *used)
{
	ptrdiff_t lf = str_find(in, '\n');
	size_t n = lf < 0 ? in.n : (size_t)lf + 1;

	if (c->text.n - c->line + n > IMAP_LINE_MAX ||
	    buf_add(&c->text, in.p, n) < 0) {
		keep_tail(c, buf_str(&c->text));
		c->state = SKIP_LINE;
		c->verdict = COLLECT_TOO_LONG;
		return COLLECT_MORE;
	}
	*used += n;
	if (lf < 0)
		return COLLECT_MORE;
	if (c->text.n - c->line < 2 || c->text.p[c->text.n - 2] != '\r') {
		keep_tail(c, buf_str(&c->text));
		c->text.n--;
		return unwanted_line_ended(c, COLLECT_BARE);
	}
	c->text.n -= 2;
	return line_ended(c);
}

static size_t
literal_part(struct imap_collector *c, struct str in, size_t *used)
{
	size_t n = in.n;

	if (n > c->literal)
		n = (size_t)c->literal;
	c->literal -= n;
	*used += n;
	return n;
}

enum imap_collected
imap_collect(struct imap_collector *c, struct str in, size_t *used)
{
	enum imap_collected r = COLLECT_MORE;
	size_t n;

	*used = 0;
	while (r == COLLECT_MORE) {
		struct str rest = str_from(in, *used);

		/* An empty literal takes no byte. */
		if (rest.n == 0 &&
		    !(c->literal == 0 &&
		      (c->state == LITERAL || c->state == SKIP_LITERAL)))
			break;
		switch (c->state) {
		case LINE:
			r = on_line(c, rest, used);
			break;
		case LITERAL:
			n = literal_part(c, rest, used);
			(void)!buf_add(&c->text, rest.p, n);
			if (c->literal == 0)
				imap_collect_resume(c);
			break;
		case SKIP_LINE:
			r = on_skipped_line(c, rest, used);
			break;
		case SKIP_LITERAL:
			(void)literal_part(c, rest, used);
			if (c->literal == 0)
				c->state = SKIP_LINE;
			break;
		}
	}
	return r;
}
