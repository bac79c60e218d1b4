/* SPDX-License-Identifier: ISC */
/*
 * What mailboxes are for (RFC 6154).  The file posthouse.use has a line
 * "NAME<tab>USE[,USE...]" for each mailbox that was made for something; a name
 * in it that no mailbox has says nothing.  For what is in it of no mailbox, the
 * name that everybody uses stands.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/fsx.h"
#include "store/store_int.h"

static const char file[] = "posthouse.use";
enum { FILE_MAX = 1048576 };

const struct store_use store_uses[] = {
	{ "\\Archive", FOLDER_ARCHIVE }, { "\\Drafts", FOLDER_DRAFTS },
	{ "\\Junk", FOLDER_JUNK },	 { "\\Sent", FOLDER_SENT },
	{ "\\Trash", FOLDER_TRASH },	 { NULL, 0 },
};

/* --- the file --------------------------------------------------------------
 */

/* The names are written without their backslash. */
static unsigned
use_of(struct str word)
{
	size_t i;

	for (i = 0; store_uses[i].name; i++)
		if (str_ieq(word, str_of(store_uses[i].name + 1)))
			return store_uses[i].attr;
	return 0;
}

static bool
parse_line(struct str line, struct str *name, unsigned *uses)
{
	struct str word;

	*uses = 0;
	if (!str_cut(&line, '\t', name))
		return false;
	while (str_token(&line, ",", &word))
		*uses |= use_of(word);
	return *uses != 0;
}

static void
put_line(struct buf *out, struct str name, struct str below, unsigned uses)
{
	char sep = '\t';
	size_t i;

	buf_add_str(out, name);
	buf_add_str(out, below);
	for (i = 0; store_uses[i].name; i++) {
		if (!(uses & store_uses[i].attr))
			continue;
		buf_addf(out, "%c%s", sep, store_uses[i].name + 1);
		sep = ',';
	}
	buf_add_byte(out, '\n');
}

static int
read_file(struct store *st, struct buf *text, struct err *err)
{
	char part[4096];
	ssize_t n;
	int fd = fsx_open(st->mail, file, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", file);
	while ((n = fsx_read(fd, part, sizeof(part))) > 0)
		if (buf_add(text, part, (size_t)n) < 0)
			break;
	if (n < 0)
		err_sys(err, errno, "%s", file);
	else if (n > 0)
		n = err_set(err, ERR_PERM, EFBIG, "%s is too long", file);
	fsx_close(fd);
	return n < 0 ? -1 : 0;
}

/* name is tree, or below it: *below is the rest. */
static bool
is_in(struct str name, struct str tree, struct str *below)
{
	*below = str_from(name, tree.n);
	return str_starts(name, tree) &&
	       (below->n == 0 || below->p[0] == STORE_SEPARATOR);
}

/* Lines of old and what is below (of it alone, without tree) go; with a new
 * name they are written again under it, and old stays if copy. */
struct edit {
	struct str old, new;
	bool tree, keep;
	unsigned uses; /* a line more, of old */
};

static void
edit_text(const struct edit *e, struct str text, struct buf *out)
{
	struct str line, name, below;
	unsigned uses;

	while (str_token(&text, "\n", &line)) {
		if (!parse_line(line, &name, &uses))
			continue;
		if (!is_in(name, e->old, &below) || (below.n && !e->tree)) {
			put_line(out, name, STR(""), uses);
			continue;
		}
		if (e->keep)
			put_line(out, name, STR(""), uses);
		if (e->new.n)
			put_line(out, e->new, below, uses);
	}
	if (e->uses)
		put_line(out, e->old, STR(""), e->uses);
}

static int
edit_file(struct store *st, const struct edit *e, struct err *err)
{
	struct buf text, out;
	int rc;

	buf_init(&text, FILE_MAX);
	buf_init(&out, FILE_MAX);
	rc = read_file(st, &text, err);
	if (rc == 0)
		edit_text(e, buf_str(&text), &out);
	if (rc == 0 && buf_overflown(&out))
		rc = err_set(err, ERR_PERM, EFBIG, "%s is too long", file);
	if (rc == 0 && !str_eq(buf_str(&text), buf_str(&out)))
		rc = fsx_replace(st->mail, file, out.p ? out.p : "", out.n,
				 0600, err);
	buf_fini(&text);
	buf_fini(&out);
	return rc;
}

int
uses_set(struct store *st, const char *name, unsigned uses, struct err *err)
{
	struct edit e = { .old = str_of(name), .uses = uses & FOLDER_USES };

	return edit_file(st, &e, err);
}

int
uses_copy(struct store *st, const char *from, const char *to, struct err *err)
{
	struct edit e = { .old = str_of(from),
			  .new = str_of(to),
			  .tree = true,
			  .keep = true };

	return edit_file(st, &e, err);
}

int
uses_forget(struct store *st, const char *tree, struct err *err)
{
	struct edit e = { .old = str_of(tree), .tree = true };

	return edit_file(st, &e, err);
}

/* --- in a list -------------------------------------------------------------
 */

/* By the names that everybody uses. */
static void
add_customary(struct folder_list *l, unsigned given)
{
	unsigned use;
	size_t i;

	for (i = 0; i < l->n; i++) {
		use = use_of(str_of(l->v[i].name));
		if (!(l->v[i].attrs & FOLDER_NOSELECT) && !(use & given))
			l->v[i].attrs |= use;
	}
}

int
uses_apply(struct store *st, struct folder_list *l, struct err *err)
{
	struct str rest, line, name;
	struct folder *f;
	struct buf text;
	unsigned uses, given = 0;
	int rc;

	buf_init(&text, FILE_MAX);
	rc = read_file(st, &text, err);
	rest = buf_str(&text);
	while (rc == 0 && str_token(&rest, "\n", &line)) {
		if (!parse_line(line, &name, &uses))
			continue;
		f = (struct folder *)folder_list_find(l, name);
		if (!f || f->attrs & FOLDER_NOSELECT)
			continue;
		f->attrs |= uses;
		given |= uses;
	}
	buf_fini(&text);
	add_customary(l, given);
	return rc;
}
