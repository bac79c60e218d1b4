/* SPDX-License-Identifier: ISC */
#include "mail/addrlist.h"
#include "mail/header.h"
#include "mail/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 1 << 20 };

/* The places of an address list: they follow one another, and an address that
 * is put where one was found reads as the same address. */
static void
check_list(struct str value)
{
	enum addrlist_kind kind;
	struct addrlist l, again;
	size_t end = 0;

	addrlist_init(&l, value);
	while ((kind = addrlist_next(&l)) != ADDRLIST_END) {
		BUG_ON(l.start < end || l.end < l.start || l.end > value.n);
		end = l.end;
		if (kind != ADDRLIST_FULL && kind != ADDRLIST_BARE)
			continue;
		BUG_ON(l.path.n == 0 ||
		       (l.path.at < l.path.n) != (kind == ADDRLIST_FULL));
		if (kind == ADDRLIST_BARE)
			BUG_ON(l.local_end <= l.start || l.local_end > l.end);
		addrlist_init(&again, path_str(&l.path));
		BUG_ON(addrlist_next(&again) != kind);
		BUG_ON(!str_eq(path_str(&again.path), path_str(&l.path)));
		BUG_ON(addrlist_next(&again) != ADDRLIST_END);
		addrlist_fini(&again);
	}
	addrlist_fini(&l);
}

struct sum {
	size_t n, bytes;
};

static int
add(void *arg, const struct path *p, struct err *err)
{
	struct sum *s = arg;
	struct path full = *p;

	(void)err;
	s->n++;
	/* As it will be written. */
	if (full.at == full.n && path_add_domain(&full, STR("o.test")) < 0)
		s->bytes += 1000;
	s->bytes += full.n;
	return 0;
}

/* Once is enough, and the recipients stay who they are. */
static void
check_fix(struct str header)
{
	struct submission s = {
		.origin = STR("o.test"),
		.sender = STR("s@o.test"),
		.name = header,
		.date = STR("now"),
		.id_left = STR("left"),
		.id_right = STR("right"),
	};
	struct sum first = { 0 }, second = { 0 };
	struct buf a, b;
	int rc;

	buf_init(&a, ROOM);
	buf_init(&b, ROOM);
	BUG_ON(submission_fix(&a, header, &s, NULL) < 0);
	BUG_ON(submission_fix(&b, buf_str(&a), &s, NULL) < 0);
	BUG_ON(!str_eq(buf_str(&a), buf_str(&b)));
	rc = submission_rcpts(header, add, &first, NULL);
	if (rc == 0 && str_search(header, STR("cc")) < 0 &&
	    str_search(header, STR("CC")) < 0 &&
	    str_search(header, STR("cC")) < 0 &&
	    str_search(header, STR("Cc")) < 0) { /* no Bcc goes away */
		BUG_ON(submission_rcpts(buf_str(&a), add, &second, NULL) < 0);
		BUG_ON(first.n != second.n || first.bytes != second.bytes);
	}
	buf_fini(&a);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_mem(data, size), rest = s;
	struct header_field f;

	if (size > 20000)
		return 0;
	check_list(s);
	while (header_next(&rest, &f))
		check_list(f.value);
	check_fix(str_head(s, s.n - rest.n));
	return 0;
}
