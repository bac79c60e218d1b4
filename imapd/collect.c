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
}

void
imap_collect_resume(struct imap_collector *c)
{
	c->line = c->text.n;
	c->state = LINE;
}

void
imap_collect_skip_message(struct imap_collector *c)
{
	c->verdict = COLLECT_COMMAND;
	c->state = SKIP_LITERAL;
}

/* Does the line end in a literal's announcement?  Its place in the line. */
static bool
announced(struct str line, size_t *at, uint64_t *n, bool *nonsync, bool *huge)
{
	ptrdiff_t open = str_rfind(line, '{');
	struct str digits;
	size_t i;

	*nonsync = *huge = false;
	if (open < 0 || !str_ends(line, STR("}")))
		return false;
	*at = (size_t)open;
	digits = str_mem(line.p + open + 1, line.n - (size_t)open - 2);
	if (str_ends(digits, STR("+"))) { /* RFC 7888 */
		*nonsync = true;
		digits.n--;
	}
	if (digits.n == 0)
		return false;
	for (i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	*huge = str_u64(digits, UINT32_MAX, n) < 0;
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

static enum imap_collected
line_ended(struct imap_collector *c)
{
	struct str line = str_from(buf_str(&c->text), c->line);
	bool nonsync, huge;
	uint64_t n;
	size_t at;

	if (!announced(line, &at, &n, &nonsync, &huge))
		return COLLECT_COMMAND;
	if (huge)
		return nonsync ? COLLECT_HOPELESS : COLLECT_LITERAL;
	c->nonsync = nonsync;
	c->literal = n;
	if (is_message(str_head(buf_str(&c->text), c->line + at))) {
		c->text.n = c->line + at;
		return COLLECT_APPEND;
	}
	if (n > IMAP_LITERAL_MAX || c->text.n + n + 2 > IMAP_COMMAND_MAX / 2) {
		if (!nonsync)
			return COLLECT_LITERAL;
		if (n > IMAP_SKIP_MAX) /* RFC 7888 4: no use in reading it */
			return COLLECT_HOPELESS;
		c->state = SKIP_LITERAL;
		c->verdict = COLLECT_LITERAL;
		return COLLECT_MORE;
	}
	c->state = LITERAL;
	(void)!buf_add_c(&c->text, "\r\n");
	return nonsync ? COLLECT_MORE : COLLECT_CONTINUE;
}

static enum imap_collected
on_line(struct imap_collector *c, struct str in, size_t *used)
{
	ptrdiff_t lf = str_find(in, '\n');
	size_t n = lf < 0 ? in.n : (size_t)lf + 1;

	*used += n;
	if (c->text.n - c->line + n > IMAP_LINE_MAX ||
	    buf_add(&c->text, in.p, n) < 0) {
		c->skipped += n;
		c->state = SKIP_LINE;
		c->verdict = COLLECT_TOO_LONG;
		return lf < 0 ? COLLECT_MORE : COLLECT_TOO_LONG;
	}
	if (lf < 0)
		return COLLECT_MORE;
	if (c->text.n - c->line < 2 || c->text.p[c->text.n - 2] != '\r') {
		c->text.n--;
		return COLLECT_BARE;
	}
	c->text.n -= 2;
	return line_ended(c);
}

static enum imap_collected
on_skipped_line(struct imap_collector *c, struct str in, size_t *used)
{
	ptrdiff_t lf = str_find(in, '\n');
	size_t n = lf < 0 ? in.n : (size_t)lf + 1;

	*used += n;
	c->skipped += n;
	if (lf >= 0)
		return c->verdict;
	return c->skipped > IMAP_SKIP_MAX ? COLLECT_HOPELESS : COLLECT_MORE;
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
