/* SPDX-License-Identifier: ISC */
#include "base/clock.h"
#include "base/unit.h"
#include "sort.h"
#include "thread.h"

enum { MANY = 100000, PATIENCE_MS = 20000 };

struct mail {
	const char *id, *refs, *subject;
	int64_t sent;
};

static void
keys_of(struct imap_keys *k, struct buf *blob, const struct mail *m)
{
	struct buf header;

	buf_init(&header, 100000);
	buf_addf(&header, "Message-ID: <%s@x>\nReferences: %s\nSubject: %s\n",
		 m->id, m->refs, m->subject);
	buf_reset(blob);
	imap_keys_build(blob, buf_str(&header));
	assert_true(imap_keys_open(k, buf_str(blob)));
	buf_fini(&header);
}

static void
threads(struct buf *out, enum imap_thread_how how, const struct mail *v,
	size_t n)
{
	struct imap_threader t;
	struct imap_keys k;
	struct buf blob;
	size_t i;
	int rc;

	buf_init(&blob, KEYS_MAX);
	imap_threader_init(&t, how);
	for (i = 0; i < n; i++) {
		keys_of(&k, &blob, &v[i]);
		assert_int_equal(
			imap_threader_add(&t, (uint32_t)i + 1, v[i].sent, &k),
			0);
	}
	while ((rc = imap_threader_step(&t)) > 0)
		continue;
	assert_int_equal(rc, 0);
	buf_reset(out);
	for (i = 0; i < t.ntops; i++)
		imap_threader_put(&t, i, out);
	imap_threader_fini(&t);
	buf_fini(&blob);
}

/* RFC 5256 3 REFERENCES */
static void
test_references(void **state)
{
	static const struct {
		const char *name;
		struct mail v[9];
		const char *want;
	} rows[] = {
		{ "none", { { 0 } }, "" },
		{ "chain",
		  { { "1", "", "a", 1 },
		    { "2", "<1@x>", "Re: a", 2 },
		    { "3", "<1@x> <2@x>", "Re: a", 3 } },
		  "(1 2 3)" },
		{ "answers come first",
		  { { "3", "<1@x> <2@x>", "Re: a", 3 },
		    { "2", "<1@x>", "Re: a", 2 },
		    { "1", "", "a", 1 } },
		  "(3 2 1)" },
		{ "branches, by date",
		  { { "1", "", "a", 1 },
		    { "2", "<1@x>", "a", 5 },
		    { "3", "<1@x>", "a", 4 },
		    { "4", "<1@x> <3@x>", "a", 9 },
		    { "5", "<1@x> <3@x>", "a", 8 } },
		  "(1 (3 (5)(4))(2))" },
		{ "the one between is missing",
		  { { "1", "", "a", 1 }, { "3", "<1@x> <2@x>", "a", 3 } },
		  "(1 2)" },
		{ "the first is missing",
		  { { "2", "<1@x>", "a", 2 }, { "3", "<1@x>", "b", 1 } },
		  "((2)(1))" },
		{ "the first is missing, one answer",
		  { { "2", "<1@x>", "a", 2 }, { "3", "", "b", 1 } },
		  "(2)(1)" },
		{ "two missing above each other",
		  { { "3", "<1@x> <2@x>", "a", 2 },
		    { "4", "<1@x> <2@x>", "b", 1 } },
		  "((2)(1))" },
		{ "a loop",
		  { { "1", "<2@x>", "a", 1 }, { "2", "<1@x>", "a", 2 } },
		  "(2 1)" },
		{ "itself",
		  { { "1", "<1@x>", "a", 1 }, { "2", "<2@x> <1@x>", "a", 2 } },
		  "(2 1)" },
		{ "a long loop",
		  { { "1", "<3@x>", "a", 1 },
		    { "2", "<1@x>", "b", 2 },
		    { "3", "<2@x>", "c", 3 } },
		  "(3 1 2)" },
		{ "the same id twice",
		  { { "1", "", "a", 1 },
		    { "1", "", "b", 2 },
		    { "2", "<1@x>", "c", 3 } },
		  "(1 3)(2)" },
		{ "what it says itself counts",
		  { { "1", "", "a", 1 },
		    { "3", "<1@x> <2@x>", "a", 3 },
		    { "4", "", "d", 0 },
		    { "2", "<4@x>", "a", 2 } },
		  "(3 4 2)(1)" },
		{ "one subject, the answer below",
		  { { "2", "", "Re: a", 1 }, { "1", "", "a", 2 } },
		  "(2 1)" },
		{ "one subject, both answers",
		  { { "2", "", "Re: a", 1 }, { "1", "", "Fwd: a", 2 } },
		  "((1)(2))" },
		{ "one subject, no answer",
		  { { "2", "", "A", 2 }, { "1", "", "a", 1 } },
		  "((2)(1))" },
		{ "one subject, three",
		  { { "2", "", "a", 2 },
		    { "1", "", "a", 1 },
		    { "3", "", "a", 3 } },
		  "((2)(1)(3))" },
		{ "one subject, dummies with children",
		  { { "2", "<1@x>", "a", 1 },
		    { "3", "<1@x>", "a", 2 },
		    { "5", "<4@x>", "re: a", 3 },
		    { "6", "<4@x>", "b", 4 },
		    { "7", "", "a", 5 } },
		  "((1)(2)(3)(4)(5))" },
		{ "no subject is no subject",
		  { { "1", "", "", 1 }, { "2", "", "Re:", 2 } },
		  "(1)(2)" },
		{ "same dates: by number",
		  { { "3", "", "c", 1 },
		    { "2", "", "b", 1 },
		    { "1", "", "a", 1 } },
		  "(1)(2)(3)" },
	};
	struct buf out;
	size_t i, n;

	(void)state;
	buf_init(&out, 10000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (n = 0; n < 9 && rows[i].v[n].id; n++)
			continue;
		threads(&out, THREAD_REFERENCES, rows[i].v, n);
		if (!str_eq(buf_str(&out), str_of(rows[i].want)))
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
	}
	buf_fini(&out);
}

/* RFC 5256 3 ORDEREDSUBJECT */
static void
test_ordered_subject(void **state)
{
	static const struct mail v[] = {
		{ "1", "", "b", 9 },	  { "2", "", "Re: a", 5 },
		{ "3", "", "A", 4 },	  { "4", "", "[x] a", 6 },
		{ "5", "", "Re: B", 10 }, { "6", "", "c", 1 },
		{ "7", "", "", 2 },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	threads(&out, THREAD_ORDEREDSUBJECT, v, 7);
	assert_string_equal(buf_cstr(&out), "(6)(7)(3 (2)(4))(1 5)");
	buf_fini(&out);
}

static void
header(struct buf *b, int kind, size_t i)
{
	buf_reset(b);
	switch (kind) {
	case 0: /* a chain */
		buf_addf(b, "Message-ID: <%zu@x>\nIn-Reply-To: <%zu@x>\n", i,
			 i - 1);
		break;
	case 1: /* the same, the last first */
		buf_addf(b, "Message-ID: <%zu@x>\nIn-Reply-To: <%zu@x>\n",
			 MANY - i, MANY - i - 1);
		break;
	case 2: /* all answer one that is missing */
		buf_addf(b, "Message-ID: <%zu@x>\nReferences: <m@x>\n", i);
		break;
	case 3: /* half a chain, then all want to be above its head */
		if (i < MANY / 2)
			buf_addf(b,
				 "Message-ID: <%zu@x>\nReferences: <%zu@x>\n",
				 i, i - 1);
		else
			buf_addf(b,
				 "Message-ID: <0@x>\n"
				 "References: <%d@x> <0@x> <%zu@x>\n",
				 MANY / 2 - 1, i);
		break;
	case 4: /* a chain of those that are missing */
		buf_addf(b,
			 "Message-ID: <a%zu@x>\nReferences: <%zu@x> <%zu@x>\n",
			 i, i, i + 1);
		break;
	default: /* one subject */
		buf_addf(b, "Message-ID: <%zu@x>\nSubject: %sa\n", i,
			 i % 3 ? "Re: " : "");
		break;
	}
}

/* Long and hostile, in time and without recursion. */
static void
test_many(void **state)
{
	struct buf blob, text, out;
	struct imap_threader t;
	struct imap_keys k;
	uint64_t start;
	int kind, rc;
	size_t i;

	(void)state;
	buf_init(&blob, KEYS_MAX);
	buf_init(&text, 1000);
	buf_init(&out, 1 << 24);
	for (kind = 0; kind < 6; kind++) {
		start = clock_mono_ms();
		imap_threader_init(&t, THREAD_REFERENCES);
		for (i = 0; i < MANY; i++) {
			header(&text, kind, i);
			buf_reset(&blob);
			imap_keys_build(&blob, buf_str(&text));
			assert_true(imap_keys_open(&k, buf_str(&blob)));
			assert_int_equal(
				imap_threader_add(&t, (uint32_t)i + 1,
						  (int64_t)(i * 7919 % 1000),
						  &k),
				0);
		}
		while ((rc = imap_threader_step(&t)) > 0)
			continue;
		assert_int_equal(rc, 0);
		buf_reset(&out);
		for (i = 0; i < t.ntops; i++)
			imap_threader_put(&t, i, &out);
		assert_true(out.n > 5 * MANY);
		imap_threader_fini(&t);
		assert_true(clock_mono_ms() - start < PATIENCE_MS);
	}
	buf_fini(&out);
	buf_fini(&text);
	buf_fini(&blob);
}

/* --- SORT ------------------------------------------------------------------
 */

struct letter {
	const char *header;
	int64_t sent, arrival;
	uint64_t size;
};

static void
sorted(struct buf *out, const char *program, const struct letter *v, size_t n)
{
	struct imap_sort_program p;
	struct imap_sort_values m;
	struct imap_sorter s;
	struct imap_keys k;
	struct imap_in in;
	struct buf blob;
	size_t i;
	int rc;

	in = (struct imap_in){ .p = program, .end = program + strlen(program) };
	assert_true(imap_sort_parse(&in, &p));
	buf_init(&blob, KEYS_MAX);
	imap_sorter_init(&s);
	for (i = 0; i < n; i++) {
		buf_reset(&blob);
		imap_keys_build(&blob, str_of(v[i].header));
		assert_true(imap_keys_open(&k, buf_str(&blob)));
		m = (struct imap_sort_values){ v[i].sent, v[i].arrival,
					       v[i].size, &k };
		assert_int_equal(imap_sorter_add(&s, &p, (uint32_t)i + 1, &m),
				 0);
	}
	while ((rc = imap_sorter_step(&s)) > 0)
		continue;
	assert_int_equal(rc, 0);
	buf_reset(out);
	for (i = 0; i < n; i++)
		buf_addf(out, "%u", s.v[i].number);
	imap_sorter_fini(&s);
	buf_fini(&blob);
}

/* RFC 5256 3, RFC 5957 */
static void
test_sort(void **state)
{
	static const struct letter v[] = {
		{ "Subject: Re: b\nFrom: Zoe <adam@x>\nTo: b@x, a@x\n", 3, 9,
		  10 },
		{ "Subject: a\nFrom: eve@x\nTo: Group: z@x;\nCc: q@x\n", -5, 1,
		  10 },
		{ "Subject: [l] B (fwd)\nFrom: \"bob\" <eVe@x>\n", 4, 9, 3 },
		{ "From: \xc3\x84rger <eve@y>\nSubject: ab\nTo: A@x\n", 4, 0,
		  300 },
	};
	static const struct {
		const char *program, *want;
	} rows[] = {
		{ "(ARRIVAL)", "4213" },
		{ "(REVERSE ARRIVAL)", "1324" },
		{ "(DATE)", "2134" },
		{ "(reverse date)", "3412" },
		{ "(SIZE)", "3124" },
		{ "(SUBJECT)", "2413" },
		{ "(REVERSE SUBJECT)", "1342" },
		{ "(SUBJECT REVERSE DATE)", "2431" },
		{ "(SUBJECT SIZE)", "2431" },
		{ "(FROM)", "1234" },
		{ "(REVERSE FROM DATE)", "2341" },
		{ "(TO)", "3412" },
		{ "(CC)", "1342" },
		{ "(DISPLAYFROM)", "4321" },
		{ "(DISPLAYTO)", "3412" },
		{ "(REVERSE SIZE REVERSE FROM)", "4213" },
	};
	static const char *const bad[] = { "",
					   "()",
					   "(DATES)",
					   "(DATE",
					   "(REVERSE)",
					   "(DATE )",
					   "(REVERSE REVERSE DATE)" };
	struct imap_sort_program p;
	struct imap_in in;
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 100);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sorted(&out, rows[i].program, v, 4);
		if (!str_eq(buf_str(&out), str_of(rows[i].want)))
			fail_msg("%s: %s", rows[i].program, buf_cstr(&out));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		in = (struct imap_in){ .p = bad[i],
				       .end = bad[i] + strlen(bad[i]) };
		assert_false(imap_sort_parse(&in, &p));
	}
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_ordered_subject),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
