/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/unit.h"
#include "mail/transfer.h"

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		enum transfer want;
	} rows[] = {
		{ "", TRANSFER_IDENTITY },
		{ "8BIT", TRANSFER_IDENTITY },
		{ "binary", TRANSFER_IDENTITY },
		{ "Base64", TRANSFER_BASE64 },
		{ "QUOTED-PRINTABLE", TRANSFER_QP },
		{ "base64 ", TRANSFER_UNKNOWN },
		{ "x-uuencode", TRANSFER_UNKNOWN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(transfer_of(str_of(rows[i].name)),
				 rows[i].want);
}

/* In portions of step bytes. */
static void
check(enum transfer encoding, const char *in, const char *want, size_t step)
{
	struct transfer_decoder d;
	struct str rest = str_of(in), part = STR("");
	char out[1000];
	size_t n = 0;

	transfer_init(&d, encoding);
	for (; rest.n; rest = str_from(rest, step)) {
		part = str_head(rest, step);
		n += transfer_decode(&d, &part, false, out + n,
				     sizeof(out) - n);
		assert_int_equal(part.n, 0);
	}
	n += transfer_decode(&d, &part, true, out + n, sizeof(out) - n);
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void
test_bodies(void **state)
{
	static const struct {
		enum transfer encoding;
		const char *in, *want;
	} rows[] = {
		{ TRANSFER_IDENTITY, "a=41 \r\nYQ==", "a=41 \r\nYQ==" },
		{ TRANSFER_UNKNOWN, "a=41 \r\nYQ==", "a=41 \r\nYQ==" },
		{ TRANSFER_BASE64, "", "" },
		{ TRANSFER_BASE64, "SGVs\r\nbG8gV29y\r\nbGQ=", "Hello World" },
		{ TRANSFER_BASE64, "SG*Vs bG8", "Hello" },
		{ TRANSFER_BASE64, "SGk=SGVsbG8=", "Hi" },
		{ TRANSFER_BASE64, "SGVsbG", "Hell" },
		{ TRANSFER_QP, "a=3Db=zc", "a=b=zc" },
		{ TRANSFER_QP, "=c3=BC", "\xc3\xbc" },
		{ TRANSFER_QP, "a=\r\nb=\nc", "abc" },
		{ TRANSFER_QP, "a= \t \r\nb", "ab" },
		{ TRANSFER_QP, "a \t\r\nb  c\t\n", "a\r\nb  c\n" },
		{ TRANSFER_QP, "=4\n=4\r\n= x", "=4\n=4\r\n= x" },
		{ TRANSFER_QP, "==41", "=A" },
		{ TRANSFER_QP, "=4=41", "=4A" },
		{ TRANSFER_QP, "= =41", "= A" },
		{ TRANSFER_QP, "end=", "end" },
		{ TRANSFER_QP, "end=4", "end=4" },
		{ TRANSFER_QP, "a\rb", "a\rb" },
	};
	size_t i, step;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (step = 1; step < 8; step++)
			check(rows[i].encoding, rows[i].in, rows[i].want, step);
}

/* More blanks than are held, behind a word and behind a "=". */
static void
test_many_blanks(void **state)
{
	char in[400], *p = in;

	(void)state;
	*p++ = 'a';
	memset(p, ' ', 150);
	p[150] = '=';
	memset(p + 151, ' ', 150);
	memcpy(p + 301, "z", 2);
	check(TRANSFER_QP, in, in, 1);
	check(TRANSFER_QP, in, in, 100);
}

/* What does not fit stays with the caller. */
static void
test_room(void **state)
{
	struct transfer_decoder d;
	struct str in = STR("abcdef");
	char out[TRANSFER_ROOM + 2];

	(void)state;
	transfer_init(&d, TRANSFER_QP);
	assert_int_equal(transfer_decode(&d, &in, true, out, sizeof(out)), 3);
	assert_int_equal(in.n, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_many_blanks),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
