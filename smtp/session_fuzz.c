/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "session_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A server that says anything.  The first octet chooses what is sent and how,
 * the second how the server's words are cut.  Whatever it says: the session
 * ends with its connection, each recipient has a result, nothing is delivered
 * without an end of data, and the client's lines are whole.
 */
enum {
	LMTP = 1,
	TWO_RCPTS = 2,
	AGAIN = 4,
	LOGIN = 8,
	TLS = 16,
	STRICT_GREETING = 32,
	DOTS = 64,
	WAIT_QUIT = 128,
};

static const struct bed_letter letters[] = {
	{ .sender = "s@b.test",
	  .header = "A: b\n",
	  .body = "\nhi\n",
	  .rcpts = { { "r@a.test", "rfc822;x@y", NOTIFY_SUCCESS } } },
	{ .sender = "",
	  .header = "A: \xc3\xbc\n",
	  .body = "\n.\n..\r\n.\r\nMAIL FROM:<x@y>",
	  .flags = COMMIT_8BITMIME,
	  .ret = RET_HDRS,
	  .rcpts = { { "r@a.test" }, { "q@a.test" }, { "p@a.test" } } },
};

static void
check_output(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		BUG_ON(s.p[i] == '\0');
		BUG_ON(s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] != '\n');
		BUG_ON(s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'));
	}
}

static void
check_results(const struct bed *b)
{
	struct str s = buf_str(&b->in);
	bool ended = str_search(s, STR("\r\n.\r\n")) >= 0 ||
		     str_search(s, STR(" LAST\r\n")) >= 0;
	uint32_t i;

	/* A session that never began to send has no results. */
	if (!str_starts(str_of(b->events), STR("ready")))
		return;
	for (i = 0; i < b->letter->nrcpts; i++) {
		BUG_ON(!b->letter->rcpts[i].has_result);
		BUG_ON(b->letter->rcpts[i].result.class == DELIVER_OK &&
		       !ended);
	}
}

/* A line a turn, so that replies come one by one, or a number of octets. */
static struct str
next_piece(struct str rest, uint8_t how)
{
	ptrdiff_t lf = str_find(rest, '\n');

	if (how & 0x80)
		return str_head(rest, (how & 0x7f) + 1);
	return lf < 0 ? rest : str_head(rest, (size_t)lf + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool loaded;
	struct str rest, piece;
	struct bed b;
	unsigned i;
	struct err err;

	if (!loaded && sasl_preload(&err) < 0)
		abort();
	loaded = true;
	if (size < 2 || size > 4096)
		return 0;
	bed_init(&b);
	b.patient = 0;
	b.plan.lmtp = data[0] & LMTP;
	b.plan.has_auth = data[0] & LOGIN;
	memcpy(b.plan.user, "u", 2);
	memcpy(b.plan.password, "p", 2);
	b.plan.tls.level = data[0] & TLS ? TLS_MAY : TLS_PLAN_NONE;
	b.plan.loop_detect = false;
	b.set.skip_5xx_greeting = !(data[0] & STRICT_GREETING);
	b.set.skip_quit_response = !(data[0] & WAIT_QUIT);
	b.set.line_length_limit = data[0] & DOTS ? 16 : 998;
	b.sends = data[0] & AGAIN ? 2 : 1;
	bed_start(&b, &letters[data[0] & TWO_RCPTS ? 1 : 0]);
	rest = str_mem(data + 2, size - 2);
	while (rest.n && b.session) {
		piece = next_piece(rest, data[1]);
		rest = str_from(rest, piece.n);
		bed_say(&b, piece);
		bed_turn(&b);
	}
	for (i = 0; i < 8 && b.session; i++)
		bed_turn(&b);
	bed_hang_up(&b, false);
	for (i = 0; i < 8 && b.session; i++)
		bed_turn(&b);
	BUG_ON(b.session);
	check_output(buf_str(&b.in));
	check_results(&b);
	bed_fini(&b);
	return 0;
}
