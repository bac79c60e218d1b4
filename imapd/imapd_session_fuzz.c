/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>

#include "base/fsx_mem.h"
#include "base/log.h"
#include "testbed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A client's bytes against a whole session.  The first byte: bit 0 INBOX is
 * selected first, bit 1 another client of the user sits in IDLE on INBOX, bit 2
 * mail arrives after each portion, bit 3 the messages have flags, bit 4 a disk
 * call fails, the second byte says which, bit 5 behind COMPRESS what is sent is
 * not compressed, bit 6 a small append limit.  A byte 0x01 waits for the
 * server's answers; between two of them, behind COMPRESS, it is one block of
 * DEFLATE.
 */

/* The store is in order: it opens, and its folders. */
static void
check(struct testbed *b)
{
	struct store *st;
	struct mailbox *mb;
	struct folder_list all;
	struct err err;
	size_t i;

	fsx_mem_fail_at(0, 0);
	st = store_open(b->root, "Maildir", "host", &err);
	BUG_ON(!st);
	BUG_ON(store_list(st, &all, &err) < 0);
	for (i = 0; i < all.n; i++) {
		if (all.v[i].attrs & FOLDER_NOSELECT)
			continue;
		mb = mailbox_open(st, str_of(all.v[i].name), &err);
		if (!mb)
			BUG("%s: %s", all.v[i].name, err.text);
		mailbox_release(mb);
	}
	folder_list_fini(&all);
	store_close(st);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int null = -1;
	struct str rest, part;
	struct testbed b;
	uint8_t how;
	bool more;

	if (size < 2)
		return 0;
	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_open(null, "imapd");
	how = data[0];
	testbed_init(&b, how & 8);
	if (how & 64)
		b.u.append_limit = 300;
	b.plain = how & 32;
	testbed_connect(&b, 0);
	if (how & 2) {
		testbed_connect(&b, 1);
		testbed_say(&b, 1, STR("s SELECT INBOX\r\ni IDLE\r\n"));
	}
	if (how & 1)
		testbed_say(&b, 0, STR("s SELECT INBOX\r\n"));
	if (how & 16)
		fsx_mem_fail_at(fsx_mem_calls() + 1 + data[1], EIO);
	rest = str_mem(data + 2, size - 2);
	do {
		more = str_cut(&rest, '\1', &part);
		testbed_say(&b, 0, more ? part : rest);
		if (how & 4)
			testbed_arrive(&b);
	} while (more);
	testbed_fini(&b);
	check(&b);
	return 0;
}
