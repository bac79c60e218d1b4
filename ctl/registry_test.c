/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frame/config.h"
#include "frame/registry.h"

/* Every row is complete, and every default is a value its row accepts. */
static void
test_rows(void **state)
{
	const struct param *const *set, *row;

	(void)state;
	for (set = param_sets; *set; set++)
		for (row = *set; row->name; row++) {
			struct str text = str_of(row->text);

			print_message("%s\n", row->name);
			assert_true(str_of(row->name).n <= MAINCF_NAME_MAX);
			assert_non_null(row->def);
			assert_true(text.n > 20);
			assert_int_equal(text.p[text.n - 1], '.');
			assert_int_equal(str_find(text, '\n'), -1);
			assert_true(row->users < SVC_BIT(SVC_COUNT));
			assert_int_equal(row->kind == PARAM_ENUM,
					 row->choices != NULL);
			if (row->kind == PARAM_INT ||
			    row->kind == PARAM_BYTES || row->kind == PARAM_TIME)
				assert_true(row->min < row->max);
		}
}

static void
test_defaults(void **state)
{
	const struct param *const *set, *row;
	struct buf messages;
	struct config c;
	struct err err;
	int rc;

	(void)state;
	buf_init(&messages, 64 * 1024);
	rc = config_load_text(&c, param_sets, "/etc/posthouse",
			      STR("myhostname = mail.example.com\n"), &messages,
			      &err);
	print_message("%s", buf_cstr(&messages));
	assert_int_equal(rc, 0);
	assert_int_equal(messages.n, 0);
	for (set = param_sets; *set; set++)
		for (row = *set; row->name; row++)
			assert_true(config_find(&c, str_of(row->name))->row ==
				    row);
	buf_fini(&messages);
	config_fini(&c);
}

/* The parameters the service table names exist. */
static void
test_service_table(void **state)
{
	const struct config_value *v;
	struct buf messages;
	struct config c;
	struct str rest, word;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&messages, 64 * 1024);
	assert_int_equal(config_load_text(&c, param_sets, "/etc/posthouse",
					  STR("myhostname = a.example\n"),
					  &messages, &err),
			 0);
	for (i = 0; i < SVC_COUNT; i++) {
		rest = str_of(services[i].listens);
		while (str_token(&rest, " ", &word)) {
			print_message("%.*s\n", STR_FMT(word));
			v = config_find(&c, word);
			assert_non_null(v);
			assert_true(v->row->kind == PARAM_LISTEN ||
				    v->row->kind == PARAM_PATH);
		}
		if (!services[i].workers)
			continue;
		print_message("%s\n", services[i].workers);
		v = config_find(&c, str_of(services[i].workers));
		assert_non_null(v);
		assert_int_equal(v->row->kind, PARAM_INT);
	}
	buf_fini(&messages);
	config_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_service_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
