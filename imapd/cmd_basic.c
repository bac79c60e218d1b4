/* SPDX-License-Identifier: ISC */
/* Commands that touch no mailbox. */
#include "base/clock.h"
#include "base/log.h"
#include "commands.h"

/* RFC 9051 7.2.2.  What may be said before the login is login's. */
static const char capabilities[] =
	"IMAP4rev1 IMAP4rev2 LITERAL+ IDLE NAMESPACE ID ENABLE UNSELECT "
	"UIDPLUS MOVE MULTIAPPEND BINARY UTF8=ACCEPT CONDSTORE QRESYNC "
	"CHILDREN LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE "
	"CREATE-SPECIAL-USE ESEARCH SEARCHRES WITHIN I18NLEVEL=1 SORT ESORT "
	"SORT=DISPLAY THREAD=REFERENCES THREAD=ORDEREDSUBJECT";

void
imap_put_capabilities(const struct imap_session *s, struct buf *b)
{
	buf_addf(b, "%s APPENDLIMIT=%llu", capabilities,
		 (unsigned long long)s->user->append_limit);
	if (s->user->compress && !s->compressed)
		buf_add_c(b, " COMPRESS=DEFLATE");
}

void
imap_cmd_capability(struct imap_session *s, struct imap_in *in)
{
	if (!imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	buf_add_c(imap_out(s), "* CAPABILITY ");
	imap_put_capabilities(s, imap_out(s));
	buf_add_c(imap_out(s), "\r\n");
	imap_reply(s, "OK Capability completed");
}

/* CHECK too: what is said is on disk already. */
void
imap_cmd_noop(struct imap_session *s, struct imap_in *in)
{
	if (imap_end(in))
		imap_reply(s, "OK %s completed", s->cmd->name);
	else
		imap_reply_bad(s, in);
}

void
imap_cmd_logout(struct imap_session *s, struct imap_in *in)
{
	if (!imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	imap_unselect(s);
	buf_add_c(imap_out(s), "* BYE Logging out\r\n");
	imap_set_state(s, IMAP_LOGOUT);
	imap_reply(s, "OK Logout completed");
}

void
imap_cmd_authenticated(struct imap_session *s, struct imap_in *in)
{
	(void)in;
	imap_reply(s, "BAD Already logged in");
}

enum {
	ENABLE_CONDSTORE = 1,
	ENABLE_QRESYNC = 2,
	ENABLE_UTF8 = 4,
	ENABLE_REV2 = 8,
};

static unsigned
enable_bit(struct str name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} rows[] = {
		{ "CONDSTORE", ENABLE_CONDSTORE },
		{ "QRESYNC", ENABLE_QRESYNC },
		{ "UTF8=ACCEPT", ENABLE_UTF8 },
		{ "IMAP4rev2", ENABLE_REV2 },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_ieq(name, str_of(rows[i].name)))
			return rows[i].bit;
	return 0;
}

static void
enable(struct imap_session *s, unsigned bits)
{
	if (bits & ENABLE_REV2)
		s->rev2 = true;
	if (bits & (ENABLE_UTF8 | ENABLE_REV2)) /* RFC 9051 A.1 */
		s->utf8 = true;
	if (bits & (ENABLE_CONDSTORE | ENABLE_QRESYNC)) /* RFC 7162 3.2.3 */
		imap_enable_condstore(s);
	if (bits & ENABLE_QRESYNC)
		s->qresync = true;
}

/* RFC 5161: what is on now is named, what we do not know is not. */
void
imap_cmd_enable(struct imap_session *s, struct imap_in *in)
{
	struct imap_in look = *in;
	struct buf *out = imap_out(s);
	unsigned bit, bits = 0;
	struct str name;

	do {
		if (!imap_space(&look) || !imap_atom(&look, &name)) {
			imap_reply_bad(s, &look);
			return;
		}
	} while (!imap_at_end(&look));
	buf_add_c(out, "* ENABLED");
	while (imap_space(in) && imap_atom(in, &name)) {
		bit = enable_bit(name);
		if (bit && !(bits & bit))
			buf_addf(out, " %.*s", STR_FMT(name));
		bits |= bit;
	}
	buf_add_c(out, "\r\n");
	enable(s, bits);
	imap_reply(s, "OK Enabled");
}

/* RFC 2342 */
void
imap_cmd_namespace(struct imap_session *s, struct imap_in *in)
{
	if (!imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	buf_addf(imap_out(s), "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n",
		 STORE_SEPARATOR);
	imap_reply(s, "OK Namespace completed");
}

/* RFC 2971 3.3: at most 30 pairs; what the client says of itself is logged. */
static bool
read_id(struct imap_in *in, struct buf *said)
{
	struct str key, value;
	struct log_quoted q;
	size_t n = 0;

	if (!imap_space(in))
		return false;
	if (imap_word(in, "NIL"))
		return imap_end(in);
	if (!imap_char(in, '('))
		return false;
	while (imap_peek(in) != ')') {
		if (n && !imap_space(in))
			return false;
		if (++n > 30)
			return imap_fail(in, "Too many fields");
		if (!imap_string(in, &key) || !imap_space(in) ||
		    !imap_nstring(in, &value))
			return false;
		if (key.n > 30 || value.n > 1024)
			return imap_fail(in, "Field is too long");
		buf_addf(said, " %s=", log_quote(&q, key));
		buf_add_c(said, log_quote(&q, value));
	}
	return imap_char(in, ')') && imap_end(in);
}

void
imap_cmd_id(struct imap_session *s, struct imap_in *in)
{
	struct buf said;

	buf_init(&said, 1024);
	if (read_id(in, &said)) {
		log_debug("imap(%s): ID:%s", s->user->name, buf_cstr(&said));
		buf_add_c(imap_out(s),
			  "* ID (\"name\" \"Posthouse\" "
			  "\"version\" \"" POSTHOUSE_VERSION "\")\r\n");
		imap_reply(s, "OK ID completed");
	} else {
		imap_reply_bad(s, in);
	}
	buf_fini(&said);
}

/* RFC 2177 */
void
imap_cmd_idle(struct imap_session *s, struct imap_in *in)
{
	if (!imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	buf_add_c(imap_out(s), "+ idling\r\n");
	imap_collect_reset(&s->in);
	s->news = true;
	s->idle_said_ms = clock_mono_ms();
	s->stage = STAGE_IDLE;
	imap_wake(s); /* and the timer of IDLE with it */
}
