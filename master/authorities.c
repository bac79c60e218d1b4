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

enum { DIR_FILES_MAX = 2000, LOOK_MAX = 1024 * 1024 };

typedef void take_file(struct buf *to, const char *path);

/* As c_rehash(1ssl) names them: "5ed36f99.0". */
static bool
is_hash(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return n == 8 && name[8] == '.' && name[9] >= '0' && name[9] <= '9' &&
	       !name[10];
}

static void
each_in_dir(struct buf *to, const char *dir, take_file *take)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	char path[4096];
	unsigned n = 0;

	while (d && n < DIR_FILES_MAX && (e = readdir(d))) {
		if (!is_hash(e->d_name) ||
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >=
			    (int)sizeof(path))
			continue;
		n++;
		take(to, path);
	}
	if (d)
		closedir(d);
}

static void
each(const struct config *c, struct buf *to, take_file *take)
{
	struct str file = config_get(c, "smtp_tls_CAfile");
	struct str dir = config_get(c, "smtp_tls_CApath");

	if (file.n)
		take(to, file.p);
	if (dir.n)
		each_in_dir(to, dir.p, take);
	if (config_number(c, "tls_append_default_CA"))
		take(to, system_file);
}

static void
look(struct buf *to, const char *path)
{
	(void)table_look(to, path);
}

static void
append(struct buf *to, const char *path)
{
	struct err err;

	if (tls_ca_read(path, to, &err) < 0)
		log_warn("%s: %s", path, err.text);
	(void)buf_add_byte(to, '\n');
}

bool
authorities_read(struct master *m, struct table *t)
{
	struct buf b;
	uint64_t seen;
	int fd;

	buf_init(&b, LOOK_MAX);
	each(&m->conf, &b, look);
	seen = enc_hash(buf_str(&b));
	buf_fini(&b);
	if (t->memfd >= 0 && seen == t->seen)
		return false;
	buf_init(&b, TLS_CA_SIZE_MAX);
	each(&m->conf, &b, append);
	fd = sealed_memfd("smtp_tls_ca", buf_str(&b));
	if (fd >= 0)
		table_set(t, fd, seen);
	buf_fini(&b);
	return fd >= 0;
}
