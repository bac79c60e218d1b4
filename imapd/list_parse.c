/* SPDX-License-Identifier: ISC */
#include <limits.h>

#include "list.h"
#include "store/store.h"

struct word {
	const char *name;
	unsigned bit;
};

/* One of the words; 0 with an error: none. */
static unsigned
one_of(struct imap_in *in, const struct word *words, const char *error)
{
	for (; words->name; words++)
		if (imap_word(in, words->name))
			return words->bit;
	(void)imap_fail(in, error);
	return 0;
}

/* Between the words of a list in parentheses. */
static bool
more(struct imap_in *in, bool first)
{
	return imap_peek(in) != ')' && (first || imap_space(in));
}

bool
imap_status_items(struct imap_in *in, unsigned *items)
{
	static const struct word words[] = {
		{ "MESSAGES", STATUS_MESSAGES },
		{ "RECENT", STATUS_RECENT },
		{ "UIDNEXT", STATUS_UIDNEXT },
		{ "UIDVALIDITY", STATUS_UIDVALIDITY },
		{ "UNSEEN", STATUS_UNSEEN },
		{ "DELETED", STATUS_DELETED },
		{ "SIZE", STATUS_SIZE },
		{ "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ },
		{ "APPENDLIMIT", STATUS_APPENDLIMIT },
		{ 0 },
	};
	size_t n = 0;
	unsigned one;

	*items = 0;
	if (!imap_char(in, '('))
		return false;
	do {
		if (n++ && !imap_space(in))
			return false;
		one = one_of(in, words, "Unknown status item");
		if (!one || n > IMAP_LIST_MAX)
			return imap_fail(in, "Too many status items");
		*items |= one;
	} while (imap_peek(in) != ')');
	return imap_char(in, ')');
}

/* "\\Sent": what it is, UINT_MAX: nothing of ours, 0: no use. */
static unsigned
one_use(struct imap_in *in)
{
	struct str name;
	size_t i;

	if (!imap_char(in, '\\') || !imap_atom(in, &name))
		return 0;
	for (i = 0; store_uses[i].name; i++)
		if (str_ieq(name, str_of(store_uses[i].name + 1)))
			return store_uses[i].attr;
	return UINT_MAX;
}

static bool
use_list(struct imap_in *in, unsigned *uses)
{
	unsigned one;
	size_t n;

	if (!imap_space(in) || !imap_char(in, '('))
		return false;
	for (n = 0; more(in, n == 0); n++) {
		one = one_use(in);
		if (!one || n > IMAP_LIST_MAX)
			return imap_fail(in, "Too many uses");
		*uses |= one;
	}
	return imap_char(in, ')');
}

bool
imap_create_params(struct imap_in *in, unsigned *uses)
{
	*uses = 0;
	if (imap_at_end(in))
		return true;
	if (!imap_space(in) || !imap_char(in, '('))
		return false;
	if (!imap_word(in, "USE"))
		return imap_fail(in, "Unknown parameter");
	return use_list(in, uses) && imap_char(in, ')') && imap_end(in);
}

static bool
select_options(struct imap_in *in, struct list_request *r)
{
	static const struct word words[] = {
		{ "SUBSCRIBED", LIST_SUBSCRIBED },
		{ "SPECIAL-USE", LIST_SPECIAL_USE },
		{ "REMOTE", LIST_REMOTE },
		{ "RECURSIVEMATCH", LIST_RECURSIVE },
		{ 0 },
	};
	unsigned one;
	size_t n;

	r->extended = true;
	in->p++;
	for (n = 0; more(in, n == 0); n++) {
		one = one_of(in, words, "Unknown selection option");
		if (!one || n > IMAP_LIST_MAX)
			return imap_fail(in, "Too many options");
		r->select |= one;
	}
	if (!imap_char(in, ')'))
		return false;
	if (r->select & LIST_RECURSIVE &&
	    !(r->select & (LIST_SUBSCRIBED | LIST_SPECIAL_USE)))
		return imap_fail(in, "RECURSIVEMATCH of what?"); /* 6.3.9.1 */
	return true;
}

static bool
return_options(struct imap_in *in, struct list_request *r)
{
	static const struct word words[] = {
		{ "SUBSCRIBED", LIST_SUBSCRIBED },
		{ "CHILDREN", LIST_CHILDREN },
		{ "SPECIAL-USE", LIST_SPECIAL_USE },
		{ "STATUS", LIST_STATUS },
		{ 0 },
	};
	unsigned one;
	size_t n;

	r->extended = true;
	if (!imap_word(in, "RETURN"))
		return imap_fail(in, "RETURN expected");
	if (!imap_space(in) || !imap_char(in, '('))
		return false;
	for (n = 0; more(in, n == 0); n++) {
		one = one_of(in, words, "Unknown return option");
		if (!one || n > IMAP_LIST_MAX)
			return imap_fail(in, "Too many options");
		if (one == LIST_STATUS &&
		    (!imap_space(in) || !imap_status_items(in, &r->status)))
			return false;
		r->show |= one;
	}
	return imap_char(in, ')');
}

static bool
patterns(struct imap_in *in, struct list_request *r)
{
	bool many = imap_peek(in) == '(';

	r->names =
		pool_alloc(in->pool, IMAP_PATTERNS_MAX * sizeof(r->names[0]));
	if (!r->names)
		return imap_fail(in, "Command is too large");
	if (!many) {
		r->n = 1;
		return imap_list_mailbox(in, &r->names[0]);
	}
	r->extended = true;
	in->p++;
	do {
		if (r->n == IMAP_PATTERNS_MAX)
			return imap_fail(in, "Too many patterns");
		if ((r->n && !imap_space(in)) ||
		    !imap_list_mailbox(in, &r->names[r->n++]))
			return false;
	} while (imap_peek(in) != ')');
	return imap_char(in, ')');
}

bool
imap_list_parse(struct imap_in *in, struct list_request *r)
{
	*r = (struct list_request){ 0 };
	if (!imap_space(in))
		return false;
	if (imap_peek(in) == '(' && (!select_options(in, r) || !imap_space(in)))
		return false;
	if (!imap_astring(in, &r->reference) || !imap_space(in) ||
	    !patterns(in, r))
		return false;
	if (!imap_at_end(in) && (!imap_space(in) || !return_options(in, r)))
		return false;
	if (r->select & LIST_SUBSCRIBED) /* 6.3.9.1: shown, too */
		r->show |= LIST_SUBSCRIBED;
	return imap_end(in);
}
