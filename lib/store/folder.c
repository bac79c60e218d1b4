/* SPDX-License-Identifier: ISC */
/* The tree of folders: Maildir++, one directory ".A.B" a folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "base/log.h"
#include "base/rand.h"
#include "store/store_int.h"

static const char subscriptions[] = "subscriptions";
enum { SUBSCRIPTIONS_MAX = 4 * 1024 * 1024, FOLDERS_MAX = 100000 };

/* --- lists -----------------------------------------------------------------
 */

void
folder_list_fini(struct folder_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct folder_list){ 0 };
}

static int
list_add(struct folder_list *l, struct str name, unsigned attrs,
	 struct err *err)
{
	struct folder *v;
	size_t size;

	if (l->n == l->size) {
		size = l->size ? l->size * 2 : 32;
		v = l->n >= FOLDERS_MAX ? NULL
					: realloc(l->v, size * sizeof(*v));
		if (!v)
			return err_set(err, ERR_TEMP, ENOMEM,
				       "too many folders");
		l->v = v;
		l->size = size;
	}
	l->v[l->n].name = strndup(name.p, name.n);
	if (!l->v[l->n].name)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	l->v[l->n++].attrs = attrs;
	return 0;
}

static bool
in_inbox(const char *name)
{
	return strncmp(name, "INBOX", 5) == 0 &&
	       (name[5] == '\0' || name[5] == STORE_SEPARATOR);
}

/* INBOX first, and so that the levels below a name follow it at once: the
 * separator sorts before everything else. */
static int
name_cmp(const char *a, const char *b)
{
	bool ia = in_inbox(a), ib = in_inbox(b);

	if (ia != ib)
		return ia ? -1 : 1;
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	if (*a == '\0' || *b == '\0')
		return *a ? 1 : -1;
	if (*a == STORE_SEPARATOR || *b == STORE_SEPARATOR)
		return *a == STORE_SEPARATOR ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int
by_name(const void *a, const void *b)
{
	const struct folder *x = a, *y = b;

	return name_cmp(x->name, y->name);
}

const struct folder *
folder_list_find(const struct folder_list *l, struct str name)
{
	char text[STORE_NAME_MAX + 1];
	struct folder key = { .name = text };

	if (!str_copy(text, sizeof(text), name))
		return NULL;
	return l->n ? bsearch(&key, l->v, l->n, sizeof(key), by_name) : NULL;
}

/* Sort, and make one of equal names: a real folder wins over a mere level. */
static void
unite(struct folder_list *l)
{
	size_t i, keep = 0;
	struct folder *f;

	if (l->n == 0)
		return;
	qsort(l->v, l->n, sizeof(l->v[0]), by_name);
	for (i = 1; i < l->n; i++) {
		f = &l->v[keep];
		if (strcmp(f->name, l->v[i].name) != 0) {
			l->v[++keep] = l->v[i];
			continue;
		}
		f->attrs = ((f->attrs | l->v[i].attrs) & ~FOLDER_NOSELECT) |
			   (f->attrs & l->v[i].attrs & FOLDER_NOSELECT);
		free(l->v[i].name);
	}
	l->n = keep + 1;
}

/* The levels above each name. */
static int
add_parents(struct folder_list *l, struct err *err)
{
	size_t i, n = l->n;
	struct str name;
	ptrdiff_t dot;

	for (i = 0; i < n; i++) {
		name = str_of(l->v[i].name);
		while ((dot = str_rfind(name, STORE_SEPARATOR)) > 0) {
			name.n = (size_t)dot;
			if (list_add(l, name, FOLDER_NOSELECT, err) < 0)
				return -1;
			name.p = l->v[i].name; /* the array may have moved */
		}
	}
	return 0;
}

static int
add_dirs(struct store *st, struct folder_list *out, struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	struct fsx_dir *d = fsx_opendir(st->mail, ".");
	unsigned char type;
	const char *name;
	struct stat sb;
	struct err bad;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "the mail directory");
	while (rc == 0 && (errno = 0, name = fsx_readdir(d, &type))) {
		if (name[0] != '.' || (type != DT_DIR && type != DT_UNKNOWN))
			continue;
		if (type == DT_UNKNOWN &&
		    (fsx_fstatat(st->mail, name, &sb) < 0 ||
		     !S_ISDIR(sb.st_mode)))
			continue;
		if (store_name_check(str_of(name + 1), clean, &bad) < 0 ||
		    strcmp(clean, name + 1) != 0 || strcmp(clean, "INBOX") == 0)
			continue;
		rc = list_add(out, str_of(clean), 0, err);
	}
	if (rc == 0 && errno)
		rc = err_sys(err, errno, "the mail directory");
	fsx_closedir(d);
	return rc;
}

static int
read_subscriptions(struct store *st, struct buf *text, struct err *err)
{
	char part[8192];
	ssize_t n;
	int fd = fsx_open(st->mail, subscriptions, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, subscriptions);
	while ((n = fsx_read(fd, part, sizeof(part))) > 0)
		if (buf_add(text, part, (size_t)n) < 0)
			break;
	if (n < 0)
		err_sys(err, errno, subscriptions);
	else if (n > 0)
		n = err_set(err, ERR_PERM, EFBIG, "%s is too long",
			    subscriptions);
	fsx_close(fd);
	return n < 0 ? -1 : 0;
}

static int
add_subscribed(struct store *st, struct folder_list *out, struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	struct str rest, line;
	struct buf text;
	struct err bad;
	int rc;

	buf_init(&text, SUBSCRIPTIONS_MAX);
	rc = read_subscriptions(st, &text, err);
	rest = buf_str(&text);
	while (rc == 0 && str_token(&rest, "\n", &line))
		if (store_name_check(line, clean, &bad) == 0)
			rc = list_add(out, str_of(clean),
				      FOLDER_SUBSCRIBED | FOLDER_NOSELECT, err);
	buf_fini(&text);
	return rc;
}

int
store_list(struct store *st, struct folder_list *out, struct err *err)
{
	size_t i, k, n;

	*out = (struct folder_list){ 0 };
	if (list_add(out, STR("INBOX"), 0, err) < 0 ||
	    add_dirs(st, out, err) < 0 || add_subscribed(st, out, err) < 0 ||
	    add_parents(out, err) < 0) {
		folder_list_fini(out);
		return -1;
	}
	unite(out);
	for (i = 0; i < out->n; i++) {
		n = strlen(out->v[i].name);
		/* What is below a name follows it; a mere wish is no child. */
		for (k = i + 1; k < out->n; k++) {
			if (strncmp(out->v[i].name, out->v[k].name, n) != 0 ||
			    out->v[k].name[n] != STORE_SEPARATOR)
				break;
			if (out->v[k].attrs & FOLDER_NOSELECT)
				continue;
			out->v[i].attrs |= FOLDER_CHILDREN;
			break;
		}
	}
	if (uses_apply(st, out, err) == 0)
		return 0;
	folder_list_fini(out);
	return -1;
}

int
store_subscribe(struct store *st, struct str name, bool on, struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	struct buf text, out;
	struct str rest, line;
	bool was = false;
	int rc;

	if (store_name_check(name, clean, err) < 0)
		return -1;
	buf_init(&text, SUBSCRIPTIONS_MAX);
	buf_init(&out, SUBSCRIPTIONS_MAX);
	rc = read_subscriptions(st, &text, err);
	rest = buf_str(&text);
	while (rc == 0 && str_token(&rest, "\n", &line)) {
		if (str_eq(line, str_of(clean))) {
			was = true;
			if (!on)
				continue;
		}
		buf_add_str(&out, line);
		buf_add_byte(&out, '\n');
	}
	if (rc == 0 && on && !was)
		buf_addf(&out, "%s\n", clean);
	if (rc == 0 && buf_overflown(&out))
		rc = err_set(err, ERR_PERM, EFBIG, "too many subscriptions");
	if (rc == 0 && on != was)
		rc = fsx_replace(st->mail, subscriptions, out.p ? out.p : "",
				 out.n, 0600, err);
	buf_fini(&text);
	buf_fini(&out);
	return rc;
}

/* --- create ----------------------------------------------------------------
 */

static int
sync_mail(struct store *st, struct err *err)
{
	return fsx_fsync(st->mail) < 0
		       ? err_sys(err, errno, "fsync of the mail directory")
		       : 0;
}

static bool
folder_exists(struct store *st, const char *name)
{
	char path[STORE_NAME_MAX + 2];
	struct stat sb;

	store_dir_of(name, path);
	return *path == '\0' || fsx_fstatat(st->mail, path, &sb) == 0;
}

bool
store_exists(struct store *st, struct str name)
{
	char clean[STORE_NAME_MAX + 1];
	struct err bad;

	return store_name_check(name, clean, &bad) == 0 &&
	       folder_exists(st, clean);
}

static int
fill_folder(struct store *st, const char *path, struct err *err)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	int dir, fd, rc = -1;
	size_t i;

	dir = fsx_open(st->mail, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_sys(err, errno, "%s", path);
	for (i = 0; i < 3; i++)
		if (fsx_mkdir(dir, subs[i], 0700) < 0 && errno != EEXIST) {
			err_sys(err, errno, "%s/%s", path, subs[i]);
			goto out;
		}
	/* Maildir++: so that a delivery agent knows it for a folder. */
	fd = fsx_open(dir, "maildirfolder", O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || fsx_fsync(fd) < 0 || fsx_fsync(dir) < 0)
		err_sys(err, errno, "%s", path);
	else
		rc = 0;
	if (fd >= 0)
		fsx_close(fd);
out:
	fsx_close(dir);
	return rc;
}

int
store_create(struct store *st, struct str name, struct err *err)
{
	return store_create_for(st, name, 0, err);
}

int
store_create_for(struct store *st, struct str name, unsigned uses,
		 struct err *err)
{
	char clean[STORE_NAME_MAX + 1], path[STORE_NAME_MAX + 2];

	if (store_name_check(name, clean, err) < 0)
		return -1;
	if (folder_exists(st, clean))
		return err_set(err, ERR_PERM, EEXIST, "Mailbox exists");
	store_dir_of(clean, path);
	/* First: a use without a folder says nothing. */
	if (uses_set(st, clean, uses, err) < 0)
		return -1;
	if (fsx_mkdir(st->mail, path, 0700) < 0)
		return err_sys(err, errno, "%s", path);
	if (fill_folder(st, path, err) < 0)
		return -1;
	return sync_mail(st, err);
}

/* --- delete ----------------------------------------------------------------
 */

static bool
has_below(const struct folder_list *l, const char *name)
{
	size_t i, n = strlen(name);

	for (i = 0; i < l->n; i++)
		if (!(l->v[i].attrs & FOLDER_NOSELECT) &&
		    strncmp(l->v[i].name, name, n) == 0 &&
		    l->v[i].name[n] == STORE_SEPARATOR)
			return true;
	return false;
}

/* What is no mail is not ours to remove. */
static int
check_subs(struct store *st, const char *path, struct err *err)
{
	int fd = fsx_open(st->mail, path, O_RDONLY | O_DIRECTORY, 0), rc = 0;
	struct fsx_dir *d = fd < 0 ? NULL : fsx_opendir(fd, ".");
	unsigned char type;
	const char *name;
	struct stat sb;

	if (!d)
		rc = err_sys(err, errno, "%s", path);
	while (rc == 0 && (name = fsx_readdir(d, &type))) {
		if (type == DT_UNKNOWN && fsx_fstatat(fd, name, &sb) == 0 &&
		    S_ISDIR(sb.st_mode))
			type = DT_DIR;
		if (type == DT_DIR && !store_is_known_sub(name))
			rc = err_set(err, ERR_PERM, EPERM,
				     "Its directory contains another one that "
				     "is not of a mailbox");
	}
	if (d)
		fsx_closedir(d);
	if (fd >= 0)
		fsx_close(fd);
	return rc;
}

int
store_delete(struct store *st, struct str name, struct err *err)
{
	char clean[STORE_NAME_MAX + 1], path[STORE_NAME_MAX + 2], gone[64];
	struct folder_list all;
	struct mailbox *mb;
	bool below;

	if (store_name_check(name, clean, err) < 0)
		return -1;
	store_dir_of(clean, path);
	if (*path == '\0')
		return err_set(err, ERR_PERM, EPERM, "INBOX cannot be deleted");
	if (!folder_exists(st, clean)) {
		if (store_list(st, &all, err) < 0)
			return -1;
		below = has_below(&all, clean);
		folder_list_fini(&all);
		if (below) /* RFC 3501 6.3.4 */
			return err_set(err, ERR_PERM, ENOTEMPTY,
				       "Mailbox has inferior names");
		return err_set(err, ERR_PERM, ENOENT, "No such mailbox");
	}
	if (check_subs(st, path, err) < 0)
		return -1;
	/* One rename: it is there, or it is gone. */
	snprintf(gone, sizeof(gone), "posthouse.gone.%016llx",
		 (unsigned long long)rand_u64());
	if (fsx_rename_new(st->mail, path, st->mail, gone) < 0)
		return err_sys(err, errno, "%s", path);
	summary_forget(st, clean);
	mb = store_find_open(st, clean);
	if (mb)
		store_forget(mb);
	if (sync_mail(st, err) < 0 || uses_set(st, clean, 0, err) < 0)
		return -1;
	store_remove_dir(st, gone); /* or at the next start */
	return 0;
}

/* --- rename ----------------------------------------------------------------
 */

static int
rename_one(struct store *st, const char *from, const char *to, struct err *err)
{
	char old[STORE_NAME_MAX + 2], new[STORE_NAME_MAX + 2];
	struct mailbox *mb;

	store_dir_of(from, old);
	store_dir_of(to, new);
	if (fsx_rename_new(st->mail, old, st->mail, new) < 0)
		return err_sys(err, errno, "%s", from);
	summary_forget(st, from);
	mb = store_find_open(st, from);
	if (mb) /* sessions keep it: the directory is the same */
		memcpy(mb->name, to, strlen(to) + 1);
	return 0;
}

/* The name that `from` itself or one below it gets; false: not concerned. */
static bool
new_name(const char *name, const char *from, const char *to, char *out)
{
	size_t n = strlen(from);

	if (strncmp(name, from, n) != 0 ||
	    (name[n] != '\0' && name[n] != STORE_SEPARATOR))
		return false;
	return snprintf(out, STORE_NAME_MAX + 1, "%s%s", to, name + n) <=
	       STORE_NAME_MAX;
}

static int
rename_tree(struct store *st, const struct folder_list *all, const char *from,
	    const char *to, struct err *err)
{
	char name[STORE_NAME_MAX + 1];
	size_t i, done = 0;
	int rc = uses_copy(st, from, to, err);

	for (i = 0; rc == 0 && i < all->n; i++) {
		if (all->v[i].attrs & FOLDER_NOSELECT ||
		    !new_name(all->v[i].name, from, to, name))
			continue;
		rc = rename_one(st, all->v[i].name, name, err);
		done = i;
	}
	if (rc == 0)
		return sync_mail(st, err) < 0 ? -1 : uses_forget(st, from, err);
	/* Take back what was renamed before the one that failed. */
	for (i = 0; i < done; i++) {
		struct err undo;

		if (!(all->v[i].attrs & FOLDER_NOSELECT) &&
		    new_name(all->v[i].name, from, to, name) &&
		    rename_one(st, name, all->v[i].name, &undo) < 0)
			log_warn("%s: left as %s: %s", all->v[i].name, name,
				 undo.text);
	}
	return -1;
}

/* RFC 3501 6.3.5: INBOX itself stays, its messages go to the new folder. */
static int
rename_inbox(struct store *st, const char *to, struct err *err)
{
	struct mailbox *src, *dst = NULL;
	uint32_t *uids = NULL, first;
	size_t i, slots, n = 0;
	int rc = -1;

	src = mailbox_open(st, STR("INBOX"), err);
	if (!src)
		return -1;
	if (store_create(st, str_of(to), err) < 0)
		goto out;
	dst = mailbox_open(st, str_of(to), err);
	if (!dst)
		goto out;
	slots = mailbox_slots(src);
	uids = calloc(slots + 1, sizeof(*uids));
	if (!uids) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		goto out;
	}
	for (i = 0; i < slots; i++)
		if (!mailbox_at(src, i)->gone)
			uids[n++] = mailbox_at(src, i)->uid;
	rc = mailbox_copy(src, uids, n, dst, &first, err);
	if (rc == 0)
		rc = mailbox_expunge(src, uids, n, err);
out:
	free(uids);
	if (dst)
		mailbox_release(dst);
	mailbox_release(src);
	return rc;
}

static bool
any_concerned(const struct folder_list *all, const char *from, const char *to,
	      struct store *st, bool *clash, bool *too_long)
{
	char name[STORE_NAME_MAX + 1];
	bool any = false;
	size_t i, n = strlen(from);

	for (i = 0; i < all->n; i++) {
		const char *f = all->v[i].name;

		if (all->v[i].attrs & FOLDER_NOSELECT ||
		    strncmp(f, from, n) != 0 ||
		    (f[n] != '\0' && f[n] != STORE_SEPARATOR))
			continue;
		any = true;
		if (!new_name(f, from, to, name))
			*too_long = true;
		else if (folder_exists(st, name))
			*clash = true;
	}
	return any;
}

int
store_rename(struct store *st, struct str from, struct str to, struct err *err)
{
	char old[STORE_NAME_MAX + 1], new[STORE_NAME_MAX + 1];
	bool clash = false, too_long = false;
	struct folder_list all;
	size_t n;
	int rc;

	if (store_name_check(from, old, err) < 0 ||
	    store_name_check(to, new, err) < 0)
		return -1;
	if (folder_exists(st, new))
		return err_set(err, ERR_PERM, EEXIST, "Mailbox exists");
	if (strcmp(old, "INBOX") == 0)
		return rename_inbox(st, new, err);
	n = strlen(old);
	if (strncmp(new, old, n) == 0 && new[n] == STORE_SEPARATOR)
		return err_set(err, ERR_PERM, EINVAL,
			       "A mailbox cannot move below itself");
	if (store_list(st, &all, err) < 0)
		return -1;
	if (!any_concerned(&all, old, new, st, &clash, &too_long))
		rc = err_set(err, ERR_PERM, ENOENT, "No such mailbox");
	else if (clash)
		rc = err_set(err, ERR_PERM, EEXIST, "Mailbox exists");
	else if (too_long)
		rc = err_set(err, ERR_PERM, EINVAL, "Name would be too long");
	else
		rc = rename_tree(st, &all, old, new, err);
	folder_list_fini(&all);
	return rc;
}
