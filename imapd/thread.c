/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/rand.h"
#include "thread.h"

enum { NONE = -1, TEXTS_MAX = 1 << 28 };

void
imap_threader_init(struct imap_threader *t, enum imap_thread_how how)
{
	*t = (struct imap_threader){ .how = how };
	buf_init(&t->texts, TEXTS_MAX);
	/* Odd, for the table of ids: who makes them does not know it. */
	t->secret = rand_u64() | 1;
}

void
imap_threader_fini(struct imap_threader *t)
{
	free(t->messages);
	free(t->nodes);
	free(t->ids);
	free(t->tops);
	free(t->leaders);
	map_fini(&t->subjects);
	buf_fini(&t->texts);
	*t = (struct imap_threader){ 0 };
}

/* Room for one more of n; NULL: no memory, v stands. */
static void *
grow(void *v, size_t n, size_t *size, size_t each)
{
	size_t more = *size ? 2 * *size : 1024;
	void *p;

	if (n < *size)
		return v;
	p = realloc(v, more * each);
	if (p)
		*size = more;
	return p;
}

/* --- nodes -----------------------------------------------------------------
 */

int32_t
imap_threader_node(struct imap_threader *t, int32_t message)
{
	struct imap_thread_node *v =
		grow(t->nodes, t->nnodes, &t->nodes_size, sizeof(*v));

	if (!v || t->nnodes == INT32_MAX)
		return NONE;
	t->nodes = v;
	v[t->nnodes] = (struct imap_thread_node){
		.message = message, .parent = NONE, .child = NONE, .next = NONE
	};
	return (int32_t)t->nnodes++;
}

static struct imap_thread_id *
slot_of(const struct imap_threader *t, uint64_t id)
{
	size_t i = (size_t)(id * t->secret >> 32) & (t->ids_size - 1);

	while (t->ids[i].id && t->ids[i].id != id)
		i = (i + 1) & (t->ids_size - 1);
	return &t->ids[i];
}

static bool
ids_grow(struct imap_threader *t)
{
	struct imap_thread_id *old = t->ids;
	size_t n = t->ids_size, i;

	if (2 * t->nids < n)
		return true;
	t->ids_size = n ? 2 * n : 4096;
	t->ids = calloc(t->ids_size, sizeof(*t->ids));
	if (!t->ids) {
		t->ids = old;
		t->ids_size = n;
		return false;
	}
	for (i = 0; i < n; i++)
		if (old[i].id)
			*slot_of(t, old[i].id) = old[i];
	free(old);
	return true;
}

/* The node of this id, made if there is none; NONE: there are too many, or
 * (with *failed set) no memory. */
static int32_t
node_of(struct imap_threader *t, uint64_t id, bool *failed)
{
	struct imap_thread_id *slot;

	*failed = !ids_grow(t);
	if (*failed)
		return NONE;
	slot = slot_of(t, id);
	if (slot->id)
		return slot->node;
	if (t->dummies == THREAD_DUMMIES_MAX)
		return NONE;
	slot->node = imap_threader_node(t, NONE);
	*failed = slot->node == NONE;
	if (*failed)
		return NONE;
	slot->id = id;
	t->nids++;
	t->dummies++;
	return slot->node;
}

/* Is the node, which has no parent, above the other one, or the same? */
static bool
is_above(struct imap_threader *t, int32_t node, int32_t other)
{
	if (node == other)
		return true;
	if (!t->nodes[node].parental)
		return false;
	while (t->nodes[other].parent != NONE) {
		if (t->steps++ >= THREAD_STEPS_MAX)
			return true;
		other = t->nodes[other].parent;
	}
	return node == other;
}

static void
link_nodes(struct imap_threader *t, int32_t parent, int32_t child)
{
	/* REFERENCES 1 A: no loops */
	if (is_above(t, child, parent))
		return;
	t->nodes[child].parent = parent;
	t->nodes[parent].parental = true;
}

/* --- messages --------------------------------------------------------------
 */

/* REFERENCES 1: the message's own id, unless an earlier one has it. */
static int32_t
node_of_message(struct imap_threader *t, int32_t message, uint64_t id)
{
	bool failed;
	int32_t node = id ? node_of(t, id, &failed) : NONE;

	if (id && node == NONE && failed)
		return NONE;
	if (node == NONE || t->nodes[node].message != NONE)
		return imap_threader_node(t, message);
	t->nodes[node].message = message;
	t->dummies--;
	return node;
}

/* REFERENCES 1 A and B. */
static int
add_references(struct imap_threader *t, int32_t message,
	       const struct imap_keys *k)
{
	int32_t node, above = NONE, next;
	bool failed;
	size_t i;

	node = node_of_message(t, message, k->id);
	if (node == NONE)
		return -1;
	for (i = 0; i < k->refs; i++) {
		next = node_of(t, imap_keys_ref(k, i), &failed);
		if (failed)
			return -1;
		if (next == NONE)
			continue;
		if (above != NONE && t->nodes[next].parent == NONE)
			link_nodes(t, above, next);
		above = next;
	}
	/* What it says of itself counts more than what others said. */
	t->nodes[node].parent = NONE;
	if (above != NONE)
		link_nodes(t, above, node);
	return 0;
}

int
imap_threader_add(struct imap_threader *t, uint32_t number, int64_t sent,
		  const struct imap_keys *k)
{
	struct str base = str_head(k->field[KEYS_BASE], KEYS_SORT_MAX);
	struct imap_thread_message *v =
		grow(t->messages, t->n, &t->size, sizeof(*v));

	if (!v)
		return -1;
	t->messages = v;
	if (t->n == INT32_MAX)
		return -1;
	v[t->n++] = (struct imap_thread_message){
		.sent = sent,
		.number = number,
		.base_at = (uint32_t)t->texts.n,
		.base_n = (uint32_t)base.n,
		.is_reply = k->is_reply,
	};
	if (buf_add_str(&t->texts, base) < 0)
		return -1;
	if (t->how == THREAD_REFERENCES)
		return add_references(t, (int32_t)t->n - 1, k);
	return imap_threader_node(t, (int32_t)t->n - 1) == NONE ? -1 : 0;
}

struct str
imap_threader_base(const struct imap_threader *t, int32_t message)
{
	const struct imap_thread_message *m = &t->messages[message];

	return str_from(str_head(buf_str(&t->texts), m->base_at + m->base_n),
			m->base_at);
}

/* --- the result ------------------------------------------------------------
 */

/*
 * RFC 5256 4 thread: a node with one child goes on with it, several children
 * are threads of their own.
 */
void
imap_threader_put(const struct imap_threader *t, size_t i, struct buf *out)
{
	const struct imap_thread_node *v = t->nodes;
	const int32_t top = t->tops[i];
	int32_t x = top;

	buf_add_byte(out, '(');
	for (;;) {
		if (v[x].message != NONE) {
			buf_add_u64(out, t->messages[v[x].message].number);
			if (v[x].child != NONE)
				buf_add_byte(out, ' ');
		}
		if (v[x].child != NONE) {
			x = v[x].child;
			if (v[x].next != NONE)
				buf_add_byte(out, '(');
			continue;
		}
		/* Up, to where there is something beside. */
		while (x != top && v[x].next == NONE) {
			if (v[v[x].parent].child != x)
				buf_add_byte(out, ')');
			x = v[x].parent;
		}
		buf_add_byte(out, ')');
		if (x == top)
			return;
		x = v[x].next;
		buf_add_byte(out, '(');
	}
}
