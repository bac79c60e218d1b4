/* SPDX-License-Identifier: ISC */
#include <fcntl.h>

#include "base/log.h"
#include "receive/testbed.h"
#include "submitd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A client's bytes against a whole session.  The first byte: bits 0-1 what
 * authd does (works, fails, temp, dies), bit 2 a local program, bit 3 TLS
 * first, bit 4 logged in already, bit 5 tlsd dies, bit 6 passwords are taken
 * from this host without TLS, bit 7 a greeting is sent first.  A byte 0x01
 * waits for the server's answers.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum bed_does authd[] = { BED_WORKS, BED_FAILS, BED_TEMP,
					       BED_DIES };
	static int null = -1;
	struct str rest, part;
	struct testbed tb;
	uint8_t how;

	if (size == 0)
		return 0;
	if (null < 0)
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_open(null, "submitd");
	how = data[0];
	rest = str_mem(data + 1, size - 1);
	testbed_init(&tb, &submitd_ops,
		     how & 64 ? "smtpd_tls_auth_only = 0\n"
				"smtpd_forbid_unauth_pipelining = 0\n"
			      : "");
	tb.authd_does = how & 16 ? BED_WORKS : authd[how & 3];
	tb.tlsd_does = how & 32 ? BED_DIES : BED_WORKS;
	if (how & 4)
		testbed_connect_local(&tb, 1000);
	else
		testbed_connect(&tb, how & 64 ? "127.0.0.1" : "192.0.2.1",
				how & 8);
	if (how & (128 | 16))
		testbed_send(&tb, STR("EHLO x\r\n"));
	if (how & 16)
		testbed_send(&tb, STR("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"));
	while (!tb.fault && str_cut(&rest, '\1', &part))
		testbed_send(&tb, part);
	testbed_send(&tb, rest);
	testbed_settle(&tb);
	BUG_ON(tb.fault);
	testbed_fini(&tb);
	return 0;
}
