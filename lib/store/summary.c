/* SPDX-License-Identifier: ISC */
/*
 * posthouse.folders in the top Maildir: what STATUS says of each folder, so
 * that hundreds are answered without opening one.  A row counts only while the
 * folder's new/, cur/ and log are as they were then; but the UIDs it knows of
 * were given, whatever became of the log.  The file may vanish, be old or torn
 * at any time:
 *
 *   posthouse folders 1 LF
 *   14 decimal numbers, the folder's name LF      a folder
 *   crc32c of all before, 8 hex digits LF
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/map.h"
#include "store/store_int.h"

static const char summary_file[] = "posthouse.folders";
static const char summary_temp[] = ".posthouse.folders.new";
static const char head[] = "posthouse folders 1\n";
enum { SUMMARY_MAX = 64 * 1024 * 1024, CRC_LINE = 9 };

/* What a row depends on. */
struct traces {
	uint64_t new_mtime, new_ctime, cur_mtime, cur_ctime;
	uint64_t log_id, log_end;
};
struct row {
	struct traces traces;
	struct folder_status status;
	uint64_t size; /* with CRLF; MESSAGE_UNKNOWN */
	char name[];
};

struct summary {
	struct map rows;
	bool dirty;
};

/* --- the file --------------------------------------------------------------
 */

static struct row *
put_row(struct summary *s, struct str name)
{
	struct row *r = map_get(&s->rows, name);

	if (r)
		return r;
	r = calloc(1, sizeof(*r) + name.n + 1);
	if (!r)
		return NULL;
	memcpy(r->name, name.p, name.n);
	if (map_put(&s->rows, str_mem(r->name, name.n), r) == 0)
		return r;
	free(r);
	return NULL;
}

static void
drop_row(struct summary *s, struct str name)
{
	struct row *r = map_del(&s->rows, name);

	if (r)
		s->dirty = true;
	free(r);
}

static bool
read_row(struct summary *s, struct str line)
{
	char clean[STORE_NAME_MAX + 1];
	uint64_t v[14];
	struct str word;
	struct err bad;
	struct row *r;
	size_t i;

	for (i = 0; i < 14; i++)
		if (!str_cut(&line, ' ', &word) ||
		    str_u64(word, UINT64_MAX, &v[i]) < 0)
			return false;
	if (store_name_check(line, clean, &bad) < 0 || v[6] > UINT32_MAX ||
	    v[7] > UINT32_MAX)
		return false;
	r = put_row(s, str_of(clean));
	if (!r)
		return false;
	r->traces = (struct traces){ v[0], v[1], v[2], v[3], v[4], v[5] };
	r->status = (struct folder_status){ .uidvalidity = (uint32_t)v[6],
					    .uidnext = (uint32_t)v[7],
					    .messages = v[8],
					    .unseen = v[9],
					    .deleted = v[10],
					    .recent = v[11],
					    .highestmodseq = v[12] };
	r->size = v[13];
	return true;
}

static void
parse(struct summary *s, struct str text)
{
	char want[CRC_LINE + 1];
	struct str line;

	if (text.n < CRC_LINE || !str_starts(text, str_of(head)))
		return;
	snprintf(want, sizeof(want), "%08x\n",
		 enc_crc32c(0, text.p, text.n - CRC_LINE));
	if (memcmp(want, text.p + text.n - CRC_LINE, CRC_LINE) != 0)
		return;
	text = str_head(str_from(text, sizeof(head) - 1),
			text.n - CRC_LINE - (sizeof(head) - 1));
	while (str_cut(&text, '\n', &line))
		if (!read_row(s, line))
			return;
}

/* NULL: no memory. */
static struct summary *
load(struct store *st)
{
	char part[16384];
	struct buf text;
	ssize_t n;
	int fd;

	if (st->summary)
		return st->summary;
	st->summary = calloc(1, sizeof(*st->summary));
	if (!st->summary)
		return NULL;
	fd = fsx_open(st->mail, summary_file, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return st->summary;
	buf_init(&text, SUMMARY_MAX);
	while ((n = fsx_read(fd, part, sizeof(part))) > 0)
		if (buf_add(&text, part, (size_t)n) < 0)
			break;
	fsx_close(fd);
	if (n == 0)
		parse(st->summary, buf_str(&text));
	buf_fini(&text);
	return st->summary;
}

void
summary_free(struct store *st)
{
	struct row *r;
	size_t i = 0;

	if (!st->summary)
		return;
	while ((r = map_next(&st->summary->rows, &i)))
		free(r);
	map_fini(&st->summary->rows);
	free(st->summary);
	st->summary = NULL;
}

static void
add_row(struct buf *out, const struct row *r)
{
	const uint64_t v[14] = {
		r->traces.new_mtime,	 r->traces.new_ctime,
		r->traces.cur_mtime,	 r->traces.cur_ctime,
		r->traces.log_id,	 r->traces.log_end,
		r->status.uidvalidity,	 r->status.uidnext,
		r->status.messages,	 r->status.unseen,
		r->status.deleted,	 r->status.recent,
		r->status.highestmodseq, r->size,
	};
	size_t i;

	for (i = 0; i < 14; i++) {
		buf_add_u64(out, v[i]);
		buf_add_byte(out, ' ');
	}
	buf_add_c(out, r->name);
	buf_add_byte(out, '\n');
}

/* Not synced: it can be made anew. */
void
summary_write(struct store *st)
{
	struct summary *s = st->summary;
	struct row *r;
	struct buf out;
	struct err err;
	size_t i = 0;
	int fd;

	if (!s || !s->dirty)
		return;
	s->dirty = false;
	buf_init(&out, SUMMARY_MAX);
	buf_add_c(&out, head);
	while ((r = map_next(&s->rows, &i)))
		add_row(&out, r);
	buf_addf(&out, "%08x\n", enc_crc32c(0, out.p, out.n));
	if (buf_overflown(&out))
		goto out;
	(void)!fsx_unlink(st->mail, summary_temp);
	fd = fsx_open(st->mail, summary_temp, O_WRONLY | O_CREAT | O_EXCL,
		      0600);
	if (fd < 0)
		goto out;
	if (fsx_write_all(fd, out.p, out.n, &err) < 0 ||
	    fsx_rename(st->mail, summary_temp, st->mail, summary_file) < 0)
		(void)!fsx_unlink(st->mail, summary_temp);
	fsx_close(fd);
out:
	buf_fini(&out);
}

/* --- rows ------------------------------------------------------------------
 */

#define NS(t) ((uint64_t)(t).tv_sec * 1000000000u + (uint64_t)(t).tv_nsec)

/* The times of the directories; false: they are not there. */
static bool
look(int dir, struct traces *t)
{
	struct stat n, c;

	if (fsx_fstatat(dir, "new", &n) < 0 || fsx_fstatat(dir, "cur", &c) < 0)
		return false;
	t->new_mtime = NS(n.st_mtim);
	t->new_ctime = NS(n.st_ctim);
	t->cur_mtime = NS(c.st_mtim);
	t->cur_ctime = NS(c.st_ctim);
	return true;
}

static bool
same(const struct traces *a, const struct traces *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool
counts(struct store *st, const struct row *r)
{
	char folder[STORE_NAME_MAX + 2];
	struct traces now = r->traces;
	bool yes;
	int dir;

	store_dir_of(r->name, folder);
	dir = fsx_open(st->mail, *folder ? folder : ".", O_RDONLY | O_DIRECTORY,
		       0);
	if (dir < 0)
		return false;
	yes = look(dir, &now) && same(&now, &r->traces) &&
	      index_same(dir, now.log_id, now.log_end);
	fsx_close(dir);
	return yes;
}

static struct row *
row_of(struct store *st, const char *name)
{
	struct summary *s = load(st);

	return s ? map_get(&s->rows, str_of(name)) : NULL;
}

/* The row of a folder, if it still counts. */
static struct row *
find(struct store *st, const char *name)
{
	struct row *r = row_of(st, name);

	return r && counts(st, r) ? r : NULL;
}

uint32_t
summary_uidnext(struct store *st, const char *name, uint32_t uidvalidity)
{
	const struct row *r = row_of(st, name);

	return r && r->status.uidvalidity == uidvalidity ? r->status.uidnext
							 : 0;
}

static void
status_of(struct mailbox *mb, struct folder_status *out)
{
	struct index_totals t;
	size_t i, slots = index_slots(mb->ix);

	index_totals(mb->ix, &t);
	*out = (struct folder_status){ .uidvalidity = t.uidvalidity,
				       .uidnext = t.uidnext,
				       .messages = t.messages,
				       .unseen = t.unseen,
				       .deleted = t.deleted,
				       .highestmodseq = t.highestmodseq };
	for (i = index_lower(mb->ix, t.recent_from); i < slots; i++)
		out->recent += !index_at(mb->ix, i)->gone;
}

void
summary_note(struct mailbox *mb)
{
	struct folder_status status;
	struct index_stamp stamp;
	struct traces now;
	struct summary *s;
	struct row *r;
	struct err err;

	if (mb->deleted || !(s = load(mb->st)) || !look(mb->dir, &now) ||
	    index_catch_up(mb->ix, &err) < 0 || mb->deleted)
		return;
	index_trace(mb->ix, &now.log_id, &now.log_end);
	index_stamp(mb->ix, &stamp);
	if (now.new_mtime != (uint64_t)stamp.new_mtime_ns ||
	    now.new_ctime != (uint64_t)stamp.new_ctime_ns ||
	    now.cur_mtime != (uint64_t)stamp.cur_mtime_ns ||
	    now.cur_ctime != (uint64_t)stamp.cur_ctime_ns)
		return;
	status_of(mb, &status);
	r = put_row(s, str_of(mb->name));
	if (!r || (same(&r->traces, &now) &&
		   memcmp(&r->status, &status, sizeof(status)) == 0))
		return;
	r->traces = now;
	r->status = status;
	r->size = MESSAGE_UNKNOWN;
	s->dirty = true;
}

void
summary_forget(struct store *st, const char *name)
{
	struct summary *s = load(st);

	if (s)
		drop_row(s, str_of(name));
}

int
store_status(struct store *st, struct str name, struct folder_status *out,
	     struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	struct mailbox *mb;
	struct row *r;

	if (store_name_check(name, clean, err) < 0)
		return -1;
	if (!store_find_open(st, clean) && (r = find(st, clean))) {
		*out = r->status;
		return 0;
	}
	mb = mailbox_open(st, name, err);
	if (!mb) {
		if (err->code == ENOENT)
			summary_forget(st, clean);
		return -1;
	}
	status_of(mb, out);
	work_flush(mb);
	summary_note(mb);
	mailbox_release(mb);
	return 0;
}

static int
add_sizes(struct mailbox *mb, uint64_t *size, struct err *err)
{
	size_t i, slots = index_slots(mb->ix);
	const struct message *m;
	uint64_t one;

	*size = 0;
	for (i = 0; i < slots; i++) {
		m = index_at(mb->ix, i);
		if (m->gone)
			continue;
		one = m->wsize;
		if (one == MESSAGE_UNKNOWN &&
		    mailbox_wsize(mb, m->uid, &one, err) < 0) {
			if (err->code != ENOENT)
				return -1;
			one = 0; /* gone just now */
		}
		*size += one;
	}
	return 0;
}

int
store_size(struct store *st, struct str name, uint64_t *size, struct err *err)
{
	char clean[STORE_NAME_MAX + 1];
	struct mailbox *mb;
	struct row *r;
	int rc;

	if (store_name_check(name, clean, err) < 0)
		return -1;
	r = find(st, clean);
	if (r && r->size != MESSAGE_UNKNOWN && !store_find_open(st, clean)) {
		*size = r->size;
		return 0;
	}
	mb = mailbox_open(st, name, err);
	if (!mb)
		return -1;
	rc = add_sizes(mb, size, err);
	if (rc == 0) {
		work_flush(mb);
		summary_note(mb);
		r = find(st, clean);
		if (r && r->size != *size) {
			r->size = *size;
			st->summary->dirty = true;
		}
	}
	mailbox_release(mb);
	return rc;
}
