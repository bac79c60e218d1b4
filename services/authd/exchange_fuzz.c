/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "exchange.h"
#include "memfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/*
 * The client's side of an exchange, whatever it says.  Input: which mechanism
 * and what connection, then the messages, each with its length in front; a
 * byte 1 in them stands for the nonce of the challenge.  Nobody here knows a
 * password, so nobody may prove one.
 */
enum { STEPS_MAX = 5 };

static struct user_table *
load(void)
{
	static const char text[] =
		"user:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
		"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=::::::"
		"scram_sha_1=4096,QSXCR+Q6sek8bf92,"
		"6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=\n";
	struct user_table *t;
	struct err err;

	t = user_table_new(TABLE_USERS, memfile(text, MEMFILE_SEALS), &err);
	BUG_ON(!t || exchange_preload(&err) < 0);
	return t;
}

/* The message with the nonce in its place. */
static struct str
fill(struct buf *b, struct str message, struct str challenge)
{
	ptrdiff_t at = str_search(challenge, STR("r="));
	struct str nonce =
		str_from(challenge, at < 0 ? challenge.n : (size_t)at + 2);
	size_t i;

	at = str_find(nonce, ',');
	nonce = str_head(nonce, at < 0 ? 0 : (size_t)at);
	buf_reset(b);
	for (i = 0; i < message.n; i++)
		(void)!(message.p[i] == 1 ? buf_add_str(b, nonce)
					  : buf_add_byte(b, message.p[i]));
	return b->n ? buf_str(b) : STR("");
}

static bool
next_message(struct str *rest, struct str *message)
{
	size_t n;

	if (rest->n == 0)
		return false;
	n = (unsigned char)rest->p[0];
	*rest = str_from(*rest, 1);
	*message = str_head(*rest, n);
	*rest = str_from(*rest, message->n);
	return true;
}

static void
set_binding(struct exchange_binding *b, bool on)
{
	b->n = on ? 32 : 0;
	memset(b->bytes, 'b', b->n);
}

static void
talk(struct exchange *x, const struct user_table *t, struct str rest,
     bool initial)
{
	struct str message, challenge = STR(""), kept;
	enum exchange_says s = EXCHANGE_MORE;
	struct buf in, out;
	int i;

	buf_init(&in, SASL_DATA_MAX);
	buf_init(&out, SASL_DATA_MAX);
	if (!initial)
		s = exchange_step(x, t, STR_NULL, &challenge);
	for (i = 0; i < STEPS_MAX && s == EXCHANGE_MORE; i++) {
		if (!next_message(&rest, &message))
			break;
		BUG_ON(challenge.n > SASL_DATA_MAX);
		buf_reset(&out);
		(void)!buf_add_str(&out, challenge);
		kept = buf_str(&out);
		s = exchange_step(x, t, fill(&in, message, kept), &challenge);
		BUG_ON(s == EXCHANGE_PROVED);
		BUG_ON(s == EXCHANGE_PASSWORD &&
		       (x->mech->scheme || !x->secured));
		BUG_ON(s == EXCHANGE_PASSWORD &&
		       !users_name_ok(str_of(x->user)));
	}
	buf_fini(&in);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct user_table *t;
	char password[PASSWORD_MAX + 1];
	struct exchange x = { .password = password };

	if (!t)
		t = load();
	if (n < 2)
		return 0;
	x.mech = &exchange_mechs[data[0] & 3];
	x.plus = data[0] & 4 && x.mech->scheme;
	x.secured = data[0] & 8;
	set_binding(&x.exporter, data[1] & 1);
	set_binding(&x.endpoint, data[1] & 2);
	set_binding(&x.unique, data[1] & 4);
	if (exchange_may_begin(&x))
		talk(&x, t, str_mem(data + 2, n - 2), data[0] & 16);
	exchange_fini(&x);
	return 0;
}
