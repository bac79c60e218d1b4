/* SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <stdio.h>

#include "base/enc.h"
#include "base/log.h"
#include "master.h"
#include "table/tls_files.h"

/*
 * The table "smtp_tls_ca": the certificates of the authorities that are trusted
 * where we send mail, as one text for tlsd_mx.
 */
static const char system_file[] = "/etc/ssl/certs/ca-certificates.crt";

enum { DIR_FILES_MAX = 2000, LOOK_MAX = 16 * 1024 };

/* As c_rehash(1ssl) names them: "5ed36f99.0". */
static bool
is_hash(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return n == 8 && name[8] == '.' && name[9] >= '0' && name[9] <= '9' &&
	       !name[10];
}

static void
append(struct buf *to, const char *path)
{
	struct err err;

	if (tls_ca_read(path, to, &err) < 0)
		log_warn("%s: %s", path, err.text);
	(void)buf_add_byte(to, '\n');
}

static void
append_dir(struct buf *to, const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char path[4096];
	unsigned n = 0;

	if (!d)
		log_warn("%s: cannot be read: %m", dir);
	while (d && n < DIR_FILES_MAX && (e = readdir(d))) {
		if (!is_hash(e->d_name) ||
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >=
			    (int)sizeof(path))
			continue;
		n++;
		append(to, path);
	}
	if (d)
		closedir(d);
}

/* Of a directory, whether files came or went: that is how they change there. */
static void
look(struct buf *to, const char *path)
{
	(void)table_look(to, path);
}

typedef void take_path(struct buf *to, const char *path);

static void
each(const struct config *c, struct buf *to, take_path *file, take_path *dir)
{
	struct str ca_file = config_get(c, "smtp_tls_CAfile");
	struct str ca_path = config_get(c, "smtp_tls_CApath");

	if (ca_file.n)
		file(to, ca_file.p);
	if (ca_path.n)
		dir(to, ca_path.p);
	if (config_number(c, "tls_append_default_CA"))
		file(to, system_file);
}

bool
authorities_read(struct master *m, struct table *t)
{
	struct buf b;
	uint64_t seen;
	int fd;

	buf_init(&b, LOOK_MAX);
	each(&m->conf, &b, look, look);
	seen = enc_hash(buf_str(&b));
	buf_fini(&b);
	if (t->memfd >= 0 && seen == t->seen)
		return false;
	buf_init(&b, TLS_CA_SIZE_MAX);
	each(&m->conf, &b, append, append_dir);
	fd = sealed_memfd("smtp_tls_ca", buf_str(&b));
	if (fd >= 0)
		table_set(t, fd, seen);
	buf_fini(&b);
	return fd >= 0;
}
