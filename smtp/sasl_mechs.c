/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "sasl_mechs.h"

enum {
	PROOF = SASL_OPT_NOPLAINTEXT | SASL_OPT_NOACTIVE |
		SASL_OPT_NOANONYMOUS | SASL_OPT_MUTUAL_AUTH,
	CLEAR = SASL_OPT_NOANONYMOUS,
};

/* XOAUTH2 comes last: where a server offers a password as well, what
 * smtp_sasl_password_maps holds is a password unless the filter says
 * otherwise. */
const struct sasl_mech sasl_mechs[SASL_MECHS] = {
	{ "SCRAM-SHA-256-PLUS", PROOF, true, false },
	{ "SCRAM-SHA-256", PROOF, false, false },
	{ "SCRAM-SHA-1-PLUS", PROOF, true, false },
	{ "SCRAM-SHA-1", PROOF, false, false },
	{ "PLAIN", CLEAR, false, false },
	{ "LOGIN", CLEAR, false, false },
	{ "XOAUTH2", CLEAR, false, true },
};

int
sasl_options_parse(struct str list, unsigned *bits, struct err *err)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "noplaintext", SASL_OPT_NOPLAINTEXT },
		{ "noactive", SASL_OPT_NOACTIVE },
		{ "nodictionary", SASL_OPT_NODICTIONARY },
		{ "noanonymous", SASL_OPT_NOANONYMOUS },
		{ "mutual_auth", SASL_OPT_MUTUAL_AUTH },
	};
	const size_t n = sizeof(words) / sizeof(words[0]);
	struct str word;
	size_t i;

	*bits = 0;
	while (str_token(&list, ", \t", &word)) {
		for (i = 0; i < n; i++)
			if (str_ieq(word, str_of(words[i].word)))
				break;
		if (i == n)
			return err_set(err, ERR_PERM, EINVAL,
				       "\"%.*s\": want noplaintext, noactive, "
				       "nodictionary, noanonymous or "
				       "mutual_auth",
				       STR_FMT(str_head(word, 60)));
		*bits |= words[i].bit;
	}
	return 0;
}

bool
sasl_mech_offered(const struct sasl_mech *m, struct str words)
{
	struct str word;

	while (str_token(&words, " \t", &word))
		if (str_ieq(word, str_of(m->name)))
			return true;
	return false;
}

static bool
filter_next(struct str *filter, struct str *item, bool *negated)
{
	*negated = false;
	if (!str_token(filter, ", \t", item))
		return false;
	while (str_starts(*item, STR("!"))) {
		*negated = !*negated;
		*item = str_from(*item, 1);
	}
	return true;
}

bool
sasl_mech_passes(const struct sasl_mech *m, struct str filter)
{
	bool any = false, negated;
	struct str item;

	while (filter_next(&filter, &item, &negated)) {
		any = true;
		if (str_ieq(item, str_of(m->name)) ||
		    str_istarts(item, STR("static:")))
			return !negated;
	}
	return !any;
}

int
sasl_filter_check(struct str filter, struct err *err)
{
	struct str item;
	bool negated;

	while (filter_next(&filter, &item, &negated)) {
		if (item.n &&
		    (str_istarts(item, STR("static:")) ||
		     (str_find(item, '/') < 0 && str_find(item, ':') < 0)))
			continue;
		return err_set(err, ERR_PERM, EINVAL,
			       "\"%.*s\": want the name of a mechanism, or "
			       "static:all",
			       STR_FMT(str_head(item, 60)));
	}
	return 0;
}
