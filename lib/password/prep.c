/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include "password/prep.h"

enum { PREP_MAX = 2048 }; /* UTF-16 units of a password, before and after */

static UStringPrepProfile *
open_profile(void)
{
	UErrorCode code = U_ZERO_ERROR;

	return usprep_openByType(USPREP_RFC4013_SASLPREP, &code);
}

static bool
is_plain_ascii(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] >= 127)
			return false;
	return true;
}

/* UTF-8 to UTF-16, prepared, to UTF-8. */
static int
prepare(struct str in, bool stored, UChar *wide, UChar *done, struct buf *out,
	struct err *err)
{
	UStringPrepProfile *profile = open_profile();
	UErrorCode code = U_ZERO_ERROR;
	int32_t n = 0, bytes = 0;
	char *to;

	if (!profile)
		return err_set(err, ERR_TEMP, ENOMEM, "no SASLprep tables");
	u_strFromUTF8(wide, PREP_MAX, &n, in.p, (int32_t)in.n, &code);
	n = usprep_prepare(profile, wide, n, done, PREP_MAX,
			   stored ? USPREP_DEFAULT : USPREP_ALLOW_UNASSIGNED,
			   NULL, &code);
	usprep_close(profile);
	if (U_FAILURE(code))
		return err_set(err, ERR_PERM, EINVAL,
			       "the password is not UTF-8, or has a character "
			       "that SASLprep (RFC 4013) does not allow");
	to = buf_reserve(out, (size_t)n * 3);
	if (!to)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	u_strToUTF8(to, n * 3, &bytes, done, n, &code);
	if (U_FAILURE(code))
		return err_set(err, ERR_PERM, EINVAL, "not UTF-8");
	out->n += (size_t)bytes;
	return 0;
}

int
password_prep(struct str password, bool stored, struct buf *out,
	      struct err *err)
{
	UChar *wide;
	int rc;

	if (is_plain_ascii(password)) {
		if (buf_add_str(out, password) < 0)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return 0;
	}
	if (password.n > PREP_MAX)
		return err_set(err, ERR_PERM, EINVAL, "too long");
	wide = malloc(2 * PREP_MAX * sizeof(*wide));
	if (!wide)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	rc = prepare(password, stored, wide, wide + PREP_MAX, out, err);
	explicit_bzero(wide, 2 * PREP_MAX * sizeof(*wide));
	free(wide);
	return rc;
}
