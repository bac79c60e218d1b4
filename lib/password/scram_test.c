/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "password/prep.h"
#include "password/scram.h"

/* The password "pencil": RFC 7677 3, RFC 5802 5. */
#define KEYS256                                         \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,"                \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define KEYS1                                                 \
	"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=," \
	"D+CSWLOshSulAsxiupA+qs2/fTE="

static bool
matches(enum users_scheme scheme, const char *keys, struct str password)
{
	struct users_scram s;
	struct err err;

	if (users_scram_parse(scheme, str_of(keys), &s, &err) < 0)
		fail_msg("%s", err.text);
	return scram_matches(scheme, &s, password);
}

static void
test_vectors(void **state)
{
	(void)state;
	assert_true(matches(USERS_SCRAM_SHA_256, KEYS256, STR("pencil")));
	assert_true(matches(USERS_SCRAM_SHA_1, KEYS1, STR("pencil")));
	assert_false(matches(USERS_SCRAM_SHA_256, KEYS256, STR("Pencil")));
	assert_false(matches(USERS_SCRAM_SHA_1, KEYS1, STR("pencil ")));
	assert_false(matches(USERS_SCRAM_SHA_1, KEYS1, STR("")));
}

/* What is written is read, and differs each time. */
static void
test_format(void **state)
{
	static const enum users_scheme both[] = { USERS_SCRAM_SHA_1,
						  USERS_SCRAM_SHA_256 };
	struct buf a, b;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&a, USERS_HASH_MAX);
	buf_init(&b, USERS_HASH_MAX);
	for (i = 0; i < 2; i++) {
		buf_reset(&a);
		buf_reset(&b);
		assert_int_equal(scram_format(both[i], STR("\xe2\x85\xa8"),
					      4096, &a, &err),
				 0);
		assert_int_equal(
			scram_format(both[i], STR("IX"), 4096, &b, &err), 0);
		assert_false(str_eq(buf_str(&a), buf_str(&b)));
		assert_true(matches(both[i], buf_cstr(&a), STR("IX")));
		assert_true(
			matches(both[i], buf_cstr(&b), STR("\xe2\x85\xa8")));
		assert_false(matches(both[i], buf_cstr(&b), STR("ix")));
	}
	assert_int_equal(
		scram_format(USERS_SCRAM_SHA_1, STR("\a"), 4096, &a, &err), -1);
	buf_fini(&a);
	buf_fini(&b);
}

/* Keys of Dovecot, which prepares nothing: what SASLprep refuses. */
static void
test_unprepared(void **state)
{
	static const char latin1[] = "gr\xfc\xdf";
	uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
	uint8_t again[SCRAM_KEY_MAX];

	(void)state;
	assert_int_equal(scram_keys(USERS_SCRAM_SHA_256, str_of(latin1),
				    STR("saltsalt"), 4096, stored, server),
			 0);
	assert_int_equal(scram_keys(USERS_SCRAM_SHA_256, str_of(latin1),
				    STR("saltsalt"), 4096, again, server),
			 0);
	assert_memory_equal(stored, again, SCRAM_KEY_MAX);
}

/* RFC 4013 3, and more. */
static void
test_prep(void **state)
{
	static const struct {
		const char *name, *in;
		bool stored;
		const char *want; /* NULL: refused */
	} rows[] = {
		{ "SOFT HYPHEN mapped to nothing", "I\xc2\xadX", true, "IX" },
		{ "no transformation", "user", true, "user" },
		{ "case preserved", "USER", true, "USER" },
		{ "NFKC, ordinal", "\xc2\xaa", true, "a" },
		{ "NFKC, roman", "\xe2\x85\xa8", true, "IX" },
		{ "prohibited", "\x07", true, NULL },
		{ "DEL", "\x7f", false, NULL },
		{ "bidirectional", "\xd8\xa7\x31", true, NULL },
		{ "no-break space", "a\xc2\xa0z", true, "a z" },
		{ "decomposed", "e\xcc\x81", true, "\xc3\xa9" },
		{ "empty", "", true, "" },
		{ "unassigned, to be stored", "a\xc8\xa1", true, NULL },
		{ "unassigned, as a query", "a\xc8\xa1", false, "a\xc8\xa1" },
		{ "not UTF-8", "a\xff", false, NULL },
		{ "above the BMP", "\xf0\x9d\x95\xb9", true, "N" },
	};
	struct buf out;
	struct err err;
	size_t i;
	int rc;

	(void)state;
	buf_init(&out, 100);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		rc = password_prep(str_of(rows[i].in), rows[i].stored, &out,
				   &err);
		if (rc < 0 ? rows[i].want != NULL
			   : !rows[i].want || !str_eq(buf_str(&out),
						      str_of(rows[i].want)))
			fail_msg("%s: %d %s", rows[i].name, rc, buf_cstr(&out));
	}
	buf_fini(&out);
	buf_init(&out, 3);
	assert_int_equal(password_prep(STR("four"), true, &out, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_unprepared),
		cmocka_unit_test(test_prep),
	};

	password_preload();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
