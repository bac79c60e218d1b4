/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/memfs.h"

enum { NAME_BUCKETS = 8192 };

struct name {
	struct name *next;
	char text[];
};

/* All there ever were, once. */
static struct name *names[NAME_BUCKETS];

void *
memfs_must(void *p)
{
	if (!p)
		BUG("out of memory");
	return p;
}

/* The one copy of a name, so that names are compared by their addresses. */
static const char *
intern(const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	const char *c;
	struct name *n;

	for (c = name; *c; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	h %= NAME_BUCKETS;
	for (n = names[h]; n; n = n->next)
		if (strcmp(n->text, name) == 0)
			return n->text;
	n = memfs_must(malloc(sizeof(*n) + (size_t)(c - name) + 1));
	memcpy(n->text, name, (size_t)(c - name) + 1);
	n->next = names[h];
	names[h] = n;
	return n->text;
}

static uint32_t
node_new(struct memfs *fs, uint32_t id, bool dir)
{
	while (fs->n <= id) {
		if (fs->n == fs->size) {
			fs->size = fs->size ? fs->size * 2 : 512;
			fs->v = memfs_must(
				reallocarray(fs->v, fs->size, sizeof(*fs->v)));
		}
		fs->v[fs->n++] = (struct memfs_node){ 0 };
	}
	fs->v[id].dir = dir;
	return id;
}

void
memfs_init(struct memfs *fs)
{
	*fs = (struct memfs){ 0 };
	node_new(fs, 0, true);
	fs->v[0].nlink = 1;
}

void
memfs_fini(struct memfs *fs)
{
	uint32_t i;

	for (i = 0; i < fs->n; i++) {
		free(fs->v[i].v);
		free(fs->v[i].data);
	}
	free(fs->v);
	*fs = (struct memfs){ 0 };
}

void
memfs_copy(struct memfs *to, const struct memfs *from)
{
	uint32_t i;

	*to = (struct memfs){ .n = from->n, .size = from->n };
	to->v = memfs_must(calloc(from->n + 1u, sizeof(*to->v)));
	for (i = 0; i < from->n; i++) {
		struct memfs_node *t = &to->v[i];
		const struct memfs_node *f = &from->v[i];

		*t = *f;
		if (f->v) {
			t->size = f->n;
			t->v = memfs_must(calloc(f->n + 1u, sizeof(*t->v)));
		}
		if (f->n && f->v && t->v)
			memcpy(t->v, f->v, f->n * sizeof(*t->v));
		t->room = f->len;
		t->data = NULL;
		if (f->len)
			t->data = memcpy(memfs_must(malloc(f->len)), f->data,
					 f->len);
	}
}

struct memfs_entry *
memfs_lookup(const struct memfs *fs, uint32_t dir, const char *name)
{
	const struct memfs_node *d = &fs->v[dir];
	uint32_t i;

	name = intern(name);

	for (i = 0; i < d->n; i++)
		if (d->v[i].name == name)
			return &d->v[i];
	return NULL;
}

static void
enter_name(struct memfs *fs, uint32_t dir, const char *name, uint32_t node,
	   uint64_t when)
{
	struct memfs_node *d = &fs->v[dir];

	if (d->n == d->size) {
		d->size = d->size ? d->size * 2 : 8;
		d->v = memfs_must(reallocarray(d->v, d->size, sizeof(*d->v)));
	}
	d->v[d->n++] = (struct memfs_entry){ intern(name), node };
	d->changed = when;
	fs->v[node].nlink++;
}

static void
drop_name(struct memfs *fs, uint32_t dir, struct memfs_entry *e, uint64_t when)
{
	struct memfs_node *d = &fs->v[dir];

	fs->v[e->node].nlink--;
	*e = d->v[--d->n];
	d->changed = when;
}

static void
set_len(struct memfs_node *f, size_t len)
{
	if (len > f->room) {
		f->room = len * 2;
		f->data = memfs_must(realloc(f->data, f->room));
	}
	if (len > f->len)
		memset(f->data + f->len, 0, len - f->len);
	f->len = len;
}

bool
memfs_is_dir(const struct memfs *fs, uint32_t node)
{
	return node < fs->n && fs->v[node].dir && fs->v[node].nlink;
}

void
memfs_apply(struct memfs *fs, const struct memfs_op *op)
{
	struct memfs_entry *e, *old;

	switch (op->kind) {
	case MEMFS_CREATE:
	case MEMFS_MKDIR:
		node_new(fs, op->node, op->kind == MEMFS_MKDIR);
		if (memfs_is_dir(fs, op->dir) &&
		    !memfs_lookup(fs, op->dir, op->name))
			enter_name(fs, op->dir, op->name, op->node, op->when);
		break;
	case MEMFS_WRITE:
		node_new(fs, op->node, false);
		if (fs->v[op->node].len < op->at + op->data.n)
			set_len(&fs->v[op->node], op->at + op->data.n);
		if (op->data.n && fs->v[op->node].data)
			memcpy(fs->v[op->node].data + op->at, op->data.p,
			       op->data.n);
		break;
	case MEMFS_TRUNC:
		node_new(fs, op->node, false);
		set_len(&fs->v[op->node], op->at);
		break;
	case MEMFS_UNLINK:
		e = memfs_is_dir(fs, op->dir)
			    ? memfs_lookup(fs, op->dir, op->name)
			    : NULL;
		if (e && e->node == op->node)
			drop_name(fs, op->dir, e, op->when);
		break;
	case MEMFS_RENAME:
		e = memfs_is_dir(fs, op->dir)
			    ? memfs_lookup(fs, op->dir, op->name)
			    : NULL;
		if (!e || e->node != op->node || !memfs_is_dir(fs, op->to_dir))
			break;
		drop_name(fs, op->dir, e, op->when);
		old = memfs_lookup(fs, op->to_dir, op->to_name);
		if (old)
			drop_name(fs, op->to_dir, old, op->when);
		enter_name(fs, op->to_dir, op->to_name, op->node, op->when);
		break;
	case MEMFS_LINK:
		if (memfs_is_dir(fs, op->to_dir) && op->node < fs->n &&
		    !memfs_lookup(fs, op->to_dir, op->to_name))
			enter_name(fs, op->to_dir, op->to_name, op->node,
				   op->when);
		break;
	case MEMFS_SYNC:
	case MEMFS_SYNCFS:
	case MEMFS_NOTE:
		break;
	}
}
