/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl.h"
#include "map_build.h"
#include "table/table.h"

/*
 * posthouse map: what postmap(1) and, with -a, postalias(1) are to Postfix.
 * A table is named TYPE:FILE; without TYPE it is hash:FILE.
 */
static int
fail(const struct err *err)
{
	ctl_error("map", "%s", err->text);
	return ctl_status(err);
}

static int
build(const char *spec, enum text_form form)
{
	struct err err;

	if (map_build("posthouse map", spec, form, &err) == 0)
		return 0;
	(void)fail(&err);
	return err.class == ERR_PERM && err.code == EINVAL ? EX_USAGE
							   : ctl_status(&err);
}

/* --- asking -------------------------------------------------------------- */

/* The spec with a type, and its file's path made absolute. */
static struct str
full_spec(const char *given, struct pool *pool, struct err *err)
{
	struct str type, name, spec;
	char cwd[PATH_MAX];

	if (given[0] == '/' || !table_spec_split(str_of(given), &type, &name)) {
		type = STR("hash");
		name = str_of(given);
	}
	spec = pool_strf(pool, "%.*s:%.*s", STR_FMT(type), STR_FMT(name));
	if (spec.p && table_spec_file(spec, &name) && name.p[0] != '/') {
		if (!getcwd(cwd, sizeof(cwd))) {
			err_sys(err, errno, "current directory");
			return STR_NULL;
		}
		spec = pool_strf(pool, "%.*s:%s/%.*s", STR_FMT(type), cwd,
				 STR_FMT(name));
	}
	if (!spec.p)
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return spec;
}

static int
load_users(struct table_set *set, struct err *err)
{
	struct buf text;
	int rc;

	if (table_read_file("/etc/passwd", 64 << 20, &text, err) < 0)
		return -1;
	rc = table_set_passwd(set, buf_str(&text), err);
	buf_fini(&text);
	return rc;
}

/* 0: printed; 1: no table has it. */
static int
query_one(const struct table_list *tables, struct str key, bool show_key)
{
	struct str value;
	struct err err;
	int rc = table_list_get(tables, key, &value, &err);

	if (rc < 0)
		return fail(&err);
	if (rc == 0)
		return 1;
	if (show_key)
		printf("%.*s\t", STR_FMT(key));
	printf("%.*s\n", STR_FMT(value));
	return 0;
}

static int
query_stdin(const struct table_list *tables)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int rc, result = 1;

	while ((n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] == '\n')
			n--;
		rc = query_one(tables, str_mem(line, (size_t)n), true);
		if (rc == 0)
			result = 0;
		if (rc > 1) {
			result = rc;
			break;
		}
	}
	free(line);
	return result;
}

static int
query(const char *key, int argc, char **argv)
{
	struct table_set *set = table_set_new();
	struct table_list tables = { 0 };
	struct pool pool;
	struct str spec;
	struct err err;
	struct buf specs;
	int i, rc;

	pool_init(&pool, 1 << 20);
	buf_init(&specs, 1 << 20);
	if (!set) {
		err_set(&err, ERR_TEMP, ENOMEM, "out of memory");
		goto failed;
	}
	for (i = 0; i < argc; i++) {
		spec = full_spec(argv[i], &pool, &err);
		if (!spec.p)
			goto failed;
		(void)!buf_addf(&specs, "%.*s, ", STR_FMT(spec));
	}
	if (table_list_open(&tables, set, buf_str(&specs), &err) < 0 ||
	    load_users(set, &err) < 0)
		goto failed;
	rc = strcmp(key, "-") == 0 ? query_stdin(&tables)
				   : query_one(&tables, str_of(key), false);
	goto out;
failed:
	rc = fail(&err);
	if (err.class == ERR_PERM && err.code == EINVAL)
		rc = EX_USAGE;
out:
	table_list_close(&tables);
	table_set_free(set);
	buf_fini(&specs);
	pool_fini(&pool);
	return rc;
}

static int
print_row(void *arg, struct str key, struct str value)
{
	(void)arg;
	printf("%.*s\t%.*s\n", STR_FMT(key), STR_FMT(value));
	return 0;
}

static int
list(const char *spec)
{
	enum table_db_kind kind;
	struct table_db *db;
	const char *file;
	struct err err;
	char *path;
	int rc;

	if (map_kind(spec, &file, &kind) < 0) {
		ctl_error("map", "%s: only hash: and btree: can be listed",
			  spec);
		return EX_USAGE;
	}
	if (asprintf(&path, "%s.db", file) < 0)
		return EX_TEMPFAIL;
	rc = table_db_open(&db, path, kind, &err);
	free(path);
	if (rc == 0) {
		rc = table_db_each(db, print_row, NULL, &err);
		table_db_close(db);
	}
	return rc < 0 ? fail(&err) : 0;
}

int
cmd_map(struct ctl *c, int argc, char **argv)
{
	enum text_form form = TEXT_POSTMAP;
	const char *key = NULL;
	bool all = false;
	int i, opt, rc = 0, one;

	(void)c;
	while ((opt = getopt(argc, argv, "+aq:s")) != -1)
		switch (opt) {
		case 'a':
			form = TEXT_ALIASES;
			break;
		case 'q':
			key = optarg;
			break;
		case 's':
			all = true;
			break;
		default:
			return ctl_usage("map");
		}
	if (optind >= argc || (key && all))
		return ctl_usage("map");
	if (key)
		return query(key, argc - optind, argv + optind);
	for (i = optind; i < argc; i++) {
		one = all ? list(argv[i]) : build(argv[i], form);
		if (one)
			rc = one;
	}
	return rc;
}
