/* SPDX-License-Identifier: ISC */
#include "authsock_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_slice(struct str line, struct str s)
{
	BUG_ON(s.n && (s.p < line.p || s.p + s.n > line.p + line.n));
	BUG_ON(str_find(s, '\t') >= 0);
}

/* The lines of a program on auth_socket: what is taken from a line is in it and
 * is one parameter, and nothing behind the response counts. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n), line;
	struct authsock_line l, again;
	struct err err;

	while (str_cut(&in, '\n', &line)) {
		if (authsock_parse(line, &l, &err) < 0)
			continue;
		check_slice(line, l.mech);
		check_slice(line, l.service);
		check_slice(line, l.rip);
		check_slice(line, l.lip);
		if (l.verb != AUTHSOCK_AUTH || !l.data.p)
			continue;
		line.n = (size_t)(l.data.p - line.p);
		BUG_ON(authsock_parse(line, &again, &err) < 0);
		BUG_ON(again.id != l.id || !str_eq(again.mech, l.mech) ||
		       !str_eq(again.rip, l.rip) || again.secured != l.secured);
	}
	return 0;
}
