/* SPDX-License-Identifier: ISC */
/*
 * fill [-n COUNT] [-b BYTES] [-d DOMAINS] [-x NEXTHOP] [-w SECONDS]
 *      [-t ADDRESS PATH] DIR
 *
 * A queue for the benchmarks: COUNT messages of BYTES in the spool DIR (made
 * if it is missing), each to one address in one of DOMAINS domains (site0.test
 * and so on; 1: dead.test) or with one NEXTHOP for all, to be tried in SECONDS
 * (0: at once).  -t: and one more at the end, due at once, to the virtual
 * mailbox ADDRESS at PATH.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "frame/msg_rcpt.h"
#include "queue/spool.h"

struct one {
	struct spool_new rec;
	struct buf rcpts;
};

static struct {
	unsigned count, bytes, domains, wait_s;
	const char *address, *path, *nexthop;
	char *body;
} set = { .count = 1000, .bytes = 600, .domains = 1 };

static void
add_rcpt(struct buf *b, const struct msg_rcpt *r)
{
	if (msg_list_add(b, &msg_rcpt_def, r, NULL) < 0)
		errx(1, "recipient");
}

static void
make(struct spool *sp, struct one *o, unsigned n)
{
	static const char header[] = "From: a@bench.test\nSubject: deferred\n";
	uint64_t now = clock_wall_us();
	struct msg_rcpt r = { .type = RCPT_REMOTE, .transport = STR("smtp") };
	char domain[64], address[128];
	bool last = n == set.count;

	if (set.domains == 1)
		snprintf(domain, sizeof(domain), "dead.test");
	else
		snprintf(domain, sizeof(domain), "site%u.test",
			 n % set.domains);
	snprintf(address, sizeof(address), "user%u@%s", n, domain);
	r.where = str_of(set.nexthop ? set.nexthop : domain);
	r.address = r.original = str_of(address);
	if (last) {
		r.type = RCPT_VIRTUAL;
		r.transport = STR_NULL;
		r.where = str_of(set.path);
		r.address = r.original = str_of(set.address);
	}
	buf_init(&o->rcpts, 65536);
	add_rcpt(&o->rcpts, &r);
	o->rec = (struct spool_new){
		.head = { .id = spool_next_id(sp),
			  .arrival_us = now,
			  .nrcpts = 1,
			  .body = QFILE_INLINE },
		.msg = { .state = QFILE_ACTIVE,
			 .tries = !last,
			 .next_try_us =
				 now + (last ? 0 : set.wait_s * 1000000ull) },
		.sender = STR("sender@bench.test"),
		.header = STR(header),
		.body = str_mem(set.body, set.bytes),
		.rcpts = buf_str(&o->rcpts),
		.body_fd = -1,
	};
	if (!o->rec.head.id)
		errx(1, "no id");
}

static void
fill(struct spool *sp)
{
	unsigned n = 0, all = set.count + (set.path != NULL);
	struct one v[SPOOL_BATCH];
	struct spool_new *rec[SPOOL_BATCH];
	struct err e;
	size_t i, k;

	while (n < all) {
		if (spool_ids_low(sp) && spool_reserve(sp, &e) < 0)
			errx(1, "%s", e.text);
		for (k = 0; k < SPOOL_BATCH && n < all; k++) {
			make(sp, &v[k], n++);
			rec[k] = &v[k].rec;
		}
		spool_store(sp, rec, k);
		for (i = 0; i < k; i++) {
			if (rec[i]->rc < 0)
				errx(1, "%s", rec[i]->err.text);
			buf_fini(&v[i].rcpts);
		}
	}
}

static unsigned
number(const char *s)
{
	return (unsigned)strtoul(s, NULL, 10);
}

int
main(int argc, char **argv)
{
	struct spool *sp;
	struct err e;
	int root, c;

	while ((c = getopt(argc, argv, "n:b:d:w:t:x:")) != -1) {
		if (c == 'n')
			set.count = number(optarg);
		else if (c == 'b')
			set.bytes = number(optarg);
		else if (c == 'd')
			set.domains = number(optarg);
		else if (c == 'w')
			set.wait_s = number(optarg);
		else if (c == 'x')
			set.nexthop = optarg;
		else if (c == 't')
			set.address = optarg;
		else
			return 64;
	}
	if (set.address && optind < argc)
		set.path = argv[optind++];
	if (optind + 1 != argc || !set.domains)
		errx(64, "usage: fill [OPTIONS] DIR");
	set.body = malloc(set.bytes + 1);
	if (!set.body)
		err(1, "body");
	for (size_t i = 0; i < set.bytes; i++)
		set.body[i] = i % 77 == 0 ? '\n' : 'x';
	if (mkdir(argv[optind], 0700) < 0 && access(argv[optind], W_OK) < 0)
		err(1, "%s", argv[optind]);
	root = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || spool_open(&sp, root, &e) < 0)
		errx(1, "%s: %s", argv[optind], root < 0 ? "open" : e.text);
	fill(sp);
	spool_close(sp);
	free(set.body);
	return 0;
}
