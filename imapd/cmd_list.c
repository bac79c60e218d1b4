/* SPDX-License-Identifier: ISC */
/* LIST and LSUB. */
#include <stdlib.h>

#include "commands.h"
#include "list.h"
#include "mail/mutf7.h"
#include "mail/utf8.h"
#include "store/netname.h"

enum {
	LISTS_A_STEP = 16, /* names looked at before the loop has its turn */
	NAME_TEXT_MAX = 4 * STORE_NAME_MAX,
};

struct listed {
	enum { UNKNOWN, YES, NO } matched; /* by a pattern: asked once */
	/* RECURSIVEMATCH: something is selected below it; not all of that is
	 * matched itself. */
	bool below, unseen;
};
struct list_job {
	struct list_request req;
	bool lsub;
	bool modern; /* the client knows \NonExistent */
	bool utf8;   /* the patterns are, or one of them */
	struct imap_pattern pattern[IMAP_PATTERNS_MAX];
	struct folder_list all;
	struct listed *v; /* of each name */
	size_t at;
	bool looked; /* below and unseen are known */
	/* those above the name at `at`, when they are looked for */
	size_t above[STORE_DEPTH_MAX], nabove;
};

static void
end_list(struct imap_session *s)
{
	struct list_job *j = s->job;

	folder_list_fini(&j->all);
	free(j->v);
	free(j);
}

/* --- which names -----------------------------------------------------------
 */

static bool
match_one(const struct list_job *j, size_t i)
{
	struct str name = str_of(j->all.v[i].name);
	struct buf utf8;
	bool found = false;
	size_t k;

	buf_init(&utf8, NAME_TEXT_MAX);
	/* "&" is where modified UTF-7 is anything but itself. */
	if (j->utf8 && str_find(name, '&') >= 0 &&
	    mutf7_decode(&utf8, name) == 0)
		name = buf_str(&utf8);
	for (k = 0; k < j->req.n && !found; k++)
		found = imap_match(&j->pattern[k], name);
	buf_fini(&utf8);
	return found;
}

static bool
is_matched(struct list_job *j, size_t i)
{
	if (j->v[i].matched == UNKNOWN)
		j->v[i].matched = match_one(j, i) ? YES : NO;
	return j->v[i].matched == YES;
}

/* By the selection options alone. */
static bool
is_selected(const struct list_job *j, const struct folder *f)
{
	bool exists = !(f->attrs & FOLDER_NOSELECT);

	if (j->req.select & LIST_SUBSCRIBED && !(f->attrs & FOLDER_SUBSCRIBED))
		return false;
	if (j->req.select & LIST_SPECIAL_USE &&
	    !(exists && f->attrs & FOLDER_USES))
		return false;
	/* A name that is a mere wish, or stands above one, is none of ours. */
	return exists || f->attrs & FOLDER_CHILDREN ||
	       j->req.select & LIST_SUBSCRIBED;
}

static bool
is_below(const char *name, const char *above)
{
	size_t n = strlen(above);

	return strncmp(name, above, n) == 0 && name[n] == STORE_SEPARATOR;
}

/*
 * RECURSIVEMATCH: those above the name, if it is selected, are told so.  One
 * that stands above others is right before them.
 */
static void
look_up(struct list_job *j, size_t i)
{
	const struct folder *f = &j->all.v[i];
	bool unseen;
	size_t k;

	while (j->nabove &&
	       !is_below(f->name, j->all.v[j->above[j->nabove - 1]].name))
		j->nabove--;
	if (j->nabove && is_selected(j, f)) {
		unseen = !is_matched(j, i);
		for (k = 0; k < j->nabove; k++) {
			j->v[j->above[k]].below = true;
			j->v[j->above[k]].unseen |= unseen;
		}
	}
	if (j->nabove < STORE_DEPTH_MAX)
		j->above[j->nabove++] = i;
}

/* --- what is said of them --------------------------------------------------
 */

static void
put_attr(struct buf *b, const char *attr)
{
	if (b->p[b->n - 1] != '(')
		buf_add_byte(b, ' ');
	buf_add_c(b, attr);
}

static void
put_uses(struct buf *b, unsigned attrs)
{
	size_t i;

	for (i = 0; store_uses[i].name; i++)
		if (attrs & store_uses[i].attr)
			put_attr(b, store_uses[i].name);
}

static bool
is_deepest(const char *name)
{
	size_t levels = 1;

	for (; *name; name++)
		levels += *name == STORE_SEPARATOR;
	return levels >= STORE_DEPTH_MAX;
}

static void
put_list_attrs(struct buf *b, const struct list_job *j, const struct folder *f)
{
	bool exists = !(f->attrs & FOLDER_NOSELECT);

	if (!exists)
		put_attr(b, j->modern ? "\\NonExistent" : "\\Noselect");
	if (is_deepest(f->name))
		put_attr(b, "\\Noinferiors");
	put_attr(b, f->attrs & FOLDER_CHILDREN ? "\\HasChildren"
					       : "\\HasNoChildren");
	if (j->req.show & LIST_SUBSCRIBED && f->attrs & FOLDER_SUBSCRIBED)
		put_attr(b, "\\Subscribed");
	if (exists)
		put_uses(b, f->attrs);
}

static void
say_line(struct imap_session *s, const struct folder *f, bool selected,
	 bool below)
{
	const struct list_job *j = s->job;
	struct buf *b = imap_out(s);

	buf_add_c(b, j->lsub ? "* LSUB (" : "* LIST (");
	if (!j->lsub)
		put_list_attrs(b, j, f);
	else if (!selected || f->attrs & FOLDER_NOSELECT)
		put_attr(b, "\\Noselect");
	buf_addf(b, ") \"%c\" ", STORE_SEPARATOR);
	imap_put_name(s, b, str_of(f->name));
	if (below && !j->lsub)
		buf_addf(b, " (\"CHILDINFO\" (%s%s%s))",
			 j->req.select & LIST_SUBSCRIBED ? "\"SUBSCRIBED\""
							 : "",
			 (j->req.select & LIST_SUBSCRIBED &&
			  j->req.select & LIST_SPECIAL_USE)
				 ? " "
				 : "",
			 j->req.select & LIST_SPECIAL_USE ? "\"SPECIAL-USE\""
							  : "");
	buf_add_c(b, "\r\n");
}

static void
list_one(struct imap_session *s, size_t i)
{
	struct list_job *j = s->job;
	const struct folder *f = &j->all.v[i];
	bool selected = is_selected(j, f);

	/* RFC 9051 6.3.9.6: what is below is said if it is not seen itself. */
	if ((!selected && !j->v[i].unseen) || !is_matched(j, i))
		return;
	say_line(s, f, selected, j->v[i].below);
	/* RFC 5819 2: not of what is shown for its children's sake. */
	if (j->req.show & LIST_STATUS && selected &&
	    !(f->attrs & FOLDER_NOSELECT))
		imap_say_status_of(s, str_of(f->name), j->req.status);
}

static enum imap_done
step_list(struct imap_session *s)
{
	struct list_job *j = s->job;
	bool look = j->req.select & LIST_RECURSIVE && !j->looked;
	/* A folder whose STATUS is asked for may have to be opened; a name is
	 * compared with all patterns. */
	size_t until =
		j->at + 1 +
		(j->req.show & LIST_STATUS && !look ? 0
						    : LISTS_A_STEP / j->req.n);

	for (; j->at < j->all.n && j->at < until && !imap_full(s); j->at++) {
		if (look)
			look_up(j, j->at);
		else
			list_one(s, j->at);
	}
	if (j->at < j->all.n)
		return IMAP_MORE;
	if (look) {
		j->looked = true;
		j->at = 0;
		return IMAP_MORE;
	}
	imap_reply(s, "OK %s completed", s->cmd->name);
	return IMAP_DONE;
}

/* --- the commands ----------------------------------------------------------
 */

/* The reference goes before each of them; UTF-8 is made Net-Unicode, as the
 * names are.  Those that can match nothing are left out (RFC 9051 6.3.9: that
 * is no error). */
static bool
read_patterns(struct imap_session *s, struct list_job *j)
{
	size_t i, n = 0;
	struct buf nfc;
	struct str text;

	for (i = 0; i < j->req.n; i++) {
		if (j->req.names[i].n == 0 && j->req.extended)
			continue;
		text = pool_strf(&s->pool, "%.*s%.*s",
				 STR_FMT(j->req.reference),
				 STR_FMT(j->req.names[i]));
		buf_init(&nfc, NAME_TEXT_MAX);
		j->utf8 |= s->utf8 || !utf8_is_ascii(text);
		if (j->utf8 && netname_normalize(&nfc, text) == 0)
			text = pool_str(&s->pool, buf_str(&nfc));
		buf_fini(&nfc);
		if (!text.p)
			return false;
		n += imap_pattern_init(&j->pattern[n], text);
	}
	j->req.n = n;
	return true;
}

static bool
begin_list(struct imap_session *s, struct list_job *j)
{
	struct err err;

	if (!read_patterns(s, j)) {
		imap_reply(s, "NO [UNAVAILABLE] Temporary problem");
		return false;
	}
	if (j->req.n == 0) {
		imap_reply(s, "OK %s completed", s->cmd->name);
		return false;
	}
	if (store_list(s->user->store, &j->all, &err) < 0) {
		imap_reply_err(s, &err);
		return false;
	}
	j->v = calloc(j->all.n, sizeof(j->v[0]));
	if (!j->v) {
		imap_reply(s, "NO [UNAVAILABLE] Temporary problem");
		folder_list_fini(&j->all);
		return false;
	}
	return true;
}

static void
list(struct imap_session *s, struct imap_in *in, bool lsub)
{
	struct list_job *j = calloc(1, sizeof(*j));

	if (!j) {
		imap_reply(s, "NO [UNAVAILABLE] Temporary problem");
		return;
	}
	j->lsub = lsub;
	if (!imap_list_parse(in, &j->req) || (lsub && j->req.extended)) {
		imap_reply_bad(s, in);
	} else if (j->req.names[0].n == 0 && !j->req.extended && !lsub) {
		/* RFC 9051 6.3.9: only the separator */
		buf_addf(imap_out(s), "* LIST (\\Noselect) \"%c\" \"\"\r\n",
			 STORE_SEPARATOR);
		imap_reply(s, "OK List completed");
	} else if (begin_list(s, j)) {
		j->modern = j->req.extended || s->rev2;
		/* RFC 3501 6.3.9: "%" shows what is above subscribed names. */
		if (lsub)
			j->req.select =
				LIST_SUBSCRIBED |
				(j->pattern[0].has_percent ? LIST_RECURSIVE
							   : 0);
		imap_job(s, step_list, end_list, j);
		return;
	}
	free(j);
}

void
imap_cmd_list(struct imap_session *s, struct imap_in *in)
{
	list(s, in, false);
}

void
imap_cmd_lsub(struct imap_session *s, struct imap_in *in)
{
	list(s, in, true);
}
