/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>

#include "map_build.h"
#include "table/table.h"

struct place {
	const char *who, *file;
};

static void
warn_line(void *arg, unsigned line, const char *text)
{
	const struct place *p = arg;

	(void)fprintf(stderr, "%s: warning: %s, line %u: %s\n", p->who, p->file,
		      line, text);
}

int
map_kind(const char *spec, const char **file, enum table_db_kind *kind)
{
	struct str name, type;

	*file = spec;
	*kind = TABLE_HASH;
	if (spec[0] == '/' || !table_spec_split(str_of(spec), &type, &name))
		return 0;
	*file = name.p;
	if (str_eq(type, STR("btree")))
		*kind = TABLE_BTREE;
	else if (!str_eq(type, STR("hash")))
		return -1;
	return 0;
}

int
map_build(const char *who, const char *spec, enum text_form form,
	  struct err *err)
{
	enum table_db_kind kind;
	struct place place = { .who = who };

	if (map_kind(spec, &place.file, &kind) < 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: only hash: and btree: tables are built; "
			       "others are read as they are",
			       spec);
	return table_db_build(kind, place.file, form, warn_line, &place, err);
}
