/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "frame/tls_protocols.h"

enum { TLS_V1_0 = 1, TLS_V1_1 = 2, TLS_V_ALL = 15 };

static const struct {
	const char *name;
	unsigned bit;
} protocols[] = {
	/* SSL is never spoken: its names are known so that "!SSLv3" is. */
	{ "SSLv2", 0 },		 { "SSLv3", 0 },
	{ "TLSv1", TLS_V1_0 },	 { "TLSv1.0", TLS_V1_0 },
	{ "TLSv1.1", TLS_V1_1 }, { "TLSv1.2", TLS_V1_2 },
	{ "TLSv1.3", TLS_V1_3 }, { "0300", 0 },
	{ "0301", TLS_V1_0 },	 { "0302", TLS_V1_1 },
	{ "0303", TLS_V1_2 },	 { "0304", TLS_V1_3 },
};

static int
find_protocol(struct str name, unsigned *bit)
{
	size_t i;

	for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (str_ieq(name, str_of(protocols[i].name))) {
			*bit = protocols[i].bit;
			return 0;
		}
	return -1;
}

int
tls_protocols(struct str list, unsigned *out, struct err *err)
{
	unsigned named = 0, left_out = 0, within = TLS_V_ALL, bit;
	struct str word, name;
	bool any = false;

	while (str_token(&list, " \t\r\n,:", &word)) {
		bool low = str_starts(word, STR(">="));
		bool high = str_starts(word, STR("<="));
		bool minus = str_starts(word, STR("!"));

		name = str_from(word, low || high ? 2 : minus);
		if (find_protocol(name, &bit) < 0)
			return err_set(err, ERR_PERM, EINVAL,
				       "\"%.*s\" is no protocol of TLS",
				       STR_FMT(word));
		if (low) {
			within &= bit ? ~(bit - 1) : ~0u;
		} else if (high) {
			within &= bit ? bit * 2 - 1 : 0;
		} else if (minus) {
			left_out |= bit;
		} else {
			named |= bit;
			any = true;
		}
	}
	*out = within & ~left_out & (any ? named : TLS_V_ALL) & TLS_V_SPOKEN;
	if (!*out)
		return err_set(err, ERR_PERM, EINVAL,
			       "TLS 1.2 and 1.3 are spoken, nothing older");
	return 0;
}
