/* SPDX-License-Identifier: ISC */
/* mail import --mbox: a file of messages into a folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "mail/mbox.h"
#include "mail/uidl.h"
#include "mail_import.h"

enum { BATCH = 100 };

/* The file, line by line; a line that is longer than the buffer comes in
 * parts. */
struct reader {
	int fd;
	uint64_t at; /* offset of what is to come */
	size_t n;    /* bytes of it in p */
	char p[65536];
};

/* The next line with its LF, or part of one; n 0 at the end. */
static int
next_line(struct reader *r, struct str *line, struct err *err)
{
	const char *lf = memchr(r->p, '\n', r->n);
	ssize_t n;

	if (!lf && r->n < sizeof(r->p)) {
		n = fsx_pread(r->fd, r->p + r->n, sizeof(r->p) - r->n,
			      (off_t)(r->at + r->n));
		if (n < 0)
			return err_sys(err, errno, "the mbox");
		lf = memchr(r->p + r->n, '\n', (size_t)n);
		r->n += (size_t)n;
	}
	*line = str_mem(r->p, lf ? (size_t)(lf - r->p) + 1 : r->n);
	return 0;
}

/* Behind what next_line() gave. */
static void
consume(struct reader *r, size_t n)
{
	memmove(r->p, r->p + n, r->n - n);
	r->n -= n;
	r->at += n;
}

/* --- one message ---------------------------------------------------------- */

struct message_out {
	struct import *im;
	struct mbox_info info;
	struct buf keywords;
	int64_t time;
	int tmp, fd; /* its file; -1 */
	char name[MAILDIR_NAME_MAX + 1];
	struct buf b; /* to be written */
	uint64_t size, wsize;
	char last;
	unsigned held; /* an empty line that may be the separator */
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

/* CR LF becomes LF, as everywhere in the store. */
static int
put(struct message_out *o, struct str s, struct err *err)
{
	for (; o->held; o->held--) {
		buf_add_byte(&o->b, '\n');
		o->size++;
		o->wsize += 2;
	}
	if (str_ends(s, STR("\r\n"))) {
		buf_add(&o->b, s.p, s.n - 2);
		buf_add_byte(&o->b, '\n');
		o->size += s.n - 1;
		o->wsize += s.n;
	} else {
		buf_add_str(&o->b, s);
		o->size += s.n;
		o->wsize += s.n + (str_ends(s, STR("\n")) ? 1 : 0);
	}
	return o->b.n > 65536 ? flush(o, err) : 0;
}

static int
begin(struct message_out *o, int64_t time, struct err *err)
{
	struct buf name;
	bool ok;

	o->info = (struct mbox_info){ .length = -1 };
	buf_reset(&o->keywords);
	buf_reset(&o->b);
	o->time = time;
	o->size = o->wsize = 0;
	o->held = 0;
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
keep_keywords(struct message_out *o, struct adopt_message *a, struct err *err)
{
	struct str text = pool_str(&o->im->pool, buf_str(&o->keywords));
	struct str word, rest = text, *v;
	size_t n = 0;

	while (str_token(&rest, " ", &word))
		n++;
	v = pool_alloc(&o->im->pool, (n + 1) * sizeof(*v));
	if (!v || !text.p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	a->keywords = v;
	while (str_token(&text, " ", &word))
		if (word.n <= KEYWORD_NAME_MAX)
			v[a->nkeywords++] = word;
	return 0;
}

static int
end(struct message_out *o, struct err *err)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT },
				  { .tv_sec = o->time } };
	struct import_item *it = NULL;
	char base[2 * MAILDIR_NAME_MAX];
	int rc = flush(o, err);

	if (rc == 0 && fsx_futimens(o->fd, ts) < 0)
		rc = err_sys(err, errno, "tmp/%s", o->name);
	fsx_close(o->fd);
	o->fd = -1;
	if (o->info.internal || rc < 0) {
		(void)!fsx_unlink(o->tmp, o->name);
	} else {
		(void)snprintf(base, sizeof(base), "%s,S=%llu,W=%llu", o->name,
			       (unsigned long long)o->size,
			       (unsigned long long)o->wsize);
		it = import_add(o->im, str_of(base), err);
		if (!it)
			return -1;
		it->a.in_tmp = true;
		it->a.flags = o->info.flags;
		it->a.disk = o->info.flags || o->info.old ? o->info.flags
							  : MESSAGE_IN_NEW;
		it->a.wsize = o->wsize;
		it->a.uid = o->info.uid;
		rc = keep_keywords(o, &it->a, err);
	}
	if (o->info.uidvalidity && !o->im->uidvalidity) {
		o->im->uidvalidity = o->info.uidvalidity;
		o->im->uidnext = o->info.last_uid + 1;
	}
	return rc;
}

/* --- all of them ---------------------------------------------------------- */

/* The header; line by line, with what is not the message's left out. */
static int
copy_header(struct reader *r, struct message_out *o, struct err *err)
{
	enum mbox_field last = MBOX_NONE;
	struct str line, text;
	bool part = false, drop = false;

	while (next_line(r, &line, err) == 0) {
		text = line;
		while (text.n && (text.p[text.n - 1] == '\n' ||
				  text.p[text.n - 1] == '\r'))
			text.n--;
		if (line.n == 0)
			return 0;
		if (!part && text.n)
			drop = mbox_header_line(text, &last, &o->info,
						&o->keywords);
		if ((part || text.n == 0 || !drop) && !(part && drop) &&
		    put(o, line, err) < 0)
			return -1;
		consume(r, line.n);
		if (!part && text.n == 0)
			return 0;
		part = o->b.n && text.n == line.n;
	}
	return -1;
}

/* Does Content-Length lead to a From_ line, or to the end? */
static bool
length_is_good(struct reader *r, int64_t length)
{
	char p[MBOX_LINE_MAX];
	struct str s, line;
	struct stat st;
	ssize_t n;
	int64_t t;

	if (length < 0 || fsx_fstat(r->fd, &st) < 0 ||
	    (uint64_t)length > (uint64_t)st.st_size - r->at)
		return false;
	n = fsx_pread(r->fd, p, sizeof(p), (off_t)r->at + length);
	if (n < 0)
		return false;
	s = str_mem(p, (size_t)n);
	if (str_starts(s, STR("\n")))
		s = str_from(s, 1);
	return s.n == 0 ||
	       (str_cut(&s, '\n', &line) && mbox_from_line(line, &t));
}

/* Up to the next From_ line behind an empty one. */
static int
copy_body(struct reader *r, struct message_out *o, struct err *err)
{
	uint64_t until = r->at; /* no From_ line before */
	bool start = true;	/* of a line */
	struct str line;
	int64_t t;

	if (length_is_good(r, o->info.length))
		until += (uint64_t)o->info.length;
	while (next_line(r, &line, err) == 0) {
		if (line.n == 0)
			return 0;
		if (r->at < until)
			line = str_head(line, (size_t)(until - r->at));
		else if (start && (o->held || r->at == until) &&
			 mbox_from_line(str_trim(line), &t))
			return 0;
		if (start && str_trim(line).n == 0 && line.n <= 2 &&
		    str_ends(line, STR("\n"))) {
			if (o->held && put(o, STR(""), err) < 0)
				return -1;
			o->held = 1;
		} else if (put(o, line, err) < 0) {
			return -1;
		}
		start = str_ends(line, STR("\n"));
		consume(r, line.n);
		/* An empty line that Content-Length counts is the body's. */
		if (r->at == until && put(o, STR(""), err) < 0)
			return -1;
	}
	return -1;
}

static int
read_mbox(struct import *im, struct message_out *o, struct err *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct str line;
	int64_t t;
	int rc = 0;

	if (!r)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	r->fd = im->m->mbox;
	while (rc == 0 && (rc = next_line(r, &line, err)) == 0 && line.n) {
		if (str_trim(line).n == 0) {
			consume(r, line.n);
			continue;
		}
		if (!mbox_from_line(str_trim(line), &t)) {
			rc = err_set(err, ERR_PERM, EINVAL,
				     "%s: no mbox: no From_ line at byte %llu",
				     im->m->args->mbox,
				     (unsigned long long)r->at);
			break;
		}
		consume(r, line.n);
		rc = begin(o, t, err);
		if (rc == 0)
			rc = copy_header(r, o, err);
		if (rc == 0)
			rc = copy_body(r, o, err);
		if (o->fd >= 0 && end(o, err) < 0)
			rc = -1;
	}
	free(r);
	return rc;
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
	buf_init(&o->keywords, 65536);
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
	buf_fini(&o->keywords);
	buf_fini(&o->b);
	free(o);
	import_fini(&im);
	return rc;
}
