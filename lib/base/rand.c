/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sys/random.h>

#include "base/err.h"
#include "base/rand.h"

void
rand_bytes(void *p, size_t n)
{
	char *to = p;
	ssize_t got;

	while (n) {
		got = getrandom(to, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			BUG("getrandom: no random bytes");
		to += got;
		n -= (size_t)got;
	}
}

uint64_t
rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}

uint64_t
rand_below(uint64_t n)
{
	uint64_t v, top;

	BUG_ON(n == 0);
	top = UINT64_MAX - UINT64_MAX % n;
	do
		v = rand_u64();
	while (v >= top);
	return v % n;
}
