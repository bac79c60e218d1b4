/* SPDX-License-Identifier: ISC */
/* queue stats: how many messages there are in which state, for whom, how
 * old, like Postfix's qshape. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "queue.h"

enum {
	AGES = 9, /* 5, 10, 20 ... 640 minutes, and above */
	SITES_SHOWN = 20,
	SITES_MAX = 1000000, /* then the rest is counted as one */
};

struct site {
	uint32_t messages, rcpts;
	uint32_t ages[AGES]; /* messages */
	uint32_t last;	     /* message that was counted last */
	size_t n;
	char name[];
};

struct stats_view {
	struct queue_view v;
	uint64_t now_us, bytes;
	uint32_t messages, states[4];
	uint32_t ages[AGES];
	struct map sites;
	struct site rest;
};

static unsigned
age_of(const struct stats_view *v, uint64_t arrival_us)
{
	uint64_t minutes = v->now_us > arrival_us
				   ? (v->now_us - arrival_us) / 60000000
				   : 0;
	unsigned i;

	for (i = 0; i < AGES - 1; i++)
		if (minutes < 5ull << i)
			break;
	return i;
}

static struct site *
site_get(struct stats_view *v, struct str name)
{
	struct site *s = map_get(&v->sites, name);

	if (s)
		return s;
	if (v->sites.n == SITES_MAX)
		return &v->rest;
	s = calloc(1, sizeof(*s) + name.n + 1);
	if (!s)
		return &v->rest;
	s->n = name.n;
	if (name.n)
		memcpy(s->name, name.p, name.n);
	if (map_put(&v->sites, str_mem(s->name, s->n), s) < 0) {
		free(s);
		return &v->rest;
	}
	return s;
}

static struct str
site_name(const struct msg_queue_rcpt *r, char *mem, size_t size)
{
	struct str domain =
		str_from(r->address, (size_t)(str_rfind(r->address, '@') + 1));

	if (r->type == RCPT_REMOTE)
		(void)snprintf(mem, size, "%.*s:%.*s", STR_FMT(r->transport),
			       STR_FMT(r->where));
	else
		(void)snprintf(mem, size, "%.*s", STR_FMT(domain));
	return str_of(mem);
}

static void
stats_row(struct queue_view *view, const struct msg_queue_row *m, bool more)
{
	struct stats_view *v = (struct stats_view *)view;
	char name[TRANSPORT_MAX + WHERE_MAX + 2];
	unsigned age = age_of(v, m->arrival_us);
	struct str it = m->rcpts.raw;
	struct msg_queue_rcpt r;
	struct site *s;

	if (!more) {
		v->messages++;
		v->bytes += m->size;
		v->states[m->state & 3]++;
		v->ages[age]++;
	}
	while (msg_list_next(&it, &msg_queue_rcpt_def, &r)) {
		if (r.done)
			continue;
		s = site_get(v, site_name(&r, name, sizeof(name)));
		s->rcpts++;
		if (s->last == v->messages)
			continue;
		s->last = v->messages;
		s->messages++;
		s->ages[age]++;
	}
}

static int
by_messages(const void *pa, const void *pb)
{
	const struct site *a = *(struct site *const *)pa;
	const struct site *b = *(struct site *const *)pb;

	if (a->messages != b->messages)
		return a->messages < b->messages ? 1 : -1;
	return strcmp(a->name, b->name);
}

static void
print_line(uint32_t messages, const uint32_t *ages, const char *name)
{
	unsigned i;

	(void)printf("%8u", messages);
	for (i = 0; i < AGES; i++)
		(void)printf("%6u", ages[i]);
	(void)printf("  %s\n", name);
}

static void
print_table(struct stats_view *v)
{
	struct site **all = calloc(v->sites.n + 1, sizeof(*all)), *s;
	size_t n = 0, i = 0;
	unsigned a;

	(void)fputs("\nmessages", stdout);
	for (a = 0; a < AGES - 1; a++)
		(void)printf("%6u", 5u << a);
	(void)puts("  more  minutes old, by destination");
	print_line(v->messages, v->ages, "TOTAL");
	while (all && (s = map_next(&v->sites, &i)))
		all[n++] = s;
	if (n)
		qsort(all, n, sizeof(*all), by_messages);
	for (i = 0; i < n && i < SITES_SHOWN; i++)
		print_line(all[i]->messages, all[i]->ages,
			   LOGQ(str_of(all[i]->name)));
	if (n > SITES_SHOWN)
		(void)printf("and %zu other destinations\n", n - SITES_SHOWN);
	free(all);
}

static void
stats_end(struct queue_view *view)
{
	struct stats_view *v = (struct stats_view *)view;
	struct site *s;
	size_t i = 0;

	(void)printf("%u message%s, %llu Kbytes: %u active, %u deferred, "
		     "%u on hold\n",
		     v->messages, v->messages == 1 ? "" : "s",
		     (unsigned long long)(v->bytes / 1024),
		     v->states[QUEUE_ACTIVE], v->states[QUEUE_DEFERRED],
		     v->states[QUEUE_HELD]);
	if (v->messages)
		print_table(v);
	while ((s = map_next(&v->sites, &i)))
		free(s);
	map_fini(&v->sites);
	free(v);
}

struct queue_view *
queue_stats_view(void)
{
	struct stats_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->v = (struct queue_view){ .row = stats_row, .end = stats_end };
	v->now_us = clock_wall_us();
	return &v->v;
}
