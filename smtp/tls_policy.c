/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "frame/tls_protocols.h"
#include "named.h"
#include "nexthop.h"
#include "tls_policy.h"

static const char blanks[] = " \t\r\n,";

/* One destination, while its plan is made. */
struct maker {
	const struct tls_settings *t;
	struct str domain; /* of the nexthop, in A-labels */
	struct str host;
	bool host_is_literal;
	struct tls_plan *out;
	struct buf match;
	/* What smtp_tls_policy_maps says; p NULL: nothing. */
	struct str protocols, ciphers, exclude, servername;
};

/* --- main.cf ---------------------------------------------------------------
 */

static int
find_level(struct str word, uint8_t *level)
{
	static const struct {
		const char *word;
		uint8_t level;
	} levels[] = {
		{ "", TLS_PLAN_NONE },	  { "none", TLS_PLAN_NONE },
		{ "may", TLS_MAY },	  { "encrypt", TLS_ENCRYPT },
		{ "verify", TLS_VERIFY }, { "fingerprint", TLS_FINGERPRINT },
		{ "secure", TLS_SECURE },
	};
	size_t i;

	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (str_ieq(word, str_of(levels[i].word))) {
			*level = levels[i].level;
			return 0;
		}
	return -1;
}

/* Nobody needs the grades that Postfix has below medium. */
static int
find_grade(struct str word, enum tls_grade *grade)
{
	*grade = str_ieq(word, STR("high")) ? TLS_GRADE_HIGH : TLS_GRADE_MEDIUM;
	return *grade == TLS_GRADE_HIGH || str_ieq(word, STR("medium")) ||
			       str_ieq(word, STR("low")) ||
			       str_ieq(word, STR("export"))
		       ? 0
		       : -1;
}

int
tls_settings_load(struct tls_settings *t, const struct params *p,
		  const char *transport, struct err *err)
{
	static const char *const keys[2][3] = {
		{ "tls_protocols", "tls_ciphers", "tls_exclude_ciphers" },
		{ "tls_mandatory_protocols", "tls_mandatory_ciphers",
		  "tls_mandatory_exclude_ciphers" },
	};
	size_t i;

	*t = (struct tls_settings){
		.wrapper = named_num(p, transport, "tls_wrappermode"),
		.has_maps = named_str(p, transport, "tls_policy_maps").n > 0,
		.note_offer =
			named_num(p, transport, "tls_note_starttls_offer"),
		.timeout_ms =
			named_num(p, transport, "starttls_timeout") * 1000,
		.loglevel = named_num(p, transport, "tls_loglevel"),
		.servername = named_str(p, transport, "tls_servername"),
		.digest = named_str(p, transport, "tls_fingerprint_digest"),
		.verify_match =
			named_str(p, transport, "tls_verify_cert_match"),
		.secure_match =
			named_str(p, transport, "tls_secure_cert_match"),
		.fingerprints =
			named_str(p, transport, "tls_fingerprint_cert_match"),
	};
	if (find_level(named_str(p, transport, "tls_security_level"),
		       &t->level) < 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "%s_tls_security_level: no such level",
			       transport);
	for (i = 0; i < 2; i++) {
		if (tls_protocols(named_str(p, transport, keys[i][0]),
				  &t->protocols[i], err) < 0)
			return err_prefix(err, "%s_%s", transport, keys[i][0]);
		if (find_grade(named_str(p, transport, keys[i][1]),
			       &t->grade[i]) < 0)
			return err_set(err, ERR_PERM, EINVAL,
				       "%s_%s: no such grade", transport,
				       keys[i][1]);
		t->exclude[i] = named_str(p, transport, keys[i][2]);
	}
	return 0;
}

/* --- names -----------------------------------------------------------------
 */

/* One that may stand in the SNI extension (RFC 6066 3): no address. */
static bool
is_hostname(struct str s)
{
	struct addr a;
	size_t i;

	if (!s.n || s.n > TLS_NAME_MAX || s.p[0] == '.' ||
	    addr_parse(s, &a, NULL) == 0)
		return false;
	for (i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

static int
set_servername(struct maker *m, struct err *err)
{
	struct str want = m->servername.p ? m->servername : m->t->servername;
	struct str name = want;

	if (str_ieq(want, STR("hostname")))
		name = m->host_is_literal ? STR("") : m->host;
	else if (str_ieq(want, STR("nexthop")))
		name = m->domain;
	else if (want.n && !is_hostname(want))
		return err_set(err, ERR_TEMP, EINVAL,
			       "servername \"%.*s\" is no host name",
			       STR_FMT(str_head(want, 60)));
	/* Of those that come from elsewhere only a name can be sent. */
	if (is_hostname(name))
		(void)!str_copy(m->out->host, sizeof(m->out->host), name);
	return 0;
}

/* --- what the certificate is to match --------------------------------------
 */

static int
add_match(struct maker *m, const char *dot, struct str text, struct err *err)
{
	char pattern[TLS_NAME_MAX + 2];
	struct msg_tls_match one = { text };

	if (*dot && text.n < TLS_NAME_MAX) {
		pattern[0] = '.';
		memcpy(pattern + 1, text.p, text.n);
		one.text = str_mem(pattern, 1 + text.n);
	}
	if (m->out->nmatch == TLS_MATCH_MAX ||
	    msg_list_add(&m->match, &msg_tls_match_def, &one, err) < 0)
		return err_set(err, ERR_TEMP, E2BIG,
			       "too much that the certificate may match");
	m->out->nmatch++;
	return 0;
}

/* Names and strategies, or fingerprints. */
static int
add_matches(struct maker *m, struct str list, struct err *err)
{
	bool names = m->out->level >= TLS_VERIFY;
	const char *seps = names ? " \t\r\n,:" : " \t\r\n,|";
	struct str word;
	int rc = 0;

	while (rc == 0 && str_token(&list, seps, &word)) {
		if (names && str_ieq(word, STR("hostname")))
			rc = add_match(m, "", m->host, err);
		else if (names && str_ieq(word, STR("nexthop")))
			rc = add_match(m, "", m->domain, err);
		else if (names && str_ieq(word, STR("dot-nexthop")))
			rc = add_match(m, ".", m->domain, err);
		else
			rc = add_match(m, "", word, err);
	}
	return rc;
}

static int
set_matches(struct maker *m, struct err *err)
{
	const struct tls_settings *t = m->t;
	struct tls_plan *out = m->out;
	int rc = 0;

	if (out->level < TLS_FINGERPRINT)
		return 0;
	if (out->nmatch == 0)
		rc = add_matches(m,
				 out->level == TLS_FINGERPRINT ? t->fingerprints
				 : out->level == TLS_VERIFY    ? t->verify_match
							    : t->secure_match,
				 err);
	if (rc < 0)
		return -1;
	if (out->nmatch == 0)
		return err_set(err, ERR_TEMP, EINVAL,
			       "there is nothing the certificate may match");
	memcpy(out->match, m->match.p, m->match.n);
	out->match_n = m->match.n;
	return 0;
}

/* --- smtp_tls_policy_maps --------------------------------------------------
 */

/* The next word of a policy: "name=value", or "{ name = value }" with blanks;
 * braces are cut off. */
static bool
next_word(struct str *rest, struct str *word)
{
	ptrdiff_t end;

	while (rest->n && strchr(blanks, rest->p[0]))
		*rest = str_from(*rest, 1);
	if (!rest->n || rest->p[0] != '{')
		return str_token(rest, blanks, word);
	end = str_find(*rest, '}');
	if (end < 0)
		end = (ptrdiff_t)rest->n;
	*word = str_trim(str_from(str_head(*rest, (size_t)end), 1));
	*rest = str_from(*rest, (size_t)end + 1);
	return true;
}

static int
bad(struct err *err, const char *what, struct str word)
{
	return err_set(err, ERR_TEMP, EINVAL, "%s \"%.*s\"", what,
		       STR_FMT(str_head(word, 60)));
}

static int
take_attribute(struct maker *m, struct str word, struct err *err)
{
	struct {
		const char *name;
		struct str *to;
	} once[] = {
		{ "protocols", &m->protocols },
		{ "ciphers", &m->ciphers },
		{ "exclude", &m->exclude },
		{ "servername", &m->servername },
	};
	struct str name, value = word;
	size_t i;

	if (!str_cut(&value, '=', &name))
		return bad(err, "want NAME=VALUE instead of", word);
	name = str_trim(name);
	value = str_trim(value);
	for (i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
		if (!str_ieq(name, str_of(once[i].name)))
			continue;
		if (once[i].to->p)
			return bad(err, "there is more than one", name);
		*once[i].to = value.p ? value : STR("");
		return 0;
	}
	/* Connections are always used again if they can be. */
	if (str_ieq(name, STR("connection_reuse")))
		return 0;
	if (str_ieq(name, STR("tafile")))
		return bad(err, "smtp_tls_CAfile must hold the authorities of",
			   word);
	if (!str_ieq(name, STR("match")))
		return bad(err, "there is no attribute", name);
	if (m->out->level < TLS_FINGERPRINT)
		return bad(err,
			   "nothing is matched at this level, but there "
			   "is",
			   word);
	return add_matches(m, value, err);
}

static int
take_policy(struct maker *m, struct str policy, struct err *err)
{
	struct str word;

	if (!next_word(&policy, &word))
		return err_set(err, ERR_TEMP, EINVAL, "the policy is empty");
	if (str_ieq(word, STR("dane")) || str_ieq(word, STR("dane-only")))
		return bad(err, "not available yet is", word);
	if (find_level(word, &m->out->level) < 0)
		return bad(err, "there is no security level", word);
	while (next_word(&policy, &word))
		if (m->out->level != TLS_PLAN_NONE &&
		    take_attribute(m, word, err) < 0)
			return -1;
	return 0;
}

/* --- the plan --------------------------------------------------------------
 */

static int
join(char out[TLS_EXCLUDE_MAX + 1], struct str a, struct str b)
{
	struct buf both;
	int rc = -1;

	buf_init(&both, TLS_EXCLUDE_MAX);
	if (buf_add_str(&both, a) == 0 && buf_add_byte(&both, ' ') == 0 &&
	    buf_add_str(&both, b) == 0 &&
	    str_copy(out, TLS_EXCLUDE_MAX + 1, buf_str(&both)))
		rc = 0;
	buf_fini(&both);
	return rc;
}

static int
set_words(struct maker *m, struct err *err)
{
	const struct tls_settings *t = m->t;
	struct tls_plan *out = m->out;
	bool must = out->level > TLS_MAY;
	unsigned protocols = t->protocols[must];
	enum tls_grade grade = t->grade[must];

	if (m->protocols.p && tls_protocols(m->protocols, &protocols, err) < 0)
		return -1;
	if (m->ciphers.p && find_grade(m->ciphers, &grade) < 0)
		return bad(err, "there is no grade of ciphers", m->ciphers);
	out->protocols = (uint8_t)protocols;
	out->grade = (uint8_t)grade;
	if (m->exclude.p ? join(out->exclude, m->exclude, STR(""))
			 : join(out->exclude, t->exclude[0],
				must ? t->exclude[1] : STR("")))
		return err_set(err, ERR_TEMP, E2BIG,
			       "the list of excluded ciphers is too long");
	if (!str_copy(out->digest, sizeof(out->digest), t->digest))
		return bad(err, "there is no digest", t->digest);
	return set_servername(m, err) < 0 ? -1 : set_matches(m, err);
}

static int
set_plan(struct maker *m, const struct msg_sited *site, struct err *err)
{
	struct tls_plan *out = m->out;

	out->level = m->t->level;
	if (site && site->has_tls && take_policy(m, site->tls, err) < 0)
		return -1;
	/* From the first byte on there is no way without. */
	if (out->wrapper && out->level == TLS_PLAN_NONE)
		return err_set(err, ERR_TEMP, EINVAL,
			       "smtp_tls_wrappermode wants TLS, the policy "
			       "does not");
	if (out->wrapper && out->level == TLS_MAY)
		out->level = TLS_ENCRYPT;
	return out->level == TLS_PLAN_NONE ? 0 : set_words(m, err);
}

int
tls_policy(const struct tls_settings *t, const struct msg_sited *site,
	   struct str nexthop, struct str host, bool host_is_literal,
	   struct tls_plan *out, struct err *err)
{
	struct maker m = {
		.t = t,
		.host = host,
		.host_is_literal = host_is_literal,
		.out = out,
	};
	struct nexthop hop;
	int rc;

	*out = (struct tls_plan){
		.wrapper = t->wrapper,
		.note_offer = t->note_offer,
		.timeout_ms = t->timeout_ms,
		.loglevel = t->loglevel,
	};
	buf_init(&m.match, sizeof(out->match));
	rc = nexthop_parse(nexthop, true, 25, &hop, err);
	m.domain = str_of(hop.host);
	if (rc == 0 && hop.kind == NEXTHOP_UNIX)
		out->wrapper = false; /* nobody is between us */
	else if (rc == 0)
		rc = set_plan(&m, site, err);
	buf_fini(&m.match);
	if (rc == 0)
		return 0;
	if (err)
		err->class = ERR_TEMP;
	return err_prefix(err, "TLS policy of %.*s",
			  STR_FMT(str_head(nexthop, 100)));
}

void
tls_plan_ask(const struct tls_plan *p, struct msg_tls_client *m)
{
	*m = (struct msg_tls_client){
		.level = p->level,
		.protocols = p->protocols,
		.grade = p->grade,
		.exclude = str_of(p->exclude),
		.host = str_of(p->host),
		.match = { .raw = str_mem(p->match, p->match_n),
			   .count = p->nmatch,
			   .elem = &msg_tls_match_def },
		.digest = str_of(p->digest),
		.timeout_ms = p->timeout_ms,
		.fd = -1,
	};
}
