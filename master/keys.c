/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "frame/msg_keyd.h"
#include "master.h"
#include "table/tls_files.h"

/*
 * The table "keys": all files with keys and certificates that main.cf names, as
 * bytes, for keyd alone.  What stands in them is none of master's business.
 */
enum { ENTRY_ROOM = 16 * 1024 /* names and paths of one file */ };

static int
list_files(const struct config *c, struct tls_files *f, struct err *err)
{
	const struct tls_params p = {
		.dir = c->dir,
		.chain_files = config_get(c, "smtpd_tls_chain_files"),
		.login_chain_files = config_get(c, "login_tls_chain_files"),
		.cert_file = config_get(c, "smtpd_tls_cert_file"),
		.key_file = config_get(c, "smtpd_tls_key_file"),
		.eccert_file = config_get(c, "smtpd_tls_eccert_file"),
		.eckey_file = config_get(c, "smtpd_tls_eckey_file"),
		.sni_maps = config_get(c, "tls_server_sni_maps"),
		.out_chain_files = config_get(c, "smtp_tls_chain_files"),
		.out_cert_file = config_get(c, "smtp_tls_cert_file"),
		.out_key_file = config_get(c, "smtp_tls_key_file"),
		.out_eccert_file = config_get(c, "smtp_tls_eccert_file"),
		.out_eckey_file = config_get(c, "smtp_tls_eckey_file"),
	};

	return tls_files_list(f, &p, err);
}

int
keys_check(const struct config *c, struct buf *out)
{
	/* Lists of files are right in form; this one names tables. */
	const struct config_value *v =
		config_find(c, STR("tls_server_sni_maps"));
	struct tls_files *f = calloc(1, sizeof(*f));
	struct err err;
	int rc;

	if (!f) {
		buf_add_c(out, "out of memory\n");
		return -1;
	}
	rc = list_files(c, f, &err);
	if (rc < 0)
		buf_addf(out, "%.*s:%u: %s\n", STR_FMT(c->path), v->line,
			 err.text);
	tls_files_free(f);
	free(f);
	return rc;
}

/* What all these files look like from outside: it changes when one of them is
 * replaced, written, or gets another mode. */
static uint64_t
look(const struct tls_files *f, size_t *bytes)
{
	struct buf seen;
	uint64_t sum;
	size_t i;

	buf_init(&seen, 16 * 1024 * 1024);
	*bytes = 0;
	for (i = 0; i < f->n; i++) {
		const struct tls_file *t = &f->v[i];

		(void)buf_addf(&seen, "%d%d%d%.*s\n", t->mx, t->user, t->out,
			       STR_FMT(t->names));
		*bytes += table_look(&seen, t->path.p);
		if (t->key_path.n)
			*bytes += table_look(&seen, t->key_path.p);
	}
	sum = enc_hash(buf_str(&seen));
	buf_fini(&seen);
	return sum;
}

/* One of the two files of an entry, into *part of it. */
static void
read_part(struct str path, bool key, bool apart, struct buf *b,
	  struct str *part, struct err *why)
{
	size_t start = b->n;

	if (why->class == ERR_NONE && path.n &&
	    tls_file_read(path.p, key, b, why) < 0 && apart)
		(void)err_prefix(why, "key file");
	*part = str_mem(b->p + start, b->n - start);
}

static int
add_file(struct buf *out, const struct tls_file *t, struct buf *bytes,
	 struct err *err)
{
	struct err why = { .class = ERR_NONE };
	struct key_file file = {
		.groups = (uint8_t)((t->mx ? KEY_GROUP_MX : 0) |
				    (t->user ? KEY_GROUP_USER : 0) |
				    (t->out ? KEY_GROUP_OUT : 0)),
		.names = t->names,
		.path = t->path,
		.key_path = t->key_path,
	};

	buf_reset(bytes);
	read_part(t->path, !t->key_path.n || str_eq(t->path, t->key_path),
		  false, bytes, &file.bytes, &why);
	read_part(t->key_path, true, true, bytes, &file.key_bytes, &why);
	if (why.class != ERR_NONE) {
		file.error = str_head(str_of(why.text), 200);
		file.bytes = file.key_bytes = STR_NULL;
	}
	return msg_list_add(out, &key_file_def, &file, err);
}

/* As a sealed memfd; what was read is wiped. */
static int
encode(const struct tls_files *f, size_t bytes, struct err *err)
{
	size_t most = bytes + f->n * ENTRY_ROOM + 1, i;
	struct buf out, one;
	int fd = -1, rc = 0;

	/* No buffer may grow: what it leaves behind would not be wiped. */
	buf_init(&out, most);
	buf_init(&one, 2 * TLS_FILE_SIZE_MAX + 2);
	if (!buf_reserve(&out, most) || !buf_reserve(&one, one.limit))
		rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; rc == 0 && i < f->n; i++)
		rc = add_file(&out, &f->v[i], &one, err);
	if (rc == 0) {
		fd = sealed_memfd("keys", buf_str(&out));
		if (fd < 0)
			(void)err_sys(err, errno, "memfd");
	}
	if (one.p)
		explicit_bzero(one.p, one.size);
	if (out.p)
		explicit_bzero(out.p, out.size);
	buf_fini(&one);
	buf_fini(&out);
	return fd;
}

bool
keys_read(struct master *m, struct table *t)
{
	struct tls_files *f = calloc(1, sizeof(*f));
	struct err err = { .class = ERR_NONE };
	bool fresh = false;
	uint64_t seen;
	size_t bytes;
	int fd;

	if (!f)
		return false;
	if (list_files(&m->conf, f, &err) < 0) {
		/* A table of tls_server_sni_maps has become faulty. */
		seen = enc_hash(str_of(err.text));
		if (seen != t->complained)
			log_error("%s; the keys of before stay", err.text);
		t->complained = seen;
		goto out;
	}
	t->complained = 0;
	seen = look(f, &bytes);
	if (t->memfd >= 0 && seen == t->seen)
		goto out;
	fd = encode(f, bytes, &err);
	if (fd < 0) {
		log_error("keys: %s", err.text);
		goto out;
	}
	table_set(t, fd, seen);
	fresh = true;
out:
	tls_files_free(f);
	free(f);
	return fresh;
}
