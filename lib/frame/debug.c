/* SPDX-License-Identifier: ISC */
#include "frame/debug.h"

#include "base/log.h"

void
debug_follow(const struct params *p, const char *service)
{
	struct str rest = params_str(p, "debug_services"), name;
	bool on = false;

	while (str_token(&rest, ", \t", &name))
		on |= str_eq(name, str_of(service)) || str_eq(name, STR("all"));
	log_set_debug(on);
}
