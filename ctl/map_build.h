/* SPDX-License-Identifier: ISC */
#ifndef CTL_MAP_BUILD_H
#define CTL_MAP_BUILD_H

#include "table/db.h"

/* hash:FILE, btree:FILE or FILE (hash); *file points into spec.  -1: another
 * type. */
ERR_WARN_UNUSED int map_kind(const char *spec, const char **file,
			     enum table_db_kind *kind);
/* Build the table; doubtful lines go to standard error, "who: warning: ...".
 * -1: PERM with EINVAL: another type. */
ERR_WARN_UNUSED int map_build(const char *who, const char *spec,
			      enum text_form form, struct err *err);

#endif
