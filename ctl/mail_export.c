/* SPDX-License-Identifier: ISC */
/* mail export: the files by which Dovecot or Courier know the messages. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "mail.h"
#include "mail/uidl.h"
#include "store/adopt.h"
#include "store/foreign.h"

enum { TEXT_MAX_ = 1 << 30 };

struct export
{
	struct mail *m;
	const char *name;
	int dir;
	struct pool pool;
	struct mailbox *mb;
	uint32_t *letter; /* of each keyword; FOREIGN_LETTERS: none */
	struct uidl_list uidls;
};

static int
replace(struct export *e, int dir, const char *file, struct buf *b,
	struct err *err)
{
	(void)e;
	if (buf_overflown(b))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return fsx_replace(dir, file, b->p ? b->p : "", b->n, 0600, err);
}

/* --- keywords as letters -------------------------------------------------- */

/* How many messages have each. */
static void
count_keywords(struct export *e, size_t *count)
{
	const struct message *m;
	const uint32_t *ids;
	size_t slot, i, n;

	for (slot = 0; slot < mailbox_slots(e->mb); slot++) {
		m = mailbox_at(e->mb, slot);
		if (m->gone)
			continue;
		ids = mailbox_keyword_set(e->mb, m->keywords, &n);
		for (i = 0; i < n; i++)
			count[ids[i]]++;
	}
}

/* Letters as Dovecot had them, if it did; the others in the order of our
 * keywords, for those that are used. */
static int
choose_letters(struct export *e, struct buf *out, struct err *err)
{
	struct str name[FOREIGN_LETTERS] = { STR_NULL }, text;
	size_t n = mailbox_keywords(e->mb), i, k, next = 0;
	size_t *count = calloc(n + 1, sizeof(*count));

	e->letter = pool_alloc(&e->pool, (n + 1) * sizeof(*e->letter));
	if (!count || !e->letter) {
		free(count);
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	if (mail_read(e->dir, "dovecot-keywords", &e->pool, &text, err) < 0) {
		free(count);
		return -1;
	}
	foreign_letters_parse(text, name);
	count_keywords(e, count);
	for (i = 0; i < n; i++) {
		e->letter[i] = FOREIGN_LETTERS;
		for (k = 0; k < FOREIGN_LETTERS; k++)
			if (str_ieq(name[k], str_of(mailbox_keyword(
						     e->mb, (uint32_t)i))))
				e->letter[i] = (uint32_t)k;
	}
	for (i = 0; i < n; i++) {
		if (!count[i] || e->letter[i] < FOREIGN_LETTERS)
			continue;
		while (next < FOREIGN_LETTERS && name[next].n)
			next++;
		if (next == FOREIGN_LETTERS) {
			mail_wrong(e->m, e->name,
				   "keyword %s of %zu messages does not fit: "
				   "Dovecot's Maildir has room for %d",
				   mailbox_keyword(e->mb, (uint32_t)i),
				   count[i], FOREIGN_LETTERS);
			continue;
		}
		name[next] = str_of(mailbox_keyword(e->mb, (uint32_t)i));
		e->letter[i] = (uint32_t)next;
	}
	for (k = 0; k < FOREIGN_LETTERS; k++)
		if (name[k].n)
			buf_addf(out, "%zu %.*s\n", k, STR_FMT(name[k]));
	free(count);
	return 0;
}

/* --- messages ------------------------------------------------------------- */

static void
put_uidlist(struct export *e, const struct index_totals *t, struct str guid,
	    struct buf *out)
{
	const struct message *m;
	struct str name;
	size_t slot;

	buf_addf(out, "3 V%u N%u", t->uidvalidity, t->uidnext);
	if (guid.n)
		buf_addf(out, " G%.*s", STR_FMT(guid));
	buf_add_byte(out, '\n');
	for (slot = 0; slot < mailbox_slots(e->mb); slot++) {
		m = mailbox_at(e->mb, slot);
		if (m->gone)
			continue;
		name = uidl_list_find(&e->uidls, m->uid);
		buf_addf(out, "%u ", m->uid);
		if (name.n)
			buf_addf(out, "P%.*s ", STR_FMT(name));
		buf_add_byte(out, ':');
		buf_add_str(out, mailbox_base(e->mb, m->uid));
		buf_add_byte(out, '\n');
	}
}

/* Letters into the names, by the store's own way of renaming. */
static int
set_letters(struct export *e, struct err *err)
{
	size_t slot, i, n, k = 0, size = mailbox_slots(e->mb);
	uint64_t *letters = calloc(size + 1, sizeof(*letters));
	uint32_t *uids = calloc(size + 1, sizeof(*uids));
	int rc = -1;

	if (!letters || !uids) {
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
		goto out;
	}
	for (slot = 0; slot < size; slot++) {
		const struct message *m = mailbox_at(e->mb, slot);
		const uint32_t *ids;

		if (m->gone)
			continue;
		uids[k] = m->uid;
		ids = mailbox_keyword_set(e->mb, m->keywords, &n);
		for (i = 0; i < n; i++)
			if (e->letter[ids[i]] < FOREIGN_LETTERS)
				letters[k] |= MAILDIR_FLAG(
					(char)('a' + e->letter[ids[i]]));
		k++;
	}
	rc = mailbox_set_letters(e->mb, uids, letters, k, err);
out:
	free(letters);
	free(uids);
	return rc;
}

static int
export_dovecot(struct export *e, const struct index_totals *t, struct err *err)
{
	struct foreign_uids had = { .n = 0 };
	struct str text;
	struct buf b;
	int rc;

	buf_init(&b, TEXT_MAX_);
	rc = choose_letters(e, &b, err);
	if (rc == 0)
		rc = replace(e, e->dir, "dovecot-keywords", &b, err);
	if (rc == 0)
		rc = set_letters(e, err);
	if (rc == 0)
		rc = mail_read(e->dir, "dovecot-uidlist", &e->pool, &text, err);
	if (rc == 0) {
		(void)!foreign_uids_parse(&had, text, NULL);
		buf_reset(&b);
		put_uidlist(e, t, had.guid, &b);
		rc = replace(e, e->dir, "dovecot-uidlist", &b, err);
		foreign_uids_fini(&had);
	}
	buf_fini(&b);
	return rc;
}

/* --- Courier -------------------------------------------------------------- */

static void
put_courier(struct export *e, const struct index_totals *t, struct buf *uids,
	    struct buf *list)
{
	const struct message *m;
	const uint32_t *ids;
	size_t slot, i, n;

	for (i = 0; i < mailbox_keywords(e->mb); i++)
		buf_addf(list, "%s\n", mailbox_keyword(e->mb, (uint32_t)i));
	buf_add_byte(list, '\n');
	buf_addf(uids, "1 %u %u\n", t->uidvalidity, t->uidnext);
	for (slot = 0; slot < mailbox_slots(e->mb); slot++) {
		m = mailbox_at(e->mb, slot);
		if (m->gone)
			continue;
		buf_addf(uids, "%u ", m->uid);
		buf_add_str(uids, mailbox_base(e->mb, m->uid));
		buf_add_byte(uids, '\n');
		ids = mailbox_keyword_set(e->mb, m->keywords, &n);
		if (!n)
			continue;
		buf_add_str(list, mailbox_base(e->mb, m->uid));
		for (i = 0; i < n; i++)
			buf_addf(list, "%c%u", i ? ' ' : ':', ids[i]);
		buf_add_byte(list, '\n');
	}
}

/* Names that Courier would make: "UID5-1234". */
static bool
courier_uidl(struct str name, uint64_t *uid, uint64_t *uidvalidity)
{
	struct str number;

	if (!str_starts(name, STR("UID")))
		return false;
	name = str_from(name, 3);
	*uidvalidity = 0;
	if (!str_cut(&name, '-', &number))
		return str_u64(name, UINT32_MAX, uid) == 0;
	return str_u64(number, UINT32_MAX, uid) == 0 &&
	       str_u64(name, UINT32_MAX, uidvalidity) == 0;
}

/* courierpop3dsizelist, which can say names of its own kind only. */
static int
put_sizes(struct export *e, const struct index_totals *t, struct buf *out,
	  struct err *err)
{
	uint64_t uid, uidvalidity, size, other = 0, next = 1;
	const struct message *m;
	struct buf lines;
	size_t slot;
	int rc = 0;

	buf_init(&lines, TEXT_MAX_);
	for (slot = 0; rc == 0 && slot < mailbox_slots(e->mb); slot++) {
		m = mailbox_at(e->mb, slot);
		if (m->gone)
			continue;
		if (!courier_uidl(uidl_list_find(&e->uidls, m->uid), &uid,
				  &uidvalidity)) {
			other++;
			continue;
		}
		if (uid >= next)
			next = uid + 1;
		rc = mailbox_wsize(e->mb, m->uid, &size, err);
		if (rc < 0)
			break;
		m = mailbox_find(e->mb, mailbox_at(e->mb, slot)->uid);
		if (!m)
			continue;
		buf_add_str(&lines, mailbox_base(e->mb, m->uid));
		buf_addf(&lines, " %llu %llu:%llu:0\n",
			 (unsigned long long)size, (unsigned long long)uid,
			 (unsigned long long)uidvalidity);
	}
	buf_addf(out, "/3 %llu %u\n", (unsigned long long)next, t->uidvalidity);
	buf_add_str(out, buf_str(&lines));
	buf_fini(&lines);
	if (rc == 0 && other)
		mail_wrong(e->m, e->name,
			   "%llu messages have names for POP3 that Courier "
			   "does not make: it will give others",
			   (unsigned long long)other);
	return rc;
}

static int
export_courier(struct export *e, const struct index_totals *t, struct err *err)
{
	static const char dir[] = "courierimapkeywords";
	struct buf uids, list, sizes;
	int kw = -1, rc = 0;

	buf_init(&uids, TEXT_MAX_);
	buf_init(&list, TEXT_MAX_);
	buf_init(&sizes, TEXT_MAX_);
	put_courier(e, t, &uids, &list);
	if (fsx_mkdir(e->dir, dir, 0700) < 0 && errno != EEXIST)
		rc = err_sys(err, errno, "%s", dir);
	else
		kw = fsx_open(e->dir, dir, O_RDONLY | O_DIRECTORY, 0);
	if (rc == 0 && kw < 0)
		rc = err_sys(err, errno, "%s", dir);
	if (rc == 0)
		rc = replace(e, kw, ":list", &list, err);
	if (rc == 0)
		rc = replace(e, e->dir, "courierimapuiddb", &uids, err);
	if (rc == 0 && strcmp(e->name, "INBOX") == 0) {
		rc = put_sizes(e, t, &sizes, err);
		if (rc == 0)
			rc = replace(e, e->dir, "courierpop3dsizelist", &sizes,
				     err);
	}
	if (kw >= 0)
		fsx_close(kw);
	buf_fini(&uids);
	buf_fini(&list);
	buf_fini(&sizes);
	return rc;
}

/* --- all of it ------------------------------------------------------------ */

static int
export_folder(struct mail *m, const char *name, int dir, struct err *err)
{
	struct export e = { .m = m, .name = name, .dir = dir };
	struct store *st = store_open(m->root, ".", m->host, err);
	struct index_totals t;
	struct str text;
	int rc = -1;

	pool_init(&e.pool, 4ull << 30);
	if (st)
		e.mb = mailbox_open(st, str_of(name), err);
	if (!e.mb || mail_read(dir, "posthouse.uidl", &e.pool, &text, err) < 0)
		goto out;
	mailbox_totals(e.mb, &t);
	rc = uidl_list_parse(&e.uidls, text, t.uidvalidity, err);
	if (rc == 0)
		rc = m->args->courier ? export_courier(&e, &t, err)
				      : export_dovecot(&e, &t, err);
	uidl_list_fini(&e.uidls);
	if (rc == 0)
		mail_say(name, "%llu messages, UIDVALIDITY %u, next UID %u",
			 (unsigned long long)t.messages, t.uidvalidity,
			 t.uidnext);
out:
	if (e.mb)
		mailbox_release(e.mb);
	if (st) {
		store_finish(st);
		store_close(st);
	}
	pool_fini(&e.pool);
	return rc;
}

/* Dovecot's file is ours; Courier has everything below INBOX. */
static int
export_subscriptions(struct mail *m, struct err *err)
{
	struct str text, line;
	struct pool pool;
	struct buf b;
	int rc;

	pool_init(&pool, FOREIGN_FILE_MAX);
	buf_init(&b, TEXT_MAX_);
	rc = mail_read(m->root, "subscriptions", &pool, &text, err);
	while (rc == 0 && str_token(&text, "\n", &line))
		buf_addf(&b, "%s%.*s\n",
			 str_eq(line, STR("INBOX")) ? "" : "INBOX.",
			 STR_FMT(line));
	if (rc == 0)
		rc = fsx_replace(m->root, "courierimapsubscribed",
				 b.p ? b.p : "", b.n, 0600, err);
	buf_fini(&b);
	pool_fini(&pool);
	return rc;
}

int
mail_export(struct mail *m, struct err *err)
{
	if (mail_each(m, m->root, export_folder, err) < 0)
		return -1;
	return m->args->courier && !m->args->folder
		       ? export_subscriptions(m, err)
		       : 0;
}
