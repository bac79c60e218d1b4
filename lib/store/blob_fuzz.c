/* SPDX-License-Identifier: ISC */
#include <fcntl.h>

#include "base/err.h"
#include "base/fsx_mem.h"
#include "store/blob.h"
#include "store/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { UIDS = 64 };

static void
on_blob(void *arg, uint32_t uid, uint64_t at)
{
	uint64_t *where = arg;

	if (uid < UIDS)
		where[uid] = at;
}

/* A file with this content behind (or instead of) a good header and blob. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t where[UIDS] = { 0 };
	struct blob_file f;
	struct str out;
	struct buf b;
	uint32_t uid;
	int fd, dir;

	fsx_mem_reset();
	dir = fsx_mem_root();
	buf_init(&b, 2 * n + 1000);
	if (n && data[0] & 1) {
		blob_put_header(&b, 5);
		blob_put_record(&b, 5, 1, STR("first"));
	}
	if (n && data[0] & 2)
		blob_put_record(&b, 5, data[0] / 4, str_mem(data, n));
	(void)!buf_add(&b, data, n);
	fd = fsx_open(dir, "blobs", O_RDWR | O_CREAT, 0600);
	BUG_ON(fsx_pwrite_all(fd, b.p, b.n, 0, NULL) < 0);
	fsx_close(fd);
	buf_fini(&b);

	blob_init(&f, dir, "blobs", on_blob, where);
	(void)!blob_open(&f);
	for (uid = 0; uid < UIDS; uid++)
		if (where[uid])
			BUG_ON(!blob_get(&f, where[uid], uid, &out));
	(void)!blob_get(&f, n, 1, &out);
	where[2] = blob_put(&f, 2, STR("second"));
	BUG_ON(!where[2] || !blob_get(&f, where[2], 2, &out));
	blob_flush(&f);
	BUG_ON(!blob_get(&f, where[2], 2, &out) || !str_eq(out, STR("second")));
	if (n && data[0] & 1)
		BUG_ON(!where[1]);
	blob_fini(&f);
	return 0;
}
