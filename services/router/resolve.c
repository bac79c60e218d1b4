/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "hop.h"
#include "resolve.h"
#include "table/addresses.h"

/* An address on the way from a recipient to what it turns into. */
struct node {
	struct str address;  /* local@domain, never without a domain */
	struct node *parent; /* NULL: the recipient itself */
	size_t depth;
	bool mailbox; /* \user: no alias any more */
};

/* One recipient's expansion. */
struct walk {
	const struct routes *r;
	struct str sender;
	const struct msg_rcpt_in *in;
	struct resolved *out;
	struct node **v;
	size_t n, size;
	size_t expanded; /* of the n, those that stand for others now */
	struct map seen;
	bool at_rcpt;
};

void
resolved_init(struct resolved *out, struct pool *pool)
{
	*out = (struct resolved){ .pool = pool };
}

void
resolved_fini(struct resolved *out)
{
	map_fini(&out->seen);
	free(out->v);
	*out = (struct resolved){ .pool = out->pool };
}

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

static int
expansion_error(const struct walk *w, struct err *err, const char *what)
{
	log_warn("unreasonable alias expansion %s for %s: message not "
		 "accepted, try again later",
		 what, LOGQ(w->in->address));
	return err_set(err, ERR_TEMP, ELOOP, "Alias expansion error");
}

/* --- results ------------------------------------------------------------- */

static int
put_result(struct resolved *out, const struct msg_rcpt *m, struct str key,
	   struct err *err)
{
	size_t size = out->size ? out->size * 2 : 4;
	struct msg_rcpt *v = out->v;

	if (!key.p)
		return no_memory(err);
	if (map_get(&out->seen, key)) {
		out->merged++;
		return 0;
	}
	if (out->n == out->size) {
		v = reallocarray(out->v, size, sizeof(*v));
		if (!v)
			return no_memory(err);
		out->v = v;
		out->size = size;
	}
	if (map_put(&out->seen, key, out->pool) < 0)
		return no_memory(err);
	v[out->n++] = *m;
	return 0;
}

/* RFC 3461 5.2: an alias's results inherit ORCPT and NOTIFY. */
static struct msg_rcpt
result_of(const struct walk *w, const struct node *n, enum rcpt_type type)
{
	return (struct msg_rcpt){
		.type = (uint8_t)type,
		.address = n->address,
		.original = w->in->address,
		.orcpt = w->in->orcpt,
		.notify = w->in->notify,
	};
}

/* where is copied. Two ways to one mailbox are one delivery. */
static int
put_mailbox(const struct walk *w, const struct node *n, enum rcpt_type type,
	    struct str where, struct err *err)
{
	struct msg_rcpt m = result_of(w, n, type);

	m.where = pool_str(w->out->pool, where);
	if (!m.where.p)
		return no_memory(err);
	return put_result(
		w->out, &m,
		pool_strf(w->out->pool, "%d %.*s", type, STR_FMT(where)), err);
}

/* Its next hop takes it under the very address: two ways to one address are
 * one delivery. */
static int
put_remote(const struct walk *w, const struct node *n, const struct hop *h,
	   struct err *err)
{
	struct msg_rcpt m = result_of(w, n, RCPT_REMOTE);

	if (str_ends(m.address, STR(".")))
		m.address.n--;
	m.transport = pool_str(w->out->pool, h->transport);
	m.where = pool_str(w->out->pool, h->nexthop);
	if (!m.transport.p || !m.where.p)
		return no_memory(err);
	return put_result(w->out, &m,
			  pool_strf(w->out->pool, "r %.*s", STR_FMT(m.address)),
			  err);
}

/* Each failed address is reported to who named it. */
static int
put_error(const struct walk *w, const struct node *n, struct str dsn,
	  struct str text, struct err *err)
{
	struct msg_rcpt m = result_of(w, n, RCPT_ERROR);

	m.dsn = dsn;
	m.text = text;
	return put_result(w->out, &m,
			  pool_strf(w->out->pool, "e %.*s %.*s",
				    STR_FMT(n->address),
				    STR_FMT(w->in->address)),
			  err);
}

/* What leaves this house, or ends here, by a transport. */
static int
put_hop(const struct walk *w, const struct node *n, const struct hop *h,
	struct err *err)
{
	struct msg_rcpt m = result_of(w, n, RCPT_DISCARD);

	if (h->kind == HOP_REMOTE)
		return put_remote(w, n, h, err);
	if (h->kind == HOP_ERROR)
		return put_error(w, n, h->dsn, h->text, err);
	return put_result(
		w->out, &m,
		pool_strf(w->out->pool, "d %.*s", STR_FMT(n->address)), err);
}

static int
put_unknown(const struct walk *w, const struct node *n, const char *table,
	    struct str user, struct err *err)
{
	if (table)
		return put_error(w, n, STR("5.1.1"), str_of(table), err);
	return put_error(w, n, STR("5.1.1"),
			 pool_strf(w->out->pool, "unknown user: \"%.*s\"",
				   STR_FMT(str_head(user, 100))),
			 err);
}

/* --- expansion ----------------------------------------------------------- */

static int
push(struct walk *w, struct str address, struct node *parent, bool mailbox,
     struct err *err)
{
	struct node *n = pool_alloc(w->out->pool, sizeof(*n));
	size_t size = w->size ? w->size * 2 : 4;
	struct node **v = w->v;

	if (!n || !address.p)
		return no_memory(err);
	*n = (struct node){ address, parent, parent ? parent->depth + 1 : 0,
			    mailbox };
	if (n->depth > w->r->recursion_limit)
		return expansion_error(w, err, "nesting");
	if (w->n + 1 - w->expanded > w->r->expansion_limit ||
	    w->n >= 10 * w->r->expansion_limit)
		return expansion_error(w, err, "size");
	if (w->n == w->size) {
		v = reallocarray(w->v, size, sizeof(struct node *));
		if (!v)
			return no_memory(err);
		w->v = v;
		w->size = size;
	}
	v[w->n++] = n;
	return 0;
}

static void
add_local(struct buf *out, struct str local)
{
	size_t i;

	if (parts_is_atom(local)) {
		(void)!buf_add_str(out, local);
		return;
	}
	(void)!buf_add_byte(out, '"');
	for (i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			(void)!buf_add_byte(out, '\\');
		(void)!buf_add_byte(out, local.p[i]);
	}
	(void)!buf_add_byte(out, '"');
}

/* A result in full: "user" gets myorigin, "@domain" the local part that was
 * asked for, and an extension that no key had goes on. */
static int
complete(const struct walk *w, struct str item, const struct parts *from,
	 struct str ext, struct str *address, struct err *err)
{
	ptrdiff_t at = str_rfind(item, '@');
	struct buf b;

	buf_init(&b, ADDRESS_MAX);
	if (at == 0) {
		(void)!buf_add_str(&b, from->local);
	} else if (at < 0) {
		add_local(&b, item);
		(void)!buf_add_str(&b, ext);
		(void)!buf_add_byte(&b, '@');
		(void)!buf_add_str(&b, w->r->myorigin);
	} else {
		(void)!buf_add_str(&b, str_head(item, (size_t)at));
		(void)!buf_add_str(&b, ext);
	}
	if (at >= 0)
		(void)!buf_add_str(&b, str_from(item, (size_t)at));
	*address = pool_str(w->out->pool, buf_str(&b));
	at = buf_overflown(&b) ? -1 : 0;
	buf_fini(&b);
	if (at < 0)
		return expansion_error(w, err, "address length");
	return address->p ? 0 : no_memory(err);
}

static int
put_unavailable(const struct walk *w, const struct node *n, enum dest_kind kind,
		struct err *err)
{
	const char *text =
		kind == DEST_COMMAND ? "delivery to commands is not available "
				       "yet"
		: kind == DEST_FILE  ? "delivery to files is not available yet"
				     : ":include: lists are not available yet";

	if (!w->at_rcpt)
		log_warn("alias %s: %s", LOGQ(n->address), text);
	return put_error(w, n, STR("5.3.2"), str_of(text), err);
}

/* value holds what n stands for. */
static int
expand(struct walk *w, struct node *n, const struct parts *a, struct str value,
       struct str ext, struct err *err)
{
	struct str rest = pool_str(w->out->pool, value), address;
	enum dest_kind kind;
	struct buf item;
	bool some = false;
	int rc = rest.p ? 0 : no_memory(err);

	w->expanded++;
	buf_init(&item, ADDRESS_MAX);
	while (rc == 0 && addresses_next(&rest, &item, &kind)) {
		some = true;
		if (kind == DEST_BAD) {
			rc = expansion_error(w, err, "value");
		} else if (kind == DEST_ADDRESS || kind == DEST_MAILBOX) {
			rc = complete(w, buf_str(&item), a, ext, &address, err);
			if (rc == 0)
				rc = push(w, address, n, kind == DEST_MAILBOX,
					  err);
		} else {
			rc = put_unavailable(w, n, kind, err);
		}
	}
	buf_fini(&item);
	if (rc == 0 && !some)
		rc = expansion_error(w, err, "value");
	return rc;
}

/* Was this address expanded on the way to itself?  Then it is what it is: an
 * alias may keep a copy by naming itself, and a loop ends where it closes. */
static bool
closes_loop(const struct node *n)
{
	const struct node *up;

	for (up = n->parent; up; up = up->parent)
		if (str_ieq(up->address, n->address))
			return true;
	return false;
}

/* 1: another branch has led here before; 0: new. */
static int
seen_before(struct walk *w, const struct node *n, struct err *err)
{
	struct str key = pool_str(w->out->pool, n->address);
	char *p = (char *)(uintptr_t)key.p; /* just allocated */
	size_t i;

	if (!p)
		return no_memory(err);
	for (i = 0; i < key.n; i++)
		p[i] = ascii_lower(p[i]);
	if (map_get(&w->seen, key))
		return 1;
	return map_put(&w->seen, key, w) < 0 ? no_memory(err) : 0;
}

/* --- what an address is in its class ------------------------------------- */

/* The uid of a line of the password file; false: no number there. */
static bool
uid_of(struct str line, uint64_t *uid)
{
	struct str name, word, number;

	return str_cut(&line, ':', &name) && str_cut(&line, ':', &word) &&
	       str_cut(&line, ':', &number) &&
	       str_u64(number, UINT32_MAX, uid) == 0;
}

static int
settle_user(struct walk *w, const struct node *n, const struct parts *a,
	    struct err *err)
{
	char user[ADDRESS_MAX + 1];
	struct str value, name;
	struct table *users;
	struct hop hop;
	uint64_t uid;
	size_t i;
	int rc, by;

	if (table_set_get(w->r->set, STR("unix:passwd.byname"), &users, err) <
	    0)
		return -1;
	rc = table_get(users, a->user, &value, err);
	if (rc < 0)
		return -1;
	by = hop_of_user(w->r, a, rc > 0, w->out->pool, &hop, err);
	if (by != 0)
		return by < 0 ? -1 : put_hop(w, n, &hop, err);
	if (rc == 0)
		return put_unknown(w, n,
				   n->parent || w->r->local_rcpt.n == 0
					   ? NULL
					   : "User unknown in local recipient "
					     "table",
				   a->user, err);
	if (!uid_of(value, &uid) || uid < w->r->uid_min || uid > w->r->uid_max)
		return put_error(w, n, STR("5.1.1"),
				 STR("mail for a system account needs an "
				     "alias"),
				 err);
	for (i = 0; i < a->user.n && i < sizeof(user); i++)
		user[i] = ascii_lower(a->user.p[i]);
	name = str_mem(user, i);
	return put_mailbox(w, n, RCPT_LOCAL, name, err);
}

static int
settle_local(struct walk *w, struct node *n, const struct parts *a, bool final,
	     struct err *err)
{
	struct str value = STR_NULL, ext;
	int rc = 1;

	if (w->at_rcpt && !n->parent && w->r->local_rcpt.n) {
		rc = parts_find(w->r, &w->r->local_rcpt, a, &value, &ext, err);
		if (rc == 0)
			return put_unknown(w, n,
					   "User unknown in local recipient "
					   "table",
					   a->user, err);
	}
	if (rc > 0 && (rc = 0, !final)) {
		rc = table_list_get(&w->r->alias, a->name, &value, err);
		if (rc == 0 && a->user.n < a->name.n)
			rc = table_list_get(&w->r->alias, a->user, &value, err);
	}
	if (rc < 0)
		return -1;
	if (rc > 0)
		return expand(w, n, a, value, STR_NULL, err);
	return settle_user(w, n, a, err);
}

/* A path below virtual_mailbox_base: deliver walks it component by component
 * and takes nothing else; better said here. */
static bool
is_path(struct str s)
{
	struct str part;

	if (s.n == 0 || s.n > WHERE_MAX || str_find(s, '\0') >= 0)
		return false;
	if (s.p[s.n - 1] == '/')
		s.n--;
	for (;;) {
		bool more = str_cut(&s, '/', &part);

		if (!more)
			part = s;
		if (part.n == 0 || part.n > 255 || str_eq(part, STR(".")) ||
		    str_eq(part, STR("..")))
			return false;
		if (!more)
			return true;
	}
}

static int
settle_mailbox(struct walk *w, const struct node *n, const struct parts *a,
	       struct err *err)
{
	struct str path, ext;
	int rc = parts_find(w->r, &w->r->virtual_mailbox, a, &path, &ext, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return put_unknown(w, n,
				   "User unknown in virtual mailbox table",
				   a->user, err);
	path = str_trim(path);
	while (path.n && path.p[0] == '/')
		path = str_from(path, 1);
	if (is_path(path))
		return put_mailbox(w, n, RCPT_VIRTUAL, path, err);
	log_warn("virtual_mailbox_maps: %s: bad mailbox path \"%s\"",
		 LOGQ(a->whole), LOGQ(path));
	return err_set(err, ERR_TEMP, EINVAL, "bad mailbox path");
}

/* A domain whose addresses are known here is asked for those that do not
 * exist, whoever delivers: 1: it may exist. */
static int
may_exist(const struct walk *w, const struct parts *a, const char **table,
	  struct err *err)
{
	const struct table_list *maps = NULL;
	struct str value, ext;

	if (a->class == CLASS_MAILBOX) {
		maps = &w->r->virtual_mailbox;
		*table = "User unknown in virtual mailbox table";
	} else if (a->class == CLASS_RELAY && w->at_rcpt) {
		maps = &w->r->relay_rcpt;
		*table = "User unknown in relay recipient table";
	} else if (a->class == CLASS_LOCAL && w->at_rcpt) {
		maps = &w->r->local_rcpt;
		*table = "User unknown in local recipient table";
	}
	return !maps || maps->n == 0
		       ? 1
		       : parts_find(w->r, maps, a, &value, &ext, err);
}

/* Neither an alias nor the way to one. */
static int
settle_hop(struct walk *w, struct node *n, const struct parts *a, bool final,
	   struct err *err)
{
	const char *table;
	struct hop hop;
	int rc;

	if (hop_find(w->r, w->sender, a, w->out->pool, &hop, err) < 0)
		return -1;
	if (hop.kind == HOP_LOCAL)
		return settle_local(w, n, a, final, err);
	if (hop.kind == HOP_VIRTUAL)
		return settle_mailbox(w, n, a, err);
	if (hop.kind == HOP_REMOTE && !n->parent) {
		rc = may_exist(w, a, &table, err);
		if (rc <= 0)
			return rc < 0 ? -1
				      : put_unknown(w, n, table, a->user, err);
	}
	return put_hop(w, n, &hop, err);
}

static int
settle(struct walk *w, struct node *n, struct err *err)
{
	bool final = n->mailbox || closes_loop(n);
	struct str value, ext;
	struct parts a;
	int rc;

	if (!final) {
		rc = seen_before(w, n, err);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
	if (parts_split(w->r, n->address, w->out->pool, &a, err) < 0)
		return -1;
	if (a.local.n == 0 || a.domain.n == 0)
		return put_error(w, n, STR("5.1.3"),
				 STR("bad destination mailbox address"), err);
	if (!final) {
		rc = parts_find(w->r, &w->r->virtual_alias, &a, &value, &ext,
				err);
		if (rc < 0)
			return -1;
		if (rc > 0)
			return expand(w, n, &a, value, ext, err);
	}
	if (a.class == CLASS_ALIAS)
		return put_unknown(w, n, "User unknown in virtual alias table",
				   a.user, err);
	return n->mailbox ? settle_local(w, n, &a, true, err)
			  : settle_hop(w, n, &a, final, err);
}

int
resolve(const struct routes *r, struct str sender, const struct msg_rcpt_in *in,
	bool at_rcpt, struct resolved *out, struct err *err)
{
	struct walk w = {
		.r = r,
		.sender = sender,
		.in = in,
		.out = out,
		.at_rcpt = at_rcpt,
	};
	struct str address = in->address;
	size_t i;
	int rc;

	/* RFC 5321 4.5.1: "postmaster" alone is ours. */
	if (str_rfind(address, '@') < 0)
		address = pool_strf(out->pool, "%.*s@%.*s", STR_FMT(address),
				    STR_FMT(r->myorigin));
	if (address.n > ADDRESS_MAX)
		return put_error(&w, &(struct node){ .address = in->address },
				 STR("5.1.3"), STR("address too long"), err);
	rc = push(&w, address, NULL, false, err);
	for (i = 0; rc == 0 && i < w.n; i++)
		rc = settle(&w, w.v[i], err);
	map_fini(&w.seen);
	free(w.v);
	return rc;
}
