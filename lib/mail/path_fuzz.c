/* SPDX-License-Identifier: ISC */
#include "mail/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted reads the same when it is read again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct path p, again;
	struct str in, form;
	unsigned flags;
	size_t i;

	if (size == 0)
		return 0;
	flags = data[0] & 7;
	in = str_mem(data + 1, size - 1);
	if (path_parse(&in, flags, &p, NULL) != PATH_OK)
		return 0;
	BUG_ON(p.n > PATH_TEXT_MAX || p.at > p.n || p.text[p.n]);
	for (i = 0; i < p.n; i++)
		BUG_ON((p.text[i] < ' ' || p.text[i] > '~') &&
		       (!p.utf8 || !(flags & PATH_UTF8)));
	if (p.n == 0)
		return 0;
	form = path_str(&p);
	BUG_ON(path_parse(&form, flags & PATH_UTF8, &again, NULL) != PATH_OK);
	BUG_ON(!str_eq(path_str(&again), path_str(&p)) || again.at != p.at ||
	       again.routing != p.routing || again.literal != p.literal ||
	       form.n != 0);
	return 0;
}
