/* SPDX-License-Identifier: ISC */
#include <crypt.h>
#include <stdlib.h>

#include "base/enc.h"
#include "password/scram.h"
#include "verify.h"

static bool
hash_matches(const char *hash, const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	struct str got, want = str_of(hash);
	bool same;

	if (!data)
		return false;
	got = str_of(crypt_r(password, hash, data));
	/* crypt(5): a failure begins with "*", which no hash does. */
	same = got.n && got.p[0] != '*' && enc_equal_const_time(got, want);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return same;
}

bool
secret_matches(enum users_scheme scheme, const char *secret,
	       const char *password)
{
	struct users_scram keys;

	switch (scheme) {
	case USERS_CRYPT:
		return hash_matches(secret, password);
	case USERS_SCRAM_SHA_1:
	case USERS_SCRAM_SHA_256:
		return users_scram_parse(scheme, str_of(secret), &keys, NULL) ==
			       0 &&
		       scram_matches(scheme, &keys, str_of(password));
	case USERS_LOCKED:
		break;
	}
	return false;
}

void
verify_wipe(struct verify *v)
{
	explicit_bzero(v->password, sizeof(v->password));
	explicit_bzero(v->secret, sizeof(v->secret));
	explicit_bzero(&v->apps, sizeof(v->apps));
}

void
verify_run(struct work *w)
{
	struct verify *v = (struct verify *)(void *)w;
	const char *app = app_check_match(&v->apps, str_of(v->password));

	(void)!str_copy(v->app, sizeof(v->app), str_of(app));
	v->match = secret_matches(v->scheme, v->secret, v->password);
	v->checked = true;
	if (!v->keep)
		verify_wipe(v);
}
