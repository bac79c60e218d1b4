/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "authsock_parse.h"

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_PERM, EPROTO, "%s", what);
}

/* The next parameter; an empty one is one. */
static bool
next(struct str *rest, struct str *param)
{
	*param = STR("");
	if (!rest->p)
		return false;
	if (!str_cut(rest, '\t', param)) {
		*param = *rest;
		*rest = STR_NULL;
	}
	return true;
}

static int
take_number(struct str *rest, uint32_t *n, struct err *err)
{
	struct str word;
	uint64_t v;

	if (!next(rest, &word) || str_u64(word, UINT32_MAX, &v) < 0)
		return bad(err, "a number is missing");
	*n = (uint32_t)v;
	return 0;
}

static bool
has_value(struct str param, struct str name, struct str *value)
{
	if (!str_starts(param, name))
		return false;
	*value = str_from(param, name.n);
	return true;
}

/* What follows id and mechanism.  resp= is the last one: what comes after it
 * could have been written by the one who logs in. */
static int
take_params(struct str rest, struct authsock_line *l, struct err *err)
{
	struct str param, value;
	unsigned n = 0;

	while (next(&rest, &param)) {
		if (++n > AUTHSOCK_PARAMS_MAX)
			return bad(err, "too many parameters");
		if (has_value(param, STR("resp="), &l->data))
			return 0;
		(void)(has_value(param, STR("service="), &l->service) ||
		       has_value(param, STR("rip="), &l->rip) ||
		       has_value(param, STR("lip="), &l->lip));
		if (str_eq(param, STR("secured")) ||
		    has_value(param, STR("secured="), &value))
			l->secured = true;
	}
	return 0;
}

static int
take_auth(struct str rest, struct authsock_line *l, struct err *err)
{
	if (take_number(&rest, &l->id, err) < 0)
		return -1;
	if (!next(&rest, &l->mech) || l->mech.n == 0)
		return bad(err, "AUTH without a mechanism");
	return take_params(rest, l, err);
}

static int
take_cont(struct str rest, struct authsock_line *l, struct err *err)
{
	if (take_number(&rest, &l->id, err) < 0)
		return -1;
	if (!next(&rest, &l->data))
		l->data = STR("");
	return 0;
}

int
authsock_parse(struct str line, struct authsock_line *l, struct err *err)
{
	struct str rest = line, verb = STR("");

	*l = (struct authsock_line){ .data = STR_NULL };
	l->mech = l->service = l->rip = l->lip = STR("");
	(void)next(&rest, &verb);
	if (str_eq(verb, STR("VERSION"))) {
		l->verb = AUTHSOCK_VERSION;
		return take_number(&rest, &l->major, err);
	}
	if (str_eq(verb, STR("CPID"))) {
		l->verb = AUTHSOCK_CPID;
		return 0;
	}
	if (str_eq(verb, STR("AUTH"))) {
		l->verb = AUTHSOCK_AUTH;
		return take_auth(rest, l, err);
	}
	if (str_eq(verb, STR("CONT"))) {
		l->verb = AUTHSOCK_CONT;
		return take_cont(rest, l, err);
	}
	if (str_eq(verb, STR("CANCEL"))) {
		l->verb = AUTHSOCK_CANCEL;
		return take_number(&rest, &l->id, err);
	}
	return bad(err, "an unknown command");
}
