/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "powercut.h"

enum { SUBSETS = 20, SECTOR = 512, ALL_SUBSETS_UP_TO = 4 };

struct cutter {
	struct memfs base; /* all operations before base_at are done */
	size_t base_at;
	size_t *pending; /* indices of operations, ascending */
	size_t npending, size;
	size_t cut;
	bool *keep; /* one a pending operation */
	bool count_only;
	uint64_t rng, seed, chance; /* of 2^32 */
	powercut_check *check;
	void *arg;
	struct powercut_result *result;
};

/* splitmix64 (Steele, Lea and Flood, 2014): repeatable. */
static uint64_t
next(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* --- what is pending ------------------------------------------------------ */

static bool
makes_durable(uint32_t synced, const struct memfs_op *op)
{
	switch (op->kind) {
	case MEMFS_WRITE:
	case MEMFS_TRUNC:
		return op->node == synced;
	case MEMFS_CREATE:
	case MEMFS_UNLINK:
		return op->node == synced || op->dir == synced;
	case MEMFS_MKDIR:
		return op->dir == synced;
	case MEMFS_RENAME:
	case MEMFS_LINK:
		return op->node == synced || op->to_dir == synced;
	default:
		return true;
	}
}

static void
advance(struct cutter *c)
{
	size_t i = c->cut++, j, n = 0;
	const struct memfs_op *op = fsx_mem_op(i);

	if (op->kind == MEMFS_NOTE)
		return;
	if (op->kind == MEMFS_SYNC || op->kind == MEMFS_SYNCFS) {
		for (j = 0; j < c->npending; j++)
			if (op->kind != MEMFS_SYNCFS &&
			    !makes_durable(op->node, fsx_mem_op(c->pending[j])))
				c->pending[n++] = c->pending[j];
		c->npending = n;
		return;
	}
	if (c->npending == c->size) {
		c->size = c->size ? c->size * 2 : 64;
		c->pending =
			reallocarray(c->pending, c->size, sizeof(*c->pending));
		c->keep = reallocarray(c->keep, c->size, sizeof(*c->keep));
		if (!c->pending || !c->keep)
			BUG("out of memory");
	}
	c->pending[c->npending++] = i;
}

/* What can no longer be lost goes into the base. */
static void
settle(struct cutter *c)
{
	size_t end = c->npending ? c->pending[0] : c->cut;
	uint32_t i;

	while (c->base_at < end)
		memfs_apply(&c->base, fsx_mem_op(c->base_at++));
	for (i = 0; i < c->base.n; i++) {
		struct memfs_node *n = &c->base.v[i];

		if (!n->dir && !n->nlink && n->data) {
			free(n->data);
			n->data = NULL;
			n->len = n->room = 0;
		}
	}
}

/* --- images --------------------------------------------------------------- */

/* torn: so many bytes of the last operation, a write, have been done. */
static void
build(struct cutter *c, struct memfs *image, const size_t *torn)
{
	struct memfs_op part;
	size_t i, p = 0;

	memfs_copy(image, &c->base);
	for (i = c->base_at; i < c->cut; i++) {
		if (p < c->npending && c->pending[p] == i && !c->keep[p++])
			continue;
		part = *fsx_mem_op(i);
		if (torn && i == c->cut - 1)
			part.data.n = *torn;
		memfs_apply(image, &part);
	}
}

static void
image(struct cutter *c, const char *what, size_t which, const size_t *torn)
{
	struct memfs fs;
	char text[80];

	c->result->images++;
	if (c->count_only)
		return;
	if ((uint32_t)next(&c->seed) >= c->chance)
		return;
	c->result->checked++;
	snprintf(text, sizeof(text), "%s %zu of %zu", what, which, c->npending);
	build(c, &fs, torn);
	c->check(c->arg, &fs, c->cut, text);
	memfs_fini(&fs);
}

static void
keep_all(struct cutter *c, bool keep)
{
	size_t i;

	for (i = 0; i < c->npending; i++)
		c->keep[i] = keep;
}

static void
some_subsets(struct cutter *c)
{
	size_t i, j;

	keep_all(c, false);
	image(c, "all lost", 0, NULL);
	for (i = 0; i < c->npending; i++) {
		c->keep[i] = true;
		image(c, "alone done", i, NULL);
		c->keep[i] = false;
	}
	keep_all(c, true);
	image(c, "all done", 0, NULL);
	for (i = 0; i < c->npending; i++) {
		c->keep[i] = false;
		image(c, "alone lost", i, NULL);
		c->keep[i] = true;
	}
	for (j = 0; j < SUBSETS; j++) {
		for (i = 0; i < c->npending; i++)
			c->keep[i] = next(&c->rng) & 1;
		image(c, "subset", j, NULL);
	}
}

static void
every_subset(struct cutter *c)
{
	size_t i, j;

	for (j = 0; j < 1u << c->npending; j++) {
		for (i = 0; i < c->npending; i++)
			c->keep[i] = j >> i & 1;
		image(c, "subset", j, NULL);
	}
}

static void
torn_writes(struct cutter *c)
{
	const struct memfs_op *op = c->cut ? fsx_mem_op(c->cut - 1) : NULL;
	size_t n;

	if (!op || op->kind != MEMFS_WRITE || !c->npending ||
	    c->pending[c->npending - 1] != c->cut - 1)
		return;
	keep_all(c, true);
	for (n = SECTOR - op->at % SECTOR; n < op->data.n; n += SECTOR)
		image(c, "torn at", n, &n);
}

static void
each_cut(struct cutter *c)
{
	while (c->cut < fsx_mem_nops()) {
		advance(c);
		if (!c->count_only)
			settle(c);
		if (c->npending <= ALL_SUBSETS_UP_TO)
			every_subset(c);
		else
			some_subsets(c);
		torn_writes(c);
	}
	free(c->pending);
	free(c->keep);
}

void
powercut_run(const struct memfs *start, uint64_t seed, uint64_t sample,
	     powercut_check *check, void *arg, struct powercut_result *result)
{
	struct powercut_result count = { 0 };
	struct cutter counter = { .count_only = true, .result = &count };
	struct cutter c = { .check = check,
			    .arg = arg,
			    .result = result,
			    .seed = seed,
			    .rng = seed ^ 0x5bd1e995,
			    .chance = 1ull << 32 };

	*result = (struct powercut_result){ 0 };
	each_cut(&counter);
	if (sample && sample < count.images)
		c.chance = (sample << 32) / count.images;
	memfs_copy(&c.base, start);
	each_cut(&c);
	memfs_fini(&c.base);
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

uint64_t
powercut_seed(void)
{
	uint64_t seed = setting("POSTHOUSE_SEED", rand_u64() >> 16);

	printf("POSTHOUSE_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t
powercut_sample(uint64_t otherwise)
{
	return setting("POSTHOUSE_CRASH_SAMPLE", otherwise);
}
