/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Places lie in their parent, in order, and in the message. */
static void
check(const struct mime_part *p, uint64_t from, uint64_t to, unsigned depth)
{
	const struct mime_part *c;

	BUG_ON(depth > MIME_DEPTH_MAX + 1);
	BUG_ON(p->head_raw < from || p->head_raw_end < p->head_raw);
	BUG_ON(p->body_raw != p->head_raw_end || p->body_raw_end < p->body_raw);
	BUG_ON(p->body_raw_end > to);
	BUG_ON(p->head_size < p->head_raw_end - p->head_raw);
	BUG_ON(p->body_size < p->body_raw_end - p->body_raw);
	BUG_ON(p->body_size > 2 * (p->body_raw_end - p->body_raw));
	BUG_ON(p->multipart && p->message);
	BUG_ON(p->child && !p->multipart && !p->message);
	from = p->body_raw;
	for (c = p->child; c; c = c->next) {
		check(c, from, p->body_raw_end, depth + 1);
		from = c->body_raw_end;
	}
}

static struct mime_part *
parse(struct pool *pool, struct str in, size_t step)
{
	struct mime_parser p;
	struct mime_part *top;

	mime_init(&p, pool);
	for (; in.n; in = str_from(in, step))
		mime_feed(&p, str_head(in, step));
	top = mime_finish(&p);
	mime_fini(&p);
	return top;
}

static size_t
count(const struct mime_part *p)
{
	const struct mime_part *c;
	size_t n = 1;

	for (c = p->child; c; c = c->next)
		n += count(c);
	return n;
}

/* The same tree, to the last number. */
static void
same(const struct mime_part *a, const struct mime_part *b)
{
	const struct mime_part *c, *d;

	BUG_ON(a->head_raw != b->head_raw || a->body_raw != b->body_raw);
	BUG_ON(a->head_raw_end != b->head_raw_end);
	BUG_ON(a->body_raw_end != b->body_raw_end);
	BUG_ON(a->head_size != b->head_size || a->body_size != b->body_size);
	BUG_ON(a->body_lines != b->body_lines);
	BUG_ON(!str_eq(a->type, b->type) || !str_eq(a->subtype, b->subtype));
	BUG_ON(!str_eq(a->encoding, b->encoding) || !str_eq(a->id, b->id));
	for (c = a->child, d = b->child; c && d; c = c->next, d = d->next)
		same(c, d);
	BUG_ON(c || d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n);
	struct mime_part *a, *b;
	struct pool p1, p2;

	pool_init(&p1, MIME_POOL_MAX);
	pool_init(&p2, MIME_POOL_MAX);
	a = parse(&p1, in, n + 1);
	b = parse(&p2, in, 1 + n % 7);
	BUG_ON(!a || !b);
	check(a, 0, n, 1);
	BUG_ON(a->head_raw != 0 || a->body_raw_end != n);
	same(a, b);
	BUG_ON(count(a) > MIME_PARTS_MAX + MIME_DEPTH_MAX);
	pool_fini(&p1);
	pool_fini(&p2);
	pool_init(&p1, 3000); /* too small for most */
	a = parse(&p1, in, 100);
	if (a)
		check(a, 0, n, 1);
	pool_fini(&p1);
	return 0;
}
