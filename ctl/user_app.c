/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/param.h"
#include "base/rand.h"
#include "mail/last_use.h"
#include "mail/users_app.h"
#include "mail/users_file.h"
#include "user.h"
#include "user_text.h"

enum {
	GROUPS = 5, /* of GROUP characters of 5 bits: 125 bits */
	GROUP = 5,
	APP_TEXT = GROUPS * (GROUP + 1),
	SALT = 16,
};

/* --- last logins ---------------------------------------------------------- */

static void
utc(uint64_t seconds, char text[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
}

int
user_last_open(struct ctl *c)
{
	struct str path = config_get(&c->conf, "last_use_file");

	errno = ENOENT;
	return path.n ? open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
}

void
user_last(int fd, struct str user, struct str name, char text[USER_LAST_MAX])
{
	uint8_t bucket[LAST_USE_BUCKET];
	struct last_use u;
	char at[32];
	ssize_t n;

	text[0] = '\0';
	n = fd < 0 ? -1
		   : pread(fd, bucket, sizeof(bucket),
			   (off_t)last_use_offset(user, name));
	if (n <= 0 || !last_use_find(bucket, (size_t)n, user, name, &u))
		return;
	utc(u.time, at);
	(void)snprintf(text, USER_LAST_MAX, "%s %s %.*s", at,
		       last_use_service_name(u.service),
		       STR_FMT(u.client.n ? u.client : STR("-")));
}

/* --- the file ------------------------------------------------------------- */

/* Cut the next line (with its LF) off *rest. */
static bool
next_line(struct str *rest, struct str *line)
{
	ptrdiff_t lf = str_find(*rest, '\n');

	*line = str_head(*rest, lf < 0 ? rest->n : (size_t)lf + 1);
	*rest = str_from(*rest, line->n);
	return line->n > 0;
}

/* Is this a line of the user; and of this name, unless that is empty? */
static bool
is_line_of(struct str line, struct str user, struct str name,
	   struct users_app *a)
{
	if (str_ends(line, STR("\n")))
		line.n--;
	return users_app_parse(line, a, NULL) == 0 && str_ieq(a->user, user) &&
	       (name.n == 0 || str_eq(a->name, name));
}

static unsigned
count(struct str text, struct str user, struct str name)
{
	struct users_app a;
	struct str line;
	unsigned n = 0;

	while (next_line(&text, &line))
		n += is_line_of(line, user, name, &a);
	return n;
}

static int
app_open(struct ctl *c, struct edit *e, const struct edit *held,
	 struct err *err)
{
	return edit_open(e, config_get(&c->conf, "app_passwords_file"), 0600,
			 held, err);
}

/* --- add ------------------------------------------------------------------ */

/* "abcde-fghij-..." of letters and digits that are not mistaken for others. */
static void
make_password(char text[APP_TEXT])
{
	static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
	uint8_t bytes[GROUPS * GROUP];
	size_t i;
	char *p = text;

	rand_bytes(bytes, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++) {
		if (i && i % GROUP == 0)
			*p++ = '-';
		*p++ = letters[bytes[i] & 31];
	}
	*p = '\0';
	explicit_bzero(bytes, sizeof(bytes));
}

static int
hash_password(struct users_app *a, const char *password, struct err *err)
{
	uint8_t text[APP_TEXT + SALT];
	size_t n = strlen(password);
	int rc;

	a->salt_n = SALT;
	rand_bytes(a->salt, SALT);
	memcpy(text, password, n);
	memcpy(text + n, a->salt, SALT);
	rc = EVP_Digest(text, n + SALT, a->digest, NULL, EVP_sha256(), NULL);
	explicit_bzero(text, sizeof(text));
	return rc == 1 ? 0 : err_set(err, ERR_TEMP, 0, "SHA-256 failed");
}

/* An app password of nobody would be found when somebody gets that name. */
static int
check_user(struct ctl *c, struct str user, struct err *err)
{
	struct edit users = { .lock = -1 };
	struct str line;
	int rc = edit_open(&users, config_get(&c->conf, "users_file"), 0600,
			   NULL, err);

	if (rc == 0 && !users_text_find(buf_str(&users.text), user, &line) &&
	    (config_get(&c->conf, "pam_service").n == 0 || !getpwnam(user.p)))
		rc = err_set(err, ERR_PERM, ENOENT, "%s: no user %.*s",
			     users.path, STR_FMT(user));
	edit_close(&users);
	return rc;
}

static int
add_line(struct edit *e, const struct users_app *a, struct err *err)
{
	struct str text = buf_str(&e->text);
	struct buf out;
	int rc;

	if (count(text, a->user, a->name))
		return err_set(err, ERR_PERM, EEXIST,
			       "%.*s has \"%.*s\" already", STR_FMT(a->user),
			       STR_FMT(a->name));
	if (count(text, a->user, STR("")) >= USERS_APP_PER_USER)
		return err_set(err, ERR_PERM, E2BIG,
			       "%.*s has %d app passwords, no more",
			       STR_FMT(a->user), USERS_APP_PER_USER);
	buf_init(&out, USERS_FILE_MAX);
	(void)!buf_add_str(&out, text);
	if (text.n && text.p[text.n - 1] != '\n')
		(void)!buf_add_byte(&out, '\n');
	(void)!users_app_format(&out, a);
	rc = buf_add_byte(&out, '\n') < 0
		     ? err_set(err, ERR_PERM, EFBIG, "the file is too long")
		     : edit_commit(e, buf_str(&out), err);
	buf_fini(&out);
	return rc;
}

static int
do_add(struct ctl *c, struct users_app *a, struct err *err)
{
	struct edit e = { .lock = -1 };
	char password[APP_TEXT];
	int rc = check_user(c, a->user, err);

	make_password(password);
	if (rc == 0)
		rc = hash_password(a, password, err);
	if (rc == 0)
		rc = app_open(c, &e, NULL, err);
	if (rc == 0)
		rc = add_line(&e, a, err);
	if (rc == 0)
		(void)puts(password);
	explicit_bzero(password, sizeof(password));
	edit_close(&e);
	return rc;
}

/* --- list, remove --------------------------------------------------------- */

static void
print_row(const struct users_app *a, int last)
{
	static const char *const names[] = {
		"",	"imap",	     "pop3",	  "imap,pop3",
		"smtp", "imap,smtp", "pop3,smtp", "imap,pop3,smtp",
	};
	char until[32] = "never", used[USER_LAST_MAX];

	if (a->expires != UINT64_MAX)
		utc(a->expires, until);
	if (a->expires <= clock_wall_us() / 1000000)
		(void)strcpy(until, "expired");
	user_last(last, a->user, a->name, used);
	(void)printf("%.*s\t%s\t%s\t%s\n", STR_FMT(a->name), names[a->services],
		     until, *used ? used : "-");
}

/* Name, services, when it expires, last use; separated by tabs. */
static int
do_list(struct ctl *c, struct users_app *a, struct err *err)
{
	struct edit e = { .lock = -1 };
	struct str text, line, user = a->user;
	int rc = app_open(c, &e, NULL, err), last = user_last_open(c);

	text = buf_str(&e.text);
	while (rc == 0 && next_line(&text, &line))
		if (is_line_of(line, user, STR(""), a)) {
			a->user = user; /* in lower case */
			print_row(a, last);
		}
	if (last >= 0)
		close(last);
	edit_close(&e);
	return rc;
}

/* Take away the lines of this user (and of this name, unless it is empty);
 * their number, or -1. */
static int
remove_lines(struct edit *e, struct str user, struct str name, struct err *err)
{
	struct str text = buf_str(&e->text), line;
	struct users_app a;
	struct buf out;
	int n = 0;

	buf_init(&out, USERS_FILE_MAX);
	while (next_line(&text, &line)) {
		if (is_line_of(line, user, name, &a))
			n++;
		else
			(void)!buf_add_str(&out, line);
	}
	if (n && edit_commit(e, buf_str(&out), err) < 0)
		n = -1;
	buf_fini(&out);
	return n;
}

static int
do_remove(struct ctl *c, struct users_app *a, struct err *err)
{
	struct edit e = { .lock = -1 };
	int n = app_open(c, &e, NULL, err);

	if (n == 0)
		n = remove_lines(&e, a->user, a->name, err);
	if (n == 0)
		err_set(err, ERR_PERM, ENOENT,
			"%.*s has no app password "
			"\"%.*s\"",
			STR_FMT(a->user), STR_FMT(a->name));
	edit_close(&e);
	return n > 0 ? 0 : -1;
}

int
user_app_forget(struct ctl *c, struct str user, const struct edit *held,
		struct err *err)
{
	struct edit e = { .lock = -1 };
	int n = app_open(c, &e, held, err);

	if (n == 0)
		n = remove_lines(&e, user, STR(""), err);
	edit_close(&e);
	return n < 0 ? -1 : 0;
}

/* --- the command ---------------------------------------------------------- */

static const struct {
	const char *name;
	int argc;
	int (*run)(struct ctl *c, struct users_app *a, struct err *err);
} verbs[] = {
	{ "add", 3, do_add },
	{ "remove", 3, do_remove },
	{ "list", 2, do_list },
};

/* "90d" from now on. */
static int
parse_expiry(const char *text, uint64_t *expires)
{
	static const struct param row = { .kind = PARAM_TIME,
					  .min = 1,
					  .max = 100 * 366 * 86400ll };
	struct err err;

	if (param_check(&row, str_of(text), &err) < 0)
		return -1;
	*expires = clock_wall_us() / 1000000 +
		   (uint64_t)param_number(&row, str_of(text));
	return 0;
}

static int
parse_options(int argc, char **argv, struct users_app *a)
{
	static const struct option options[] = {
		{ "services", required_argument, NULL, 's' },
		{ "expires", required_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's' &&
		    users_app_services(str_of(optarg), &a->services) == 0)
			continue;
		if (opt == 'e' && parse_expiry(optarg, &a->expires) == 0)
			continue;
		if (opt != '?')
			ctl_error("user", "\"%s\": want %s", optarg,
				  opt == 's' ? "imap,pop3,smtp"
					     : "a time as 90d");
		return -1;
	}
	return 0;
}

int
cmd_user_app(struct ctl *c, int argc, char **argv)
{
	struct users_app a = { .services = USERS_APP_ALL,
			       .expires = UINT64_MAX };
	size_t verb = 0;
	struct err err;
	char *at;

	if (parse_options(argc, argv, &a) < 0)
		return EX_USAGE;
	argc -= optind;
	argv += optind;
	while (verb < 3 && (argc != verbs[verb].argc ||
			    strcmp(argv[0], verbs[verb].name) != 0))
		verb++;
	if (verb == 3)
		return ctl_usage("user");
	for (at = argv[1]; *at; at++)
		*at = ascii_lower(*at);
	a.user = str_of(argv[1]);
	a.name = argc == 3 ? str_of(argv[2]) : STR("");
	if (!users_name_ok(a.user) ||
	    (argc == 3 && !users_app_name_ok(a.name))) {
		ctl_error("user", "\"%s\" cannot be a %s's name",
			  users_name_ok(a.user) ? argv[2] : argv[1],
			  users_name_ok(a.user) ? "password" : "user");
		return EX_USAGE;
	}
	if (ctl_config(c) != 0)
		return EX_USAGE;
	if (verbs[verb].run(c, &a, &err) == 0)
		return 0;
	ctl_error("user", "%s", err.text);
	return user_status(&err);
}
