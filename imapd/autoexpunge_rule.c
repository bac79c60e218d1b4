/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "autoexpunge_rule.h"

bool
autoexpunge_next(struct str *rest, struct autoexpunge_rule *r)
{
	static const struct param days = { .name = "imap_autoexpunge",
					   .kind = PARAM_TIME,
					   .min = 86400,
					   .max = 36500ll * 86400 };
	struct str one, name;
	struct err err;
	ptrdiff_t at;

	if (!str_token(rest, ",", &one))
		return false;
	*r = (struct autoexpunge_rule){ .text = str_trim(one) };
	at = str_rfind(r->text, '=');
	if (at <= 0)
		return true;
	name = str_trim(str_head(r->text, (size_t)at));
	one = str_trim(str_from(r->text, (size_t)at + 1));
	if (name.n && param_check(&days, one, &err) == 0) {
		r->folder = name;
		r->seconds = (uint64_t)param_number(&days, one);
	}
	return true;
}

int
autoexpunge_check(struct str rules, struct err *err)
{
	struct autoexpunge_rule r;

	while (autoexpunge_next(&rules, &r))
		if (!r.folder.p)
			return err_set(err, ERR_PERM, EINVAL,
				       "\"%.*s\": want FOLDER=TIME, a day at "
				       "least",
				       STR_FMT(str_head(r.text, 60)));
	return 0;
}
