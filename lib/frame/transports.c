/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "frame/transports.h"

int
transport_check_name(struct str name, struct err *err)
{
	static const char *const taken[] = { "smtp",  "lmtp",	 "relay",
					     "local", "virtual", "error",
					     "retry", "discard" };
	size_t i;

	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (str_eq(name, str_of(taken[i])))
			return err_set(err, ERR_PERM, EEXIST,
				       "\"%s\" is there by itself", taken[i]);
	for (i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);

		if ((c < 'a' || c > 'z') &&
		    (i == 0 || ((c < '0' || c > '9') && c != '_' && c != '-')))
			break;
	}
	if (i == name.n && name.n && name.n <= TRANSPORT_NAME_MAX)
		return 0;
	return err_set(err, ERR_PERM, EINVAL,
		       "\"%.*s\": want a name of at most %d letters, digits, "
		       "\"_\" and \"-\"",
		       STR_FMT(str_head(name, 60)), TRANSPORT_NAME_MAX);
}

static bool
has_row(const struct param *const *sets, const char *prefix, struct str key)
{
	const struct param *row;

	for (; *sets; sets++)
		for (row = *sets; row->name; row++) {
			struct str s = str_of(row->name);

			if (str_starts(s, str_of(prefix)) &&
			    str_eq(str_from(s, strlen(prefix)), key))
				return true;
		}
	return false;
}

/* What follows NAME_ in the row that comes from this one, and the parameter
 * that is its default: PREFIX and the same.  False: nothing comes from it. */
static bool
derives(const struct param *const *sets, const struct param *from,
	const char *base, struct str *key, const char **prefix)
{
	struct str s = str_of(from->name);

	if (str_starts(s, STR("default_destination_"))) {
		*key = str_from(s, strlen("default_"));
		*prefix = "default_";
		return true;
	}
	if (str_starts(s, STR("initial_destination_"))) {
		*key = s;
		*prefix = "";
		return true;
	}
	if (!base || from->once)
		return false;
	*key = str_from(s, strlen("smtp_")); /* and lmtp_ */
	*prefix = base;
	if (str_starts(s, STR("smtp_")))
		return true;
	return strcmp(base, "lmtp_") == 0 && str_starts(s, str_of(base)) &&
	       !has_row(sets, "smtp_", *key);
}

int
transport_rows(const struct param *const *sets, struct str name,
	       const char *base, struct pool *pool, transport_add *add,
	       void *arg)
{
	const struct param *const *set, *from;
	struct str own, def, key;
	struct param *row;
	const char *prefix;

	for (set = sets; *set; set++)
		for (from = *set; from->name; from++) {
			if (!derives(sets, from, base, &key, &prefix))
				continue;
			own = pool_strf(pool, "%.*s_%.*s", STR_FMT(name),
					STR_FMT(key));
			def = pool_strf(pool, "$%s%.*s", prefix, STR_FMT(key));
			row = pool_alloc(pool, sizeof(*row));
			if (!row || !own.p || !def.p)
				return -1;
			*row = *from;
			row->name = own.p;
			row->def = def.p;
			if (add(arg, row) < 0)
				return -1;
		}
	return 0;
}
