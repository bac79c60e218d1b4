/* SPDX-License-Identifier: ISC */
/* FETCH: a message and an item at a time, bodies in portions. */
#include <errno.h>

#include "base/log.h"
#include "commands.h"
#include "fetch.h"

enum {
	A_STEP = 64,	 /* messages or items in a step, at most */
	SEEN_MAX = 256,	 /* messages that become \Seen at once */
	STREAM = 32768,	 /* of a body at once */
	FLAGS_KEPT = 16, /* texts of flags */
	FLAGS_TEXT = 120,
};

/* "FLAGS (\Seen)" of messages with the same flags. */
struct flags_text {
	uint64_t flags;
	uint32_t keywords;
	bool recent;
	uint8_t n; /* 0: nothing is kept here */
	char text[FLAGS_TEXT];
};

struct fetch_job {
	struct imap_set set;
	struct fetch_items items;
	bool sets_seen, has_uid, has_flags;
	bool needs_shape, needs_file, needs_fields, needs_date, needs_size;
	bool small; /* no item is more than some words */
	bool gone, unreadable, unknown_encoding; /* some of them */
	bool looked;	       /* at a file, which may have taken long */
	struct imap_walk walk; /* at the message */
	enum {
		NEXT,	 /* look for a message */
		LOAD,	 /* get what its items need */
		ITEMS,	 /* answer, from items.v[item] on */
		MEASURE, /* how large the decoded section of that item is */
		SEEK,	 /* go to where the section's answer begins */
		STREAMING,
	} stage;
	uint32_t uid;
	int64_t date;
	uint64_t size;
	bool seen; /* it becomes \Seen now */
	size_t item;
	bool first; /* of the answer */
	struct section_place place;
	uint64_t skip, left; /* of the section */
	/* messages that are to be \Seen in the store */
	uint32_t uids[SEEN_MAX];
	size_t nuids;
	struct flags_text kept[FLAGS_KEPT];
};

static void
cannot_read(struct imap_session *s, struct fetch_job *j, const struct err *err)
{
	if (err->code == ENOENT) {
		j->gone = true;
		return;
	}
	j->unreadable = true;
	log_warn("imap(%s): %s uid %u: %s", s->user->name,
		 mailbox_name(s->view.mb), j->uid, LOGQ(str_of(err->text)));
}

/* --- \Seen -----------------------------------------------------------------
 */

/*
 * One change for many messages.  The client has been told by FLAGS in the
 * answer; one that wants mod-sequences is told by the news that follow.
 */
static void
flush_seen(struct imap_session *s, struct fetch_job *j)
{
	struct flag_change seen = { .how = FLAGS_ADD, .flags = MAILDIR_SEEN };
	struct err err;
	int rc;

	if (j->nuids == 0)
		return;
	if (s->condstore)
		rc = mailbox_change(s->view.mb, j->uids, j->nuids, &seen, &err);
	else
		rc = imap_view_change(&s->view, j->uids, j->nuids, &seen, &err);
	if (rc < 0)
		log_warn("imap(%s): \\Seen: %s", s->user->name,
			 LOGQ(str_of(err.text)));
	j->nuids = 0;
}

/* --- what items say --------------------------------------------------------
 */

static inline void
put_number(struct buf *out, const char *before, uint64_t n, const char *after)
{
	buf_add_c(out, before);
	buf_add_u64(out, n);
	buf_add_c(out, after);
}

/* As imap_put_flags(), and keep the text. */
static void
put_new_flags(struct imap_session *s, struct buf *out, const struct message *m,
	      uint64_t flags, struct flags_text *f)
{
	struct message now = *m;
	size_t start = out->n;

	now.flags = flags;
	f->n = 0;
	buf_add_c(out, "FLAGS (");
	imap_put_flags(out, s, &now);
	buf_add_byte(out, ')');
	if (out->n - start > FLAGS_TEXT || out->n < start)
		return;
	f->flags = flags;
	f->keywords = m->keywords;
	f->n = (uint8_t)(out->n - start);
	memcpy(f->text, out->p + start, f->n);
}

static void
put_flags(struct imap_session *s, struct fetch_job *j, struct buf *out)
{
	const struct message *m = mailbox_at(s->view.mb, j->walk.slot);
	bool recent = !s->rev2 && s->view.recent.n &&
		      imap_view_is_recent(&s->view, m->uid);
	uint64_t flags = m->flags;
	struct flags_text *f;

	if (j->seen && !s->condstore)
		flags |= MAILDIR_SEEN;
	f = &j->kept[(flags * 5 + m->keywords * 3 + recent) % FLAGS_KEPT];
	if (f->n && f->flags == flags && f->keywords == m->keywords &&
	    f->recent == recent) {
		buf_add(out, f->text, f->n);
		return;
	}
	f->recent = recent;
	put_new_flags(s, out, m, flags, f);
}

/* Behind the label: how much of the section is asked for, from where. */
static void
cut_partial(const struct fetch_item *it, struct fetch_job *j, uint64_t size)
{
	j->skip = 0;
	j->left = size;
	if (!it->partial)
		return;
	j->skip = it->start < size ? it->start : size;
	j->left -= j->skip;
	if (j->left > it->length)
		j->left = it->length;
}

/* The raw bytes of the section. */
static void
read_header(struct imap_session *s, struct fetch_job *j, struct buf *to)
{
	struct imap_cache *c = s->cache;
	struct err err;
	ssize_t n = 1;
	size_t room;
	char *p;

	reader_range(&c->reader, j->place.raw, j->place.raw_end);
	c->section = 0;
	while (n > 0 && to->n < MIME_HEADER_MAX) {
		room = MIME_HEADER_MAX - to->n;
		if (room > STREAM)
			room = STREAM;
		p = buf_reserve(to, room);
		n = p ? reader_get_raw(&c->reader, p, room, &err) : 0;
		to->n += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		cannot_read(s, j, &err);
}

/* Header fields, all at once. */
static void
put_fields(struct imap_session *s, struct fetch_job *j,
	   const struct fetch_item *it)
{
	struct str fields = s->cache->shape.fields;
	struct buf header, text;

	buf_init(&header, MIME_HEADER_MAX);
	buf_init(&text, 2 * MIME_HEADER_MAX + 2);
	if (!it->kept || !fields.n) {
		read_header(s, j, &header);
		fields = buf_str(&header);
	}
	imap_put_fields(&text, fields, it);
	cut_partial(it, j, text.n);
	put_number(imap_out(s), "{", j->left, "}\r\n");
	if (j->left)
		buf_add(imap_out(s), text.p + j->skip, (size_t)j->left);
	buf_fini(&header);
	buf_fini(&text);
}

/* A section or the start of one; true: the stream follows. */
static bool
put_section(struct imap_session *s, struct fetch_job *j,
	    const struct fetch_item *it)
{
	bool whole = it->text == SECTION_ALL && it->npath == 0;
	struct buf *out = imap_out(s);

	buf_add_str(out, it->label);
	buf_add_byte(out, ' ');
	if (whole && !j->needs_shape)
		j->place = (struct section_place){ .found = true,
						   .raw_end = UINT64_MAX,
						   .size = j->size };
	else
		j->place = imap_section(&s->cache->shape, it, s->rev2);
	if (!j->place.found) {
		buf_add_c(out, "NIL");
		return false;
	}
	if (it->text == SECTION_FIELDS || it->text == SECTION_FIELDS_NOT) {
		put_fields(s, j, it);
		return false;
	}
	cut_partial(it, j, j->place.size);
	put_number(out, "{", j->left, "}\r\n");
	return j->left > 0;
}

/* Is its section looked through before it is answered?  Its size is known, if
 * it is not encoded, but not whether a literal can hold it. */
static bool
is_measured(const struct fetch_job *j, const struct fetch_item *it)
{
	return j->place.found && (it->kind == FETCH_BINARY ||
				  (it->kind == FETCH_BINARY_SIZE &&
				   j->place.encoding != TRANSFER_IDENTITY));
}

/* RFC 3516 4.2 */
static bool
put_binary(struct imap_session *s, struct fetch_job *j,
	   const struct fetch_item *it)
{
	bool measured = is_measured(j, it);
	uint64_t size = measured ? s->cache->size : j->place.size;
	struct buf *out = imap_out(s);

	buf_add_str(out, it->label);
	buf_add_byte(out, ' ');
	if (it->kind == FETCH_BINARY_SIZE) {
		buf_add_u64(out, size);
		return false;
	}
	if (!j->place.found) {
		buf_add_c(out, "NIL");
		return false;
	}
	cut_partial(it, j, size);
	put_number(out, s->cache->has_nul ? "~{" : "{", j->left, "}\r\n");
	return j->left > 0;
}

/* True: a stream follows. */
static bool
put_item(struct imap_session *s, struct fetch_job *j, struct buf *out,
	 const struct fetch_item *it)
{
	switch (it->kind) {
	case FETCH_FLAGS:
		put_flags(s, j, out);
		break;
	case FETCH_UID:
		put_number(out, "UID ", j->uid, "");
		break;
	case FETCH_DATE:
		buf_add_c(out, "INTERNALDATE ");
		imap_put_date_time(out, j->date);
		break;
	case FETCH_SIZE:
		put_number(out, "RFC822.SIZE ", j->size, "");
		break;
	case FETCH_MODSEQ:
		put_number(out, "MODSEQ (",
			   mailbox_at(s->view.mb, j->walk.slot)->modseq, ")");
		break;
	case FETCH_ENVELOPE:
		buf_add_c(out, "ENVELOPE ");
		buf_add_str(out, s->cache->shape.envelope);
		break;
	case FETCH_BODY:
		buf_add_c(out, "BODY ");
		imap_shape_put_body(&s->cache->shape, out, false, s->rev2);
		break;
	case FETCH_BODYSTRUCTURE:
		buf_add_c(out, "BODYSTRUCTURE ");
		imap_shape_put_body(&s->cache->shape, out, true, s->rev2);
		break;
	case FETCH_SECTION:
		return put_section(s, j, it);
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE:
		return put_binary(s, j, it);
	}
	return false;
}

/* --- a message -------------------------------------------------------------
 */

/* What the index knows, or the file. */
static int
load_date_and_size(struct imap_session *s, struct fetch_job *j, struct err *err)
{
	struct mailbox *mb = s->view.mb;
	const struct message *m = mailbox_at(mb, j->walk.slot);
	uint64_t size = m->wsize;
	int64_t date = m->mtime;

	j->looked = (j->needs_date && date == MESSAGE_NO_TIME) ||
		    (j->needs_size && size == MESSAGE_UNKNOWN);
	if (j->needs_date && date == MESSAGE_NO_TIME &&
	    mailbox_mtime(mb, j->uid, &date, err) < 0)
		return -1;
	if (j->needs_size && j->needs_shape)
		size = imap_shape_size(&s->cache->shape);
	else if (j->needs_size && size == MESSAGE_UNKNOWN &&
		 mailbox_wsize(mb, j->uid, &size, err) < 0)
		return -1;
	j->date = date;
	j->size = size;
	return 1;
}

/* Everything that may fail, before a byte of the answer is out.  As
 * imap_cache_shape(). */
static int
load(struct imap_session *s, struct fetch_job *j, struct err *err)
{
	int rc = 1;

	if (j->needs_shape)
		rc = imap_cache_shape(s, j->uid, err);
	if (rc > 0 &&
	    (j->needs_file || (j->needs_fields && !s->cache->shape.fields.n)))
		rc = imap_cache_open(s, j->uid, err);
	if (rc > 0 && (j->needs_date || j->needs_size))
		rc = load_date_and_size(s, j, err);
	return rc;
}

/* RFC 3516 4.3: a part that cannot be decoded. */
static bool
can_decode(struct imap_session *s, struct fetch_job *j)
{
	const struct fetch_item *it;
	size_t i;

	for (i = 0; i < j->items.n; i++) {
		it = &j->items.v[i];
		if ((it->kind == FETCH_BINARY ||
		     it->kind == FETCH_BINARY_SIZE) &&
		    imap_section(&s->cache->shape, it, s->rev2).encoding ==
			    TRANSFER_UNKNOWN)
			return false;
	}
	return true;
}

static void
begin_answer(struct imap_session *s, struct fetch_job *j)
{
	const struct message *m = mailbox_at(s->view.mb, j->walk.slot);
	struct buf *out;

	j->seen =
		j->sets_seen && !s->view.readonly && !(m->flags & MAILDIR_SEEN);
	if (j->has_flags || j->seen)
		imap_say_keywords(s);
	out = imap_out(s);
	put_number(out, "* ", j->walk.seq, " FETCH (");
	j->first = true;
	if ((s->uid || s->qresync) && !j->has_uid) { /* RFC 7162 3.2.4 */
		put_number(out, "UID ", j->uid, "");
		j->first = false;
	}
	if (j->seen && !j->has_flags && !s->condstore) {
		if (!j->first)
			buf_add_byte(out, ' ');
		put_flags(s, j, out);
		j->first = false;
	}
	if (j->seen) {
		j->uids[j->nuids++] = j->uid;
		if (j->nuids == SEEN_MAX)
			flush_seen(s, j);
	}
	j->item = 0;
	j->stage = ITEMS;
}

/* All of it, where no item is large. */
static void
answer_at_once(struct imap_session *s, struct fetch_job *j)
{
	struct buf *out = imap_out(s);
	size_t i;

	for (i = 0; i < j->items.n; i++) {
		if (!j->first)
			buf_add_byte(out, ' ');
		j->first = false;
		put_item(s, j, out, &j->items.v[i]);
	}
	buf_add_c(out, ")\r\n");
	j->stage = NEXT;
}

static void
on_loaded(struct imap_session *s, struct fetch_job *j, int rc,
	  const struct err *err)
{
	if (rc == 0)
		return; /* not yet */
	j->stage = NEXT;
	if (rc < 0) {
		cannot_read(s, j, err);
	} else if (j->needs_shape && !can_decode(s, j)) {
		j->unknown_encoding = true;
	} else {
		begin_answer(s, j);
		if (j->small)
			answer_at_once(s, j);
	}
}

/* --- the job ---------------------------------------------------------------
 */

/*
 * Numbers of messages that are gone, which the client cannot know yet, are no
 * failure.  RFC 2180 4.1.2 would allow NO, but mutt then does not open the
 * mailbox, and offlineimap gives up; Dovecot says OK, too (RFC 5530 3).  UIDs
 * that are not there are ignored without a word (RFC 9051 6.4.9).
 */
static enum imap_done
finish(struct imap_session *s, struct fetch_job *j)
{
	flush_seen(s, j);
	if (j->unknown_encoding)
		imap_reply(s, "NO [UNKNOWN-CTE] Cannot decode that");
	else if (j->unreadable)
		imap_reply(s, "NO [UNAVAILABLE] Some messages cannot be read");
	else if (j->gone && !s->uid)
		imap_reply(s, "OK [EXPUNGEISSUED] Some messages are gone");
	else
		imap_reply(s, "OK Fetch completed");
	return IMAP_DONE;
}

static enum imap_done
next_message(struct imap_session *s, struct fetch_job *j)
{
	const struct message *m;
	struct err err;
	int rc;

	if (!imap_walk_next(&j->walk, &s->view))
		return finish(s, j);
	m = imap_view_at(&s->view, j->walk.slot);
	if (!m) {
		j->gone = true;
		return IMAP_MORE;
	}
	if (j->items.has_since && m->modseq <= j->items.since)
		return IMAP_MORE;
	j->uid = m->uid;
	j->stage = LOAD;
	rc = load(s, j, &err);
	on_loaded(s, j, rc, &err);
	return IMAP_MORE;
}

/* A section's bytes begin to flow, or it has none. */
static void
after_item(struct fetch_job *j, bool stream)
{
	if (stream) {
		j->stage = SEEK;
		return;
	}
	j->item++;
	j->stage = ITEMS;
}

static void
answer_item(struct imap_session *s, struct fetch_job *j)
{
	const struct fetch_item *it;

	if (j->item == j->items.n) {
		buf_add_c(imap_out(s), ")\r\n");
		j->stage = NEXT;
		return;
	}
	if (!j->first)
		buf_add_byte(imap_out(s), ' ');
	j->first = false;
	it = &j->items.v[j->item];
	if (it->kind == FETCH_BINARY || it->kind == FETCH_BINARY_SIZE) {
		j->place = imap_section(&s->cache->shape, it, s->rev2);
		if (is_measured(j, it)) {
			j->stage = MEASURE;
			return;
		}
	}
	after_item(j, put_item(s, j, imap_out(s), it));
}

/* A portion of the section into the output. */
static void
stream(struct imap_session *s, struct fetch_job *j)
{
	struct buf *out = imap_out(s);
	size_t want = j->left < STREAM ? (size_t)j->left : STREAM;
	char *to = buf_reserve(out, want);
	struct err err;
	ssize_t n;

	if (!to) { /* out of memory, which the conn will see */
		after_item(j, false);
		return;
	}
	n = imap_cache_stream(s->cache, to, want, &err);
	if (n <= 0) {
		/* The size is said: what is missing must be filled up. */
		log_warn("imap(%s): %s uid %u: the file has become shorter",
			 s->user->name, mailbox_name(s->view.mb), j->uid);
		memset(to, ' ', want);
		n = (ssize_t)want;
	}
	out->n += (size_t)n;
	j->left -= (uint64_t)n;
	if (j->left == 0)
		after_item(j, false);
}

/* One thing at a time; false: it may have taken long. */
static bool
work(struct imap_session *s, struct fetch_job *j, enum imap_done *done)
{
	const struct fetch_item *it = &j->items.v[j->item];
	bool decoded = j->stage > ITEMS && it->kind == FETCH_BINARY;
	struct err err;
	int rc;

	switch (j->stage) {
	case NEXT:
		j->looked = false;
		*done = next_message(s, j);
		return !j->needs_file && !j->needs_shape && !j->looked;
	case LOAD:
		rc = load(s, j, &err);
		on_loaded(s, j, rc, &err);
		return false;
	case ITEMS:
		answer_item(s, j);
		return true;
	case MEASURE:
		rc = imap_cache_measure(s->cache, &j->place, &err);
		if (rc < 0)
			cannot_read(s, j, &err);
		if (rc)
			after_item(j, put_item(s, j, imap_out(s), it));
		return false;
	case SEEK:
		rc = imap_cache_seek(s->cache, &j->place, decoded, j->skip,
				     &err);
		if (rc < 0)
			cannot_read(s, j, &err);
		if (rc)
			j->stage = STREAMING;
		return rc > 0;
	case STREAMING:
		stream(s, j);
		return false;
	}
	return false;
}

static enum imap_done
step_fetch(struct imap_session *s)
{
	enum imap_done done = IMAP_MORE;
	struct fetch_job *j = s->job;
	int i;

	for (i = 0; i < A_STEP && done == IMAP_MORE && !imap_full(s); i++)
		if (!work(s, j, &done))
			break;
	return done;
}

/* Also when the session is lost: what was answered was seen. */
static void
end_fetch(struct imap_session *s)
{
	flush_seen(s, s->job);
}

static void
look_at_items(struct fetch_job *j)
{
	struct fetch_item *it;
	size_t i;

	j->small = true;
	for (i = 0; i < j->items.n; i++) {
		it = &j->items.v[i];
		j->has_uid |= it->kind == FETCH_UID;
		j->has_flags |= it->kind == FETCH_FLAGS;
		j->needs_date |= it->kind == FETCH_DATE;
		j->needs_size |= it->kind == FETCH_SIZE;
		if (it->kind < FETCH_ENVELOPE)
			continue;
		j->small = false;
		it->kept =
			it->kind == FETCH_SECTION && imap_fields_are_kept(it);
		if (it->kept)
			j->needs_fields = true;
		else if (it->kind >= FETCH_SECTION)
			j->needs_file = true;
		if (it->kind == FETCH_SECTION || it->kind == FETCH_BINARY)
			j->sets_seen |= !it->peek;
		/* The whole message is where its file is. */
		if (it->kind == FETCH_SECTION && it->npath == 0 &&
		    it->text == SECTION_ALL)
			j->needs_size = true;
		else
			j->needs_shape = true;
	}
}

/* RFC 7162 3.1.4.1: MODSEQ is implied. */
static bool
add_modseq(struct imap_session *s, struct fetch_job *j)
{
	struct fetch_item *v;
	size_t i, n = j->items.n;
	bool has = false;

	for (i = 0; i < n; i++)
		has |= j->items.v[i].kind == FETCH_MODSEQ;
	if (has || j->items.has_since)
		imap_enable_condstore(s);
	if (has || !j->items.has_since)
		return true;
	v = pool_alloc(&s->pool, (n + 1) * sizeof(*v));
	if (!v)
		return false;
	memcpy(v, j->items.v, n * sizeof(*v));
	v[n].kind = FETCH_MODSEQ;
	j->items.v = v;
	j->items.n = n + 1;
	return true;
}

/*
 * The set for VANISHED: where it is asked what has gone, "*" is the last UID
 * that ever was, as in Dovecot; who says 1:* would not hear of the messages at
 * the end otherwise.
 */
static bool
copy_set(struct imap_session *s, const struct imap_set *set,
	 struct imap_set *copy)
{
	*copy = *set;
	if (set->n) {
		copy->v = pool_alloc(&s->pool, set->n * sizeof(*copy->v));
		if (!copy->v)
			return false;
		memcpy(copy->v, set->v, set->n * sizeof(*copy->v));
	}
	imap_set_resolve(copy, UINT32_MAX);
	return true;
}

void
imap_cmd_fetch(struct imap_session *s, struct imap_in *in)
{
	struct fetch_job *j = pool_alloc(&s->pool, sizeof(*j));
	struct imap_set gone = { 0 };

	if (!j || !imap_space(in) || !imap_set(in, &j->set) ||
	    !imap_space(in) || !imap_fetch_items(in, s->rev2, &j->items) ||
	    !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (j->items.vanished && (!s->uid || !s->qresync)) {
		imap_reply(s, "BAD VANISHED needs UID FETCH and QRESYNC");
		return;
	}
	if (j->items.vanished && !copy_set(s, &j->set, &gone)) {
		imap_reply(s, "BAD Command is too large");
		return;
	}
	if (!imap_view_resolve(s, &j->set, s->uid))
		return;
	if (!add_modseq(s, j)) {
		imap_reply(s, "BAD Command is too large");
		return;
	}
	look_at_items(j);
	if (j->items.vanished)
		imap_say_vanished(s, j->set.saved ? &j->set : &gone, 0,
				  j->items.since);
	imap_walk_begin(&j->walk, &s->view, &j->set);
	imap_job(s, step_fetch, end_fetch, j);
}
