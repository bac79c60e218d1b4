/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "../map_build.h"
#include "sendmail.h"
#include "table/table.h"

static int
build(const struct sendmail *sm, const char *spec)
{
	struct err err;

	if (map_build(sm->name, spec, TEXT_ALIASES, &err) == 0)
		return EX_OK;
	complain(sm, "%s", err.text);
	if (err.code == EACCES || err.code == EPERM)
		return EX_NOPERM;
	return err.class == ERR_TEMP ? EX_TEMPFAIL : EX_CONFIG;
}

/* What alias_database names, or -oA; tables that need no building are passed
 * over. */
int
do_aliases(struct sendmail *sm)
{
	struct str list = sm->opt.aliases
				  ? str_of(sm->opt.aliases)
				  : config_get(&sm->conf, "alias_database");
	enum table_db_kind kind;
	int rc, status = EX_OK;
	char spec[4096];
	const char *file;
	struct str item;

	while (table_spec_next(&list, &item)) {
		if (str_istarts(item, STR("proxy:")))
			item = str_from(item, 6);
		if (!str_copy(spec, sizeof(spec), item))
			continue;
		if (map_kind(spec, &file, &kind) < 0)
			continue;
		rc = build(sm, spec);
		if (rc)
			status = rc;
	}
	return status;
}
