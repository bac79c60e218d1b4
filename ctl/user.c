/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl.h"
#include "edit.h"
#include "mail/users_file.h"
#include "table/db.h"
#include "table/table.h"
#include "user.h"
#include "user_text.h"

/* --- the mailbox map ------------------------------------------------------ */

enum map_kind { MAP_TEXT, MAP_HASH, MAP_BTREE };

/* The first table of virtual_mailbox_maps that has a file we can write. */
static int
find_map(struct ctl *c, struct str *path, enum map_kind *kind, struct err *err)
{
	struct str maps = config_get(&c->conf, "virtual_mailbox_maps");
	struct str item, type;

	while (maincf_map_item(&maps, &item)) {
		if (!table_spec_split(item, &type, path))
			continue;
		*kind = str_eq(type, STR("hash"))    ? MAP_HASH
			: str_eq(type, STR("btree")) ? MAP_BTREE
						     : MAP_TEXT;
		if (*kind != MAP_TEXT || str_eq(type, STR("texthash")))
			return 0;
	}
	return err_set(err, ERR_PERM, EINVAL,
		       "virtual_mailbox_maps has no hash:, btree: or "
		       "texthash: table to write the address to");
}

static void
warn_row(void *arg, unsigned line, const char *text)
{
	ctl_error("user", "warning: %s, line %u: %s", (const char *)arg, line,
		  text);
}

/* The address's row set to value, or taken away (value.p NULL). */
static int
write_map(struct edit *map, enum map_kind kind, struct str address,
	  struct str value, struct err *err)
{
	struct buf out;
	int rc;

	buf_init(&out, USERS_FILE_MAX);
	rc = map_text_set(buf_str(&map->text), address, value, &out, err);
	if (rc == 0)
		rc = edit_commit(map, buf_str(&out), err);
	buf_fini(&out);
	if (rc == 0 && kind != MAP_TEXT)
		rc = table_db_build(kind == MAP_HASH ? TABLE_HASH : TABLE_BTREE,
				    map->path, TEXT_POSTMAP, warn_row,
				    map->path, err);
	return rc;
}

/* Where the mailbox is below virtual_mailbox_base: as the map has it already,
 * or domain/user/. */
static int
mailbox_path(const struct edit *map, struct str address, struct buf *path,
	     struct err *err)
{
	struct str domain = address, local, value;

	(void)str_cut(&domain, '@', &local);
	if (map_text_find(buf_str(&map->text), address, &value) && value.n)
		(void)!buf_add_str(path, value);
	else
		(void)!buf_addf(path, "%.*s/%.*s/", STR_FMT(domain),
				STR_FMT(local));
	value = buf_str(path);
	if (!str_ends(value, STR("/")) || value.p[0] == '/')
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: the mailbox of %.*s is not a Maildir below "
			       "virtual_mailbox_base",
			       map->path, STR_FMT(address));
	return 0;
}

/* --- add ------------------------------------------------------------------ */

static void
warn_domain(struct ctl *c, struct str address)
{
	struct str domain = address, local, list, item;
	bool tables = false;

	(void)str_cut(&domain, '@', &local);
	list = config_get(&c->conf, "virtual_mailbox_domains");
	while (str_token(&list, ", \t", &item)) {
		tables |= str_find(item, ':') >= 0 || item.p[0] == '/';
		if (str_ieq(item, domain))
			return;
	}
	if (!tables)
		ctl_error("user",
			  "warning: %.*s is not in virtual_mailbox_domains, "
			  "mail for it will not be accepted",
			  STR_FMT(domain));
}

/* The user's line, with this password in it, into the file. */
static int
write_user(struct edit *users, struct str user, struct str line,
	   const struct user_secret *secret, struct err *err)
{
	struct users_line parsed;
	struct buf fresh, out;
	int rc;

	buf_init(&fresh, USERS_LINE_MAX);
	buf_init(&out, USERS_FILE_MAX);
	rc = users_line_password(line, buf_str(&secret->password),
				 buf_str(&secret->keys), &fresh, err);
	if (rc == 0)
		rc = users_line_parse(buf_str(&fresh), &parsed, err);
	if (rc == 0)
		rc = users_text_secret(buf_str(&users->text), &out, err);
	if (rc == 0)
		rc = users_text_set(buf_str(&users->text), user,
				    buf_str(&fresh), &out, err);
	if (rc == 0)
		rc = edit_commit(users, buf_str(&out), err);
	if (out.n)
		explicit_bzero(out.p, out.n);
	buf_fini(&out);
	buf_fini(&fresh);
	return rc;
}

static int
write_new_user(struct edit *users, struct str user, struct str home,
	       const struct user_secret *secret, struct err *err)
{
	struct buf line;
	int rc;

	buf_init(&line, USERS_LINE_MAX);
	rc = buf_addf(&line, "%.*s:::::%.*s::", STR_FMT(user), STR_FMT(home));
	rc = rc < 0 ? err_set(err, ERR_PERM, EFBIG, "the line is too long")
		    : write_user(users, user, buf_str(&line), secret, err);
	buf_fini(&line);
	return rc;
}

/* The address into the map first: whoever can log in has a mailbox. */
static int
add_virtual(struct ctl *c, struct edit *users, struct str user,
	    const struct user_secret *secret, struct err *err)
{
	struct str base = config_get(&c->conf, "virtual_mailbox_base"), at;
	struct edit map = { .lock = -1 };
	enum map_kind kind;
	struct buf path, home;
	struct str file;
	int rc = -1;

	if (base.n == 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "virtual_mailbox_base is not set: there are no "
			       "virtual mailboxes");
	buf_init(&path, 1000);
	buf_init(&home, USERS_HOME_MAX);
	if (find_map(c, &file, &kind, err) < 0 ||
	    edit_open(&map, file, 0644, users, err) < 0 ||
	    mailbox_path(&map, user, &path, err) < 0)
		goto out;
	at = buf_str(&path);
	while (at.n && at.p[at.n - 1] == '/')
		at.n--;
	if (buf_addf(&home, "%.*s/%.*s", STR_FMT(base), STR_FMT(at)) < 0) {
		err_set(err, ERR_PERM, ENAMETOOLONG, "the home is too long");
		goto out;
	}
	rc = write_map(&map, kind, user, buf_str(&path), err);
	if (rc == 0)
		rc = write_new_user(users, user, buf_str(&home), secret, err);
	if (rc == 0)
		warn_domain(c, user);
out:
	edit_close(&map);
	buf_fini(&path);
	buf_fini(&home);
	return rc;
}

static int
do_add(struct ctl *c, struct edit *users, struct str user,
       const struct user_secret *secret, struct err *err)
{
	struct str line;

	if (users_text_find(buf_str(&users->text), user, &line))
		return err_set(err, ERR_PERM, EEXIST,
			       "%.*s is there already (use passwd)",
			       STR_FMT(user));
	if (str_find(user, '@') >= 0)
		return add_virtual(c, users, user, secret, err);
	if (!getpwnam(user.p))
		return err_set(err, ERR_PERM, ENOENT,
			       "there is no system user %s; a virtual user is "
			       "named user@domain",
			       user.p);
	return write_new_user(users, user, STR(""), secret, err);
}

/* --- passwd, delete, list ------------------------------------------------- */

static int
not_there(const struct edit *users, struct str user, struct err *err)
{
	return err_set(err, ERR_PERM, ENOENT, "%s: no user %.*s", users->path,
		       STR_FMT(user));
}

static int
do_passwd(struct ctl *c, struct edit *users, struct str user,
	  const struct user_secret *secret, struct err *err)
{
	struct str line;

	(void)c;
	if (!users_text_find(buf_str(&users->text), user, &line))
		return not_there(users, user, err);
	return write_user(users, user, line, secret, err);
}

/* The login first, then the app passwords, then the address.  The mail stays.
 */
static int
do_delete(struct ctl *c, struct edit *users, struct str user,
	  const struct user_secret *secret, struct err *err)
{
	struct edit map = { .lock = -1 };
	enum map_kind kind;
	struct buf out;
	struct str line, file, value;
	bool login = users_text_find(buf_str(&users->text), user, &line);
	bool mailbox = false;
	int rc = 0;

	(void)secret;
	buf_init(&out, USERS_FILE_MAX);
	if (str_find(user, '@') >= 0 && find_map(c, &file, &kind, err) == 0) {
		rc = edit_open(&map, file, 0644, users, err);
		mailbox = rc == 0 &&
			  map_text_find(buf_str(&map.text), user, &value);
	}
	if (rc == 0 && !login && !mailbox)
		rc = not_there(users, user, err);
	if (rc == 0 && login)
		rc = users_text_set(buf_str(&users->text), user, STR_NULL, &out,
				    err);
	if (rc == 0 && login)
		rc = edit_commit(users, buf_str(&out), err);
	if (rc == 0)
		rc = user_app_forget(c, user, users, err);
	if (rc == 0 && mailbox)
		rc = write_map(&map, kind, user, STR_NULL, err);
	edit_close(&map);
	buf_fini(&out);
	return rc;
}

static void
print_user(const struct users_line *u, int last)
{
	const char *state = u->scheme ? "\tPLAIN LOGIN" : "\tlocked";
	char used[USER_LAST_MAX];
	struct users_scram keys;
	struct buf lower;
	size_t i;

	buf_init(&lower, USERS_NAME_MAX);
	for (i = 0; i < u->user.n; i++)
		(void)!buf_add_byte(&lower, ascii_lower(u->user.p[i]));
	user_last(last, buf_str(&lower), STR(""), used);
	buf_fini(&lower);
	(void)printf("%.*s%s%s%s%s%s\n", STR_FMT(u->user), state,
		     users_line_scram(u, USERS_SCRAM_SHA_1, &keys)
			     ? " SCRAM-SHA-1"
			     : "",
		     users_line_scram(u, USERS_SCRAM_SHA_256, &keys)
			     ? " SCRAM-SHA-256"
			     : "",
		     *used ? "\t" : "", used);
}

/* Names, and after tabs the mechanisms of SASL that the password serves, or
 * that it is locked, and the last login. */
static int
list_users(struct ctl *c, const struct edit *users)
{
	struct str text = buf_str(&users->text), line;
	struct users_line u;
	int rc, status = 0, last = user_last_open(c);
	unsigned number = 0;
	struct err err;

	while (text.n) {
		if (!str_cut(&text, '\n', &line)) {
			line = text;
			text = STR_NULL;
		}
		number++;
		rc = users_line_parse(line, &u, &err);
		if (rc == 0)
			print_user(&u, last);
		if (rc >= 0)
			continue;
		ctl_error("user", "%s:%u: %s", users->path, number, err.text);
		status = 1;
	}
	if (last >= 0)
		(void)close(last);
	return status;
}

/* --- the command ---------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(struct ctl *c, struct edit *users, struct str user,
		   const struct user_secret *secret, struct err *err);
	bool wants_password;
} verbs[] = {
	{ "add", do_add, true },
	{ "passwd", do_passwd, true },
	{ "delete", do_delete, false },
};

static int
run_verb(struct ctl *c, size_t verb, struct str user, bool from_stdin,
	 struct err *err)
{
	struct edit users = { .lock = -1 };
	struct user_secret secret;
	int rc = 0;

	user_secret_init(&secret);
	/* Before the lock: a person may take time to think of one. */
	if (verbs[verb].wants_password)
		rc = user_secret_ask(&secret, c, from_stdin, err);
	if (rc == 0)
		rc = edit_open(&users, config_get(&c->conf, "users_file"), 0600,
			       NULL, err);
	if (rc == 0)
		rc = verbs[verb].run(c, &users, user, &secret, err);
	edit_close(&users);
	user_secret_fini(&secret);
	return rc;
}

int
user_status(const struct err *err)
{
	if (err->class == ERR_TEMP)
		return EX_TEMPFAIL;
	if (err->code == EPERM || err->code == EACCES)
		return EX_NOPERM;
	return err->code == EINVAL ? EX_USAGE : 1;
}

static int
cmd_list(struct ctl *c)
{
	struct edit users = { .lock = -1 };
	struct err err;
	int rc;

	if (edit_open(&users, config_get(&c->conf, "users_file"), 0600, NULL,
		      &err) < 0) {
		ctl_error("user", "%s", err.text);
		rc = user_status(&err);
	} else {
		rc = list_users(c, &users);
	}
	edit_close(&users);
	return rc;
}

int
cmd_user(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "password-stdin", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	const char *command = argv[0];
	bool from_stdin = false;
	char *at;
	struct err err;
	size_t verb = 0;
	int opt;

	if (argc > 1 && strcmp(argv[1], "app") == 0)
		return cmd_user_app(c, argc - 1, argv + 1);
	while ((opt = getopt_long(argc, argv, "s", options, NULL)) != -1) {
		if (opt != 's')
			return ctl_usage(command);
		from_stdin = true;
	}
	argc -= optind;
	argv += optind;
	if (argc == 1 && strcmp(argv[0], "list") == 0)
		return ctl_config(c) != 0 ? EX_USAGE : cmd_list(c);
	while (verb < 3 && argc == 2 && strcmp(argv[0], verbs[verb].name) != 0)
		verb++;
	if (argc != 2 || verb == 3)
		return ctl_usage(command);
	for (at = argv[1]; *at; at++)
		*at = ascii_lower(*at);
	if (!users_name_ok(str_of(argv[1]))) {
		ctl_error(command,
			  "\"%s\" cannot be a user: want user@domain, "
			  "or the name of a system user",
			  argv[1]);
		return EX_USAGE;
	}
	if (ctl_config(c) != 0)
		return EX_USAGE;
	if (run_verb(c, verb, str_of(argv[1]), from_stdin, &err) == 0)
		return 0;
	ctl_error(command, "%s", err.text);
	return user_status(&err);
}
