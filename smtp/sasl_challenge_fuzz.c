/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>

#include "sasl.h"
#include "sasl_mechs.h"

/*
 * What a server says during a login: the first line is what it offers, each
 * further one a challenge, in which "$" stands for the nonce that we sent.
 * Whatever it says, it is not believed to know the password.
 */

static struct str
nonce_of(struct str initial)
{
	ptrdiff_t at = str_rfind(initial, '=');

	return at < 0 ? STR("") : str_from(initial, (size_t)at + 1);
}

static void
insert_nonce(struct str line, struct str nonce, struct buf *out)
{
	size_t i;

	buf_reset(out);
	for (i = 0; i < line.n; i++)
		if (line.p[i] == '$')
			(void)!buf_add_str(out, nonce);
		else
			(void)!buf_add_byte(out, line.p[i]);
}

static void
login(struct str in, const struct tls_facts *tls)
{
	const struct sasl_settings any = { .security = SASL_OPT_NOANONYMOUS };
	struct buf initial, challenge, answer;
	struct str offered;
	bool has_initial, scram;
	const char *mech;
	struct sasl *s;
	struct err err;
	int rc = 0;

	buf_init(&initial, 10000);
	buf_init(&challenge, 20000);
	buf_init(&answer, 20000);
	if (!str_cut(&in, '\n', &offered)) {
		offered = in;
		in = STR("");
	}
	s = sasl_begin(&any, offered, "mx.test", "user", "secret", tls, &mech,
		       &initial, &has_initial, &err);
	while (s && rc == 0 && in.n) {
		struct str line;

		if (!str_cut(&in, '\n', &line)) {
			line = in;
			in = STR("");
		}
		insert_nonce(line, nonce_of(buf_str(&initial)), &challenge);
		buf_reset(&answer);
		rc = sasl_next(s, buf_str(&challenge), &answer, &err);
	}
	scram = s && strncmp(mech, "SCRAM", 5) == 0;
	if (s && rc == 0 && sasl_finish(s, &err) == 0 && scram)
		abort();
	sasl_free(s);
	buf_fini(&initial);
	buf_fini(&challenge);
	buf_fini(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_facts tls = { .protocol = "TLSv1.3", .exporter_n = 32 };
	struct err err;

	if (sasl_preload(&err) < 0)
		abort();
	if (size == 0 || size > 10000)
		return 0;
	login(str_mem((const char *)data + 1, size - 1),
	      data[0] & 1 ? &tls : NULL);
	return 0;
}
