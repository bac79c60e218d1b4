/* SPDX-License-Identifier: ISC */
#include "name.h"

enum { LABEL_MAX = 63 };

static int
bad(struct err *err, const char *why)
{
	return err_set(err, ERR_PERM, 0, "not a name of the DNS: %s", why);
}

int
name_normal(struct str name, char out[DNS_NAME_MAX + 1], struct err *err)
{
	size_t label = 0, i;
	char c;

	out[0] = '\0';
	if (name.n == 0)
		return bad(err, "empty");
	if (str_eq(name, STR(".")))
		return str_copy(out, DNS_NAME_MAX + 1, name) ? 0 : -1;
	if (name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > DNS_NAME_MAX)
		return bad(err, "more than 253 bytes");
	for (i = 0; i <= name.n; i++) {
		c = i < name.n ? name.p[i] : '.';
		if (c == '.' && label == 0)
			return bad(err, "an empty label");
		if (c <= ' ' || c > '~' || c == '\\')
			return bad(err, "a byte that names do not have");
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return bad(err, "a label of more than 63 bytes");
		out[i] = ascii_lower(c);
	}
	out[name.n] = '\0';
	return 0;
}
