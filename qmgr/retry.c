/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "retry.h"

uint64_t
retry_next_try(const struct retry_rule *r, uint64_t arrival, uint64_t now)
{
	uint64_t age = now > arrival ? now - arrival : 0;

	if (age < r->min_us)
		age = r->min_us;
	if (age > r->max_us)
		age = r->max_us;
	return now + age;
}

bool
retry_expired(uint64_t lifetime_us, uint64_t arrival, uint64_t now)
{
	return now > arrival && now - arrival > lifetime_us;
}

unsigned
retry_worker_pause_s(unsigned deaths)
{
	return deaths == 0 ? 0 : deaths > 6 ? 60 : 1u << (deaths - 1);
}

const char *
retry_delay(uint64_t us, char out[DELAY_MAX])
{
	uint64_t hundredths = (us + 5000) / 10000;
	size_t n;

	if (hundredths >= 1000) /* 10 s */
		snprintf(out, DELAY_MAX, "%llu",
			 (unsigned long long)((us + 500000) / 1000000));
	else if (hundredths >= 100)
		snprintf(out, DELAY_MAX, "%llu.%llu",
			 (unsigned long long)((hundredths + 5) / 100),
			 (unsigned long long)((hundredths + 5) / 10 % 10));
	else
		snprintf(out, DELAY_MAX, "0.%02llu",
			 (unsigned long long)hundredths);
	n = strlen(out);
	if (hundredths < 1000) {
		while (out[n - 1] == '0')
			out[--n] = '\0';
		if (out[n - 1] == '.')
			out[n - 1] = '\0';
	}
	return out;
}
