/* SPDX-License-Identifier: ISC */
/* FETCH: a message and an item at a time, bodies in portions. */
#include <errno.h>

#include "base/log.h"
#include "commands.h"
#include "fetch.h"

struct fetch_job {
	struct imap_set set;
	struct fetch_items items;
	bool sets_seen, has_uid, has_flags;
	bool needs_header, needs_all;
	bool gone;
	struct imap_walk walk; /* at the message */
	/* inside a message */
	bool open;
	uint32_t uid;
	size_t item;
	bool first;
	/* inside a body */
	bool streaming;
	uint64_t left;
};

/* --- a message begins ------------------------------------------------------
 */

/* Parse what the items need, before a byte of the answer is out. */
static int
prepare(struct imap_session *s, struct fetch_job *j, struct err *err)
{
	struct imap_cache *c;

	if (!j->needs_header && !j->needs_all)
		return 0;
	c = imap_cache_get(s, j->uid, err);
	if (!c)
		return -1;
	if (j->needs_header && imap_cache_parse(c, false, err) < 0)
		return -1;
	return j->needs_all ? imap_cache_parse(c, true, err) : 0;
}

static bool
mark_seen(struct imap_session *s, struct fetch_job *j)
{
	const struct message *m = imap_view_at(&s->view, j->walk.slot);
	struct flag_change seen = { .how = FLAGS_ADD, .flags = MAILDIR_SEEN };
	struct err err;

	if (!j->sets_seen || s->view.readonly || !m || m->flags & MAILDIR_SEEN)
		return false;
	if (imap_view_change(&s->view, &j->uid, 1, &seen, &err) < 0) {
		log_warn("imap(%s): \\Seen: %s", s->user->name,
			 LOGQ(str_of(err.text)));
		return false;
	}
	return true;
}

static void
put_flags(struct imap_session *s, struct fetch_job *j)
{
	buf_add_c(imap_out(s), "FLAGS (");
	imap_put_flags(imap_out(s), s, mailbox_at(s->view.mb, j->walk.slot));
	buf_add_byte(imap_out(s), ')');
}

/* Nothing, if the message is not there any more. */
static void
begin_message(struct imap_session *s, struct fetch_job *j)
{
	const struct message *m = imap_view_at(&s->view, j->walk.slot);
	struct err err;
	bool seen;

	j->uid = mailbox_at(s->view.mb, j->walk.slot)->uid;
	if (!m || prepare(s, j, &err) < 0) {
		if (m && err.code != ENOENT)
			log_warn("imap(%s): %s uid %u: %s", s->user->name,
				 mailbox_name(s->view.mb), j->uid,
				 LOGQ(str_of(err.text)));
		j->gone = true;
		return;
	}
	seen = mark_seen(s, j);
	imap_say_keywords(s);
	buf_addf(imap_out(s), "* %u FETCH (", j->walk.seq);
	j->first = true;
	j->open = true;
	j->item = 0;
	if (s->uid && !j->has_uid) {
		buf_addf(imap_out(s), "UID %u", j->uid);
		j->first = false;
	}
	if (seen && !j->has_flags) {
		if (!j->first)
			buf_add_byte(imap_out(s), ' ');
		put_flags(s, j);
		j->first = false;
	}
}

/* --- sections --------------------------------------------------------------
 */

/* Behind the label: size and place of what is asked for. */
static void
cut_partial(const struct fetch_item *it, uint64_t *skip, uint64_t *size)
{
	*skip = 0;
	if (!it->partial)
		return;
	*skip = it->start < *size ? it->start : *size;
	*size -= *skip;
	if (*size > it->length)
		*size = it->length;
}

/* Read over the first skip bytes, from where the stream stood if it can. */
static int
seek(struct imap_cache *c, const struct section_place *pl, uint64_t skip,
     struct err *err)
{
	struct message_reader *r = &c->reader;
	char part[8192];
	ssize_t n;

	if (c->section == pl->raw + 1 && c->offset <= skip) {
		reader_seek(r, &c->pos, pl->raw_end);
	} else {
		reader_range(r, pl->raw, pl->raw_end);
		c->section = pl->raw + 1;
		c->offset = 0;
	}
	while (c->offset < skip) {
		n = sizeof(part);
		if (skip - c->offset < sizeof(part))
			n = (ssize_t)(skip - c->offset);
		n = reader_get(r, part, (size_t)n, err);
		if (n < 0)
			return -1;
		if (n == 0)
			break; /* shorter than it was: padded later */
		c->offset += (uint64_t)n;
	}
	return 0;
}

/* A portion of the body into the output; true: it is complete. */
static bool
stream(struct imap_session *s, struct fetch_job *j)
{
	struct imap_cache *c = s->cache;
	struct buf *out = imap_out(s);
	size_t want = 16384;
	struct err err;
	ssize_t n;
	char *to;

	if (j->left < want)
		want = (size_t)j->left;
	to = want ? buf_reserve(out, want) : NULL;
	if (!to) /* complete, or out of memory, which the conn will see */
		return true;
	n = reader_get(&c->reader, to, want, &err);
	if (n <= 0) {
		/* The size is said: what is missing must be filled up. */
		log_warn("imap(%s): %s uid %u: the file has become shorter",
			 s->user->name, mailbox_name(s->view.mb), j->uid);
		memset(to, ' ', want);
		n = (ssize_t)want;
	}
	out->n += (size_t)n;
	j->left -= (uint64_t)n;
	c->offset += (uint64_t)n;
	reader_tell(&c->reader, &c->pos);
	return j->left == 0;
}

static void
put_filtered(struct imap_session *s, const struct fetch_item *it,
	     struct str header)
{
	struct buf *out = imap_out(s);
	uint64_t skip, size;
	struct buf text;

	buf_init(&text, 2 * MIME_HEADER_MAX + 2);
	imap_put_fields(&text, header, it);
	size = text.n;
	cut_partial(it, &skip, &size);
	buf_addf(out, "{%llu}\r\n", (unsigned long long)size);
	if (text.p) {
		char *nul;

		while ((nul = memchr(text.p, '\0', text.n)))
			*nul = (char)0x80;
		buf_add(out, text.p + skip, (size_t)size);
	}
	buf_fini(&text);
}

/* The header block of a message inside the message. */
static int
read_header(struct imap_cache *c, const struct section_place *pl,
	    struct buf *text, struct err *err)
{
	char part[8192];
	ssize_t n;

	reader_range(&c->reader, pl->raw, pl->raw_end);
	c->section = 0;
	while ((n = reader_get(&c->reader, part, sizeof(part), err)) > 0)
		if (buf_add(text, part, (size_t)n) < 0)
			break;
	return n < 0 ? -1 : 0;
}

static void
put_fields_of_part(struct imap_session *s, const struct fetch_item *it)
{
	struct section_place pl = imap_section(s->cache->top, it);
	struct buf text;
	struct err err;

	if (!pl.found) {
		buf_add_c(imap_out(s), "NIL");
		return;
	}
	buf_init(&text, MIME_HEADER_MAX);
	if (read_header(s->cache, &pl, &text, &err) < 0)
		log_warn("imap(%s): %s", s->user->name, LOGQ(str_of(err.text)));
	put_filtered(s, it, buf_str(&text));
	buf_fini(&text);
}

static void
put_section(struct imap_session *s, struct fetch_job *j,
	    const struct fetch_item *it)
{
	struct imap_cache *c = s->cache;
	struct section_place pl;
	uint64_t skip, size;
	struct err err;

	buf_add_str(imap_out(s), it->label);
	buf_add_byte(imap_out(s), ' ');
	if (it->text == SECTION_FIELDS || it->text == SECTION_FIELDS_NOT) {
		if (it->npath == 0)
			put_filtered(s, it, buf_str(&c->text));
		else
			put_fields_of_part(s, it);
		return;
	}
	pl = imap_section(c->top ? c->top : c->header, it);
	if (!pl.found) {
		buf_add_c(imap_out(s), "NIL");
		return;
	}
	size = pl.size;
	cut_partial(it, &skip, &size);
	buf_addf(imap_out(s), "{%llu}\r\n", (unsigned long long)size);
	if (size == 0)
		return;
	if (seek(c, &pl, skip, &err) < 0)
		log_warn("imap(%s): %s", s->user->name, LOGQ(str_of(err.text)));
	j->streaming = true;
	j->left = size;
}

/* --- items -----------------------------------------------------------------
 */

static void
put_size_or_date(struct imap_session *s, struct fetch_job *j, bool date)
{
	struct buf *out = imap_out(s);
	uint64_t size = 0;
	int64_t when = 0;
	struct err err = { 0 };

	if (date) {
		if (mailbox_mtime(s->view.mb, j->uid, &when, &err) < 0)
			j->gone = true;
		buf_add_c(out, "INTERNALDATE ");
		imap_put_date_time(out, when);
	} else {
		if (mailbox_wsize(s->view.mb, j->uid, &size, &err) < 0)
			j->gone = true;
		buf_addf(out, "RFC822.SIZE %llu", (unsigned long long)size);
	}
}

static void
put_item(struct imap_session *s, struct fetch_job *j,
	 const struct fetch_item *it)
{
	struct buf *out = imap_out(s);
	struct pool scratch;

	pool_init(&scratch, MIME_POOL_MAX);
	switch (it->kind) {
	case FETCH_FLAGS:
		put_flags(s, j);
		break;
	case FETCH_UID:
		buf_addf(out, "UID %u", j->uid);
		break;
	case FETCH_DATE:
	case FETCH_SIZE:
		put_size_or_date(s, j, it->kind == FETCH_DATE);
		break;
	case FETCH_ENVELOPE:
		buf_add_c(out, "ENVELOPE ");
		imap_put_envelope(out, &scratch, s->cache->header->env);
		break;
	case FETCH_BODY:
		buf_add_c(out, "BODY ");
		imap_put_body(out, &scratch, s->cache->top, false);
		break;
	case FETCH_BODYSTRUCTURE:
		buf_add_c(out, "BODYSTRUCTURE ");
		imap_put_body(out, &scratch, s->cache->top, true);
		break;
	case FETCH_SECTION:
		put_section(s, j, it);
		break;
	}
	pool_fini(&scratch);
}

/* --- the job ---------------------------------------------------------------
 */

static enum imap_done
step_fetch(struct imap_session *s)
{
	struct fetch_job *j = s->job;

	if (j->streaming) {
		j->streaming = !stream(s, j);
		return IMAP_MORE;
	}
	if (j->open && j->item < j->items.n) {
		if (!j->first)
			buf_add_byte(imap_out(s), ' ');
		j->first = false;
		put_item(s, j, &j->items.v[j->item++]);
		return IMAP_MORE;
	}
	if (j->open) {
		buf_add_c(imap_out(s), ")\r\n");
		j->open = false;
		return IMAP_MORE;
	}
	if (imap_walk_next(&j->walk, &s->view)) {
		begin_message(s, j);
		return IMAP_MORE;
	}
	if (j->gone && !s->uid) /* RFC 2180 4.1, RFC 5530 */
		imap_reply(s, "NO [EXPUNGEISSUED] Some messages are gone");
	else
		imap_reply(s, "OK Fetch completed");
	return IMAP_DONE;
}

static void
look_at_items(struct fetch_job *j)
{
	const struct fetch_item *it;
	size_t i;

	for (i = 0; i < j->items.n; i++) {
		it = &j->items.v[i];
		j->has_uid |= it->kind == FETCH_UID;
		j->has_flags |= it->kind == FETCH_FLAGS;
		if (it->kind == FETCH_SECTION) {
			j->sets_seen |= !it->peek;
			if (it->npath == 0 && (it->text == SECTION_HEADER ||
					       it->text == SECTION_FIELDS ||
					       it->text == SECTION_FIELDS_NOT))
				j->needs_header = true;
			else
				j->needs_all = true;
		}
		j->needs_header |= it->kind == FETCH_ENVELOPE;
		j->needs_all |= it->kind == FETCH_BODY ||
				it->kind == FETCH_BODYSTRUCTURE;
	}
}

void
imap_cmd_fetch(struct imap_session *s, struct imap_in *in)
{
	struct fetch_job *j = pool_alloc(&s->pool, sizeof(*j));

	if (!j || !imap_space(in) || !imap_set(in, &j->set) ||
	    !imap_space(in) || !imap_fetch_items(in, &j->items) ||
	    !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (!imap_view_resolve(s, &j->set, s->uid))
		return;
	look_at_items(j);
	imap_walk_begin(&j->walk, &s->view, &j->set);
	imap_job(s, step_fetch, NULL, j);
}
