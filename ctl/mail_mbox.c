/* SPDX-License-Identifier: ISC */
/* mail import --mbox: a file of messages into a folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "mail/uidl.h"
#include "mail_import.h"
#include "store/keywords.h"
#include "store/mbox_read.h"

enum { BATCH = 100 };

/* --- one message ---------------------------------------------------------- */

struct message_out {
	struct import *im;
	int64_t time;
	int tmp, fd; /* its file; -1 */
	char name[MAILDIR_NAME_MAX + 1];
	struct buf b; /* to be written */
	uint64_t size, wsize;
	char last;
};

static int
flush(struct message_out *o, struct err *err)
{
	if (buf_overflown(&o->b))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (o->b.n && fsx_write_all(o->fd, o->b.p, o->b.n, err) < 0)
		return -1;
	buf_reset(&o->b);
	return 0;
}

static int
put(void *arg, struct str s, struct err *err)
{
	struct message_out *o = arg;

	o->size += s.n;
	o->wsize += s.n + maildir_count_lf(s.p, s.n, &o->last);
	buf_add_str(&o->b, s);
	return o->b.n > 65536 ? flush(o, err) : 0;
}

static int
begin(void *arg, struct str from, int64_t time, struct err *err)
{
	struct message_out *o = arg;
	struct buf name;
	bool ok;

	(void)from;
	buf_reset(&o->b);
	o->time = time;
	o->size = o->wsize = 0;
	o->last = '\0';
	buf_init(&name, MAILDIR_NAME_MAX);
	maildir_base_random(&name, str_of(o->im->m->host), 0, 0);
	ok = !buf_overflown(&name) &&
	     str_copy(o->name, sizeof(o->name), adopt_tmp_name(buf_str(&name)));
	buf_fini(&name);
	if (!ok)
		return err_set(err, ERR_PERM, ENAMETOOLONG, "host name");
	o->fd = fsx_open(o->tmp, o->name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return o->fd < 0 ? err_sys(err, errno, "tmp/%s", o->name) : 0;
}

static int
keep_keywords(struct message_out *o, struct str keywords,
	      struct adopt_message *a, struct err *err)
{
	struct str text = pool_str(&o->im->pool, keywords);
	struct str word, rest = text, *v;
	size_t n = 0;

	while (str_token(&rest, " ", &word))
		n++;
	v = pool_alloc(&o->im->pool, (n + 1) * sizeof(*v));
	if (!v || !text.p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	a->keywords = v;
	while (str_token(&text, " ", &word))
		if (keyword_is_name(word))
			v[a->nkeywords++] = word;
	return 0;
}

static int
end(void *arg, const struct mbox_info *info, struct str keywords,
    struct err *err)
{
	struct message_out *o = arg;
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  { .tv_sec = o->time } };
	struct import_item *it = NULL;
	char base[2 * MAILDIR_NAME_MAX];
	int rc = flush(o, err);

	if (rc == 0 && fsx_futimens(o->fd, ts) < 0)
		rc = err_sys(err, errno, "tmp/%s", o->name);
	fsx_close(o->fd);
	o->fd = -1;
	if (info->internal || rc < 0) {
		(void)!fsx_unlink(o->tmp, o->name);
	} else {
		(void)snprintf(base, sizeof(base), "%s,S=%llu,W=%llu", o->name,
			       (unsigned long long)o->size,
			       (unsigned long long)o->wsize);
		it = import_add(o->im, str_of(base), err);
		if (!it)
			return -1;
		it->a.in_tmp = true;
		it->a.flags = info->flags;
		it->a.disk =
			info->flags || info->old ? info->flags : MESSAGE_IN_NEW;
		it->a.wsize = o->wsize;
		it->a.uid = info->uid;
		rc = keep_keywords(o, keywords, &it->a, err);
	}
	if (info->uidvalidity && !o->im->uidvalidity) {
		o->im->uidvalidity = info->uidvalidity;
		o->im->uidnext = info->last_uid + 1;
	}
	return rc;
}

static int
read_mbox(struct import *im, struct message_out *o, struct err *err)
{
	static const struct mbox_sink sink = { begin, put, end };
	uint64_t at = 0;
	int rc = mbox_read(im->m->mbox, &at, &sink, o, err);

	if (o->fd >= 0) { /* in the middle of a message */
		fsx_close(o->fd);
		(void)!fsx_unlink(o->tmp, o->name);
	}
	return rc < 0 ? err_prefix(err, "%s", im->m->args->mbox) : 0;
}

/* --- UIDs that it says ---------------------------------------------------- */

/* All or none: UIDVALIDITY with ascending UIDs. */
static void
check_uids(struct import *im)
{
	uint32_t last = 0;
	bool good = im->uidvalidity != 0;
	size_t i;

	for (i = 0; i < im->n; i++) {
		/* What a client has not seen has none yet. */
		if (im->v[i]->a.uid == 0)
			continue;
		good &= im->v[i]->a.uid > last;
		last = im->v[i]->a.uid;
	}
	if (good && im->uidnext <= last)
		im->uidnext = last + 1;
	if (!good)
		im->uidvalidity = im->uidnext = 0;
	for (i = 0; i < im->n; i++) {
		im->v[i]->a.listed = good && im->v[i]->a.uid;
		if (!good)
			im->v[i]->a.uid = 0;
		/* In the order of the file. */
		im->v[i]->secs = i;
	}
}

/* To a folder that has messages. */
static int
append_one(struct mailbox *mb, int tmp, const struct import_item *it,
	   struct store_append **out, struct append_info *info, struct err *err)
{
	char name[MAILDIR_NAME_MAX + 1], part[65536];
	struct stat st;
	ssize_t n = -1;
	int fd = -1;

	*out = NULL;
	if (str_copy(name, sizeof(name), adopt_tmp_name(it->a.base)))
		fd = fsx_open(tmp, name, O_RDONLY, 0);
	if (fd < 0 || fsx_fstat(fd, &st) < 0) {
		err_sys(err, errno, "tmp/%s", name);
	} else {
		*info = (struct append_info){ .flags = it->a.flags,
					      .keywords = it->a.keywords,
					      .nkeywords = it->a.nkeywords,
					      .mtime = st.st_mtime };
		*out = append_begin(mb, err);
		while (*out && (n = fsx_read(fd, part, sizeof(part))) > 0)
			if (append_write(*out, str_mem(part, (size_t)n), err) <
			    0)
				break;
	}
	if (fd >= 0)
		fsx_close(fd);
	return n == 0 ? 0 : -1;
}

static int
append_all(struct import *im, struct store *st, int tmp, struct err *err)
{
	struct store_append *v[BATCH];
	struct append_info info[BATCH];
	struct mailbox *mb = mailbox_open(st, str_of(im->name), err);
	size_t i = 0, n;
	uint32_t uid;
	int rc = mb ? 0 : -1;

	while (rc == 0 && i < im->n) {
		for (n = 0; rc == 0 && n < BATCH && i < im->n; n++, i++)
			rc = append_one(mb, tmp, im->v[i], &v[n], &info[n],
					err);
		if (rc == 0)
			rc = append_commit_all(v, info, n, &uid, err);
		else
			while (n-- > 0)
				if (v[n])
					append_abort(v[n]);
	}
	if (mb)
		mailbox_release(mb);
	return rc;
}

static int
append_to(struct import *im, int tmp, struct err *err)
{
	struct store *st = store_open(im->m->root, ".", im->m->host, err);
	int rc;

	if (!st)
		return -1;
	rc = append_all(im, st, tmp, err);
	store_finish(st);
	store_close(st);
	if (rc == 0)
		mail_say(im->name, "%zu messages added", im->n);
	return rc;
}

int
mail_mbox(struct mail *m, struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	const char *folder = m->args->folder ? m->args->folder : "INBOX";
	struct message_out *o = calloc(1, sizeof(*o));
	enum adopt_result res = ADOPT_DONE;
	struct import im = { .dir = -1 };
	int rc = -1;

	if (!o)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	o->fd = o->tmp = -1;
	o->im = &im;
	buf_init(&o->b, 1 << 20);
	if (store_name_check(str_of(folder), clean, err) < 0 ||
	    import_init(&im, m, clean, err) < 0)
		goto out;
	o->tmp = fsx_open(im.dir, "tmp", O_RDONLY | O_DIRECTORY, 0);
	if (o->tmp < 0)
		err_sys(err, errno, "tmp");
	else
		rc = read_mbox(&im, o, err);
	if (rc == 0) {
		check_uids(&im);
		rc = import_commit(&im, false, &res, err);
	}
	if (rc == 0 && res == ADOPT_OTHER)
		rc = append_to(&im, o->tmp, err);
out:
	import_clean(&im);
	if (o->tmp >= 0)
		fsx_close(o->tmp);
	buf_fini(&o->b);
	free(o);
	import_fini(&im);
	return rc;
}
