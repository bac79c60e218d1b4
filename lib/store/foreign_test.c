/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/foreign.h"

static void
test_uids(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "dovecot",
		  "3 V7 N9 Gabc\n"
		  "2 :a.b.c,S=1:2,S\n"
		  "5 W20 Pname :d\n",
		  "7 9 abc 2/a.b.c,S=1//-1 5/d/name/20" },
		{ "dovecot, version 1; Courier", "1 7 9\n2 a b\n5 d:2,\n",
		  "7 9  2/a b//-1 5/d//-1" },
		{ "next UID too small, or not said", "3 V7 N1\n4 :a\n",
		  "7 5  4/a//-1" },
		{ "no messages", "3 V7\n", "7 1 " },
		{ "not ascending, no name, no number, hidden",
		  "3 V7 N9\n2 :a\n2 :b\n3 x\nx :c\n0 :z\n4 :\n5 :.h\n6 :d",
		  "7 9  2/a//-1 6/d//-1" },
		{ "other version", "2 7 9\n", "-" },
		{ "no UIDVALIDITY", "3 N9\n", "-" },
		{ "too large", "3 V4294967296 N9\n", "-" },
		{ "empty", "", "-" },
	};
	struct foreign_uids u;
	struct buf out;
	size_t i, k;

	(void)state;
	buf_init(&out, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		if (foreign_uids_parse(&u, str_of(rows[i].in), NULL) < 0) {
			buf_add_byte(&out, '-');
		} else {
			buf_addf(&out, "%u %u %.*s", u.uidvalidity, u.uidnext,
				 STR_FMT(u.guid));
			for (k = 0; k < u.n; k++)
				buf_addf(&out, " %u/%.*s/%.*s/%lld", u.v[k].uid,
					 STR_FMT(u.v[k].base),
					 STR_FMT(u.v[k].uidl),
					 (long long)u.v[k].wsize);
			foreign_uids_fini(&u);
		}
		if (!str_eq(buf_str(&out), str_of(rows[i].want)))
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
	}
	buf_fini(&out);
}

static void
test_courier(void **state)
{
	static const char list[] = "odd\neven\n\nx:0 1 7\n:0\ny,S=3:1\n";
	static const char sizes[] = "/3 9 7\nx:2,S 10 4:7:0\ny 11 5\nz 12\n"
				    "bad\nq+ 1 0:0:0\n";
	struct str base, numbers, name, rest = str_of(sizes);
	struct foreign_list l;
	struct foreign_size s;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(foreign_list_open(&l, str_of(list), NULL), 0);
	while (foreign_list_next(&l, &base, &numbers)) {
		buf_addf(&out, "%.*s", STR_FMT(base));
		while (foreign_list_name(&l, &numbers, &name))
			buf_addf(&out, " %.*s", STR_FMT(name));
		buf_add_byte(&out, ';');
	}
	foreign_list_close(&l);
	assert_string_equal(buf_cstr(&out), "x odd even;y,S=3 even;");
	buf_reset(&out);
	while (foreign_size_next(&rest, &s)) {
		buf_addf(&out, "%.*s ", STR_FMT(s.base));
		foreign_size_uidl(&s, &out);
		buf_add_byte(&out, ';');
	}
	assert_string_equal(buf_cstr(&out), "x UID4-7;y UID5;z z;q+ q+2B;");
	buf_fini(&out);
}

static void
test_letters(void **state)
{
	struct str name[FOREIGN_LETTERS] = { STR_NULL };

	(void)state;
	foreign_letters_parse(STR("0 odd\n25 last\n26 none\nx\n1 \n"), name);
	assert_true(str_eq(name[0], STR("odd")));
	assert_true(str_eq(name[25], STR("last")));
	assert_int_equal(name[1].n, 0);
}

static void
test_subscriptions(void **state)
{
	static const struct {
		const char *in, *want;
		bool courier;
	} rows[] = {
		{ "A.B\n\nINBOX\nINBOX.C\n", "A.B;INBOX;INBOX.C;", false },
		{ "INBOX\nINBOX.C\nINBOX.C.D", "INBOX;C;C.D;", true },
		{ "V\t2\n\nA\tB\nC\n", "A.B;C;", false },
		{ "E&AOQ-\n\xc3\xa4\n", "E&AOQ-;&AOQ-;", false },
		{ "\xff\nA\001tB\nok\n", "ok;", false },
	};
	struct buf out, name;
	struct str rest;
	size_t i;

	(void)state;
	buf_init(&out, 1000);
	buf_init(&name, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		rest = str_of(rows[i].in);
		while (foreign_subscription_next(&rest, rows[i].courier,
						 &name)) {
			buf_add_str(&out, buf_str(&name));
			buf_add_byte(&out, ';');
		}
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
	buf_fini(&out);
	buf_fini(&name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uids),
		cmocka_unit_test(test_courier),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_subscriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
