/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "named.h"

enum { NAME_SIZE = 128 };

static const char *
name_of(const struct params *p, const char *transport, const char *key,
	char name[NAME_SIZE])
{
	(void)snprintf(name, NAME_SIZE, "%s_%s", transport, key);
	if (!params_has(p, name))
		(void)snprintf(name, NAME_SIZE, "smtp_%s", key);
	return name;
}

struct str
named_str(const struct params *p, const char *transport, const char *key)
{
	char name[NAME_SIZE];

	return params_str(p, name_of(p, transport, key, name));
}

unsigned
named_num(const struct params *p, const char *transport, const char *key)
{
	char name[NAME_SIZE];

	return (unsigned)params_num(p, name_of(p, transport, key, name));
}
