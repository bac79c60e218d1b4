/* SPDX-License-Identifier: ISC */
#include "store/adopt.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fsx.h"
#include "mail/uidl.h"
#include "store/index_int.h"
#include "store/store_int.h"

struct str
adopt_tmp_name(struct str base)
{
	ptrdiff_t end = str_search(base, STR(",S="));

	return end > 0 ? str_head(base, (size_t)end) : base;
}

/* --- before the log says it ----------------------------------------------- */

struct place {
	struct store *st;
	const char *name;
	int dir;
};

/* posthouse.uidl counts for its UIDVALIDITY alone. */
static int
write_uidls(struct place *p, const struct adoption *a, struct err *err)
{
	struct buf b;
	size_t i, any = 0;
	int rc = 0;

	buf_init(&b, UIDL_FILE_MAX);
	buf_addf(&b, "posthouse.uidl 1 %u\n", a->uidvalidity);
	for (i = 0; i < a->n; i++) {
		if (a->v[i].uidl.n == 0)
			continue;
		buf_addf(&b, "%u ", a->v[i].uid);
		buf_add_str(&b, a->v[i].uidl);
		buf_add_byte(&b, '\n');
		any++;
	}
	if (buf_overflown(&b))
		rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else if (any)
		rc = fsx_replace(p->dir, "posthouse.uidl", b.p, b.n, 0600, err);
	buf_fini(&b);
	return rc;
}

static int
ready(void *arg, const struct adoption *a, struct err *err)
{
	struct place *p = arg;

	if (write_uidls(p, a, err) < 0)
		return -1;
	return store_note_validity(p->st, a->uidvalidity, err);
}

/* --- the folder ----------------------------------------------------------- */

static uint32_t
fresh_validity(void *arg, uint32_t above, struct err *err)
{
	struct place *p = arg;

	return store_fresh_validity(p->st, above, err);
}

static int
open_folder(struct store *st, const char *name, struct err *err)
{
	char path[STORE_NAME_MAX + 2];
	int dir;

	store_dir_of(name, path);
	dir = fsx_open(st->mail, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		err_sys(err, errno, "%s", name);
	return dir;
}

int
store_adopt(struct store *st, const char *name, struct adoption *a,
	    enum adopt_result *res, struct err *err)
{
	struct place p = { .st = st, .name = name };
	struct index_ops ops = { .fresh_validity = fresh_validity };
	struct index *ix;
	int rc = -1;

	BUG_ON(store_find_open(st, name) != NULL);
	p.dir = open_folder(st, name, err);
	if (p.dir < 0)
		return -1;
	ix = index_new(p.dir, name, &ops, &p, err);
	if (ix) {
		rc = index_adopt(ix, a, ready, res, err);
		index_close(ix);
	}
	fsx_close(p.dir);
	return rc;
}

/* --- letters of other servers ----------------------------------------------
 */

int
mailbox_set_letters(struct mailbox *mb, const uint32_t *uids,
		    const uint64_t *letters, size_t n, struct err *err)
{
	const uint64_t theirs = ~(MAILDIR_FLAG('a') - 1) & ~MESSAGE_IN_NEW;
	const struct message *m;
	uint64_t flags;
	size_t i;
	int rc;

	if (mailbox_lock(mb, err) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		m = index_find(mb->ix, uids[i]);
		if (!m)
			continue;
		flags = (m->flags & ~theirs) | letters[i];
		if (flags == m->flags)
			continue;
		index_state(mb->ix, index_lower(mb->ix, uids[i]), flags,
			    m->keywords);
		work_due(mb, uids[i]);
	}
	rc = mailbox_commit(mb, true, err);
	index_unlock(mb->ix);
	mailbox_tell(mb);
	return rc;
}

/* --- rebuild -------------------------------------------------------------- */

int
store_rebuild(struct store *st, const char *name, size_t *n, struct err *err)
{
	struct index_totals t;
	struct mailbox *mb;
	int rc;

	mb = mailbox_open(st, str_of(name), err);
	if (!mb)
		return -1;
	/* As if nothing had ever been seen. */
	mb->dirty_new = mb->dirty_cur = true;
	rc = scan_merge(mb, err);
	if (rc == 0)
		rc = mailbox_sync_names(mb, true, err);
	if (rc == 0)
		rc = index_rebuild(mb->ix, err);
	mailbox_totals(mb, &t);
	*n = t.messages;
	mailbox_release(mb);
	return rc;
}
