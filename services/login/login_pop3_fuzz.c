/* SPDX-License-Identifier: ISC */
#include "login_session_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	fuzz_session(&login_pop3, data, n);
	return 0;
}
