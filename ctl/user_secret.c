/* SPDX-License-Identifier: ISC */
#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>

#include "mail/users_file.h"
#include "password/scram.h"
#include "user.h"

enum { PASSWORD_BYTES = CRYPT_MAX_PASSPHRASE_SIZE };

/* One line; 0, or -1 (end, too long, or a NUL, which crypt(3) would not see).
 */
static int
read_line(FILE *in, char password[PASSWORD_BYTES])
{
	size_t n = 0;
	int c;

	while ((c = getc(in)) != EOF && c != '\n') {
		if (n == PASSWORD_BYTES - 1 || c == '\0')
			return -1;
		password[n++] = (char)c;
	}
	password[n] = '\0';
	return n == 0 ? -1 : 0;
}

static int
prompt(FILE *tty, const char *text, char password[PASSWORD_BYTES])
{
	struct termios old, quiet;
	int fd = fileno(tty), rc;

	if (tcgetattr(fd, &old) < 0)
		return -1;
	quiet = old;
	quiet.c_lflag &= (tcflag_t) ~(ECHO | ECHOE | ECHOK);
	quiet.c_lflag |= ECHONL;
	(void)fputs(text, tty);
	(void)fflush(tty);
	if (tcsetattr(fd, TCSAFLUSH, &quiet) < 0)
		return -1;
	rc = read_line(tty, password);
	(void)tcsetattr(fd, TCSAFLUSH, &old);
	return rc;
}

static int
ask_password(char password[PASSWORD_BYTES], struct err *err)
{
	char again[PASSWORD_BYTES];
	FILE *tty = fopen("/dev/tty", "r+e");
	int rc = -1;

	if (!tty)
		return err_set(err, ERR_PERM, ENOTTY,
			       "no terminal to ask on, use --password-stdin");
	setvbuf(tty, NULL, _IONBF, 0);
	if (prompt(tty, "Password: ", password) < 0 ||
	    prompt(tty, "Again: ", again) < 0)
		err_set(err, ERR_PERM, EINVAL,
			"the password is empty or too long");
	else if (strcmp(password, again) != 0)
		err_set(err, ERR_PERM, EINVAL, "the passwords differ");
	else
		rc = 0;
	explicit_bzero(again, sizeof(again));
	(void)fclose(tty);
	return rc;
}

/* "{CRYPT}$6$...". */
static int
add_hash(struct user_secret *s, const char *prefix, const char *password,
	 struct err *err)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = calloc(1, sizeof(*data));
	int rc = -1;

	if (!data ||
	    !crypt_gensalt_rn(prefix, 0, NULL, 0, setting, sizeof(setting)) ||
	    crypt_r(password, setting, data)[0] == '*')
		err_set(err, ERR_TEMP, errno, "crypt(3) failed");
	else
		rc = buf_addf(&s->password, "{CRYPT}%s", data->output);
	if (data)
		explicit_bzero(data, sizeof(*data));
	free(data);
	return rc;
}

/* "{SCRAM-SHA-256}10000,...", and the keys for SCRAM-SHA-1 beside it. */
static int
add_keys(struct user_secret *s, const char *password, struct err *err)
{
	(void)!buf_add_c(&s->password, "{SCRAM-SHA-256}");
	(void)!buf_addf(&s->keys, "%s=", users_scram_field(USERS_SCRAM_SHA_1));
	if (scram_format(USERS_SCRAM_SHA_256, str_of(password),
			 SCRAM_ITERATIONS, &s->password, err) < 0)
		return -1;
	return scram_format(USERS_SCRAM_SHA_1, str_of(password),
			    SCRAM_ITERATIONS, &s->keys, err);
}

static int
make(struct user_secret *s, struct str scheme, const char *password,
     struct err *err)
{
	static const struct {
		const char *name, *prefix;
	} hashes[] = {
		{ "sha512", "$6$" },
		{ "yescrypt", "$y$" },
		{ "bcrypt", "$2b$" },
	};
	size_t i;

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (str_eq(scheme, str_of(hashes[i].name)))
			return add_hash(s, hashes[i].prefix, password, err);
	return add_keys(s, password, err);
}

void
user_secret_init(struct user_secret *s)
{
	buf_init(&s->password, USERS_LINE_MAX);
	buf_init(&s->keys, USERS_LINE_MAX);
}

void
user_secret_fini(struct user_secret *s)
{
	buf_fini(&s->password);
	buf_fini(&s->keys);
}

int
user_secret_ask(struct user_secret *s, struct ctl *c, bool from_stdin,
		struct err *err)
{
	char password[PASSWORD_BYTES];
	int rc = -1;

	if (from_stdin && read_line(stdin, password) < 0)
		err_set(err, ERR_PERM, EINVAL,
			"the password on standard input is empty, too long "
			"(more than %d bytes) or has a NUL",
			PASSWORD_BYTES - 1);
	else if (from_stdin || ask_password(password, err) == 0)
		rc = make(s, config_get(&c->conf, "user_password_scheme"),
			  password, err);
	explicit_bzero(password, sizeof(password));
	return rc;
}
