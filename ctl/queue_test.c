/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "queue.h"

static void
test_numbers(void **state)
{
	static const struct {
		const char *in;
		uint64_t want; /* 0: an error */
	} times[] = {
		{ "90", 90 },	 { "90s", 90 },	   { "30m", 1800 },
		{ "2h", 7200 },	 { "7d", 604800 }, { "1w", 604800 },
		{ "", 0 },	 { "h", 0 },	   { "2x", 0 },
		{ "-2h", 0 },	 { "2hh", 0 },	   { "4294967296", 0 },
		{ "1.5h", 0 },
	}, sizes[] = {
		{ "512", 512 },	     { "10k", 10240 }, { "2m", 2097152 },
		{ "1g", 1073741824 }, { "1t", 0 },     { "k", 0 },
	};
	uint64_t got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		got = 0;
		if (queue_time(str_of(times[i].in), &got) < 0)
			got = 0;
		if (got != times[i].want * 1000000)
			fail_msg("%s", times[i].in);
	}
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		got = 0;
		if (queue_size(str_of(sizes[i].in), &got) < 0)
			got = 0;
		if (got != sizes[i].want)
			fail_msg("%s", sizes[i].in);
	}
}

enum { WORDS = 12 };

/* A line of words to argv. */
static int
split(char *line, char *argv[WORDS])
{
	int n = 0;
	char *w;

	for (w = strtok(line, " "); w && n < WORDS - 1; w = strtok(NULL, " "))
		argv[n++] = w;
	argv[n] = NULL;
	return n;
}

static void
test_args(void **state)
{
	static const struct {
		enum queue_verb verb;
		const char *line, *error; /* NULL: none */
		const char *id;
		unsigned ids;
	} rows[] = {
		{ QUEUE_LIST, "list", NULL, "ALL", 0 },
		{ QUEUE_LIST, "list --json", NULL, "ALL", 0 },
		{ QUEUE_LIST, "list 6B02AA600001 -j", NULL, "6B02AA600001", 0 },
		{ QUEUE_LIST, "list --state held,active --older 2h", NULL,
		  "ALL", 0 },
		{ QUEUE_FLUSH, "flush", NULL, "ALL", 0 },
		{ QUEUE_DELETE, "delete 6B02AA600001 6B02AA600002", NULL, "",
		  2 },
		{ QUEUE_DELETE, "delete --from @b.c", NULL, "ALL", 0 },
		{ QUEUE_DELETE, "delete ALL --site x", NULL, "ALL", 0 },
		{ QUEUE_DELETE, "delete", "give an ID, a selection or ALL", "",
		  0 },
		{ QUEUE_DELETE, "delete all", "no queue id: \"all\"", "", 0 },
		{ QUEUE_DELETE, "delete ALL 6B02AA600001",
		  "no queue id: \"ALL\"", "", 0 },
		{ QUEUE_DELETE, "delete --json ALL",
		  "-j is not for this command", "", 0 },
		{ QUEUE_HOLD, "hold --older x",
		  "no time like 30m, 2h or 7d:"
		  " \"x\"",
		  "", 0 },
		{ QUEUE_HOLD, "hold --state on",
		  "--state wants active, deferred or held: \"on\"", "", 0 },
		{ QUEUE_DELETE, "delete --state=",
		  "--state wants active, deferred or held: \"\"", "", 0 },
		{ QUEUE_DELETE, "delete --state ,",
		  "--state wants active, deferred or held: \",\"", "", 0 },
		{ QUEUE_DELETE, "delete --from=",
		  "an empty pattern (the null sender is \"<>\"): \"\"", "", 0 },
		{ QUEUE_DELETE, "delete --smaller 0",
		  "no size like 512, 10k or 2m: \"0\"", "", 0 },
		{ QUEUE_HOLD, "hold --site",
		  "unknown option, or one without its value: \"--site\"", "",
		  0 },
		{ QUEUE_SHOW, "show 6B02AA600001 -b", NULL, "6B02AA600001", 0 },
		{ QUEUE_SHOW, "show", "give one ID", "", 0 },
		{ QUEUE_SHOW, "show ALL", "give one ID", "", 0 },
	};
	char line[100], *argv[WORDS];
	struct queue_args a;
	struct err err;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)str_copy(line, sizeof(line), str_of(rows[i].line));
		queue_args_init(&a);
		rc = queue_args_parse(&a, rows[i].verb, split(line, argv), argv,
				      &err);
		if (rc == 0 && rows[i].error)
			fail_msg("%s: taken", rows[i].line);
		if (rc < 0)
			assert_string_equal(err.text, rows[i].error);
		else if (!str_eq(a.m.id, str_of(rows[i].id)) ||
			 a.m.ids.count != rows[i].ids)
			fail_msg("%s", rows[i].line);
		queue_args_fini(&a);
	}
}

static void
test_change_args(void **state)
{
	static const struct {
		const char *line;
		bool ok;
		unsigned what, add, drop;
		const char *sender;
	} rows[] = {
		{ "change 6B02AA600001 --from a@b.c", true, CHANGE_SENDER, 0, 0,
		  "a@b.c" },
		{ "change 6B02AA600001 --from <>", true, CHANGE_SENDER, 0, 0,
		  "" },
		{ "change 6B02AA600001 --from <@x.y:\"a\"@b.c>", true,
		  CHANGE_SENDER, 0, 0, "a@b.c" },
		{ "change --to a@b --to c@d 6B02AA600001", true,
		  CHANGE_DROP_ALL, 2, 0 },
		{ "change 6B02AA600001 --add-rcpt <a@b> --delete-rcpt c@d",
		  true, 0, 1, 1 },
		{ "change 6B02AA600001 --route smtp:[x]:25", true, CHANGE_ROUTE,
		  0, 0 },
		{ "change 6B02AA600001", false, 0, 0, 0 },
		{ "change --from a@b", false, 0, 0, 0 },
		{ "change 6B02AA600001 --from a@@b", false, 0, 0, 0 },
		{ "change 6B02AA600001 --to <>", false, 0, 0, 0 },
		{ "change 6B02AA600001 --route smtp", false, 0, 0, 0 },
		{ "change 6B02AA600001 6B02AA600002 --from a@b", false, 0, 0,
		  0 },
	};
	char line[100], *argv[WORDS];
	struct queue_args a;
	struct err err;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)str_copy(line, sizeof(line), str_of(rows[i].line));
		queue_args_init(&a);
		rc = queue_args_change(&a, split(line, argv), argv, &err);
		if ((rc == 0) != rows[i].ok)
			fail_msg("%s", rows[i].line);
		if (rc == 0 &&
		    (a.c.what != rows[i].what || a.c.add.count != rows[i].add ||
		     a.c.drop.count != rows[i].drop))
			fail_msg("%s", rows[i].line);
		if (rc == 0 && rows[i].sender &&
		    !str_eq(a.c.sender, str_of(rows[i].sender)))
			fail_msg("%s: %.*s", rows[i].line, STR_FMT(a.c.sender));
		queue_args_fini(&a);
	}
}

/* --- the exported text ---------------------------------------------------- */

static void
test_text(void **state)
{
	static const struct {
		const char *in, *error; /* NULL: none */
		unsigned flags, nrcpts;
		const char *header, *body;
	} rows[] = {
		{ "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nX: y\n\nz\n", NULL, 0,
		  1, "X: y\n", "\nz\n" },
		{ "# a comment\r\n\r\nHOLD\r\nMAIL FROM:<> BODY=8BITMIME\r\n"
		  "RCPT TO:<c@d> NOTIFY=NEVER\r\nrcpt to:<e@f>\r\nDATA\r\n"
		  "X: y\r\n\r\nz\r\n",
		  NULL, COMMIT_8BITMIME | COMMIT_HOLD, 2, "X: y\n", "\nz\n" },
		{ "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nX: y\n", NULL, 0, 1,
		  "X: y\n", "" },
		/* An alias, or queue change, brought the addresses. */
		{ "MAIL FROM:<\xc3\xbc@b>\nRCPT TO:<\xc3\xbc@d>\nDATA\n"
		  "X: y\n\n",
		  NULL, 0, 1, "X: y\n", "\n" },
		{ "", "line 0: no DATA before the end", 0, 0, "", "" },
		{ "DATA\n", "line 1: no recipient before DATA", 0, 0, "", "" },
		{ "RCPT TO:<c@d>\n", "line 1: RCPT before MAIL", 0, 0, "", "" },
		{ "MAIL FROM:<a@b>\nMAIL FROM:<a@b>\n", "line 2: a second MAIL",
		  0, 0, "", "" },
		{ "MAIL FROM:<a@b>\nRCPT TO:<c@>\n", "line 2: RCPT: TO:<c@>", 0,
		  0, "", "" },
		{ "MAIL FROM:<a@b> SIZE=x\n", "line 1: MAIL: SIZE=x", 0, 0, "",
		  "" },
		{ "QUIT\n",
		  "line 1: neither MAIL, RCPT, HOLD, DATA nor a comment", 0, 0,
		  "", "" },
		{ "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nX: y\nz\n",
		  "line 3: no empty line between header and body", 0, 0, "",
		  "" },
		{ "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n", "line 3: no header",
		  0, 0, "", "" },
		{ "MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nX: y\n\na\rb\n",
		  "line 3: a CR alone or a NUL in the message", 0, 0, "", "" },
	};
	struct exported t;
	struct pool pool;
	char text[400];
	struct err err;
	size_t i, n;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = strlen(rows[i].in);
		memcpy(text, rows[i].in, n);
		n = queue_text_unix(text, n);
		pool_init(&pool, 65536);
		rc = queue_text_parse(&t, str_mem(text, n), &pool, &err);
		if ((rc < 0) != (rows[i].error != NULL))
			fail_msg("row %zu: %s", i, rc ? err.text : "taken");
		if (rc < 0) {
			assert_string_equal(err.text, rows[i].error);
		} else {
			assert_int_equal(t.flags, rows[i].flags);
			assert_int_equal(t.nrcpts, rows[i].nrcpts);
			assert_true(str_eq(t.header, str_of(rows[i].header)));
			assert_true(str_eq(t.body, str_of(rows[i].body)));
		}
		queue_text_fini(&t);
		pool_fini(&pool);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_change_args),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
