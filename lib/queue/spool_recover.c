/* SPDX-License-Identifier: ISC */
/* The one walk of the queue, at start. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "base/log.h"
#include "queue/spool_int.h"

enum kind { KIND_MESSAGE, KIND_BODY, KIND_TEXT, KIND_LOG, KIND_TEMP };

struct entry {
	uint64_t id;
	uint8_t kind;
};

/* What a message says of the reports about it. */
struct named {
	uint64_t parent;
	uint64_t child; /* 0: any, the parent cannot be read */
};

struct walk {
	struct spool *sp;
	unsigned dir;
	struct entry *v;
	size_t n, size;
	struct spool_found *children;
	size_t nchildren;
	struct named *named;
	size_t nnamed;
	uint64_t max_id;
	spool_found_fn *found;
	void *arg;
	struct spool_counts *counts;
};

/* What a name in msg/XX is; false: not ours. */
static bool
classify(struct str name, unsigned dir, struct entry *e)
{
	static const struct {
		struct str suffix;
		enum kind kind;
	} kinds[] = {
		{ { ".b", 2 }, KIND_BODY },
		{ { ".h", 2 }, KIND_TEXT },
		{ { ".log", 4 }, KIND_LOG },
	};
	size_t i;

	e->kind = KIND_MESSAGE;
	if (str_starts(name, STR(".")) && str_ends(name, STR(".new"))) {
		e->kind = KIND_TEMP;
		name = str_head(str_from(name, 1), name.n - 1 - 4);
		if (str_ends(name, STR(".log")))
			name.n -= 4;
	}
	for (i = 0;
	     e->kind == KIND_MESSAGE && i < sizeof(kinds) / sizeof(kinds[0]);
	     i++)
		if (str_ends(name, kinds[i].suffix)) {
			e->kind = (uint8_t)kinds[i].kind;
			name = str_head(name, name.n - kinds[i].suffix.n);
			break;
		}
	return qid_parse(name, &e->id) && spool_dir_of(e->id) == dir;
}

static int
add_entry(struct walk *w, const struct entry *e)
{
	struct entry *v;
	size_t size;

	if (w->n == w->size) {
		size = w->size ? w->size * 2 : 256;
		v = reallocarray(w->v, size, sizeof(*v));
		if (!v)
			return -1;
		w->v = v;
		w->size = size;
	}
	w->v[w->n++] = *e;
	return 0;
}

static int
read_names(struct walk *w, struct err *err)
{
	struct fsx_dir *d = fsx_opendir(w->sp->dir[w->dir], ".");
	const char *name;
	struct entry e;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "spool: msg/%02x", w->dir);
	w->n = 0;
	while (rc == 0 && (name = fsx_readdir(d, NULL))) {
		if (!classify(str_of(name), w->dir, &e)) {
			w->counts->strange++;
			log_warn("spool: msg/%02x/%s is not of the queue, "
				 "left alone",
				 w->dir, LOGQ(str_of(name)));
		} else if (add_entry(w, &e) < 0) {
			rc = err_sys(err, ENOMEM, "spool: recovery");
		}
	}
	if (rc == 0 && errno)
		rc = err_sys(err, errno, "spool: msg/%02x", w->dir);
	fsx_closedir(d);
	return rc;
}

static int
by_id(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

static void
drop(struct walk *w, uint64_t id, const char *suffix)
{
	unsigned dir = spool_dir_of(id);
	char name[SPOOL_NAME_MAX];

	if (fsx_unlink(w->sp->dir[dir], spool_name(id, suffix, name)) < 0)
		log_warn("spool: cannot remove msg/%02x/%s", dir, name);
}

/* --- children ------------------------------------------------------------- */

static int
add_named(struct walk *w, uint64_t parent, uint64_t child)
{
	struct named *v = reallocarray(w->named, w->nnamed + 1, sizeof(*v));

	if (!v)
		return -1;
	w->named = v;
	v[w->nnamed++] = (struct named){ parent, child };
	return 0;
}

/* What this message says of its children. */
static int
note_names(struct walk *w, const struct spool_found *f)
{
	size_t i;

	if (f->msg.seq == 0)
		return add_named(w, f->head.id, 0);
	for (i = 0; i < QFILE_CHILDREN; i++)
		if (f->msg.child[i] &&
		    add_named(w, f->head.id, f->msg.child[i]) < 0)
			return -1;
	return 0;
}

static int
add_child(struct walk *w, const struct spool_found *f)
{
	struct spool_found *v =
		reallocarray(w->children, w->nchildren + 1, sizeof(*v));

	if (!v)
		return -1;
	w->children = v;
	v[w->nchildren++] = *f;
	return 0;
}

static bool
is_named(const struct walk *w, const struct spool_found *f)
{
	size_t i;

	for (i = 0; i < w->nnamed; i++)
		if (w->named[i].parent == f->msg.parent &&
		    (w->named[i].child == 0 || w->named[i].child == f->head.id))
			return true;
	return false;
}

/* Its parent names it: it is sent. */
static int
release_child(struct walk *w, struct spool_found *f, struct err *err)
{
	f->msg = (struct qfile_msg){ .seq = f->msg.seq + 1,
				     .state = QFILE_ACTIVE };
	if (spool_mark(w->sp, &f->head, NULL, 0, &f->msg, err) < 0)
		return -1;
	w->counts->messages++;
	w->counts->damaged += f->damaged;
	return w->found(w->arg, f) < 0
		       ? err_set(err, ERR_TEMP, ENOMEM, "spool: recovery")
		       : 0;
}

/* Once all are known. */
static int
judge_children(struct walk *w, struct err *err)
{
	struct spool_found *f;
	size_t i;

	for (i = 0; i < w->nchildren; i++) {
		f = &w->children[i];
		if (is_named(w, f)) {
			if (release_child(w, f, err) < 0)
				return -1;
			continue;
		}
		w->counts->uncommitted++;
		drop(w, f->head.id, "");
		if (f->head.body != QFILE_INLINE)
			drop(w, f->head.id, spool_body_suffix(f->head.body));
	}
	return 0;
}

/* --- messages ------------------------------------------------------------- */

/* The body must be there in full. */
static void
check_body(struct walk *w, struct spool_found *f)
{
	char name[SPOOL_NAME_MAX];
	struct stat st;

	spool_name(f->head.id, spool_body_suffix(f->head.body), name);
	if (fsx_fstatat(w->sp->dir[w->dir], name, &st) < 0) {
		f->damaged = true;
		err_sys(&f->err, errno, "%s", name);
	} else if ((uint64_t)st.st_size != f->head.body_len) {
		f->damaged = true;
		err_set(&f->err, ERR_PERM, 0, "%s is %llu bytes long, not %llu",
			name, (unsigned long long)st.st_size,
			(unsigned long long)f->head.body_len);
	}
}

/* 1: committed, told; 0: never committed, removed; -1: cannot be read. */
static int
visit_message(struct walk *w, uint64_t id, bool has_log, struct err *err)
{
	struct spool_found f = { .has_log = has_log };
	char buf[QFILE_SLOTS + 9 * QFILE_SLOT], name[SPOOL_NAME_MAX];
	enum qfile_verdict verdict;
	struct stat st;
	ssize_t n = -1;
	int fd;

	fd = fsx_open(w->sp->dir[w->dir], spool_name(id, "", name), O_RDONLY,
		      0);
	if (fd >= 0 && fsx_fstat(fd, &st) == 0)
		n = fsx_pread(fd, buf, sizeof(buf), 0);
	if (n < 0)
		err_sys(err, errno, "spool: msg/%02x/%s", w->dir, name);
	if (fd >= 0)
		fsx_close(fd);
	if (n < 0)
		return -1;
	verdict = qfile_get_head(str_mem(buf, (size_t)n), (uint64_t)st.st_size,
				 id, &f.head, &f.err);
	if (verdict == QFILE_TORN) {
		w->counts->uncommitted++;
		drop(w, id, "");
		return 0;
	}
	f.size = f.head.header_len + f.head.body_len;
	f.damaged = verdict == QFILE_BAD;
	if (f.damaged)
		f.size = (uint64_t)st.st_size;
	else if (f.head.body != QFILE_INLINE)
		check_body(w, &f);
	if (!f.damaged &&
	    !qfile_get_msg(&f.head, str_mem(buf, (size_t)n), &f.msg)) {
		f.damaged = true;
		err_set(&f.err, ERR_PERM, 0, "both state slots are bad");
	}
	if (f.msg.reason == QFILE_CHILD)
		n = add_child(w, &f);
	else
		n = note_names(w, &f);
	if (n < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "spool: recovery");
	if (f.msg.reason == QFILE_CHILD)
		return 1;
	w->counts->messages++;
	w->counts->damaged += f.damaged;
	return w->found(w->arg, &f) < 0
		       ? err_set(err, ERR_TEMP, ENOMEM, "spool: recovery")
		       : 1;
}

/* All names of one id, which stand together. */
static int
visit_id(struct walk *w, size_t from, size_t to, struct err *err)
{
	static const char *const suffix[] = { "", ".b", ".h", ".log" };
	uint64_t id = w->v[from].id;
	char tmp[SPOOL_NAME_MAX + 1] = ".";
	bool has[KIND_TEMP + 1] = { false };
	int committed = 0;
	size_t i;

	for (i = from; i < to; i++)
		has[w->v[i].kind] = true;
	if (id > w->max_id)
		w->max_id = id;
	if (has[KIND_MESSAGE]) {
		committed = visit_message(w, id, has[KIND_LOG], err);
		if (committed < 0)
			return -1;
	}
	for (i = KIND_BODY; !committed && i <= KIND_LOG; i++)
		if (has[i]) {
			w->counts->orphans++;
			drop(w, id, suffix[i]);
		}
	for (i = 0; has[KIND_TEMP] && i < 2; i++) {
		spool_name(id, i ? ".new" : ".log.new", tmp + 1);
		fsx_unlink(w->sp->dir[w->dir], tmp);
	}
	return 0;
}

static int
visit_dir(struct walk *w, struct err *err)
{
	size_t i, j;

	if (read_names(w, err) < 0)
		return -1;
	if (w->n)
		qsort(w->v, w->n, sizeof(*w->v), by_id);
	for (i = 0; i < w->n; i = j) {
		for (j = i + 1; j < w->n && w->v[j].id == w->v[i].id; j++)
			;
		if (visit_id(w, i, j, err) < 0)
			return -1;
	}
	return 0;
}

int
spool_recover(struct spool *sp, spool_found_fn *found, void *arg,
	      struct spool_counts *counts, struct err *err)
{
	struct walk w = {
		.sp = sp, .found = found, .arg = arg, .counts = counts
	};
	int rc = 0;

	*counts = (struct spool_counts){ 0 };
	for (w.dir = 0; rc == 0 && w.dir < SPOOL_DIRS; w.dir++)
		rc = visit_dir(&w, err);
	if (rc == 0)
		rc = judge_children(&w, err);
	free(w.v);
	free(w.children);
	free(w.named);
	/* With a new id file (the old one lost) ids may have gone further. */
	if (rc == 0 && w.max_id >= sp->next) {
		sp->next = w.max_id + 1;
		if (sp->next > sp->reserved)
			rc = spool_reserve_from(sp, sp->next, err);
	}
	return rc;
}
