/* SPDX-License-Identifier: ISC */
/* The first byte says which form: a chain file, or where the key file of a pair
 * ends. */
#include "cert/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_mem(data, size), key;
	struct cert_file f;
	struct err err;
	size_t i, k;
	int rc;

	if (size < 1)
		return 0;
	text = str_from(text, 1);
	key = str_head(text, text.n * data[0] / 256);
	err.class = ERR_NONE;
	rc = cert_file_load(&f, str_from(text, key.n),
			    data[0] < 128 ? NULL : &key, 1800000000, &err);
	BUG_ON(rc < 0 && (err.class == ERR_NONE || err.class == ERR_BUG));
	BUG_ON(rc == 0 && f.n == 0);
	for (i = 0; rc == 0 && i < f.n; i++) {
		BUG_ON(!f.v[i].key || f.v[i].n == 0 || !f.v[i].names.p);
		for (k = 0; k < f.v[i].n; k++)
			BUG_ON(f.v[i].der[k].n == 0);
		(void)cert_covers(&f.v[i], STR("mail.x.test"));
	}
	cert_file_free(&f);
	return 0;
}
