/* SPDX-License-Identifier: ISC */
#ifndef TABLE_TLS_FILES_H
#define TABLE_TLS_FILES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"

/*
 * Which files with keys and certificates the parameters name, and for whom;
 * and reading one of them.  Shared by master, which hands the bytes to keyd,
 * and "posthouse tls".  Nothing here looks into a key or a certificate.
 */
enum {
	TLS_FILES_MAX = 256,
	TLS_FILE_SIZE_MAX = 65535,
	TLS_CA_SIZE_MAX = 8 * 1024 * 1024,
	TLS_NAMES_MAX = 4096, /* bytes of names of one file */
};

/* The values of main.cf; a file that is not absolute stands below dir. */
struct tls_params {
	struct str dir;
	struct str chain_files, login_chain_files;
	struct str cert_file, key_file, eccert_file, eckey_file;
	struct str sni_maps; /* inline:{} and texthash:/FILE */
	/* smtp_tls_*: what servers are shown. */
	struct str out_chain_files, out_cert_file, out_key_file,
		out_eccert_file, out_eckey_file;
};

struct tls_file {
	bool mx, user;	     /* port 25; people's programs */
	bool out;	     /* other hosts, where we send */
	struct str names;    /* of SNI, by blanks; "": for everybody */
	struct str path;     /* keys and chains, or certificates alone */
	struct str key_path; /* of the key alone; "": in path */
};

struct tls_files {
	struct pool pool;
	struct tls_file v[TLS_FILES_MAX];
	size_t n;
};

/*
 * The list, in the order of the parameters.  The tables of sni_maps are read
 * (they must belong to root or the caller, and nobody else may write them).
 * -1 with err: PERM for a faulty value.  tls_files_free() in every case.
 */
ERR_WARN_UNUSED int tls_files_list(struct tls_files *f,
				   const struct tls_params *p, struct err *err);
void tls_files_free(struct tls_files *f);

/*
 * Append the bytes of a file to out.  key: there is a private key in it, so
 * that others may not be able to read it, nor anybody else to write it: mode
 * 0600 or less, and, if it belongs to root, 0640 for a group that root chose.
 * -1 with err, without the file's name.
 */
ERR_WARN_UNUSED int tls_file_read(const char *path, bool key, struct buf *out,
				  struct err *err);
/* The same of certificates of authorities, which may be many. */
ERR_WARN_UNUSED int tls_ca_read(const char *path, struct buf *out,
				struct err *err);

#endif
