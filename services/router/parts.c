/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "parts.h"

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

/* Where the extension begins, or s.n (Postfix's split_addr: some names are
 * never split, a name does not begin with its extension). */
static size_t
extension_at(const struct routes *r, struct str s)
{
	static const struct str whole[] = {
		{ "postmaster", 10 },
		{ "mailer-daemon", 13 },
		{ "double-bounce", 13 },
	};
	size_t i;

	for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (str_ieq(s, whole[i]))
			return s.n;
	for (i = 1; i < s.n; i++) {
		if (str_find(r->delimiters, s.p[i]) < 0)
			continue;
		if (s.p[i] == '-' && (str_istarts(s, STR("owner-")) ||
				      str_iends(s, STR("-request"))))
			return s.n;
		return i;
	}
	return s.n;
}

bool
parts_is_atom(struct str s)
{
	static const char specials[] = "()<>[]:;@\\,\" \t";
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!s.p[i] || strchr(specials, s.p[i]))
			return false;
	return s.n != 0;
}

static struct str
unquoted(struct str s, struct pool *pool)
{
	struct str copy;
	size_t i, o = 0;
	char *to;

	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return s;
	copy = pool_str(pool, str_mem(s.p + 1, s.n - 2));
	to = (char *)(uintptr_t)copy.p; /* just allocated */
	for (i = 0; to && i < copy.n; i++) {
		if (to[i] == '\\' && i + 1 < copy.n)
			i++;
		to[o++] = to[i];
	}
	return (struct str){ to, o };
}

static int
classify(const struct routes *r, struct str domain, struct err *err)
{
	const struct match_list *const lists[] = {
		[CLASS_LOCAL] = &r->mydestination,
		[CLASS_ALIAS] = &r->alias_domains,
		[CLASS_MAILBOX] = &r->mailbox_domains,
		[CLASS_RELAY] = &r->relay_domains,
	};
	int i, rc;

	for (i = 0; i < CLASS_REMOTE; i++) {
		rc = match_has(lists[i], domain, err);
		if (rc != 0)
			return rc < 0 ? -1 : i;
	}
	return CLASS_REMOTE;
}

static struct str
domain_of(struct str address)
{
	struct str domain =
		str_from(address, (size_t)str_rfind(address, '@') + 1);

	if (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain.n--;
	return domain;
}

int
parts_class(const struct routes *r, struct str address, struct err *err)
{
	return classify(r,
			str_rfind(address, '@') < 0 ? r->myorigin
						    : domain_of(address),
			err);
}

int
parts_split(const struct routes *r, struct str address, struct pool *pool,
	    struct parts *a, struct err *err)
{
	int class;

	a->domain = domain_of(address);
	a->local = str_head(address, (size_t)str_rfind(address, '@'));
	a->whole = str_head(address, a->local.n + 1 + a->domain.n);
	a->name = unquoted(a->local, pool);
	if (!a->name.p)
		return no_memory(err);
	if (a->name.n != a->local.n && parts_is_atom(a->name)) {
		/* Quoted without need: the same address (RFC 5321 4.1.2). */
		a->local = a->name;
		a->whole = pool_strf(pool, "%.*s@%.*s", STR_FMT(a->local),
				     STR_FMT(a->domain));
		if (!a->whole.p)
			return no_memory(err);
	}
	a->user = str_head(a->name, extension_at(r, a->name));
	a->bare = a->local;
	if (a->local.n && a->local.p[0] != '"')
		a->bare = a->user;
	a->ext = str_from(a->local, a->bare.n);
	class = classify(r, a->domain, err);
	if (class < 0)
		return -1;
	a->class = (enum addr_class) class;
	return 0;
}

int
parts_find(const struct routes *r, const struct table_list *maps,
	   const struct parts *a, struct str *value, struct str *ext,
	   struct err *err)
{
	char key[ADDRESS_MAX + 1];
	bool ours = a->class == CLASS_LOCAL || str_ieq(a->domain, r->myorigin);
	bool extended = a->bare.n < a->local.n;
	size_t n = a->bare.n + 1 + a->domain.n;
	int rc;

	*ext = STR_NULL;
	if (maps->n == 0)
		return 0;
	rc = table_list_get(maps, a->whole, value, err);
	if (rc == 0 && extended && n <= sizeof(key)) {
		memcpy(key, a->bare.p, a->bare.n);
		key[a->bare.n] = '@';
		memcpy(key + a->bare.n + 1, a->domain.p, a->domain.n);
		rc = table_list_get(maps, str_mem(key, n), value, err);
		if (rc > 0)
			*ext = a->ext;
	}
	if (rc == 0 && ours)
		rc = table_list_get(maps, a->local, value, err);
	if (rc == 0 && ours && extended) {
		rc = table_list_get(maps, a->bare, value, err);
		if (rc > 0)
			*ext = a->ext;
	}
	if (rc == 0)
		rc = table_list_get(maps, str_from(a->whole, a->local.n), value,
				    err);
	return rc;
}
