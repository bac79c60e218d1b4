/* SPDX-License-Identifier: ISC */
/*
 * Frames of a tlsd that was taken over: {group and number of keys, then records
 * of u16 length and that many bytes}, each sent as it is; and what was signed
 * must have been well-formed.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/enc.h"
#include "keyd.h"
#include "sign.h"
#include "testkeys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FROM = 1700000000, UNTIL = 2000000000 };

/* Made once: the process ends with it. */
struct bed {
	struct loop loop;
	struct keyd keyd;
	EVP_PKEY *rsa, *ec;
};

static struct bed *
bed(void)
{
	static struct bed *b;
	struct key_file files[2] = { { .groups = 7, .path = STR("/rsa") },
				     { .groups = 7, .path = STR("/ec") } };
	struct err err;
	char *rsa, *ec;

	if (b)
		return b;
	b = calloc(1, sizeof(*b));
	rsa = test_chain("RSA-2048", "x.test", FROM, UNTIL);
	ec = test_chain("P-256", "x.test", FROM, UNTIL);
	BUG_ON(!b || loop_init(&b->loop, &err) < 0 ||
	       keyd_init(&b->keyd, &b->loop, &err) < 0);
	files[0].bytes = str_of(rsa);
	files[1].bytes = str_of(ec);
	keyd_table(&b->keyd, STR("keys"), test_table(files, 2));
	b->rsa = keys_find(&b->keyd.keys, 0, b->keyd.keys.set[0]->id, 0);
	b->ec = keys_find(&b->keyd.keys, 0, b->keyd.keys.set[0]->id, 1);
	BUG_ON(!b->rsa || !b->ec);
	free(rsa);
	free(ec);
	return b;
}

/* Whatever is asked for: an answer that is no signature of free bytes. */
static void
try_sign(struct bed *b, unsigned scheme, struct str data)
{
	EVP_PKEY *keys[2] = { b->rsa, b->ec };
	struct buf out;
	struct err err;
	size_t i;

	for (i = 0; i < 2; i++) {
		buf_init(&out, KEY_SIGNATURE_MAX);
		if (sign_data(keys[i], scheme, data, &out, &err) == 0) {
			BUG_ON(scheme == KEY_RSA_PKCS1 &&
			       !sign_is_digest_info(data));
			BUG_ON(scheme == KEY_RSA_RAW &&
			       !sign_is_pss(data, 2048));
			BUG_ON(scheme == KEY_ECDSA && data.n > 64);
			BUG_ON(out.n == 0);
		}
		buf_fini(&out);
	}
}

static void
send_frames(struct bed *b, int fd, struct str in)
{
	static char frame[MSG_FRAME_MAX];
	struct key_set *const *sets = b->keyd.keys.set;
	size_t n;

	while (in.n >= 2) {
		n = enc_get16(in.p);
		in = str_from(in, 2);
		n = n > in.n ? in.n : n;
		memcpy(frame, in.p, n);
		/* Numbers of sets are random: those of groups stand for
		 * them. */
		if (n >= MSG_HEAD + 4 && enc_get16(frame) == MSG_KEY_SIGN &&
		    enc_get32(frame + MSG_HEAD) < KEYS_GROUPS)
			enc_put32(frame + MSG_HEAD,
				  sets[enc_get32(frame + MSG_HEAD)]->id);
		in = str_from(in, n);
		if (n && send(fd, frame, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return;
		loop_turn(&b->loop, false);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bed *b = bed();
	int sv[2];

	if (size < 2)
		return 0;
	try_sign(b, data[1], str_mem(data + 2, size - 2));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return 0;
	keyd_peer(&b->keyd,
		  &channels[data[0] & 1 ? CH_TLSD_MX_KEYD : CH_TLSD_USER_KEYD],
		  sv[0]);
	send_frames(b, sv[1], str_mem(data + 1, size - 1));
	close(sv[1]);
	loop_turn(&b->loop, false);
	loop_turn(&b->loop, false);
	return 0;
}
