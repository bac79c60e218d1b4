/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "maildrop.h"

static int
take_snapshot(struct maildrop *m, struct err *err)
{
	size_t i, slots = mailbox_slots(m->mb);
	const struct message *msg;
	struct index_totals t;
	struct drop *d;

	mailbox_totals(m->mb, &t);
	m->uidvalidity = t.uidvalidity;
	m->v = calloc(slots ? slots : 1, sizeof(*m->v));
	if (!m->v)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < slots; i++) {
		msg = mailbox_at(m->mb, i);
		if (msg->gone)
			continue;
		d = &m->v[m->n];
		d->uid = msg->uid;
		if (mailbox_lf_size(m->mb, d->uid, &d->size, err) == 0)
			m->n++;
		else if (err->code != ENOENT) /* gone just now: not ours */
			return -1;
	}
	return 0;
}

int
maildrop_open(struct maildrop *m, struct store *st, struct err *err)
{
	*m = (struct maildrop){ .mb = mailbox_open(st, STR("INBOX"), err) };
	if (m->mb && mailbox_refresh(m->mb, err) == 0 &&
	    take_snapshot(m, err) == 0)
		return 0;
	maildrop_close(m);
	return -1;
}

void
maildrop_close(struct maildrop *m)
{
	if (m->mb)
		mailbox_release(m->mb);
	free(m->v);
	uidl_list_fini(&m->list);
	free(m->list_text);
	*m = (struct maildrop){ .n = 0 };
}

void
maildrop_count(const struct maildrop *m, size_t *n, uint64_t *bytes)
{
	size_t i;

	*n = 0;
	*bytes = 0;
	for (i = 0; i < m->n; i++) {
		if (m->v[i].deleted)
			continue;
		++*n;
		*bytes += m->v[i].size;
	}
}

void
maildrop_reset(struct maildrop *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		m->v[i].deleted = false;
}

/* A message whose file has got another name, because IMAP changed its flags,
 * is found at the second look. */
int
maildrop_read(struct maildrop *m, const struct drop *d,
	      struct message_reader *r, struct err *err)
{
	if (mailbox_read(m->mb, d->uid, r, err) == 0)
		return 0;
	if (err->code == ENOENT && mailbox_refresh(m->mb, err) == 0 &&
	    mailbox_read(m->mb, d->uid, r, err) == 0)
		return 0;
	r->fd = -1;
	return -1;
}

/* --- names ---------------------------------------------------------------- */

/* The text of posthouse.uidl; NULL: there is none. */
static char *
read_list(int root, size_t *n)
{
	int fd = fsx_open(root, "posthouse.uidl",
			  O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
	char *text = NULL;
	struct stat st;
	struct err err;

	*n = 0;
	if (fd < 0)
		return NULL;
	if (fsx_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    st.st_size <= UIDL_FILE_MAX)
		text = malloc((size_t)st.st_size);
	if (text && fsx_pread_all(fd, text, (size_t)st.st_size, 0, &err) == 0)
		*n = (size_t)st.st_size;
	fsx_close(fd);
	return text;
}

void
maildrop_uidl(struct maildrop *m, const struct drop *d, int root,
	      struct str format, struct buf *out)
{
	struct uidl_of of = { .uid = d->uid, .uidvalidity = m->uidvalidity };
	struct str name;
	struct err err;
	size_t n;

	if (!m->has_list) {
		m->has_list = true;
		m->list_text = read_list(root, &n);
		(void)!uidl_list_parse(&m->list, str_mem(m->list_text, n),
				       of.uidvalidity, &err);
	}
	name = uidl_list_find(&m->list, d->uid);
	if (name.n) {
		(void)!buf_add_str(out, name);
		return;
	}
	of.base = mailbox_base(m->mb, d->uid);
	uidl_format(out, format, &of);
}

/* --- QUIT ----------------------------------------------------------------- */

/* Its file has not been touched for so long. */
static bool
is_old(struct maildrop *m, const struct drop *d, uint64_t seconds)
{
	int64_t now = (int64_t)(clock_wall_us() / 1000000);
	struct message_reader r;
	struct stat st;
	struct err err;
	bool old;

	if (maildrop_read(m, d, &r, &err) < 0)
		return false;
	old = fsx_fstat(r.fd, &st) == 0 && st.st_ctime < now - (int64_t)seconds;
	reader_close(&r);
	return old;
}

static bool
is_seen(struct maildrop *m, const struct drop *d)
{
	const struct message *msg = mailbox_find(m->mb, d->uid);

	return msg && msg->flags & MAILDIR_SEEN;
}

/* No reason to tell the client anything if it fails. */
static void
mark_sent(struct maildrop *m, uint32_t *uids)
{
	struct flag_change c = { .how = FLAGS_ADD, .flags = MAILDIR_SEEN };
	size_t i, n = 0;
	struct err err;

	for (i = 0; i < m->n; i++)
		if (m->v[i].sent && !m->v[i].deleted)
			uids[n++] = m->v[i].uid;
	if (n && mailbox_change(m->mb, uids, n, &c, &err) < 0)
		log_warn("flags: %s", LOGQ(str_of(err.text)));
}

int
maildrop_update(struct maildrop *m, const struct maildrop_policy *p,
		size_t *removed, struct err *err)
{
	uint32_t *uids = calloc(m->n ? m->n : 1, sizeof(*uids));
	size_t i, n = 0, deleted = 0;
	int rc;

	*removed = 0;
	if (!uids)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < m->n; i++) {
		const struct drop *d = &m->v[i];

		deleted += d->deleted;
		/* One that was sent now is not old: it is being marked. */
		if (d->deleted || (p->expire_s && !d->sent && is_seen(m, d) &&
				   is_old(m, d, p->expire_s)))
			uids[n++] = d->uid;
	}
	rc = n ? mailbox_expunge(m->mb, uids, n, err) : 0;
	if (rc == 0)
		*removed = deleted;
	if (p->flags)
		mark_sent(m, uids);
	free(uids);
	return rc;
}
