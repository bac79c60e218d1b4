/* SPDX-License-Identifier: ISC */
/* Any file as an mbox: read to its end, or refused; no byte of a message comes
 * from outside, and begin, put, end come in order. */
#include <fcntl.h>

#include "base/fsx_mem.h"
#include "base/log.h"
#include "store/mbox_read.h"

enum { MIDDLE = 1 };

struct seen {
	bool open;
	uint64_t bytes;
	unsigned n;
	const uint64_t *at;
	uint64_t middle, bytes_before; /* of message MIDDLE */
};

static int
on_begin(void *arg, struct str from, int64_t time, struct err *err)
{
	struct seen *s = arg;

	(void)time;
	(void)err;
	BUG_ON(s->open || !str_starts(from, STR("From")));
	s->open = true;
	if (s->n++ == MIDDLE) {
		s->middle = *s->at;
		s->bytes_before = s->bytes;
	}
	return 0;
}

static int
on_put(void *arg, struct str text, struct err *err)
{
	struct seen *s = arg;

	(void)err;
	BUG_ON(!s->open || text.n == 0);
	s->bytes += text.n;
	return 0;
}

static int
on_end(void *arg, const struct mbox_info *info, struct str keywords,
       struct err *err)
{
	struct seen *s = arg;

	(void)info;
	(void)keywords;
	(void)err;
	BUG_ON(!s->open);
	s->open = false;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mbox_sink sink = { on_begin, on_put, on_end };
	struct seen seen = { 0 }, rest = { 0 };
	uint64_t at = 0;
	struct err err;
	int fd;

	fsx_mem_reset();
	fd = fsx_open(fsx_mem_root(), "mbox", O_RDWR | O_CREAT, 0600);
	BUG_ON(fd < 0 || fsx_write_all(fd, data, size, &err) < 0);
	seen.at = &at;
	if (mbox_read(fd, &at, &sink, &seen, &err) == 0)
		BUG_ON(at != size || seen.open);
	BUG_ON(at > size || seen.bytes > size);
	if (seen.n <= MIDDLE)
		return 0;
	/* From there on it is the same. */
	rest.at = &seen.middle;
	BUG_ON(mbox_read(fd, &seen.middle, &sink, &rest, &err) < 0);
	BUG_ON(rest.n + MIDDLE != seen.n ||
	       rest.bytes + seen.bytes_before != seen.bytes);
	return 0;
}
