/* SPDX-License-Identifier: ISC */
#ifndef KEYD_TESTKEYS_H
#define KEYD_TESTKEYS_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "cert/make.h"
#include "frame/msg_keyd.h"

/* For tests: a chain file (key, certificate signed by itself), as text that
 * the caller frees; with the key and certificate apart if wanted. */
static inline char *
test_chain(const char *kind, const char *name, int64_t from, int64_t until)
{
	struct cert_wish w = { .kind = kind,
			       .cn = name,
			       .names = str_of(name),
			       .from = from,
			       .until = until };
	EVP_PKEY *key;
	X509 *cert;
	struct buf b;
	struct err err;
	char *text = NULL;

	buf_init(&b, 65536);
	if (cert_make(&w, &key, &cert, &err) == 0 &&
	    cert_put_key(&b, key, &err) == 0 && cert_put(&b, cert, &err) == 0)
		text = strdup(buf_cstr(&b));
	BUG_ON(!text);
	EVP_PKEY_free(key);
	X509_free(cert);
	buf_fini(&b);
	return text;
}

/* The table of keys, as master hands it over. */
static inline int
test_table(const struct key_file *files, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct buf b;
	struct err err;
	size_t i;

	buf_init(&b, 16 * 1024 * 1024);
	for (i = 0; i < n; i++)
		BUG_ON(msg_list_add(&b, &key_file_def, &files[i], &err) < 0);
	BUG_ON(fd < 0 || (b.n && write(fd, b.p, b.n) != (ssize_t)b.n) ||
	       fcntl(fd, F_ADD_SEALS,
		     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
		       0);
	buf_fini(&b);
	return fd;
}

#endif
