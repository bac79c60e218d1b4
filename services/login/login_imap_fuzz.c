/* SPDX-License-Identifier: ISC */
#include "imap_parse.h"
#include "login_session_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool
is_inside(struct str s, struct str a, const struct imap_command *c)
{
	return s.n == 0 || (s.p >= a.p && s.p + s.n <= a.p + a.n) ||
	       (s.p >= c->text && s.p + s.n <= c->text + sizeof(c->text));
}

static void
check_command(struct str frame)
{
	static struct imap_command c;
	struct err err;
	size_t i;

	if (imap_command_parse(frame, &c, &err) == 0)
		BUG_ON(c.tag.n == 0 || c.name.n == 0);
	BUG_ON(c.tag.n > IMAP_TAG_MAX || c.nargs > IMAP_ARGS_MAX);
	BUG_ON(!is_inside(c.tag, frame, &c) || !is_inside(c.name, frame, &c));
	for (i = 0; i < c.nargs; i++)
		if (c.arg[i].s.p)
			BUG_ON(!is_inside(c.arg[i].s, frame, &c));
}

/* The input as one client's bytes: cut into commands as a session does, each
 * "+" given when it is asked for.  Cutting must not depend on how the bytes
 * arrive: what is whole with all of the input was not whole with less. */
static void
check_parser(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n), seen;
	unsigned continued = 0;
	enum imap_frame f;
	size_t used, again;

	while (in.n) {
		seen = str_head(in, IMAP_COMMAND_MAX);
		f = imap_frame(seen, continued, &used);
		BUG_ON(used > seen.n && f != IMAP_MORE);
		if (f == IMAP_MORE || f == IMAP_LOST)
			break;
		BUG_ON(used == 0);
		if (f == IMAP_WHOLE) {
			BUG_ON(imap_frame(str_head(seen, used - 1), continued,
					  &again) == IMAP_WHOLE);
			BUG_ON(imap_frame(str_head(seen, used), continued,
					  &again) != IMAP_WHOLE ||
			       again != used);
		}
		check_command(str_head(seen, used));
		if (f == IMAP_WAITS) {
			continued++;
			continue;
		}
		continued = 0;
		in = str_from(in, used);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check_parser(data, n);
	fuzz_session(&login_imap, data, n);
	return 0;
}
