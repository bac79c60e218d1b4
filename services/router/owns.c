/* SPDX-License-Identifier: ISC */
#include "owns.h"
#include "resolve.h"

enum { POOL_MAX = 64 << 20 };

struct question {
	const struct routes *r;
	struct str login;
	struct pool *pool;
};

/* A table's value: logins separated by commas and blanks. */
static bool
is_listed(struct str logins, struct str login)
{
	struct str word;

	while (str_token(&logins, ", \t\r\n", &word))
		if (str_ieq(word, login))
			return true;
	return false;
}

/* Does a map say of an extended address anything else than of the address
 * without its extension? */
static int
differs(const struct question *q, const struct table_list *maps,
	struct str extended, struct str bare, struct err *err)
{
	struct str value, own;
	int rc = table_list_get(maps, extended, &value, err);

	if (rc <= 0)
		return rc;
	own = pool_str(q->pool, value);
	if (!own.p)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	rc = table_list_get(maps, bare, &value, err);
	return rc < 0 ? -1 : rc == 0 || !str_eq(value, own);
}

/* user+extension is user's, unless a table gives it to somebody: with "-" as
 * a delimiter, kim-lee may be another person than kim. */
static int
is_apart(const struct question *q, const struct parts *a, struct err *err)
{
	const struct routes *r = q->r;
	struct str bare = pool_strf(q->pool, "%.*s@%.*s", STR_FMT(a->bare),
				    STR_FMT(a->domain));
	int rc;

	if (!bare.p)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	rc = differs(q, &r->virtual_alias, a->whole, bare, err);
	if (rc == 0 && a->class == CLASS_MAILBOX)
		rc = differs(q, &r->virtual_mailbox, a->whole, bare, err);
	if (rc != 0 || a->class != CLASS_LOCAL)
		return rc;
	rc = differs(q, &r->virtual_alias, a->local, a->bare, err);
	return rc == 0 ? differs(q, &r->alias, a->name, a->user, err) : rc;
}

static bool
is_name(const struct question *q, const struct parts *a, struct str name)
{
	ptrdiff_t at = str_rfind(q->login, '@');

	if (at < 0) /* a user of this machine */
		return str_ieq(name, q->login) &&
		       (a->class == CLASS_LOCAL ||
			(a->class == CLASS_REMOTE &&
			 str_ieq(a->domain, q->r->myorigin)));
	return str_ieq(a->domain, str_from(q->login, (size_t)at + 1)) &&
	       str_ieq(name, str_head(q->login, (size_t)at));
}

/* Without smtpd_sender_login_maps: is this address the login's own? */
static int
is_self(const struct question *q, const struct parts *a, struct err *err)
{
	int rc;

	if (a->user.n == a->name.n || !is_name(q, a, a->user))
		return is_name(q, a, a->name);
	rc = is_apart(q, a, err);
	return rc < 0 ? -1 : rc == 0;
}

/* What the address turns into, if that is one address here alone, is the
 * login's own. */
static int
is_alias(const struct question *q, struct str sender, struct err *err)
{
	struct msg_rcpt_in in = { .address = sender };
	struct resolved res;
	struct parts a;
	int rc;

	resolved_init(&res, q->pool);
	rc = resolve(q->r, STR(""), &in, false, &res, err);
	if (rc == 0 && res.n == 1 && res.merged == 0 &&
	    res.v[0].type != RCPT_ERROR) {
		rc = parts_split(q->r, res.v[0].address, q->pool, &a, err);
		if (rc == 0 && a.class < CLASS_RELAY)
			rc = is_self(q, &a, err);
	}
	resolved_fini(&res);
	return rc;
}

static int
decide(const struct question *q, struct str sender, struct err *err)
{
	struct str value, ext;
	struct parts a;
	int rc;

	if (str_rfind(sender, '@') < 0)
		sender = pool_strf(q->pool, "%.*s@%.*s", STR_FMT(sender),
				   STR_FMT(q->r->myorigin));
	if (!sender.p)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	if (parts_split(q->r, sender, q->pool, &a, err) < 0)
		return -1;
	rc = parts_find(q->r, &q->r->sender_login, &a, &value, &ext, err);
	if (rc != 0)
		return rc < 0 ? -1 : is_listed(value, q->login);
	rc = is_self(q, &a, err);
	return rc != 0 ? rc : is_alias(q, sender, err);
}

int
owns(const struct routes *r, struct str login, struct str sender,
     struct err *err)
{
	struct question q = { .r = r, .login = login };
	struct pool pool;
	int rc;

	if (sender.n == 0)
		return 1;
	if (login.n == 0)
		return 0;
	pool_init(&pool, POOL_MAX);
	q.pool = &pool;
	rc = decide(&q, sender, err);
	pool_fini(&pool);
	return rc;
}
