/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "command.h"
#include "mail/uidl.h"
#include "net/line.h"
#include "stuff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { OUT_MAX = 1 << 20 };

static void
fuzz_commands(struct str in)
{
	struct pop3_command c;
	struct str line;
	size_t used;

	while (line_get(in, POP3_COMMAND_MAX, &line, &used) != LINE_MORE) {
		if (used == 0)
			return;
		if (line.p && !pop3_command_parse(line, &c))
			BUG_ON(c.nargs > 2 || c.verb >= POP3_VERBS);
		in = str_from(in, used);
	}
}

/* However the message is cut into chunks, what comes out is the same, and a
 * client finds its end where it is and nowhere else. */
static void
fuzz_stuffing(struct str in)
{
	bool limited = in.n && in.p[0] & 1;
	uint64_t lines = in.n > 1 ? (uint8_t)in.p[1] % 8 : 0;
	size_t step = in.n > 2 ? (uint8_t)in.p[2] % 16 + 1 : 1, i;
	struct stuff a, b;
	struct buf one, two;
	ptrdiff_t dot;

	in = str_from(in, 3);
	buf_init(&one, OUT_MAX);
	buf_init(&two, OUT_MAX);
	stuff_init(&a, limited, lines);
	stuff_init(&b, limited, lines);
	BUG_ON(stuff_add(&a, in, &one) < 0 || stuff_end(&a, &one) < 0);
	for (i = 0; i < in.n; i += step)
		BUG_ON(stuff_add(&b, str_head(str_from(in, i), step), &two) <
		       0);
	BUG_ON(stuff_end(&b, &two) < 0);
	BUG_ON(!str_eq(buf_str(&one), buf_str(&two)));
	dot = str_search(buf_str(&one), STR("\n.\r\n"));
	BUG_ON(dot >= 0 ? (size_t)dot + 4 != one.n
			: !str_eq(buf_str(&one), STR(".\r\n")));
	buf_fini(&one);
	buf_fini(&two);
}

/* Whatever the format and the list: a name is a name by RFC 1939, and what is
 * listed is found. */
static void
fuzz_uidl(struct str in)
{
	struct uidl_of of = { .uid = 77, .uidvalidity = 4294967295u };
	struct uidl_list list;
	struct str format;
	struct err err;
	struct buf out;
	size_t i;

	if (!str_cut(&in, '\n', &format))
		format = STR("%u");
	of.base = str_head(in, 200);
	buf_init(&out, OUT_MAX);
	if (uidl_format_check(format, &err) == 0) {
		uidl_format(&out, format, &of);
		BUG_ON(out.n == 0 || out.n > UIDL_MAX);
		for (i = 0; i < out.n; i++)
			BUG_ON(out.p[i] <= ' ' || out.p[i] > '~');
	}
	buf_fini(&out);
	if (uidl_list_parse(&list, in, 1, &err) < 0)
		return;
	for (i = 0; i < list.n; i++)
		BUG_ON(uidl_list_find(&list, list.v[i].uid).p !=
		       list.v[i].name.p);
	uidl_list_fini(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n > OUT_MAX / 4)
		return 0;
	fuzz_commands(str_mem(data, n));
	fuzz_stuffing(str_mem(data, n));
	fuzz_uidl(str_mem(data, n));
	return 0;
}
