/* SPDX-License-Identifier: ISC */
/* Lines of a log: every part is a part of the line (or of what was decoded),
 * and holds what it should. */
#include "base/err.h"
#include "trace_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(struct str s, struct str in)
{
	BUG_ON(s.n && (s.p < in.p || s.p + s.n > in.p + in.n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "from", "to", "client", "status" };
	struct str in = str_mem(data, size), line, v, all;
	struct trace_line t;
	struct buf mem;
	size_t i;

	buf_init(&mem, 1 << 20);
	while (str_cut(&in, '\n', &line)) {
		if (!trace_line_parse(line, &mem, &t))
			continue;
		all = str_starts(line, STR("{\"time\":")) ? buf_str(&mem)
							  : line;
		look(t.time, all);
		look(t.program, all);
		look(t.id, all);
		look(t.text, all);
		for (i = 0; i < 4; i++)
			if (trace_value(t.text, names[i], &v))
				look(v, t.text);
		look(trace_reason(t.text), t.text);
		if (trace_report(t.text, &v))
			BUG_ON(!trace_is_id(v));
	}
	buf_fini(&mem);
	return 0;
}
