/* SPDX-License-Identifier: ISC */
/* What a folder holds, and the UIDs of it. */
#include <errno.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "store/store_int.h"

/* --- UIDs read from the file -----------------------------------------------
 */

void
known_clear(struct mailbox *mb)
{
	struct known *k;
	size_t i = 0;

	while ((k = map_next(&mb->known, &i)))
		free(k);
	map_fini(&mb->known);
	map_fini(&mb->known_uids);
	mb->known = mb->known_uids = (struct map){ 0 };
}

static void
known_drop(struct mailbox *mb, struct str base)
{
	struct known *k = map_del(&mb->known, base);

	if (k && map_get(&mb->known_uids, MAP_KEY(k->uid)) == k)
		map_del(&mb->known_uids, MAP_KEY(k->uid));
	free(k);
}

static void
on_uid_reset(void *arg)
{
	known_clear(arg);
}

static void
on_uid_entry(void *arg, uint32_t uid, struct str base)
{
	struct mailbox *mb = arg;
	struct known *k;
	struct message *m;

	if (base.n == 0) {
		k = map_get(&mb->known_uids, MAP_KEY(uid));
		if (k)
			known_drop(mb, str_mem(k->base, k->n));
		return;
	}
	m = map_get(&mb->by_base, base);
	if (m && m->uid == uid)
		return;
	known_drop(mb, base);
	k = malloc(sizeof(*k) + base.n);
	if (!k)
		return; /* the message gets a new UID: harmless */
	k->uid = uid;
	k->n = (uint8_t)base.n;
	memcpy(k->base, base.p, base.n);
	if (map_put(&mb->known, str_mem(k->base, k->n), k) < 0)
		free(k);
	else if (map_put(&mb->known_uids, MAP_KEY(k->uid), k) < 0)
		known_drop(mb, str_mem(k->base, k->n));
}

static uint32_t
on_fresh_validity(void *arg, uint32_t above, struct err *err)
{
	struct mailbox *mb = arg;

	return store_fresh_validity(mb->st, above, err);
}

static const struct uidfile_ops mailbox_uid_ops = {
	.reset = on_uid_reset,
	.entry = on_uid_entry,
	.fresh_validity = on_fresh_validity,
};

/* Lock the UID file and see whether the folder is still the one we know. */
int
mailbox_lock_uids(struct mailbox *mb, struct err *err)
{
	uint32_t before = mb->uids.uidvalidity;

	if (uidfile_lock(&mb->uids, &mailbox_uid_ops, mb, err) < 0)
		return -1;
	if (!mb->loaded || before == mb->uids.uidvalidity)
		return 0;
	uidfile_unlock(&mb->uids);
	log_warn("%s: UIDVALIDITY changed from %u to %u, sessions must reopen",
		 mb->name, before, mb->uids.uidvalidity);
	watch_unbox(mb);
	mb->deleted = true;
	mailbox_changed(mb);
	return err_set(err, ERR_TEMP, ESTALE, "Mailbox has been replaced");
}

/* --- the array of messages -------------------------------------------------
 */

static void
message_free(struct message *m)
{
	free(m->name);
	free(m);
}

void
mailbox_free(struct mailbox *mb)
{
	size_t i;

	watch_unbox(mb);
	list_remove(&mb->link);
	for (i = 0; i < mb->n; i++)
		message_free(mb->v[i]);
	free(mb->v);
	map_fini(&mb->by_base);
	known_clear(mb);
	uidfile_close(&mb->uids);
	if (mb->cur >= 0)
		fsx_close(mb->cur);
	if (mb->new >= 0)
		fsx_close(mb->new);
	if (mb->tmp >= 0)
		fsx_close(mb->tmp);
	if (mb->dir >= 0)
		fsx_close(mb->dir);
	free(mb);
}

void
mailbox_unlist(struct mailbox *mb, struct message *m)
{
	map_del(&mb->by_base, message_base(m));
	message_free(m);
}

static int
room_for(struct mailbox *mb, size_t n)
{
	size_t size = mb->size ? mb->size : 64;
	struct message **v;

	if (mb->n + n <= mb->size)
		return 0;
	while (size < mb->n + n)
		size *= 2;
	v = realloc(mb->v, size * sizeof(mb->v[0]));
	if (!v)
		return -1;
	mb->v = v;
	mb->size = size;
	return 0;
}

size_t
mailbox_lower(const struct mailbox *mb, uint32_t uid)
{
	size_t lo = 0, hi = mb->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (mb->v[mid]->uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct message *
mailbox_find(const struct mailbox *mb, uint32_t uid)
{
	size_t i = mailbox_lower(mb, uid);

	return i < mb->n && mb->v[i]->uid == uid ? mb->v[i] : NULL;
}

size_t
mailbox_count(const struct mailbox *mb)
{
	return mb->n;
}

struct message *
mailbox_at(const struct mailbox *mb, size_t i)
{
	return mb->v[i];
}

const char *
mailbox_name(const struct mailbox *mb)
{
	return mb->name;
}

uint32_t
mailbox_uidvalidity(const struct mailbox *mb)
{
	return mb->uids.uidvalidity;
}

uint32_t
mailbox_uidnext(const struct mailbox *mb)
{
	return mb->uids.uidnext;
}

uint64_t
mailbox_mod(const struct mailbox *mb)
{
	return mb->mod;
}

bool
mailbox_deleted(const struct mailbox *mb)
{
	return mb->deleted;
}

int
mailbox_renamed(struct mailbox *mb, struct message *m, const char *name,
		bool in_new, uint64_t flags, struct err *err)
{
	char *copy = strdup(name);

	if (!copy)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	/* The map's key is a part of the name. */
	map_del(&mb->by_base, message_base(m));
	free(m->name);
	m->name = copy;
	m->in_new = in_new;
	if (m->flags != flags) {
		m->flags = flags;
		m->mod = ++mb->mod;
	}
	if (map_put(&mb->by_base, message_base(m), m) < 0)
		BUG("a map cannot take back what it had");
	return 0;
}

/* --- giving UIDs -----------------------------------------------------------
 */

/* Records for the names, UIDs from u->uidnext on, but for those that are known
 * by the file already.  row: one after the other, whatever the file says. */
static void
build_records(struct mailbox *mb, const struct added *v, size_t n, bool row,
	      uint32_t *uids, struct buf *out, uint64_t *entries)
{
	uint32_t next = mb->uids.uidnext;
	struct buf body;
	struct known *k;
	struct str base;
	size_t i;

	buf_init(&body, UIDFILE_BODY_MAX);
	*entries = 0;
	for (i = 0; i < n; i++) {
		base = str_mem(v[i].name, v[i].basen);
		k = map_get(&mb->known, base);
		/* Another process was first.  But behind a message that was
		 * told already there are only greater UIDs (RFC 3501
		 * 2.3.1.1): then it gets another one. */
		if (k && !row && (!mb->loaded || k->uid > mb->top)) {
			uids[i] = k->uid;
			continue;
		}
		uids[i] = next++;
		if (body.n + UIDFILE_ENTRY + base.n > UIDFILE_BODY_MAX) {
			uidfile_put_record(out, buf_str(&body));
			buf_reset(&body);
		}
		uidfile_put_entry(&body, uids[i], base);
		++*entries;
	}
	if (body.n)
		uidfile_put_record(out, buf_str(&body));
	if (buf_overflown(&body))
		out->overflown = true;
	buf_fini(&body);
}

/*
 * Append in one write a record, so that each is synced before the next: a
 * torn record with a good one behind it would look like damage.
 */
static int
append_records(struct mailbox *mb, struct str all, uint64_t entries,
	       struct err *err)
{
	size_t n;

	while (all.n) {
		n = UIDFILE_RECORD + enc_get32(all.p + 4);
		if (uidfile_append(&mb->uids, str_head(all, n), 0, true, err) <
		    0)
			return -1;
		all = str_from(all, n);
	}
	mb->uids.entries += entries;
	return 0;
}

static struct message *
message_new(struct added *a, uint32_t uid)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	*m = (struct message){ .uid = uid,
			       .in_new = a->in_new,
			       .fresh = a->fresh,
			       .flags = a->flags,
			       .wsize = a->wsize,
			       .mtime = a->mtime,
			       .basen = a->basen,
			       .name = a->name,
			       .seen_in_scan = true };
	a->name = NULL;
	return m;
}

static int
by_uid(const void *a, const void *b)
{
	const struct message *x = *(struct message *const *)a;
	const struct message *y = *(struct message *const *)b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* The messages with their UIDs into the array; sorted again if UIDs from the
 * file stand among them. */
static int
insert(struct mailbox *mb, struct added *v, size_t n, const uint32_t *uids,
       struct err *err)
{
	bool sorted = true;
	struct message *m;
	size_t i;

	if (room_for(mb, n) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	mb->mod++;
	for (i = 0; i < n; i++) {
		m = message_new(&v[i], uids[i]);
		if (!m || map_put(&mb->by_base, message_base(m), m) < 0) {
			if (m)
				message_free(m);
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		}
		known_drop(mb, message_base(m));
		m->mod = mb->mod;
		if (m->uid > mb->top)
			mb->top = m->uid;
		if (mb->n && mb->v[mb->n - 1]->uid > m->uid)
			sorted = false;
		mb->v[mb->n++] = m;
	}
	if (!sorted)
		qsort(mb->v, mb->n, sizeof(mb->v[0]), by_uid);
	return 0;
}

static int
add_locked(struct mailbox *mb, struct added *v, size_t n, bool row,
	   uint32_t *uids, struct err *err)
{
	uint64_t entries;
	struct buf records;
	int rc = -1;

	if (mb->uids.uidnext > UINT32_MAX - 1 - n)
		return err_set(err, ERR_PERM, ERANGE, "out of UIDs");
	buf_init(&records, UIDFILE_MAX / 2);
	build_records(mb, v, n, row, uids, &records, &entries);
	if (buf_overflown(&records))
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	else
		rc = append_records(mb, buf_str(&records), entries, err);
	if (rc == 0) {
		mb->uids.uidnext += (uint32_t)entries;
		rc = insert(mb, v, n, uids, err);
	}
	buf_fini(&records);
	return rc;
}

int
mailbox_add(struct mailbox *mb, struct added *v, size_t n, uint32_t *first_uid,
	    struct err *err)
{
	uint32_t *uids = calloc(n ? n : 1, sizeof(*uids));
	int rc;

	if (!uids)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	rc = mailbox_lock_uids(mb, err);
	if (rc == 0) {
		rc = add_locked(mb, v, n, first_uid != NULL, uids, err);
		uidfile_unlock(&mb->uids);
	}
	if (first_uid)
		*first_uid = uids[0];
	free(uids);
	return rc;
}

/* Keep the live entries only, when most of the file is dead. */
static void
compact(struct mailbox *mb)
{
	struct buf records, body;
	struct err err;
	size_t i;

	buf_init(&records, UIDFILE_MAX / 2);
	buf_init(&body, UIDFILE_BODY_MAX);
	for (i = 0; i < mb->n; i++) {
		if (body.n + UIDFILE_ENTRY + mb->v[i]->basen >
		    UIDFILE_BODY_MAX) {
			uidfile_put_record(&records, buf_str(&body));
			buf_reset(&body);
		}
		uidfile_put_entry(&body, mb->v[i]->uid, message_base(mb->v[i]));
	}
	if (body.n)
		uidfile_put_record(&records, buf_str(&body));
	if (buf_overflown(&records) || buf_overflown(&body))
		uidfile_unlock(&mb->uids);
	else if (uidfile_compact(&mb->uids, buf_str(&records), &err) < 0)
		log_warn("%s: %s: %s", mb->name, UIDFILE_NAME, err.text);
	buf_fini(&records);
	buf_fini(&body);
}

void
mailbox_note_gone(struct mailbox *mb, const uint32_t *uids, size_t n)
{
	struct buf body, rec;
	struct err err;
	size_t i = 0, k;

	if (n == 0 || mb->deleted || mailbox_lock_uids(mb, &err) < 0)
		return;
	buf_init(&body, UIDFILE_BODY_MAX);
	buf_init(&rec, UIDFILE_BODY_MAX + UIDFILE_RECORD);
	while (i < n) {
		buf_reset(&body);
		buf_reset(&rec);
		for (k = i; k < n && body.n + UIDFILE_ENTRY <= UIDFILE_BODY_MAX;
		     k++)
			uidfile_put_entry(&body, uids[k], STR_NULL);
		uidfile_put_record(&rec, buf_str(&body));
		/* More than one record: each is synced before the next. */
		if (uidfile_append(&mb->uids, buf_str(&rec), k - i, k < n,
				   &err) < 0) {
			log_warn("%s: %s: %s", mb->name, UIDFILE_NAME,
				 err.text);
			break;
		}
		i = k;
	}
	buf_fini(&rec);
	buf_fini(&body);
	/* What others added and we have not seen must stay in the file. */
	if (mb->known.n == 0 && mb->uids.entries > 2 * (uint64_t)mb->n + 1000)
		compact(mb);
	else
		uidfile_unlock(&mb->uids);
}
