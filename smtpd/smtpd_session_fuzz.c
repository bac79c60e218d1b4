/* SPDX-License-Identifier: ISC */
#include <fcntl.h>

#include "base/log.h"
#include "receive/testbed.h"
#include "smtpd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A client's bytes against a whole session.  The first byte: bit 0 a client
 * of mynetworks, bit 1 a greeting is sent first, bit 2 an envelope as well, bit
 * 3 and DATA, bit 4 qmgr refuses, bit 5 qmgr dies, bit 6 small limits, bit 7
 * pipelining is not forbidden.  A byte 0x01 waits for the server's answers.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int null = -1;
	struct str rest, part;
	struct testbed tb;
	uint8_t how;

	if (size == 0)
		return 0;
	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_open(null, "smtpd");
	how = data[0];
	rest = str_mem(data + 1, size - 1);
	testbed_init(&tb, &smtpd_ops,
		     how & 64	 ? "message_size_limit = 300\n"
				   "header_block_size_limit = 100\n"
				   "header_size_limit = 50\n"
				   "line_length_limit = 64\n"
				   "smtpd_forbid_unauth_pipelining = 0\n"
		     : how & 128 ? "smtpd_forbid_unauth_pipelining = 0\n"
				 : "");
	tb.refuse_code = how & 16 ? 451 : 0;
	tb.die_on_commit = how & 32;
	testbed_connect(&tb, how & 1 ? "127.0.0.1" : "192.0.2.1", false);
	if (how & 14)
		testbed_send(&tb, STR("EHLO x\r\n"));
	if (how & 12)
		testbed_send(&tb, STR("MAIL FROM:<a@b.test>\r\n"
				      "RCPT TO:<alice@own.test>\r\n"));
	if (how & 8)
		testbed_send(&tb, STR("DATA\r\n"));
	while (str_cut(&rest, '\1', &part))
		testbed_send(&tb, part);
	testbed_send(&tb, rest);
	testbed_settle(&tb);
	BUG_ON(tb.fault);
	testbed_fini(&tb);
	return 0;
}
