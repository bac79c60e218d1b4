/* SPDX-License-Identifier: ISC */
/* A policy as smtp_tls_policy_maps may give it, the nexthop and the host: one
 * line each. */
#include <stdlib.h>

#include "frame/tls_protocols.h"
#include "tls_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever comes out must fit into the question to tlsd. */
static void
encode(const struct tls_plan *plan)
{
	struct msg_tls_client m;
	int fds[MSG_FDS_MAX];
	struct buf frame;
	struct err err;
	size_t nfds = 0;

	tls_plan_ask(plan, &m);
	m.fd = 0;
	buf_init(&frame, MSG_FRAME_MAX);
	if (msg_encode(&frame, &msg_tls_client_def, 1, &m, fds, &nfds, &err) <
	    0)
		abort();
	buf_fini(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tls_settings t = {
		.level = TLS_MAY,
		.has_maps = true,
		.protocols = { TLS_V_SPOKEN, TLS_V_SPOKEN },
		.exclude = { STR("RC4"), STR("SHA1") },
		.servername = STR("hostname"),
		.digest = STR("sha256"),
		.verify_match = STR("hostname"),
		.secure_match = STR("nexthop, dot-nexthop"),
		.fingerprints = STR("AB:CD"),
	};
	struct msg_sited site = { .has_tls = 1 };
	struct str rest = str_mem(data, size), nexthop;
	static struct tls_plan plan;
	struct err err;

	if (!str_cut(&rest, '\n', &site.tls) || !str_cut(&rest, '\n', &nexthop))
		return 0;
	if (tls_policy(&t, &site, nexthop, rest, size & 1, &plan, &err) == 0 &&
	    plan.level != TLS_PLAN_NONE)
		encode(&plan);
	return 0;
}
