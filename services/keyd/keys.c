/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"
#include "keys.h"

enum { DAY = 24 * 3600 };

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

/* --- material, entries, sets --------------------------------------------- */

static void
material_unref(struct key_material *m)
{
	if (!m || --m->refs)
		return;
	cert_file_free(&m->certs);
	free(m);
}

static struct key_material *
material_ref(struct key_material *m)
{
	if (m)
		m->refs++;
	return m;
}

static void
entry_free(struct key_entry *e)
{
	list_remove(&e->link);
	material_unref(e->good);
	free(e->names);
	free(e->path);
	free(e->key_path);
	free(e->label);
	free(e);
}

static void
entries_free(struct list *entries)
{
	while (!list_empty(entries))
		entry_free(LIST_OF(entries->next, struct key_entry, link));
}

static void
set_free(struct key_set *s)
{
	size_t i;

	if (!s)
		return;
	list_remove(&s->link);
	for (i = 0; i < s->n; i++) {
		material_unref(s->v[i].material);
		free(s->v[i].names);
	}
	free(s);
}

static struct key_set *
set_new(struct keys *k)
{
	struct key_set *s = calloc(1, sizeof(*s));

	if (s) {
		list_init(&s->link);
		s->id = k->next_id++;
	}
	return s;
}

int
keys_init(struct keys *k, struct err *err)
{
	size_t i;

	/* Numbers of an earlier keyd are nobody's here. */
	*k = (struct keys){ .next_id = (uint32_t)rand_u64() };
	list_init(&k->entries);
	for (i = 0; i < KEYS_GROUPS; i++) {
		list_init(&k->old[i]);
		k->set[i] = set_new(k);
		if (!k->set[i])
			return no_memory(err);
	}
	return 0;
}

void
keys_fini(struct keys *k)
{
	size_t i;

	entries_free(&k->entries);
	for (i = 0; i < KEYS_GROUPS; i++) {
		set_free(k->set[i]);
		while (!list_empty(&k->old[i]))
			set_free(LIST_OF(k->old[i].next, struct key_set, link));
	}
}

/* --- reading a file ------------------------------------------------------ */

/* By a server, under our name. */
static bool
is_served(const struct key_entry *e)
{
	return e->groups & ~KEY_GROUP_OUT;
}

static void
log_new(const struct key_entry *e)
{
	const struct cert_file *f = &e->good->certs;
	char date[CERT_DATE];
	size_t i;

	for (i = 0; i < f->n; i++) {
		const struct cert_chain *c = &f->v[i];

		log_info("tls: %s: new certificate for %s, until %s, %s",
			 e->label, LOGQ(c->names),
			 cert_date(c->not_after, date), c->kind);
		if (c->warning.n)
			log_warn("tls: %s: %s", e->label, LOGQ(c->warning));
		if (is_served(e) && c->server_warning.n)
			log_warn("tls: %s: %s", e->label,
				 LOGQ(c->server_warning));
	}
}

static void
warn_hostname(const struct keys *k, const struct key_entry *e)
{
	const struct cert_file *f = &e->good->certs;
	struct str name = str_of(k->myhostname);
	size_t i;

	/* By SNI it has another name. */
	if (!name.n || e->names[0] || !is_served(e))
		return;
	for (i = 0; i < f->n; i++)
		if (!cert_covers(&f->v[i], name))
			log_warn("tls: %s: no name of the certificate covers "
				 "myhostname (%s)",
				 e->label, k->myhostname);
}

/* Say it once, not at each edition of the table. */
static void
complain(struct key_entry *e, const char *why)
{
	const char *then =
		e->good ? "the certificate of before stays in use" : "not used";
	char text[sizeof(e->complaint)];

	(void)snprintf(text, sizeof(text), "%s; %s", why, then);
	if (strcmp(text, e->complaint) == 0)
		return;
	(void)snprintf(e->complaint, sizeof(e->complaint), "%s", text);
	log_error("tls: %s: %s", e->label, LOGQ(str_of(text)));
}

static struct key_entry *
entry_find(struct list *entries, const struct key_entry *like)
{
	struct list *it;

	list_for_each (it, entries) {
		struct key_entry *e = LIST_OF(it, struct key_entry, link);

		if (strcmp(e->path, like->path) == 0 &&
		    strcmp(e->key_path, like->key_path) == 0)
			return e;
	}
	return NULL;
}

/* What this file says now, if it can be used: 0, and e->good is that; else -1
 * and e->good is what it was. */
static int
entry_read(struct keys *k, struct key_entry *e, const struct key_file *file,
	   int64_t now, struct err *err)
{
	struct key_material *m;

	if (file->error.n)
		return err_set(err, ERR_PERM, EIO, "%.*s",
			       STR_FMT(file->error));
	m = calloc(1, sizeof(*m));
	if (!m)
		return no_memory(err);
	m->refs = 1;
	if (cert_file_load(&m->certs, file->bytes,
			   file->key_path.n ? &file->key_bytes : NULL, now,
			   err) < 0) {
		material_unref(m);
		return -1;
	}
	if (e->good && cert_file_same(&e->good->certs, &m->certs)) {
		material_unref(m);
		if (e->complaint[0])
			log_info("tls: %s: in order again", e->label);
	} else {
		material_unref(e->good);
		e->good = m;
		log_new(e);
		warn_hostname(k, e);
	}
	e->complaint[0] = '\0';
	return 0;
}

static char *
copy(struct str s)
{
	return strndup(s.p ? s.p : "", s.n);
}

static char *
label_of(const struct key_entry *e)
{
	char *label;

	if (!*e->key_path || strcmp(e->path, e->key_path) == 0)
		return strdup(e->path);
	return asprintf(&label, "%s (key %s)", e->path, e->key_path) < 0
		       ? NULL
		       : label;
}

static struct key_entry *
entry_new(const struct key_file *file)
{
	struct key_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	list_init(&e->link);
	e->groups = file->groups;
	e->names = copy(file->names);
	e->path = copy(file->path);
	e->key_path = copy(file->key_path);
	if (e->path && e->key_path)
		e->label = label_of(e);
	if (e->names && e->label)
		return e;
	entry_free(e);
	return NULL;
}

static int
add_entry(struct keys *k, struct list *fresh, const struct key_file *file,
	  int64_t now, struct err *err)
{
	struct key_entry *e = entry_new(file), *was, *twin;

	if (!e)
		return no_memory(err);
	/* The same file under other names was read and logged already. */
	twin = entry_find(fresh, e);
	was = twin ? twin : entry_find(&k->entries, e);
	if (was) {
		e->good = material_ref(was->good);
		memcpy(e->complaint, was->complaint, sizeof(e->complaint));
	}
	list_append(fresh, &e->link);
	if (twin)
		return 0;
	if (entry_read(k, e, file, now, err) < 0) {
		if (err->code == ENOMEM)
			return -1;
		k->not_yet |= err->class == ERR_TEMP;
		complain(e, err->text);
	}
	return 0;
}

static int
read_table(struct keys *k, struct list *fresh, struct str table, int64_t now,
	   struct err *err)
{
	struct key_file file;
	size_t n = 0;

	while (table.n) {
		if (++n > KEY_FILES_MAX ||
		    !msg_list_next(&table, &key_file_def, &file))
			return err_set(err, ERR_PERM, EPROTO,
				       "the table of keys is damaged");
		if (add_entry(k, fresh, &file, now, err) < 0)
			return -1;
	}
	return 0;
}

/* --- sets ---------------------------------------------------------------- */

static int
set_add(struct key_set *s, const struct key_entry *e, struct err *err)
{
	const struct cert_file *f = &e->good->certs;
	size_t i;

	for (i = 0; i < f->n; i++) {
		struct key_ref *r = &s->v[s->n];

		if (s->n == KEY_SET_MAX) {
			log_error("tls: more than %d keys; %s is not used",
				  KEY_SET_MAX, e->label);
			return 0;
		}
		r->names = strdup(e->names);
		if (!r->names)
			return no_memory(err);
		r->material = material_ref(e->good);
		r->chain = &f->v[i];
		s->n++;
	}
	return 0;
}

static bool
set_same(const struct key_set *a, const struct key_set *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (a->v[i].chain != b->v[i].chain ||
		    strcmp(a->v[i].names, b->v[i].names) != 0)
			return false;
	return true;
}

static struct key_set *
set_of(struct keys *k, const struct list *entries, unsigned group,
       struct err *err)
{
	struct key_set *s = set_new(k);
	struct list *it;

	if (!s) {
		(void)no_memory(err);
		return NULL;
	}
	list_for_each (it, entries) {
		struct key_entry *e = LIST_OF(it, struct key_entry, link);

		if (e->good && e->groups & 1u << group &&
		    set_add(s, e, err) < 0) {
			set_free(s);
			return NULL;
		}
	}
	return s;
}

int
keys_take(struct keys *k, struct str table, int64_t now, uint64_t mono_ms,
	  struct err *err)
{
	struct key_set *sets[KEYS_GROUPS] = { NULL };
	struct list fresh;
	int changed = 0;
	size_t i;

	list_init(&fresh);
	k->not_yet = false;
	if (read_table(k, &fresh, table, now, err) < 0)
		goto fail;
	for (i = 0; i < KEYS_GROUPS; i++) {
		sets[i] = set_of(k, &fresh, (unsigned)i, err);
		if (!sets[i])
			goto fail;
	}
	for (i = 0; i < KEYS_GROUPS; i++) {
		if (set_same(k->set[i], sets[i])) {
			set_free(sets[i]);
			continue;
		}
		k->set[i]->retired_ms = mono_ms;
		list_append(&k->old[i], &k->set[i]->link);
		k->set[i] = sets[i];
		changed |= 1 << i;
	}
	entries_free(&k->entries);
	while (!list_empty(&fresh)) {
		struct list *l = fresh.next;

		list_remove(l);
		list_append(&k->entries, l);
	}
	return changed;
fail:
	for (i = 0; i < KEYS_GROUPS; i++)
		set_free(sets[i]);
	entries_free(&fresh);
	return -1;
}

EVP_PKEY *
keys_find(const struct keys *k, size_t group, uint32_t set, uint16_t key)
{
	const struct key_set *s = k->set[group];
	struct list *it;

	if (s->id != set) {
		list_for_each (it, &k->old[group]) {
			s = LIST_OF(it, struct key_set, link);
			if (s->id == set)
				break;
		}
		if (it == &k->old[group])
			return NULL;
	}
	return key < s->n ? s->v[key].chain->key : NULL;
}

void
keys_drop_old(struct keys *k, uint64_t mono_ms)
{
	struct list *it, *next;
	size_t i;

	for (i = 0; i < KEYS_GROUPS; i++)
		for (it = k->old[i].next; it != &k->old[i]; it = next) {
			struct key_set *s = LIST_OF(it, struct key_set, link);

			next = it->next;
			if (mono_ms - s->retired_ms >= KEYS_OLD_MS)
				set_free(s);
		}
}

/* --- expiry -------------------------------------------------------------- */

/* A number that grows when it is time to say it again; 0: time enough. */
static unsigned
urgency(int64_t left)
{
	if (left < 0)
		return 4 + (unsigned)(-left / DAY);
	return left <= DAY ? 3 : left <= 7 * DAY ? 2 : left <= 21 * DAY;
}

void
keys_warn_expiry(struct keys *k, int64_t now)
{
	struct list *it;

	list_for_each (it, &k->entries) {
		struct key_entry *e = LIST_OF(it, struct key_entry, link);
		int64_t ends = INT64_MAX;
		char date[CERT_DATE];
		unsigned u;
		size_t i;

		for (i = 0; e->good && i < e->good->certs.n; i++)
			if (e->good->certs.v[i].not_after < ends)
				ends = e->good->certs.v[i].not_after;
		u = urgency(ends - now);
		if (!e->good || u <= e->good->said)
			continue;
		e->good->said = u;
		log_warn("tls: %s: the certificate %s on %s; renew it",
			 e->label, ends < now ? "expired" : "expires",
			 cert_date(ends, date));
	}
}
