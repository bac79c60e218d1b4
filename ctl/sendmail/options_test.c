/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sendmail.h"

enum { ARGS = 12 };

/* What was understood, as text; NULL: refused, and err says this. */
static const struct row {
	const char *args[ARGS];
	const char *want, *error;
} rows[] = {
	{ { "sendmail", "root" }, "submit root", NULL },
	{ { "/usr/sbin/sendmail", "-i", "-FCronDaemon", "-B8BITMIME", "-oem",
	    "root" },
	  "submit dots 8bit name=CronDaemon root",
	  NULL },
	{ { "sendmail", "-oem", "-oi", "-f", "me@x.test", "--", "a", "-b" },
	  "submit dots from=me@x.test a -b",
	  NULL },
	{ { "sendmail", "-t", "-i" }, "submit dots -t", NULL },
	{ { "sendmail", "-ti" }, "submit dots -t", NULL },
	{ { "sendmail", "a", "-fme", "b" }, "submit from=me a b", NULL },
	{ { "sendmail", "-f", "", "a" }, "submit from= a", NULL },
	{ { "sendmail", "-rme", "a" }, "submit from=me a", NULL },
	{ { "sendmail", "-bs" }, "smtp", NULL },
	{ { "sendmail", "-bs", "-oMrx", "-X", "log" }, "smtp", NULL },
	{ { "sendmail", "-bv", "a" }, "verify a", NULL },
	{ { "sendmail", "-bp" }, "list", NULL },
	{ { "mailq" }, "list", NULL },
	{ { "/usr/bin/mailq", "-Ac", "-v" }, "list verbose", NULL },
	{ { "newaliases" }, "aliases", NULL },
	{ { "sendmail", "-bi", "-oA/etc/x" }, "aliases file=/etc/x", NULL },
	{ { "sendmail", "-I" }, "aliases", NULL },
	{ { "sendmail", "-q" }, "flush", NULL },
	{ { "sendmail", "-q30m" }, "flush", NULL },
	{ { "sendmail", "-qI00A1" }, "flush id=00A1", NULL },
	{ { "sendmail", "-qRb.test" }, "flush site=b.test", NULL },
	{ { "sendmail", "-bm", "-Am", "-G", "-Ltag", "-n", "-m", "-U", "-x",
	    "-ox", "a" },
	  "submit a",
	  NULL },
	{ { "sendmail", "-h", "3", "-ec", "-p", "UUCP:x", "-O", "a=b", "a" },
	  "submit a",
	  NULL },
	{ { "sendmail", "-o7", "-o8", "a" }, "submit 8bit a", NULL },
	{ { "sendmail", "-B8BITMIME", "-B", "7bit", "a" }, "submit a", NULL },
	{ { "sendmail", "-N", "failure,delay", "-Rfull", "-V", "id+1", "a" },
	  "submit notify=12 ret=1 envid=id+1 a",
	  NULL },
	{ { "sendmail", "-Nnever", "-R", "HDRS", "a" },
	  "submit notify=1 ret=2 a",
	  NULL },
	{ { "sendmail", "-C", "/x/main.cf", "a" }, "submit conf=/x/ a", NULL },
	{ { "sendmail", "-Cmain.cf", "a" }, "submit conf=. a", NULL },
	{ { "sendmail", "-C/x", "a" }, "submit conf=/x a", NULL },
	{ { "sendmail" },
	  NULL,
	  "Recipient addresses must be specified on the command line or via "
	  "the -t option" },
	{ { "sendmail", "-bv" },
	  NULL,
	  "Recipient addresses must be specified on the command line or via "
	  "the -t option" },
	{ { "sendmail", "-t", "a" },
	  NULL,
	  "cannot handle command-line recipients with -t" },
	{ { "sendmail", "-bp", "-t" },
	  NULL,
	  "-t can be used only in delivery mode" },
	{ { "sendmail", "-bd" }, NULL, "unsupported: -bd" },
	{ { "sendmail", "-bsx" }, NULL, "unsupported: -bsx" },
	{ { "sendmail", "-qSsite" }, NULL, "unsupported: -qSsite" },
	{ { "sendmail", "-z", "a" }, NULL, "unknown option -z" },
	{ { "sendmail", "-f" }, NULL, "option -f wants a value" },
	{ { "sendmail", "-N", "never,delay", "a" },
	  NULL,
	  "bad -N option value: never,delay" },
	{ { "sendmail", "-R", "some", "a" },
	  NULL,
	  "bad -R option value: some" },
	{ { "sendmail", "-V", "", "a" }, NULL, "bad -V option value: " },
	{ { "sendmail", "-V", "a\nb", "a" },
	  NULL,
	  "bad -V option value: a\nb" },
	{ { "sendmail", "-B", "9BIT", "a" },
	  NULL,
	  "bad -B option value: 9BIT" },
	{ { "sendmail", "-oA", "a" }, NULL, "-oA requires a pathname" },
	{ { "sendmail", "-C", "", "a" },
	  NULL,
	  "bad configuration directory: " },
};

static const char *
describe(const struct options *o, char *out, size_t size)
{
	static const char *const modes[] = { "submit", "smtp",	"verify",
					     "list",   "flush", "aliases" };
	struct buf b;
	int i;

	buf_init(&b, size - 1);
	(void)!buf_addf(&b, "%s%s%s%s%s", modes[o->mode],
			o->dots ? " dots" : "", o->header_rcpts ? " -t" : "",
			o->body_8bit ? " 8bit" : "",
			o->verbose ? " verbose" : "");
	if (strcmp(o->config, "/etc/posthouse") != 0)
		(void)!buf_addf(&b, " conf=%s", o->config);
	if (o->sender)
		(void)!buf_addf(&b, " from=%s", o->sender);
	if (o->name)
		(void)!buf_addf(&b, " name=%s", o->name);
	if (o->aliases)
		(void)!buf_addf(&b, " file=%s", o->aliases);
	if (o->flush_id)
		(void)!buf_addf(&b, " id=%s", o->flush_id);
	if (o->flush_site)
		(void)!buf_addf(&b, " site=%s", o->flush_site);
	if (o->has_notify)
		(void)!buf_addf(&b, " notify=%u", o->notify);
	if (o->ret)
		(void)!buf_addf(&b, " ret=%u", o->ret);
	if (o->envid)
		(void)!buf_addf(&b, " envid=%s", o->envid);
	for (i = 0; i < o->nrcpts; i++)
		(void)!buf_addf(&b, " %s", o->rcpts[i]);
	snprintf(out, size, "%.*s", STR_FMT(buf_str(&b)));
	buf_fini(&b);
	return out;
}

static void
test_rows(void **state)
{
	char *argv[ARGS + 1], got[500];
	struct options o;
	struct err err;
	size_t i;
	int argc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (argc = 0; argc < ARGS && rows[i].args[argc]; argc++)
			argv[argc] = (char *)(uintptr_t)rows[i].args[argc];
		argv[argc] = NULL;
		if (options_parse(&o, argc, argv, NULL, &err) < 0) {
			if (!rows[i].error ||
			    strcmp(err.text, rows[i].error) != 0)
				fail_msg("row %zu: %s", i, err.text);
			continue;
		}
		describe(&o, got, sizeof(got));
		if (!rows[i].want || strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: %s", i, got);
	}
}

static void
test_environment(void **state)
{
	char *argv[] = { (char *)(uintptr_t) "mailq", NULL };
	struct options o;
	struct err err;

	(void)state;
	assert_int_equal(options_parse(&o, 1, argv, "/y/main.cf", &err), 0);
	assert_string_equal(o.config, "/y/");
	assert_int_equal(options_parse(&o, 1, argv, "", &err), 0);
	assert_string_equal(o.config, "/etc/posthouse");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
