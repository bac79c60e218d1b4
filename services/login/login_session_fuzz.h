/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_SESSION_FUZZ_H
#define LOGIN_SESSION_FUZZ_H

#include <unistd.h>

#include "login_bed.h"

/*
 * A whole session, TLS and SASL included.  The first byte: bit 0 a client far
 * away instead of on loopback, bit 1 TLS from the first byte; 0xff in what
 * follows parts it into packets.  Nobody far away is asked for without TLS, and
 * every session ends.
 */
static void
fuzz_session(const struct proto *proto, const uint8_t *data, size_t n)
{
	static struct bed b;
	struct str in, packet;
	bool far, implicit;
	char answers[4096];
	int fd;

	if (n == 0)
		return;
	far = data[0] & 1;
	implicit = data[0] & 2;
	if (!b.authd)
		bed_init(&b);
	/* What the last session asked at its end is no question of this one. */
	bed_turns(&b, 8);
	b.asked = b.tls = b.started = b.secured = 0;
	fd = bed_client(&b, proto, implicit, far ? "192.0.2.1" : "127.0.0.1");
	in = str_mem(data + 1, n - 1);
	bed_turns(&b, implicit ? 6 : 1);
	while (in.n) {
		if (!str_cut(&in, '\xff', &packet)) {
			packet = in;
			in = STR("");
		}
		if (packet.n)
			(void)!send(fd, packet.p, packet.n, MSG_NOSIGNAL);
		bed_turns(&b, 8);
		while (recv(fd, answers, sizeof(answers), 0) > 0)
			;
		BUG_ON(far && !b.tls && b.asked);
	}
	BUG_ON(b.started > 1 || b.started > b.asked || b.tls > 1);
	BUG_ON(b.secured != (b.started && b.tls));
	close(fd);
	while (b.worker.nsessions)
		loop_turn(&b.loop, true);
}

#endif
