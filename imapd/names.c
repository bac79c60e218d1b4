/* SPDX-License-Identifier: ISC */
/*
 * Names of mailboxes.  The store has them in modified UTF-7, as IMAP4rev1 has;
 * a client that has enabled IMAP4rev2 or UTF8=ACCEPT reads and writes UTF-8,
 * and everybody may write it where it cannot be the other (RFC 6855 3).  Here,
 * and nowhere else, the one is made of the other.
 */
#include "mail/mutf7.h"
#include "mail/utf8.h"
#include "session.h"
#include "store/netname.h"

/* The store refuses names that are much shorter. */
enum { NAME_LIMIT = 16384 };

/*
 * UTF-8 to modified UTF-7, in the pool.  *name is in Net-Unicode's form (RFC
 * 9051 5.1: what is not is accepted, and meant everywhere), unless a mailbox
 * has exactly the other name: somebody made it who is not as strict.
 */
static bool
from_utf8(struct imap_session *s, struct str typed, struct str *name)
{
	struct buf nfc, exact, normal;
	bool ok;

	buf_init(&nfc, NAME_LIMIT);
	buf_init(&exact, NAME_LIMIT);
	buf_init(&normal, NAME_LIMIT);
	ok = netname_normalize(&nfc, typed) == 0 &&
	     mutf7_encode(&exact, typed) == 0 &&
	     mutf7_encode(&normal, buf_str(&nfc)) == 0;
	if (ok && (str_eq(buf_str(&exact), buf_str(&normal)) ||
		   store_exists(s->user->store, buf_str(&exact)))) {
		*name = pool_str(&s->pool, buf_str(&exact));
	} else if (ok) {
		*name = pool_str(&s->pool, buf_str(&normal));
		s->typed = pool_str(&s->pool, typed);
	}
	buf_fini(&nfc);
	buf_fini(&exact);
	buf_fini(&normal);
	return ok;
}

/*
 * "inbox.a" is "INBOX.a": a client has no two names for what is one to it (RFC
 * 9051 5.1), else it would find a level "inbox" beside INBOX that cannot be
 * selected.  Unless somebody who is not as strict made that very mailbox.
 */
static bool
raise_inbox(struct imap_session *s, struct str typed, struct str *name)
{
	static const struct str level = { "INBOX.", 6 };

	if (!str_istarts(*name, level) || str_starts(*name, level) ||
	    store_exists(s->user->store, *name))
		return true;
	*name = pool_strf(&s->pool, "INBOX.%.*s",
			  STR_FMT(str_from(*name, level.n)));
	s->typed = pool_str(&s->pool, typed);
	return name->p != NULL;
}

bool
imap_mailbox_arg(struct imap_session *s, struct imap_in *in, struct str *name)
{
	struct str typed;

	if (!imap_astring(in, name))
		return false;
	typed = *name;
	if (((s->utf8 || !utf8_is_ascii(typed)) && from_utf8(s, typed, name) &&
	     !name->p) ||
	    !raise_inbox(s, typed, name))
		return imap_fail(in, "Command is too large");
	return true;
}

/* RFC 9051 4.3: a quoted string may hold UTF-8; a name has no controls. */
static void
put_utf8(struct buf *b, struct str name)
{
	size_t i;

	if (utf8_is_ascii(name)) {
		imap_put_mailbox(b, name);
		return;
	}
	buf_add_byte(b, '"');
	for (i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_add_byte(b, '\\');
		buf_add_byte(b, name.p[i]);
	}
	buf_add_byte(b, '"');
}

void
imap_put_name(const struct imap_session *s, struct buf *b, struct str name)
{
	struct buf utf8;

	buf_init(&utf8, NAME_LIMIT);
	if (s->utf8 && mutf7_decode(&utf8, name) == 0)
		put_utf8(b, buf_str(&utf8));
	else
		imap_put_mailbox(b, name);
	buf_fini(&utf8);
}

static void
say_list(struct imap_session *s, const char *attr, struct str name,
	 struct str old)
{
	struct buf *out = imap_out(s);

	if (!s->rev2)
		return;
	if (name.n && name.p[name.n - 1] == STORE_SEPARATOR)
		name.n--;
	buf_addf(out, "* LIST (%s) \"%c\" ", attr, STORE_SEPARATOR);
	imap_put_name(s, out, name);
	if (old.p) {
		buf_add_c(out, " (\"OLDNAME\" (");
		put_utf8(out, old);
		buf_add_c(out, "))");
	}
	buf_add_c(out, "\r\n");
}

void
imap_say_name(struct imap_session *s, struct str name, struct str old)
{
	say_list(s, "", name, old);
}

void
imap_say_typed(struct imap_session *s, const char *attr, struct str name)
{
	if (s->typed.p)
		say_list(s, attr, name, s->typed);
}
