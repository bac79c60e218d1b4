/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/enc.h"
#include "base/rand.h"
#include "mail/users_file.h"
#include "user_text.h"

/* Cut the next line off, with its LF if it has one. */
static bool
next_line(struct str *rest, struct str *whole, struct str *line)
{
	ptrdiff_t lf = str_find(*rest, '\n');

	if (rest->n == 0)
		return false;
	*whole = lf < 0 ? *rest : str_head(*rest, (size_t)lf + 1);
	*line = lf < 0 ? *rest : str_head(*rest, (size_t)lf);
	*rest = str_from(*rest, whole->n);
	return true;
}

static int
done(struct buf *out, struct err *err)
{
	return buf_overflown(out)
		       ? err_set(err, ERR_TEMP, EFBIG, "the file is too large")
		       : 0;
}

/* A last line without LF would swallow what follows. */
static void
end_line(struct buf *out)
{
	if (out->n && out->p[out->n - 1] != '\n')
		(void)!buf_add_byte(out, '\n');
}

/* --- the users file ------------------------------------------------------- */

static bool
is_user(struct str line, struct str user)
{
	struct str name;

	if (line.n && line.p[0] == '#')
		return false;
	if (!str_cut(&line, ':', &name))
		name = line;
	return str_ieq(name, user);
}

bool
users_text_find(struct str text, struct str user, struct str *line)
{
	struct str whole;

	while (next_line(&text, &whole, line))
		if (is_user(*line, user))
			return true;
	return false;
}

int
users_text_set(struct str text, struct str user, struct str line,
	       struct buf *out, struct err *err)
{
	struct str whole, old;
	bool put = line.p == NULL;

	while (next_line(&text, &whole, &old)) {
		if (!is_user(old, user)) {
			(void)!buf_add_str(out, whole);
			continue;
		}
		if (!put)
			(void)!buf_addf(out, "%.*s\n", STR_FMT(line));
		put = true;
	}
	if (!put) {
		end_line(out);
		(void)!buf_addf(out, "%.*s\n", STR_FMT(line));
	}
	return done(out, err);
}

static bool
is_keys(struct str item)
{
	return str_starts(item, STR("scram_sha_1=")) ||
	       str_starts(item, STR("scram_sha_256="));
}

/* Extra fields without the old keys, with the new ones. */
static void
add_extra(struct buf *out, struct str extra, struct str keys)
{
	struct str rest = extra, item;
	const char *blank = "";

	while (str_token(&rest, " \t", &item)) {
		if (is_keys(item))
			continue;
		(void)!buf_addf(out, "%s%.*s", blank, STR_FMT(item));
		blank = " ";
	}
	if (keys.n)
		(void)!buf_addf(out, "%s%.*s", blank, STR_FMT(keys));
}

int
users_line_password(struct str line, struct str password, struct str keys,
		    struct buf *out, struct err *err)
{
	struct str name, old, field, rest = line;
	bool more = true;
	int i;

	if (!str_cut(&rest, ':', &name)) {
		name = line;
		rest = STR("");
	}
	if (!str_cut(&rest, ':', &old))
		rest = STR("");
	(void)!buf_addf(out, "%.*s:%.*s", STR_FMT(name), STR_FMT(password));
	/* uid, gid, gecos, home, shell */
	for (i = 0; i < 5 && (more || keys.n); i++) {
		more = str_cut(&rest, ':', &field);
		if (!more) {
			field = rest;
			rest = STR("");
		}
		(void)!buf_addf(out, ":%.*s", STR_FMT(field));
	}
	if (more || keys.n) {
		(void)!buf_add_byte(out, ':');
		add_extra(out, rest, keys);
	}
	return done(out, err);
}

int
users_text_secret(struct str text, struct buf *out, struct err *err)
{
	struct str whole, line, secret;
	uint8_t bytes[USERS_SECRET_MIN];

	while (next_line(&text, &whole, &line))
		if (users_line_secret(line, &secret))
			return 0;
	rand_bytes(bytes, sizeof(bytes));
	(void)!buf_add_c(out, "#secret:");
	(void)!enc_base64(out, str_mem(bytes, sizeof(bytes)));
	(void)!buf_add_byte(out, '\n');
	explicit_bzero(bytes, sizeof(bytes));
	return done(out, err);
}

/* --- maps ----------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A line that begins another logical line: text at its very front. */
static bool
begins_row(struct str line)
{
	return line.n && line.p[0] != '#' && !is_blank(line.p[0]) &&
	       str_trim(line).n;
}

static bool
continues_row(struct str line)
{
	struct str text = str_trim(line);

	return line.n && is_blank(line.p[0]) && text.n && text.p[0] != '#';
}

static struct str
row_key(struct str line, struct str *value)
{
	struct str key = STR("");

	*value = line;
	(void)!str_token(value, " \t", &key);
	*value = str_trim(*value);
	return key;
}

bool
map_text_find(struct str text, struct str key, struct str *value)
{
	struct str whole, line;

	while (next_line(&text, &whole, &line))
		if (begins_row(line) && str_ieq(row_key(line, value), key))
			return true;
	return false;
}

int
map_text_set(struct str text, struct str key, struct str value, struct buf *out,
	     struct err *err)
{
	struct str whole, line, old;
	bool put = value.p == NULL, dropping = false;

	while (next_line(&text, &whole, &line)) {
		if (begins_row(line))
			dropping = str_ieq(row_key(line, &old), key);
		if (!dropping || !(begins_row(line) || continues_row(line))) {
			(void)!buf_add_str(out, whole);
			continue;
		}
		if (!put)
			(void)!buf_addf(out, "%.*s %.*s\n", STR_FMT(key),
					STR_FMT(value));
		put = true;
	}
	if (!put) {
		end_line(out);
		(void)!buf_addf(out, "%.*s %.*s\n", STR_FMT(key),
				STR_FMT(value));
	}
	return done(out, err);
}
