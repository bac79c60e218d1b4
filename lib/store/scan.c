/* SPDX-License-Identifier: ISC */
/* The merge of a folder's directories with what is known of it. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

struct scan {
	struct mailbox *mb;
	struct added *v; /* files that are no messages yet */
	size_t n, size;
};

/*
 * A delivery of ours that a power cut tore: shorter than its name says.  It
 * will be written again; until then it is not there.
 */
static bool
is_torn(struct mailbox *mb, const char *name, const struct maildir_name *p)
{
	ptrdiff_t dot = str_find(p->base, '.');
	struct stat st;

	if (!p->has_size || dot < 0 || str_from(p->base, (size_t)dot).n < 3 ||
	    p->base.p[dot + 1] != 'P')
		return false;
	return fsx_fstatat(mb->new, name, &st) == 0 &&
	       (uint64_t)st.st_size < p->size;
}

static int
scan_new_file(struct scan *s, const char *name, const struct maildir_name *p,
	      bool in_new, struct err *err)
{
	struct added *v;
	size_t size;

	if (in_new && is_torn(s->mb, name, p)) {
		log_debug("%s: new/%s is torn, skipped", s->mb->name,
			  LOGQ(str_of(name)));
		return 0;
	}
	if (s->n == s->size) {
		size = s->size ? s->size * 2 : 64;
		v = realloc(s->v, size * sizeof(*v));
		if (!v)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		s->v = v;
		s->size = size;
	}
	v = &s->v[s->n];
	*v = (struct added){ .name = strdup(name),
			     .in_new = in_new,
			     .fresh = in_new,
			     .flags = p->flags,
			     .wsize = p->has_wsize ? p->wsize : MESSAGE_UNKNOWN,
			     .mtime = MESSAGE_NO_TIME,
			     .basen = p->base.n };
	if (!v->name)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	s->n++;
	return 0;
}

/*
 * Two files of one base: the second is a message of its own under a new name,
 * so that no mail hides.  But a file that is renamed while we look is seen
 * twice, too: then one of the names is gone.
 */
static void
split_twin(struct mailbox *mb, const struct message *m, const char *name,
	   const struct maildir_name *p, bool in_new)
{
	int dir = in_new ? mb->new : mb->cur;
	struct buf b;
	struct stat st;

	if (fsx_fstatat(m->in_new ? mb->new : mb->cur, m->name, &st) < 0 ||
	    fsx_fstatat(dir, name, &st) < 0)
		return;
	buf_init(&b, MAILDIR_NAME_MAX + 1);
	maildir_base_random(&b, str_of(mb->st->host), (uint64_t)st.st_size, 0);
	b.n = (size_t)str_search(buf_str(&b), STR(",W="));
	if (!in_new) {
		buf_add_c(&b, ":2,");
		buf_add_str(&b, str_from(str_of(name), p->base.n + 3));
	}
	if (fsx_rename_new(dir, name, dir, buf_cstr(&b)) == 0)
		log_info("%s: two files of one name, %s is now %s", mb->name,
			 LOGQ(str_of(name)), LOGQ(buf_str(&b)));
	buf_fini(&b);
	mb->dirty = true;
}

static int
scan_file(struct scan *s, const char *name, bool in_new, struct err *err)
{
	struct mailbox *mb = s->mb;
	struct maildir_name p;
	struct message *m;
	struct known *k;
	struct stat st;

	if (maildir_parse(str_of(name), &p) < 0)
		return 0;
	m = map_get(&mb->by_base, p.base);
	k = m ? map_get(&mb->known, p.base) : NULL;
	if (k && k->uid != m->uid) /* another process gave it a new UID */
		m->replaced = true;
	if (!m || m->replaced)
		return scan_new_file(s, name, &p, in_new, err);
	if (m->seen_in_scan &&
	    (m->in_new != in_new || strcmp(m->name, name) != 0)) {
		/* In new/ first and then in cur/: it was moved. */
		if (!(m->in_new && !in_new))
			split_twin(mb, m, name, &p, in_new);
		else if (fsx_fstatat(mb->new, m->name, &st) == 0)
			split_twin(mb, m, name, &p, in_new);
		else
			return mailbox_renamed(mb, m, name, in_new, p.flags,
					       err);
		return 0;
	}
	if (m->in_new == in_new && strcmp(m->name, name) == 0) {
		m->seen_in_scan = true;
		return 0;
	}
	if (fsx_fstatat(m->in_new ? mb->new : mb->cur, m->name, &st) == 0) {
		split_twin(mb, m, name, &p, in_new);
		return 0;
	}
	m->seen_in_scan = true;
	return mailbox_renamed(mb, m, name, in_new, p.flags, err);
}

static int
scan_dir(struct scan *s, bool in_new, struct err *err)
{
	int fd = in_new ? s->mb->new : s->mb->cur;
	struct fsx_dir *d = fsx_opendir(fd, ".");
	unsigned char type;
	const char *name;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "%s", in_new ? "new" : "cur");
	while (rc == 0 && (errno = 0, name = fsx_readdir(d, &type)))
		if (type == DT_REG || type == DT_UNKNOWN)
			rc = scan_file(s, name, in_new, err);
	if (rc == 0 && errno)
		rc = err_sys(err, errno, "%s", in_new ? "new" : "cur");
	fsx_closedir(d);
	return rc;
}

/* A rename by somebody else can hide a file from readdir: those that seem to
 * be missing are looked for once more.  -1: the disk does not say. */
static int
any_missing(struct mailbox *mb, struct err *err)
{
	struct message *m;
	struct stat st;
	int missing = 0;
	size_t i;

	for (i = 0; i < mb->n; i++) {
		m = mb->v[i];
		if (m->seen_in_scan || m->replaced)
			continue;
		if (fsx_fstatat(m->in_new ? mb->new : mb->cur, m->name, &st) ==
		    0)
			m->seen_in_scan = true;
		else if (errno == ENOENT)
			missing = 1;
		else
			return err_sys(err, errno, "%s", m->name);
	}
	return missing;
}

static void
drop_missing(struct mailbox *mb)
{
	uint32_t *uids = calloc(mb->n ? mb->n : 1, sizeof(*uids));
	size_t i, keep = 0, gone = 0;

	for (i = 0; i < mb->n; i++) {
		struct message *m = mb->v[i];

		if (m->seen_in_scan) {
			mb->v[keep++] = m;
			continue;
		}
		if (uids)
			uids[gone] = m->uid;
		gone++;
		mailbox_unlist(mb, m);
	}
	mb->n = keep;
	if (gone)
		mb->mod++;
	if (uids)
		mailbox_note_gone(mb, uids, gone);
	free(uids);
}

/* By the seconds the name begins with, then by name. */
static int
by_arrival(const void *a, const void *b)
{
	const struct added *x = a, *y = b;
	unsigned long long s = strtoull(x->name, NULL, 10);
	unsigned long long t = strtoull(y->name, NULL, 10);

	if (s != t)
		return s < t ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* A file that was renamed while we looked may stand there twice. */
static void
unite_twins(struct scan *s)
{
	struct map seen = { 0 };
	struct added *old;
	size_t i, keep = 0;
	struct str base;

	for (i = 0; i < s->n; i++) {
		base = str_mem(s->v[i].name, s->v[i].basen);
		old = map_get(&seen, base);
		if (old) {
			/* One of them; the next scan says which. */
			free(s->v[i].name);
			s->mb->dirty = true;
			continue;
		}
		s->v[keep] = s->v[i];
		base.p = s->v[keep].name;
		(void)!map_put(&seen, base, &s->v[keep]);
		keep++;
	}
	s->n = keep;
	map_fini(&seen);
}

static int
scan_both(struct scan *s, struct err *err)
{
	struct mailbox *mb = s->mb;
	int missing;
	size_t i;

	for (i = 0; i < mb->n; i++)
		mb->v[i]->seen_in_scan = mb->v[i]->replaced = false;
	if (scan_dir(s, true, err) < 0 || scan_dir(s, false, err) < 0)
		return -1;
	missing = any_missing(mb, err);
	if (missing > 0) {
		for (i = 0; i < s->n; i++)
			free(s->v[i].name);
		s->n = 0;
		for (i = 0; i < mb->n; i++)
			mb->v[i]->seen_in_scan = mb->v[i]->replaced = false;
		if (scan_dir(s, true, err) < 0 || scan_dir(s, false, err) < 0)
			return -1;
		missing = any_missing(mb, err);
	}
	return missing < 0 ? -1 : 0;
}

/* UIDs of the file whose messages are not there: they never come back. */
static void
forget_known(struct mailbox *mb)
{
	uint32_t *uids = calloc(mb->known.n ? mb->known.n : 1, sizeof(*uids));
	struct known *k;
	size_t i = 0, n = 0;

	while (uids && (k = map_next(&mb->known, &i)))
		uids[n++] = k->uid;
	known_clear(mb);
	if (uids)
		mailbox_note_gone(mb, uids, n);
	free(uids);
}

static int
scan(struct mailbox *mb, struct err *err)
{
	struct scan s = { .mb = mb };
	size_t i;
	int rc = -1;

	mb->dirty = false;
	/* The file first: a name in it that is not on disk is gone, and one
	 * on disk that is not in it is new. */
	if (!mb->loaded) {
		if (mailbox_lock_uids(mb, err) < 0)
			goto out;
		uidfile_unlock(&mb->uids);
	}
	if (scan_both(&s, err) < 0)
		goto out;
	drop_missing(mb);
	unite_twins(&s);
	if (s.n)
		qsort(s.v, s.n, sizeof(s.v[0]), by_arrival);
	if (s.n && mailbox_add(mb, s.v, s.n, NULL, err) < 0)
		goto out;
	if (!mb->loaded)
		forget_known(mb);
	mb->loaded = true;
	rc = 0;
out:
	if (rc < 0)
		mb->dirty = true;
	for (i = 0; i < s.n; i++)
		free(s.v[i].name);
	free(s.v);
	return rc;
}

/* Without inotify: have the directories' times changed?  A time of less than
 * a second ago may hide a later change. */
static bool
times_changed(struct mailbox *mb)
{
	int64_t now = (int64_t)(clock_wall_us() / 1000000);
	struct stat n, c;
	bool same;

	if (fsx_fstat(mb->new, &n) < 0 || fsx_fstat(mb->cur, &c) < 0)
		return true;
	same = n.st_mtim.tv_sec == mb->time_new.tv_sec &&
	       n.st_mtim.tv_nsec == mb->time_new.tv_nsec &&
	       c.st_mtim.tv_sec == mb->time_cur.tv_sec &&
	       c.st_mtim.tv_nsec == mb->time_cur.tv_nsec &&
	       now - n.st_mtim.tv_sec > 1 && now - c.st_mtim.tv_sec > 1;
	mb->time_new = n.st_mtim;
	mb->time_cur = c.st_mtim;
	return !same;
}

int
mailbox_refresh(struct mailbox *mb, struct err *err)
{
	uint64_t mod = mb->mod;

	if (mb->deleted)
		return 0;
	watch_drain(mb->st);
	if (!mb->dirty && mb->wd_cur < 0)
		mb->dirty = times_changed(mb);
	if (!mb->dirty)
		return 0;
	if (scan(mb, err) < 0)
		return -1;
	if (mod != mb->mod)
		mailbox_changed(mb);
	return 0;
}
