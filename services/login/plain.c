/* SPDX-License-Identifier: ISC */
#include "plain.h"
#include "base/enc.h"

bool
plain_parse(struct str text, struct buf *out, struct str *user,
	    struct str *password)
{
	struct str rest, authzid;

	if (text.n > PLAIN_TEXT_MAX || enc_unbase64(out, text) < 0)
		return false;
	rest = buf_str(out);
	if (!str_cut(&rest, '\0', &authzid) || !str_cut(&rest, '\0', user))
		return false;
	*password = rest;
	return user->n && rest.n && str_find(rest, '\0') < 0 &&
	       (authzid.n == 0 || str_eq(authzid, *user));
}
