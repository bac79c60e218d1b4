/* SPDX-License-Identifier: ISC */
/*
 * How the sanitizers behave inside a jail: no leak check (it wants /proc and
 * ptrace, and hangs without), no symbolizer (it wants to exec), and a status of
 * its own.  Linked into the daemons of sanitizer builds only.
 */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0:symbolize=0:exitcode=86";
}

const char *
__ubsan_default_options(void)
{
	return "print_stacktrace=0:symbolize=0:exitcode=86";
}
