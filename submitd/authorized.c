/* SPDX-License-Identifier: ISC */
/* Which users of this machine may submit mail, see the queue and flush it. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "receive/worker.h"
#include "submitd.h"

enum { PASSWD_MAX = 16 << 20 };

static const char seps[] = ", \t\r\n";

/* A pattern without the "!"s in front, each of which turns *yes. */
static struct str
strip(struct str word, bool *yes)
{
	*yes = true;
	while (word.n && word.p[0] == '!') {
		*yes = !*yes;
		word = str_from(word, 1);
	}
	return word;
}

int
authorized_check(struct str list, const char *param, struct err *err)
{
	struct str word;
	bool yes;

	while (str_token(&list, seps, &word)) {
		word = strip(word, &yes);
		if (word.n == 0 ||
		    (!str_starts(word, STR("static:")) &&
		     (str_find(word, ':') >= 0 || str_find(word, '/') >= 0)))
			return err_set(err, ERR_PERM, 0,
				       "%s: want names of users and static:all",
				       param);
	}
	return 0;
}

/* The first pattern that fits decides. */
static bool
is_listed(struct str list, struct str name)
{
	struct str word;
	bool yes;

	while (str_token(&list, seps, &word)) {
		word = strip(word, &yes);
		if (str_starts(word, STR("static:")) || str_eq(word, name))
			return yes;
	}
	return false;
}

/* Of a uid in the text of the password file; as Postfix calls who is not
 * there. */
static struct str
name_of(struct str passwd, uint32_t uid)
{
	struct str line, name, word;
	uint64_t n;

	while (str_token(&passwd, "\n", &line))
		if (str_cut(&line, ':', &name) && str_cut(&line, ':', &word) &&
		    str_cut(&line, ':', &word) && name.n &&
		    str_u64(word, UINT32_MAX, &n) == 0 && n == uid)
			return name;
	return STR("unknown");
}

bool
is_authorized(struct session *s, struct str list, const char *what,
	      struct reply *no)
{
	struct str name;

	if (str_starts(list, STR("static:"))) /* most often */
		return true;
	name = name_of(buf_str(&s->w->passwd), s->uid);
	if (is_listed(list, name))
		return true;
	*no = reply_nowf(s, 550, "5.7.1",
			 "Error: user %.*s(%u) is not allowed to %s",
			 STR_FMT(str_head(name, 100)), s->uid, what);
	return false;
}

void
authorized_table(struct daemon *d, struct str name, int fd)
{
	struct worker *w = d->app;
	struct stat st;
	struct buf text;
	char *to = NULL;

	if (!str_eq(name, STR("passwd"))) {
		receiver_table(d, name, fd);
		return;
	}
	buf_init(&text, PASSWD_MAX);
	if (fstat(fd, &st) == 0 && st.st_size >= 0)
		to = buf_reserve(&text, (size_t)st.st_size + 1);
	if (to && pread(fd, to, (size_t)st.st_size, 0) == st.st_size) {
		text.n = (size_t)st.st_size;
		buf_fini(&w->passwd);
		w->passwd = text;
	} else {
		log_error("the password file cannot be read; the old one "
			  "stays");
		buf_fini(&text);
	}
	close(fd);
}
