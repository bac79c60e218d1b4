/* SPDX-License-Identifier: ISC */
#include "mail/bounce_template.h"
#include "mail/utf8.h"

#define FROM "MAILER-DAEMON (Mail Delivery System)"
#define HOST "This is the mail system at $myhostname.\n\n"

const struct bounce_templates bounce_defaults = { {
	[BOUNCE_FAILURE] = {
		{ "us-ascii", 8 },
		{ FROM, sizeof(FROM) - 1 },
		{ "Undelivered Mail Returned to Sender", 35 },
		{ "Postmaster Copy: Undelivered Mail", 33 },
#define TEXT                                                                \
	HOST "Your message could not be delivered to the recipients named " \
	     "below,\n"                                                     \
	     "and will not be tried any more. What was said about each of " \
	     "them\n"                                                       \
	     "stands behind its address; your message is attached.\n\n"     \
	     "If this does not tell you what to do, please write to the\n"  \
	     "postmaster, with all of this report.\n"
		{ TEXT, sizeof(TEXT) - 1 },
#undef TEXT
	},
	[BOUNCE_DELAY] = {
		{ "us-ascii", 8 },
		{ FROM, sizeof(FROM) - 1 },
		{ "Delayed Mail (still being retried)", 34 },
		{ "Postmaster Warning: Delayed Mail", 32 },
#define TEXT                                                                 \
	HOST "THIS IS A WARNING ONLY. YOU DO NOT HAVE TO SEND YOUR MESSAGE " \
	     "AGAIN.\n"                                                      \
	     "\n"                                                            \
	     "Your message has not been delivered to the recipients named "  \
	     "below\n"                                                       \
	     "for more than $delay_warning_time_hours hour(s). It will be "  \
	     "tried\n"                                                       \
	     "until it is $maximal_queue_lifetime_days day(s) old.\n"
		{ TEXT, sizeof(TEXT) - 1 },
#undef TEXT
	},
	[BOUNCE_SUCCESS] = {
		{ "us-ascii", 8 },
		{ FROM, sizeof(FROM) - 1 },
		{ "Successful Mail Delivery Report", 31 },
		{ "", 0 },
#define TEXT                                                                 \
	HOST "Your message was handed over for the recipients named below. " \
	     "Where\n"                                                       \
	     "it says delivered, it is in the mailbox; where it says "       \
	     "relayed, the\n"                                                \
	     "next system has it, and you may hear of it again only if it "  \
	     "could\n"                                                       \
	     "not be delivered there.\n"
		{ TEXT, sizeof(TEXT) - 1 },
#undef TEXT
	},
	[BOUNCE_VERIFY] = {
		{ "us-ascii", 8 },
		{ FROM, sizeof(FROM) - 1 },
		{ "Mail Delivery Status Report", 27 },
		{ "", 0 },
#define TEXT HOST "This is the delivery report that was asked for.\n"
		{ TEXT, sizeof(TEXT) - 1 },
#undef TEXT
	},
} };

/* --- $name ---------------------------------------------------------------- */

static bool
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

static const struct bounce_value *
find_value(struct str name, const struct bounce_value *values, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (str_eq(name, str_of(values[i].name)))
			return &values[i];
	return NULL;
}

/* Cut "name", "{name}" or "(name)" off *in. */
static bool
take_name(struct str *in, struct str *name)
{
	char open = in->n ? in->p[0] : '\0';
	bool quoted = open == '{' || open == '(';
	size_t at = quoted, n = 0;

	while (at + n < in->n && is_name(in->p[at + n]))
		n++;
	*name = str_head(str_from(*in, at), n);
	if (quoted &&
	    (at + n == in->n || in->p[at + n] != (open == '{' ? '}' : ')')))
		return false;
	*in = str_from(*in, at + n + quoted);
	return n > 0;
}

int
bounce_expand(struct buf *out, struct str text,
	      const struct bounce_value *values, size_t n, struct err *err)
{
	const struct bounce_value *v;
	struct str before, name;
	size_t begin = out->n;

	while (str_cut(&text, '$', &before)) {
		buf_add_str(out, before);
		if (str_starts(text, STR("$"))) {
			buf_add_byte(out, '$');
			text = str_from(text, 1);
			continue;
		}
		if (!take_name(&text, &name))
			return err_set(err, ERR_PERM, 0,
				       "a $ that no name follows");
		v = find_value(name, values, n);
		if (!v)
			return err_set(
				err, ERR_PERM, 0, "$%.*s is not known here",
				(int)(name.n < 60 ? name.n : 60), name.p);
		buf_add_str(out, v->value);
		if (out->n - begin > BOUNCE_TEXT_MAX)
			break;
	}
	buf_add_str(out, text);
	if (buf_overflown(out) || out->n - begin > BOUNCE_TEXT_MAX)
		return err_set(err, ERR_PERM, 0, "text too long");
	return 0;
}

/* --- the file ------------------------------------------------------------- */

static struct str
next_line(struct str *rest)
{
	struct str line;

	if (!str_cut(rest, '\n', &line)) {
		line = *rest;
		*rest = STR_NULL;
	}
	return line;
}

/* Printable: no controls but tabs in a text, ASCII or whole UTF-8. */
static bool
is_clean(struct str s, bool utf8)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < ' ' && c != '\t' && c != '\n') || c == 127 ||
		    (c > 127 && !utf8))
			return false;
	}
	return !utf8 || utf8_is_valid(s);
}

/* One "Name: value" line of a template. */
static int
take_field(struct bounce_template *t, struct str line, struct err *err)
{
	static const struct {
		const char *name;
		size_t at;
	} fields[] = {
		{ "Charset", offsetof(struct bounce_template, charset) },
		{ "From", offsetof(struct bounce_template, from) },
		{ "Subject", offsetof(struct bounce_template, subject) },
		{ "Postmaster-Subject",
		  offsetof(struct bounce_template, postmaster_subject) },
	};
	struct str name, value = line;
	size_t i;

	if (!str_cut(&value, ':', &name))
		return err_set(err, ERR_PERM, 0, "not \"Name: value\"");
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (str_ieq(str_trim(name), str_of(fields[i].name)))
			break;
	value = str_trim(value);
	if (i == sizeof(fields) / sizeof(fields[0]))
		return err_set(err, ERR_PERM, 0,
			       "fields are Charset, From, Subject and "
			       "Postmaster-Subject");
	if (value.n == 0 || !is_clean(value, false))
		return err_set(err, ERR_PERM, 0, "%s: want printable ASCII",
			       fields[i].name);
	*(struct str *)((char *)t + fields[i].at) = value;
	return 0;
}

static int
check_text(const struct bounce_template *t, const struct bounce_value *values,
	   size_t n, struct err *err)
{
	bool utf8 = str_ieq(t->charset, STR("utf-8"));
	struct buf out;
	int rc;

	if (!utf8 && !str_ieq(t->charset, STR("us-ascii")))
		return err_set(err, ERR_PERM, 0,
			       "Charset: want us-ascii or utf-8");
	if (!is_clean(t->text, utf8))
		return err_set(err, ERR_PERM, 0,
			       utf8 ? "the text is not UTF-8"
				    : "the text is not ASCII, or has controls");
	buf_init(&out, 2 * BOUNCE_TEXT_MAX);
	rc = bounce_expand(&out, t->text, values, n, err);
	buf_fini(&out);
	return rc;
}

/* From behind "<<WORD" to the line WORD. */
static int
take_template(struct bounce_template *t, struct str *rest, struct str word,
	      unsigned *nr, struct err *err)
{
	struct str line;
	const char *text;

	for (;;) {
		if (rest->n == 0)
			return err_set(err, ERR_PERM, 0,
				       "the template has no end");
		++*nr;
		line = next_line(rest);
		if (str_eq(line, word))
			return err_set(err, ERR_PERM, 0,
				       "the template has no text");
		if (str_trim(line).n == 0)
			break;
		if (take_field(t, line, err) < 0)
			return -1;
	}
	text = rest->p;
	do {
		if (rest->n == 0)
			return err_set(err, ERR_PERM, 0,
				       "the template has no end");
		++*nr;
		line = next_line(rest);
		if (line.n > BOUNCE_LINE_MAX)
			return err_set(err, ERR_PERM, 0, "line too long");
	} while (!str_eq(line, word));
	t->text = str_mem(text, (size_t)(line.p - text));
	return 0;
}

/* "failure_template = <<EOF" */
static int
take_head(struct str line, enum bounce_kind *kind, struct str *word,
	  struct err *err)
{
	static const char *const names[BOUNCE_KINDS] = {
		"failure_template",
		"delay_template",
		"success_template",
		"verify_template",
	};
	struct str name, value = line;
	unsigned i;

	if (!str_cut(&value, '=', &name))
		return err_set(err, ERR_PERM, 0, "want NAME_template = <<WORD");
	for (i = 0; i < BOUNCE_KINDS; i++)
		if (str_eq(str_trim(name), str_of(names[i])))
			break;
	if (i == BOUNCE_KINDS)
		return err_set(err, ERR_PERM, 0,
			       "templates are failure_template, "
			       "delay_template, success_template and "
			       "verify_template");
	*kind = (enum bounce_kind)i;
	value = str_trim(value);
	if (!str_starts(value, STR("<<")) || value.n == 2)
		return err_set(err, ERR_PERM, 0, "want <<WORD behind the =");
	*word = str_trim(str_from(value, 2));
	return 0;
}

int
bounce_templates_parse(struct bounce_templates *t, struct str file,
		       const struct bounce_value *values, size_t n,
		       struct err *err)
{
	unsigned nr = 0, seen = 0;
	enum bounce_kind kind;
	struct str line, word;

	*t = bounce_defaults;
	if (file.n > BOUNCE_FILE_MAX)
		return err_set(err, ERR_PERM, 0, "larger than 64 KiB");
	while (file.n) {
		nr++;
		line = next_line(&file);
		if (str_trim(line).n == 0 || line.p[0] == '#')
			continue;
		if (take_head(line, &kind, &word, err) < 0)
			goto fail;
		if (seen & 1u << kind) {
			err_set(err, ERR_PERM, 0, "this template comes twice");
			goto fail;
		}
		seen |= 1u << kind;
		if (take_template(&t->of[kind], &file, word, &nr, err) < 0 ||
		    check_text(&t->of[kind], values, n, err) < 0)
			goto fail;
	}
	return 0;
fail:
	*t = bounce_defaults;
	return err_prefix(err, "line %u", nr);
}
