/* SPDX-License-Identifier: ISC */
/* mail import: the Maildir of Dovecot or Courier, in place or from elsewhere.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "mail/uidl.h"
#include "mail_import.h"
#include "store/foreign.h"

static const char dovecot_format[] = "%08Xu%08Xv";
#define POOL_MAX (4ull << 30)

/* --- the folder ----------------------------------------------------------- */

/* A Maildir of this name, and no index yet. */
static int
make_folder(struct mail *m, const char *name, struct err *err)
{
	struct store *st = store_open(m->root, ".", m->host, err);
	int rc = 0;

	if (!st)
		return -1;
	if (!store_exists(st, str_of(name)))
		rc = store_create(st, str_of(name), err);
	store_close(st);
	return rc;
}

int
import_init(struct import *im, struct mail *m, const char *name,
	    struct err *err)
{
	char path[STORE_NAME_MAX + 2];

	*im = (struct import){ .m = m, .name = name, .dir = -1 };
	pool_init(&im->pool, POOL_MAX);
	if (make_folder(m, name, err) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), ".%s",
		       strcmp(name, "INBOX") == 0 ? "" : name);
	/* Of a folder that a power cut left half made. */
	if (maildir_create(m->root, path, err) < 0)
		return -1;
	im->dir = fsx_open(m->root, path, O_RDONLY | O_DIRECTORY, 0);
	return im->dir < 0 ? err_sys(err, errno, "%s", name) : 0;
}

void
import_fini(struct import *im)
{
	if (im->dir >= 0)
		fsx_close(im->dir);
	map_fini(&im->by_base);
	free(im->v);
	pool_fini(&im->pool);
}

struct import_item *
import_add(struct import *im, struct str base, struct err *err)
{
	struct import_item *it = pool_alloc(&im->pool, sizeof(*it)), **v;

	if (it)
		it->a.base = pool_str(&im->pool, base);
	if (it && im->n == im->size) {
		im->size = im->size ? 2 * im->size : 256;
		v = reallocarray(im->v, im->size, sizeof(struct import_item *));
		if (!v)
			it = NULL;
		else
			im->v = v;
	}
	if (!it || !it->a.base.p || map_put(&im->by_base, it->a.base, it) < 0) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		return NULL;
	}
	it->a.wsize = MESSAGE_UNKNOWN;
	it->secs = maildir_seconds(base);
	im->v[im->n++] = it;
	return it;
}

/* --- UIDs, and the log ---------------------------------------------------- */

/* As the server would have given them: by arrival. */
static int
by_arrival(const void *a, const void *b)
{
	const struct import_item *x = *(struct import_item *const *)a;
	const struct import_item *y = *(struct import_item *const *)b;

	if (x->a.uid && y->a.uid)
		return x->a.uid < y->a.uid ? -1 : x->a.uid > y->a.uid;
	if (x->a.uid || y->a.uid)
		return x->a.uid ? -1 : 1;
	if (x->secs != y->secs)
		return x->secs < y->secs ? -1 : 1;
	return str_cmp(x->a.base, y->a.base);
}

static int
give_uids(struct import *im, struct err *err)
{
	size_t i;

	if (im->uidnext == 0)
		im->uidnext = 1;
	if (im->n)
		qsort(im->v, im->n, sizeof(struct import_item *), by_arrival);
	for (i = 0; i < im->n; i++) {
		if (im->v[i]->a.uid)
			continue;
		if (im->uidnext >= UINT32_MAX - 1)
			return err_set(err, ERR_PERM, ERANGE, "out of UIDs");
		im->v[i]->a.uid = im->uidnext++;
	}
	return 0;
}

/* Staged files come out of tmp/ when the folder is opened; what is left there
 * is of messages that are gone, or of an import that was refused. */
void
import_clean(struct import *im)
{
	int tmp = im->adopted && !im->placed
			  ? -1 /* the next session finds them there */
			  : fsx_open(im->dir, "tmp", O_RDONLY | O_DIRECTORY, 0);
	char name[MAILDIR_NAME_MAX + 1];
	size_t i;

	for (i = 0; tmp >= 0 && i < im->n; i++)
		if (im->v[i]->a.in_tmp &&
		    str_copy(name, sizeof(name),
			     adopt_tmp_name(im->v[i]->a.base)))
			(void)!fsx_unlink(tmp, name);
	if (tmp >= 0)
		fsx_close(tmp);
}

/* The log speaks of files and their names: they are durable before. */
static int
sync_files(struct import *im, struct err *err)
{
	return fsx_syncfs(im->dir) < 0 ? err_sys(err, errno, "sync") : 0;
}

static int
open_once(struct import *im, struct store *st, struct err *err)
{
	struct mailbox *mb = mailbox_open(st, str_of(im->name), err);
	struct index_totals t;

	if (!mb)
		return -1;
	mailbox_totals(mb, &t);
	mailbox_release(mb);
	store_finish(st);
	mail_say(im->name, "%llu messages, UIDVALIDITY %u, next UID %u",
		 (unsigned long long)t.messages, t.uidvalidity, t.uidnext);
	return 0;
}

int
import_commit(struct import *im, bool force, enum adopt_result *res,
	      struct err *err)
{
	struct store *st = store_open(im->m->root, ".", im->m->host, err);
	struct adoption a = { .uidvalidity = im->uidvalidity,
			      .n = im->n,
			      .force = force };
	size_t i;
	int rc = -1;

	if (!st)
		return -1;
	a.v = calloc(im->n + 1, sizeof(*a.v));
	if (!a.v) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		goto out;
	}
	if (give_uids(im, err) < 0 || sync_files(im, err) < 0)
		goto out;
	a.uidnext = a.recent_from = im->uidnext;
	for (i = 0; i < im->n; i++)
		a.v[i] = im->v[i]->a;
	for (i = im->n; i-- > 0 && a.v[i].disk & MESSAGE_IN_NEW;)
		a.recent_from = a.v[i].uid;
	rc = store_adopt(st, im->name, &a, res, err);
	im->adopted = rc == 0 && *res != ADOPT_OTHER;
	if (im->adopted)
		rc = open_once(im, st, err);
	im->placed = im->adopted && rc == 0;
out:
	free(a.v);
	store_close(st);
	return rc;
}

/* --- files ---------------------------------------------------------------- */

/* Into our tmp/: as a link, or where there can be none as a copy. */
static int
copy_file(int from, const char *name, int tmp, const char *to, struct err *err)
{
	struct timespec ts[2];
	struct stat st;
	char part[65536];
	ssize_t n = -1;
	int in = fsx_open(from, name, O_RDONLY | O_NONBLOCK, 0), out = -1;

	if (in < 0 || fsx_fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
		goto fail;
	out = fsx_open(tmp, to, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (out < 0)
		goto fail;
	while ((n = fsx_read(in, part, sizeof(part))) > 0)
		if (fsx_write_all(out, part, (size_t)n, err) < 0)
			break;
	ts[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	ts[1] = st.st_mtim;
	if (n == 0 && fsx_futimens(out, ts) == 0) {
		fsx_close(in);
		fsx_close(out);
		return 0;
	}
	if (n > 0)
		errno = ENOSPC;
fail:
	err_sys(err, errno, "copying %s", name);
	if (in >= 0)
		fsx_close(in);
	if (out >= 0)
		fsx_close(out);
	return -1;
}

static int
stage(struct import_item *it, int from, int tmp, struct err *err)
{
	char to[MAILDIR_NAME_MAX + 1];

	if (!str_copy(to, sizeof(to), adopt_tmp_name(it->a.base)))
		return err_set(err, ERR_PERM, ENAMETOOLONG, "%s", it->name);
	it->a.in_tmp = true;
	if (fsx_unlink(tmp, to) < 0 && errno != ENOENT) /* of a killed import */
		return err_sys(err, errno, "tmp/%s", to);
	if (fsx_link(from, it->name, tmp, to) == 0)
		return 0;
	return copy_file(from, it->name, tmp, to, err);
}

/* The name that our log can say; in place the file gets it. */
static bool
regular(int fd, const char *name, const struct maildir_name *p, bool in_new,
	bool in_place)
{
	char want[MAILDIR_NAME_MAX + 1];
	struct buf b;
	bool ok;

	buf_init(&b, MAILDIR_NAME_MAX);
	if (in_new && !p->flags)
		buf_add_str(&b, p->base);
	else
		maildir_format(&b, p->base, p->flags);
	ok = !buf_overflown(&b) && str_copy(want, sizeof(want), buf_str(&b));
	buf_fini(&b);
	if (!ok || !in_place || strcmp(want, name) == 0)
		return ok;
	return fsx_rename_new(fd, name, fd, want) == 0;
}

static int
one_file(struct import *im, int fd, const char *name, bool in_new,
	 bool in_place, struct err *err)
{
	struct import_item *it;
	struct maildir_name p;
	struct buf other;

	if (maildir_parse(str_of(name), &p) < 0 ||
	    !regular(fd, name, &p, in_new, in_place))
		return 0;
	buf_init(&other, MAILDIR_NAME_MAX + 1);
	it = map_get(&im->by_base, p.base);
	if (it && (in_place || !it->name)) {
		it = NULL; /* twins: the store sets them apart; or it is ours */
	} else {
		if (it) /* a twin elsewhere */
			maildir_base_random(&other, str_of(im->m->host), p.size,
					    0);
		if (it)
			other.n =
				(size_t)str_search(buf_str(&other), STR(",S="));
		it = import_add(im, it ? buf_str(&other) : p.base, err);
		if (!it) {
			buf_fini(&other);
			return -1;
		}
	}
	buf_fini(&other);
	if (!it)
		return 0;
	it->a.disk = p.flags | (in_new ? MESSAGE_IN_NEW : 0);
	it->a.flags = p.flags;
	if (p.has_wsize)
		it->a.wsize = p.wsize;
	it->in_new = in_new;
	if (!in_place)
		it->name =
			(char *)(uintptr_t)pool_str(&im->pool, str_of(name)).p;
	if (!in_place && !it->name)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return 0;
}

static int
read_dir(struct import *im, int dir, const char *sub, bool in_place,
	 struct err *err)
{
	int fd = fsx_open(dir, sub, O_RDONLY | O_DIRECTORY, 0), rc = 0;
	struct fsx_dir *d = fd < 0 ? NULL : fsx_opendir(fd, ".");
	unsigned char type;
	const char *name;
	struct stat st;

	if (!d && errno != ENOENT)
		rc = err_sys(err, errno, "%s", sub);
	while (d && rc == 0 && (errno = 0, name = fsx_readdir(d, &type))) {
		if (type == DT_UNKNOWN && fsx_fstatat(fd, name, &st) == 0 &&
		    S_ISREG(st.st_mode))
			type = DT_REG;
		if (type == DT_REG)
			rc = one_file(im, fd, name, sub[0] == 'n', in_place,
				      err);
	}
	if (d && rc == 0 && errno)
		rc = err_sys(err, errno, "%s", sub);
	if (d)
		fsx_closedir(d);
	if (fd >= 0)
		fsx_close(fd);
	return rc;
}

static int
read_dirs(struct import *im, int dir, bool in_place, struct err *err)
{
	if (read_dir(im, dir, "new", in_place, err) < 0)
		return -1;
	return read_dir(im, dir, "cur", in_place, err);
}

static int
stage_all(struct import *im, int from, struct err *err)
{
	int new = fsx_open(from, "new", O_RDONLY | O_DIRECTORY, 0);
	int cur = fsx_open(from, "cur", O_RDONLY | O_DIRECTORY, 0);
	int tmp = fsx_open(im->dir, "tmp", O_RDONLY | O_DIRECTORY, 0), rc = 0;
	size_t i;

	if (cur < 0 || tmp < 0)
		rc = err_sys(err, errno, "%s", im->name);
	for (i = 0; rc == 0 && i < im->n; i++)
		if (im->v[i]->name)
			rc = stage(im->v[i], im->v[i]->in_new ? new : cur, tmp,
				   err);
	if (new >= 0)
		fsx_close(new);
	if (cur >= 0)
		fsx_close(cur);
	if (tmp >= 0)
		fsx_close(tmp);
	return rc;
}

/* --- what the other server knew ------------------------------------------- */

/* *dovecot: whose it was.  0 and im->uidvalidity 0: nobody's. */
static int
read_uids(struct import *im, int dir, bool *dovecot, struct err *err)
{
	struct foreign_uids u;
	struct import_item *it;
	struct str text;
	const char *file = "dovecot-uidlist";
	size_t i;

	if (mail_read(dir, file, &im->pool, &text, err) < 0)
		return -1;
	*dovecot = text.n != 0;
	if (!text.n) {
		file = "courierimapuiddb";
		if (mail_read(dir, file, &im->pool, &text, err) < 0)
			return -1;
		if (!text.n)
			return 0;
	}
	if (foreign_uids_parse(&u, text, err) < 0)
		return err_prefix(err, "%s", file);
	if (u.bad)
		mail_wrong(im->m, im->name, "%s: %zu lines passed over", file,
			   u.bad);
	im->uidvalidity = u.uidvalidity;
	im->uidnext = u.uidnext;
	for (i = 0; i < u.n; i++) {
		it = map_get(&im->by_base, u.v[i].base);
		if (!it || it->a.uid)
			continue; /* removed meanwhile */
		it->a.uid = u.v[i].uid;
		it->a.listed = true;
		it->a.uidl = u.v[i].uidl;
		if (it->a.wsize == MESSAGE_UNKNOWN)
			it->a.wsize = u.v[i].wsize;
	}
	foreign_uids_fini(&u);
	return 0;
}

/* One keyword more. */
static int
add_keyword(struct import *im, struct adopt_message *a, struct str name,
	    struct err *err)
{
	struct str *v;
	size_t i;

	if (name.n == 0 || name.n > KEYWORD_NAME_MAX)
		return 0;
	for (i = 0; i < a->nkeywords; i++)
		if (str_ieq(a->keywords[i], name))
			return 0;
	v = pool_alloc(&im->pool, (a->nkeywords + 1) * sizeof(*v));
	if (!v)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < a->nkeywords; i++)
		v[i] = a->keywords[i];
	v[i] = name;
	a->keywords = v;
	a->nkeywords++;
	return 0;
}

/* Letters that have a name become keywords; the store takes them out of the
 * files' names. */
static int
read_letters(struct import *im, int dir, struct err *err)
{
	struct str name[FOREIGN_LETTERS] = { STR_NULL }, text;
	struct adopt_message *a;
	uint64_t bit;
	size_t i, k;

	if (mail_read(dir, "dovecot-keywords", &im->pool, &text, err) < 0)
		return -1;
	foreign_letters_parse(text, name);
	for (i = 0; i < im->n; i++) {
		a = &im->v[i]->a;
		for (k = 0; k < FOREIGN_LETTERS; k++) {
			bit = MAILDIR_FLAG((char)('a' + k));
			if (!(a->flags & bit) || !name[k].n)
				continue;
			a->flags &= ~bit;
			if (add_keyword(im, a, name[k], err) < 0)
				return -1;
		}
	}
	return 0;
}

/* courierimapkeywords/:list says them, and newer ones are in files of their
 * own: BASE, or .N.BASE, of which the greatest N counts. */
static int
read_changes(struct import *im, int kw, struct err *err)
{
	struct fsx_dir *d = fsx_opendir(kw, ".");
	struct import_item *it;
	struct str base, number, text, line;
	const char *name;
	struct map best = { 0 };
	uint64_t n, *had;
	int rc = 0;

	while (d && rc == 0 && (name = fsx_readdir(d, NULL))) {
		base = str_of(name);
		n = UINT64_MAX;
		if (name[0] == '.') {
			base = str_from(base, 1);
			if (!str_cut(&base, '.', &number) ||
			    str_u64(number, INT64_MAX, &n) < 0)
				continue;
		}
		it = map_get(&im->by_base, base);
		if (!it)
			continue;
		had = map_get(&best, it->a.base);
		if (had && *had >= n)
			continue;
		if (!had)
			had = pool_alloc(&im->pool, sizeof(*had));
		if (!had || map_put(&best, it->a.base, had) < 0) {
			rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
			break;
		}
		*had = n;
		it->a.nkeywords = 0;
		rc = mail_read(kw, name, &im->pool, &text, err);
		while (rc == 0 && str_token(&text, "\r\n", &line))
			rc = add_keyword(im, &it->a, line, err);
	}
	if (d)
		fsx_closedir(d);
	map_fini(&best);
	return rc;
}

static int
read_courier_keywords(struct import *im, int dir, struct err *err)
{
	int kw =
		fsx_open(dir, "courierimapkeywords", O_RDONLY | O_DIRECTORY, 0);
	struct str text, base, numbers, name;
	struct import_item *it;
	struct foreign_list l;
	int rc;

	if (kw < 0)
		return 0;
	rc = mail_read(kw, ":list", &im->pool, &text, err);
	if (rc == 0)
		rc = foreign_list_open(&l, text, err);
	if (rc == 0) {
		while (rc == 0 && foreign_list_next(&l, &base, &numbers)) {
			it = map_get(&im->by_base, base);
			while (rc == 0 && it &&
			       foreign_list_name(&l, &numbers, &name))
				rc = add_keyword(im, &it->a, name, err);
		}
		foreign_list_close(&l);
	}
	if (rc == 0)
		rc = read_changes(im, kw, err);
	fsx_close(kw);
	return rc;
}

static int
read_courier_uidls(struct import *im, int dir, struct err *err)
{
	struct import_item *it;
	struct foreign_size s;
	struct str text;
	struct buf b;
	int rc;

	rc = mail_read(dir, "courierpop3dsizelist", &im->pool, &text, err);
	buf_init(&b, 1024);
	while (rc == 0 && foreign_size_next(&text, &s)) {
		it = map_get(&im->by_base, s.base);
		if (!it)
			continue;
		buf_reset(&b);
		foreign_size_uidl(&s, &b);
		if (b.n <= UIDL_MAX)
			it->a.uidl = pool_str(&im->pool, buf_str(&b));
	}
	buf_fini(&b);
	return rc;
}

/* Names for POP3 that were made from UIDs, where ours would be others. */
static int
make_uidls(struct import *im, bool dovecot, struct err *err)
{
	const char *said = im->m->args->uidl_format;
	struct str format = str_of(said ? said : dovecot_format);
	struct buf b;
	size_t i;
	int rc = 0;

	if (!said && !dovecot)
		return 0;
	if (str_eq(format, im->m->uidl_format) && !im->m->args->force)
		return 0;
	buf_init(&b, 4096);
	for (i = 0; rc == 0 && i < im->n; i++) {
		struct adopt_message *a = &im->v[i]->a;
		struct uidl_of of = { .uid = a->uid,
				      .uidvalidity = im->uidvalidity,
				      .base = a->base };

		if (a->uidl.n || !a->listed)
			continue;
		buf_reset(&b);
		uidl_format(&b, format, &of);
		a->uidl = pool_str(&im->pool, buf_str(&b));
		if (!a->uidl.p)
			rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	buf_fini(&b);
	return rc;
}

static int
read_all(struct import *im, int from, struct err *err)
{
	bool inbox = strcmp(im->name, "INBOX") == 0, dovecot = false;
	bool in_place = im->m->from == im->m->root;

	/* Ours first: what is here already is not fetched again. */
	if (read_dirs(im, im->dir, true, err) < 0)
		return -1;
	if (!in_place && read_dirs(im, from, false, err) < 0)
		return -1;
	if (read_uids(im, from, &dovecot, err) < 0 ||
	    read_letters(im, from, err) < 0)
		return -1;
	if (!dovecot && read_courier_keywords(im, from, err) < 0)
		return -1;
	if (!inbox || !im->uidvalidity)
		return 0;
	if (!dovecot && read_courier_uidls(im, from, err) < 0)
		return -1;
	return make_uidls(im, dovecot, err);
}

static int
import_folder(struct mail *m, const char *name, int from, struct err *err)
{
	bool in_place = m->from == m->root;
	enum adopt_result res = ADOPT_DONE;
	struct import im;
	int rc = import_init(&im, m, name, err);

	if (rc == 0)
		rc = read_all(&im, from, err);
	if (rc == 0 && in_place && !im.uidvalidity) {
		mail_say(name, "nothing of Dovecot's or Courier's");
		goto out;
	}
	if (rc == 0 && !in_place)
		rc = stage_all(&im, from, err);
	if (rc == 0)
		rc = import_commit(&im, m->args->force, &res, err);
	if (rc == 0 && res == ADOPT_SAME)
		mail_say(name, "was imported already");
	if (rc == 0 && res == ADOPT_OTHER)
		mail_wrong(m, name,
			   "has UIDs of its own already: not imported "
			   "(--force would take these, and clients would "
			   "fetch everything again)");
out:
	import_clean(&im);
	import_fini(&im);
	return rc;
}

/* --- subscriptions -------------------------------------------------------- */

static int
add_names(struct pool *pool, struct map *seen, struct str text, bool courier,
	  struct buf *out, struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	struct buf name;
	struct str s;
	struct err bad;
	int rc = 0;

	buf_init(&name, 4096);
	while (rc == 0 && foreign_subscription_next(&text, courier, &name)) {
		if (store_name_check(buf_str(&name), clean, &bad) < 0 ||
		    map_get(seen, str_of(clean)))
			continue;
		s = pool_str(pool, str_of(clean));
		if (!s.p || map_put(seen, s, pool) < 0)
			rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		buf_addf(out, "%s\n", clean);
	}
	buf_fini(&name);
	return rc;
}

/* Ours is Dovecot's file, in its version 1. */
static int
import_subscriptions(struct mail *m, struct err *err)
{
	static const char ours[] = "subscriptions";
	static const char courier[] = "courierimapsubscribed";
	struct map seen = { 0 };
	struct str text, had;
	struct pool pool;
	struct buf out;
	int rc;

	pool_init(&pool, POOL_MAX);
	buf_init(&out, FOREIGN_FILE_MAX);
	rc = mail_read(m->root, ours, &pool, &had, err);
	if (rc == 0)
		rc = add_names(&pool, &seen, had, false, &out, err);
	if (rc == 0 && m->from != m->root) {
		rc = mail_read(m->from, ours, &pool, &text, err);
		if (rc == 0)
			rc = add_names(&pool, &seen, text, false, &out, err);
	}
	if (rc == 0)
		rc = mail_read(m->from, courier, &pool, &text, err);
	if (rc == 0)
		rc = add_names(&pool, &seen, text, true, &out, err);
	if (rc == 0 && !str_eq(buf_str(&out), had))
		rc = fsx_replace(m->root, ours, out.p ? out.p : "", out.n, 0600,
				 err);
	map_fini(&seen);
	buf_fini(&out);
	pool_fini(&pool);
	return rc;
}

int
mail_import(struct mail *m, struct err *err)
{
	if (mail_each(m, m->from, import_folder, err) < 0)
		return -1;
	return m->args->folder ? 0 : import_subscriptions(m, err);
}
